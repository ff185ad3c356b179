// A compiled plan as text that a person can read.

extension Executable {
    /// The plan as text: a line of sizes, then one step a line: its kernel, what it writes and reads, and the operations
    /// and the module that it comes from. Inputs are called x0, x1, …, outputs y0, y1, … (y0=x2: in the
    /// memory of that input), constants c0, c1, …; t stands for
    /// temporaries, with their place in the arena, and w for the slices that a loop moves along. The steps that a loop or a choice
    /// runs follow it, indented.
    public var planDescription: String {
        let names = BufferNames(plan)
        var rows: [[String]] = []
        appendRows(plan.steps, names, indentation: "  ", to: &rows)
        return ([planSummary] + alignedColumns(rows, widest: 84)).joined(separator: "\n")
    }

    /// The number of steps and the bytes that a run needs.
    public var planSummary: String {
        func total(_ types: [TensorType]) -> String { Quantity.bytes(types.reduce(0) { $0 + $1.byteCount }) }
        return [
            "\(Quantity.count(plan.steps.reduce(0) { $0 + $1.count }, "step"))",
            "arena \(Quantity.bytes(arenaByteCount))",
            "\(Quantity.count(inputTypes.count, "input")) of \(total(inputTypes))",
            "\(Quantity.count(outputTypes.count, "output")) of \(total(outputTypes))",
            "\(Quantity.count(plan.constants.count, "constant")) of \(total(plan.constants.map(\.type)))",
        ].joined(separator: "; ")
    }

    private func appendRows(
        _ steps: [PlannedStep], _ names: BufferNames, indentation: String, to rows: inout [[String]]
    ) {
        for (number, step) in steps.enumerated() {
            rows.append([
                indentation + "\(number)",
                step.kernelName,
                few(step.writes.map { "\(names[$0]): \(plan.buffers[$0].type)" }, separator: ", "),
                "← " + few(step.reads.map { names[$0] }, separator: " "),
                step.origin?.operations ?? "result",
                step.isMovement ? "" : step.origin?.work ?? "",
                step.origin?.paths ?? "",
            ])
            for (body, label) in zip(step.bodies, step.bodyLabels) {
                rows.append([indentation + "    \(label)"])
                appendRows(body, names, indentation: indentation + "    ", to: &rows)
            }
        }
    }
}

/// A list cut to its first entries: a loop touches all that its body touches.
private func few(_ texts: [String], separator: String) -> String {
    let shown = 4
    return texts.prefix(shown).joined(separator: separator)
        + (texts.count > shown ? "\(separator)… (\(texts.count))" : "")
}

extension Program {
    /// The program as the compiler lowers it: after all passes.
    public func optimized() throws -> Program { try Pipeline.run(self) }
}

extension PlannedStep {
    /// This step and those it runs.
    var count: Int { bodies.reduce(1) { $0 + $1.reduce(0) { $0 + $1.count } } }

    /// True for steps that bring operands into place for another one.
    var isMovement: Bool { kernelName == "copy" || kernelName == "fill" }

    /// The name of the argument block without what all have in common.
    var kernelName: String {
        if name.hasPrefix("spk_") { return String(name.dropFirst("spk_".count)) }
        let short = name.hasSuffix("Step") ? name.dropLast("Step".count) : name[...]
        return short.lowercased()
    }

    /// What the bodies are for.
    var bodyLabels: [String] {
        let labels = origin.map { $0.first.primitive.subprograms.map(\.label) } ?? []
        return labels.count == bodies.count ? labels : bodies.indices.map { "body \($0)" }
    }
}

extension StepOrigin {
    private var all: [Equation] { equations.map { source.program.equations[$0] } }
    fileprivate var first: Equation { source.program.equations[equations[0]] }

    /// The operations' names, runs of one name counted.
    var operations: String {
        var runs: [(name: String, count: Int)] = []
        for equation in all {
            let name = equation.primitive.name
            if runs.last?.name == name { runs[runs.count - 1].count += 1 } else { runs.append((name, 1)) }
        }
        let shown = 8
        let texts = runs.prefix(shown).map { $0.count == 1 ? $0.name : "\($0.name)×\($0.count)" }
        return texts.joined(separator: " ") + (runs.count > shown ? " …" : "")
    }

    /// Floating-point operations of one run.
    var operationCount: Double {
        equations.reduce(0) { $0 + source.program.operationCount(of: source.program.equations[$1]) }
    }

    fileprivate var work: String {
        let count = operationCount
        return count == 0 ? "" : Quantity.operations(count)
    }

    /// The module paths, each once.
    var paths: String {
        var known: Set<String> = []
        let paths = all.map(\.path).filter { !$0.isEmpty && known.insert($0).inserted }
        return paths.isEmpty ? "" : "# " + paths.joined(separator: " ")
    }
}

/// What the buffers of a plan are called in print.
private struct BufferNames {
    private let names: [String]

    init(_ plan: Executable.Plan) {
        var temporaries = 0
        var windows = 0
        names = plan.buffers.enumerated().map { number, buffer in
            switch buffer.source {
            case .input(let k): return "x\(k)"
            case .output(let k): return "y\(k)" + (plan.inputOfOutput[k].map { "=x\($0)" } ?? "")
            case .constant(let k): return "c\(k)"
            case .temporary:
                temporaries += 1
                return "t\(temporaries - 1)" + (plan.arena.offsets[number].map { "@\($0)" } ?? "")
            case .window:
                windows += 1
                return "w\(windows - 1)"
            }
        }
    }

    subscript(_ buffer: Int) -> String { names[buffer] }
}
