// Where the time of a plan goes, step by step.
import CKernels

/// The times of a plan's steps over some runs, with the work that each did.
public struct PlanProfile: Sendable {
    /// What a machine can do at most, for comparison.
    public struct Limits: Sendable {
        /// Float32 operations a second of matrix products that stay in the cache.
        public var operationsPerSecond: Double
        /// Bytes a second that a copy reads and writes in main memory.
        public var bytesPerSecond: Double

        public init(operationsPerSecond: Double, bytesPerSecond: Double) {
            self.operationsPerSecond = operationsPerSecond
            self.bytesPerSecond = bytesPerSecond
        }
    }

    /// One step. Times and work are those of one run of the plan, however often a loop ran the step in it.
    public struct Step: Sendable {
        /// Position among its neighbours, and how deep inside loops and choices it stands.
        public let number: Int
        public let depth: Int
        /// The kernel, such as `gemm`.
        public let kernel: String
        /// The operations of the program that the step does, and the modules that they come from.
        public let operations: String
        public let paths: String
        public let runs: Double
        public let seconds: Double
        public let operationCount: Double
        /// The bytes of all that the step reads and writes, each buffer once.
        public let byteCount: Double

        /// The least time that `limits` allow for the step's work, as a share of the time it took.
        public func share(of limits: Limits) -> Double {
            guard seconds > 0 else { return 0 }
            let least = max(
                operationCount / limits.operationsPerSecond, byteCount / limits.bytesPerSecond)
            return least / seconds
        }
    }

    public let steps: [Step]
    /// Seconds of one run: the sum over the plan's own steps.
    public let seconds: Double

    init(_ plan: Executable.Plan, times: [spk_step_time], repetitions: Int) {
        let perRun = 1 / Double(max(repetitions, 1))
        var steps: [Step] = []
        func append(_ planned: [PlannedStep], depth: Int) {
            for (number, step) in planned.enumerated() {
                let time = times[steps.count]
                let runs = Double(time.runs) * perRun
                let isControl = !step.bodies.isEmpty
                let bytes = Set(step.reads + step.writes).reduce(0) { $0 + plan.buffers[$1].type.byteCount }
                steps.append(
                    Step(
                        number: number, depth: depth, kernel: step.kernelName,
                        operations: step.origin?.operations ?? "result", paths: step.origin?.paths ?? "",
                        runs: runs, seconds: time.seconds * perRun,
                        operationCount: isControl || step.isMovement
                            ? 0 : (step.origin?.operationCount ?? 0) * runs,
                        byteCount: isControl ? 0 : Double(bytes) * runs))
                for body in step.bodies { append(body, depth: depth + 1) }
            }
        }
        append(plan.steps, depth: 0)
        self.steps = steps
        seconds = steps.reduce(0) { $0 + ($1.depth == 0 ? $1.seconds : 0) }
    }

    /// A line a step, in the order of the plan: share of the time, microseconds, GFLOP/s, GB/s, and with limits the share of what the
    /// machine can do; then the same by kernel. Steps below `leastShare` of the time are counted in one line.
    public func description(limits: Limits?, leastShare: Double = 0.002) -> String {
        var rows = [
            ["", "share", "µs", "GFLOP/s", "GB/s", limits == nil ? "" : "of limit", "kernel", "operations"]
        ]
        func row(
            _ label: String, _ seconds: Double, _ operations: Double, _ bytes: Double, _ last: [String]
        ) -> [String] {
            let whole = Step(
                number: 0, depth: 0, kernel: "", operations: "", paths: "", runs: 1, seconds: seconds,
                operationCount: operations, byteCount: bytes)
            func rate(_ amount: Double) -> String {
                amount == 0 || seconds == 0 ? "" : tenths(amount / seconds / 1e9)
            }
            return [
                label, tenths(100 * seconds / max(self.seconds, 1e-12)) + " %", tenths(seconds * 1e6),
                rate(operations), rate(bytes),
                limits.map { bytes == 0 ? "" : tenths(100 * whole.share(of: $0)) + " %" } ?? "",
            ] + last
        }
        var hidden = 0
        var hiddenSeconds = 0.0
        for step in steps {
            guard step.seconds >= leastShare * seconds else {
                hidden += 1
                if step.depth == 0 { hiddenSeconds += step.seconds }
                continue
            }
            let indentation = String(repeating: "    ", count: step.depth)
            rows.append(
                row(
                    indentation + "\(step.number)", step.seconds, step.operationCount, step.byteCount,
                    [step.kernel, "\(step.operations) \(step.paths)"]))
        }
        if hidden > 0 { rows.append(row("others", hiddenSeconds, 0, 0, ["", "\(hidden) steps"])) }
        var kernels: [String: (seconds: Double, operations: Double, bytes: Double, count: Int)] = [:]
        for step in steps where step.operations == "result" || step.byteCount > 0 {
            var sum = kernels[step.kernel] ?? (0, 0, 0, 0)
            sum = (
                sum.seconds + step.seconds, sum.operations + step.operationCount, sum.bytes + step.byteCount,
                sum.count + 1
            )
            kernels[step.kernel] = sum
        }
        rows.append(["by kernel"])
        for (kernel, sum) in kernels.sorted(by: { ($0.value.seconds, $1.key) > ($1.value.seconds, $0.key) }) {
            rows.append(
                row("", sum.seconds, sum.operations, sum.bytes, [kernel, Quantity.count(sum.count, "step")]))
        }
        rows.append(row("all", seconds, 0, 0, []))
        return alignedColumns(rows).joined(separator: "\n")
    }
}

private func tenths(_ value: Double) -> String {
    guard value.isFinite, value < 1e15 else { return "–" }
    let tenths = Int((value * 10).rounded())
    return value >= 1000 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
}
