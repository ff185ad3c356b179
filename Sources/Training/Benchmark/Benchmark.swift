// Measures a workload.
import Glibc
import JobSpec
import Linen
import Optax
import TensorEngine

/// What a measurement found, with the names that the comparison with the peers reads.
package struct BenchmarkResult: Sendable {
    package let json: JSONValue
    package let planDescription: String
    /// Where a step's time goes, if that was asked for.
    package let profile: PlanProfile?
}

package enum Benchmark {
    /// The shortest burst that is timed without making it longer, in seconds.
    private static let shortestBurst = 0.05

    package static func run(
        _ workload: Workload, seconds: Double, profiles: Bool = false
    ) throws -> BenchmarkResult {
        let step = try CompiledStep(workload.definition())
        let execution = step.execution
        let firstLoss = try step.loss()

        execution.run(repetitions: 3)
        // The best burst is the machine's quietest moment, the median the typical one.
        let rates = burstRates(of: execution, seconds: seconds, shortestBurst: shortestBurst)
        let profile = profiles ? execution.profile(repetitions: max(3, Int(rates[rates.count / 2]))) : nil
        return BenchmarkResult(
            json: [
                "peer": "spindle", "workload": .string(workload.rawValue),
                "steps_per_s": .double(rates[rates.count / 2]),
                "best": .double(rates[rates.count - 1]),
                "first_step_s": .double(step.compileSeconds + step.firstRunSeconds),
                "peak_rss_mb": .double(peakResidentMegabytes()), "params": JSONValue(step.parameterCount),
                "loss": .double(try step.loss()), "first_loss": .double(firstLoss),
                "kernel_level": .string(KernelLevel.current.description),
                "threads": JSONValue(ComputePool.threads),
            ], planDescription: step.executable.planDescription, profile: profile)
    }

    /// Runs a second of each of the short bursts that `seconds` have room for, at least one, ascending.
    ///
    /// - Parameter shortestBurst: a burst that took less, in seconds, is followed by ones twice as long.
    static func burstRates(
        of execution: BoundExecution, seconds: Double, shortestBurst: Double
    ) -> [Double] {
        var burst = 1
        var rates: [Double] = []
        let deadline = monotonicSeconds() + seconds
        while monotonicSeconds() < deadline || rates.isEmpty {
            let begin = monotonicSeconds()
            execution.run(repetitions: burst)
            let duration = monotonicSeconds() - begin
            rates.append(Double(burst) / duration)
            if duration < shortestBurst { burst *= 2 }
        }
        return rates.sorted()
    }

    private static func peakResidentMegabytes() -> Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return Double(usage.ru_maxrss) / 1024
    }
}

/// A workload's training step, compiled and run once.
struct CompiledStep {
    let executable: Executable
    let execution: BoundExecution
    let parameterCount: Int
    /// Tracing and compiling.
    let compileSeconds: Double
    let firstRunSeconds: Double
    /// The leaves of the state, behind which the loss stands among the outputs.
    private let carried: Int

    init(_ definition: WorkloadDefinition) throws {
        let variables = try definition.model.initialize(PRNGKey(seed: 1), definition.x, training: true)
        let statistics = variables["batch_stats"]?.dictionary
        let state = try TrainState.create(
            params: variables["params"]?.dictionary ?? FrozenDict(), transformation: definition.optimizer,
            collections: statistics.map { [.init("batch_stats", $0)] } ?? [])
        parameterCount = state.params.leaves.reduce(0) { $0 + $1.shape.elementCount }
        carried = state.leaves.count

        let start = monotonicSeconds()
        let program = try makeProgram(
            { (arguments: [Tensor]) in
                let state = try state.replacingLeaves(Array(arguments.dropLast(2)))
                let (x, y) = (arguments[arguments.count - 2], arguments[arguments.count - 1])
                return try definition.step(state, x, y)
            }, state.leaves + [definition.x, definition.y])
        executable = try Executable(program, carry: Array(0..<carried) + [nil])
        let compiled = monotonicSeconds()
        execution = try BoundExecution(executable, inputs: state.leaves + [definition.x, definition.y])
        execution.run()
        compileSeconds = compiled - start
        firstRunSeconds = monotonicSeconds() - compiled
    }

    /// The loss of the last run.
    func loss() throws -> Double { try execution.output(carried).item() }
}

extension WorkloadDefinition {
    /// One step: the leaves of the next state, and the loss.
    fileprivate func step(_ state: TrainState, _ x: Tensor, _ y: Tensor) throws -> [Tensor] {
        let collections = state.collections
        let (loss, next, gradients) = try valueAndGrad(hasAux: { (params: FrozenDict) in
            let variables = FrozenDict(
                [("params", .dictionary(params))] + collections.map { ($0.name, .dictionary($0.variables)) })
            let (prediction, next) = try model.apply(
                variables, x, mutable: .only(Set(collections.map(\.name))), training: true)
            return (try self.loss(prediction, y), next)
        })(state.params)
        return try state.applyGradients(gradients, replacing: next).leaves + [loss]
    }
}
