// Programs as text that a person can read.

extension Program: CustomStringConvertible {
    /// `text()`.
    public var description: String { text() }

    /// The program as text, one equation a line:
    ///
    ///     v3: float32[20,5] = dotGeneral x1 x0   contracting=[1]·[0]   # /Dense_0
    ///
    /// Inputs are x0, x1, …, results v0, v1, … in the order of the lines, constants c0, c1, …. Scalar constants stand at their
    /// uses, also where the program broadcasts them first. Programs inside an equation (a loop's body) follow it, indented.
    ///
    /// - Parameter inputNames: what the inputs are, in their order, such as `params/Dense_0/kernel`.
    public func text(inputNames: [String] = []) -> String {
        var printer = ProgramPrinter()
        printer.print(self, head: "program", inputNames: inputNames, indentation: "")
        return (printer.lines + [footer]).joined(separator: "\n")
    }

    /// Counts: equations by operation, inputs, constants, arithmetic.
    private var footer: String {
        var counts: [String: Int] = [:]
        for equation in equations { counts[equation.primitive.name, default: 0] += 1 }
        let common = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        var kinds = common.prefix(8).map { "\($0.value) \($0.key)" }
        if common.count > 8 { kinds.append("\(common.dropFirst(8).reduce(0) { $0 + $1.value }) others") }
        func total(_ types: [TensorType]) -> String { Quantity.bytes(types.reduce(0) { $0 + $1.byteCount }) }
        let constantTypes = constants.map(\.value.type)
        let all = "\(Quantity.count(equations.count, "equation"))"
        let sizes = [
            "\(Quantity.count(inputs.count, "input")) of \(total(inputTypes))",
            "\(Quantity.count(outputs.count, "output")) of \(total(outputTypes))",
            "\(Quantity.count(constants.count, "constant")) of \(total(constantTypes))",
            Quantity.operations(operationCount),
        ]
        return all + (kinds.isEmpty ? "" : ": \(kinds.joined(separator: ", "))") + "\n"
            + sizes.joined(separator: "; ")
    }
}

/// Collects the lines of a program and of the programs inside it.
private struct ProgramPrinter {
    private(set) var lines: [String] = []

    mutating func print(_ program: Program, head: String, inputNames: [String], indentation: String) {
        let names = VariableNames(program)
        let inner = indentation + "  "
        func typed(_ variable: Variable) -> String { "\(names[variable]): \(program.type(of: variable))" }

        let results =
            program.outputs.count <= 6
            ? program.outputTypes.map(\.description).joined(separator: ", ")
            : Quantity.count(program.outputs.count, "result")
        if inputNames.isEmpty, program.inputs.count <= 4 {
            lines.append(
                "\(indentation)\(head)(\(program.inputs.map(typed).joined(separator: ", "))) -> (\(results)) {"
            )
        } else {
            lines.append("\(indentation)\(head)(")
            let inputs = program.inputs.enumerated().map {
                [typed($0.element), $0.offset < inputNames.count ? inputNames[$0.offset] : ""]
            }
            lines += alignedColumns(inputs, indentation: inner)
            lines.append("\(indentation)) -> (\(results)) {")
        }

        let constants = program.constants.filter { names.literal($0.variable) == nil }
        lines += alignedColumns(
            constants.map { [typed($0.variable), ProgramPrinter.excerpt($0.value)] }, indentation: inner)

        // Rows between two nested programs are aligned with each other.
        var rows: [[String]] = []
        for equation in program.equations where !names.isShownInPlace(equation) {
            let operands = equation.inputs.map { names.operand($0, of: equation, in: program) }
            rows.append([
                equation.outputs.map(typed).joined(separator: ", "),
                "= " + ([equation.primitive.name] + operands).joined(separator: " "),
                equation.primitive.parameterDescription,
                equation.path.isEmpty ? "" : "# \(equation.path)",
            ])
            let nested = equation.primitive.subprograms
            if nested.isEmpty { continue }
            lines += alignedColumns(rows, indentation: inner)
            rows = []
            for (label, program) in nested {
                print(program, head: label, inputNames: [], indentation: inner + "  ")
            }
        }
        lines += alignedColumns(rows, indentation: inner)
        lines.append("\(inner)return \(program.outputs.map { names[$0] }.joined(separator: ", "))")
        lines.append("\(indentation)}")
    }

    /// The first elements of a constant.
    private static func excerpt(_ value: Tensor) -> String {
        let shown = 6
        let count = value.shape.elementCount
        let few = value.firstElements(shown)
        if few.isEmpty { return "= \(Quantity.count(count, "element"))" }
        return "= " + few.joined(separator: " ") + (count > shown ? " … (\(count) elements)" : "")
    }
}

/// What the variables of a program are called in print.
private struct VariableNames {
    private var names: [String?]
    private var literals: [String?]

    init(_ program: Program) {
        names = Array(repeating: nil, count: program.types.count)
        literals = names
        for (k, variable) in program.inputs.enumerated() { names[variable.index] = "x\(k)" }
        var constants = 0
        for (variable, value) in program.constants {
            if value.rank == 0, let element = value.firstElements(1).first {
                literals[variable.index] = element
            } else {
                names[variable.index] = "c\(constants)"
                constants += 1
            }
        }
        var results = 0
        for equation in program.equations {
            if equation.primitive is BroadcastInDim, let literal = literals[equation.inputs[0].index],
                let result = equation.outputs.first
            {
                literals[result.index] = literal
                continue
            }
            for variable in equation.outputs {
                names[variable.index] = "v\(results)"
                results += 1
            }
        }
    }

    /// The value of a scalar constant or of a broadcast of one.
    func literal(_ variable: Variable) -> String? { literals[variable.index] }

    /// True for the broadcast of a scalar constant: its uses say it all.
    func isShownInPlace(_ equation: Equation) -> Bool {
        equation.outputs.first.map { literals[$0.index] != nil } ?? false
    }

    /// A variable as an operand. The shape of a broadcast literal is said where the result's does not tell.
    func operand(_ variable: Variable, of equation: Equation, in program: Program) -> String {
        if case .elementwise = equation.primitive.lowering { return self[variable] }
        let type = program.type(of: variable)
        return type.shape.rank > 0 && literal(variable) != nil ? "\(self[variable]):\(type)" : self[variable]
    }

    subscript(_ variable: Variable) -> String {
        literals[variable.index] ?? names[variable.index] ?? "undefined(\(variable.id))"
    }
}

extension Primitive {
    /// `parameterDescription` for most: the stored properties as `name=value`. Leaves out what says nothing (nil, false, empty lists)
    /// what the result's type says (shapes), and
    /// what is no value (functions, programs).
    var storedParameters: String {
        Mirror(reflecting: self).children.compactMap { label, value -> String? in
            guard let label, let text = printedParameter(value) else { return nil }
            return text == "true" ? label : "\(label)=\(text)"
        }.joined(separator: " ")
    }

}

/// A parameter's value as text; nil where it says nothing.
private func printedParameter<Value>(_ value: Value) -> String? {
    switch value {
    case let flag as Bool: return flag ? "true" : nil
    case let list as [Int]: return list.isEmpty ? nil : "[\(list.map(String.init).joined(separator: ","))]"
    // The result's type says it.
    case is Shape: return nil
    case is Program, is [Program]: return nil
    default: break
    }
    let mirror = Mirror(reflecting: value)
    if mirror.displayStyle == .optional {
        return mirror.children.first.flatMap { printedParameter($0.value) }
    }
    // A function has neither children nor a display style, and its type's name says what it is.
    if mirror.displayStyle == nil, "\(mirror.subjectType)".contains("->") { return nil }
    return "\(value)"
}

extension Tensor {
    /// The first elements as short texts; none for a traced tensor.
    func firstElements(_ count: Int) -> [String] {
        guard !isTraced else { return [] }
        return
            (try? withUnsafeBytes { bytes -> [String] in
                let width = dtype.byteWidth
                let available = Swift.min(count, shape.elementCount)
                let prefix = UnsafeRawBufferPointer(rebasing: bytes[..<(available * width)])
                let few = try Tensor(bytes: prefix, type: TensorType(dtype, [available]))
                return try few.elementTexts()
            }) ?? []
    }

    /// Each element as the shortest text that means the same value of its type.
    private func elementTexts() throws -> [String] {
        switch dtype {
        case .bool: try doubles().map { $0 == 0 ? "false" : "true" }
        case .int64: try elements(as: Int64.self).map(\.description)
        case .uint64: try elements(as: UInt64.self).map(\.description)
        case .float64: try doubles().map(\.description)
        case .float32, .float16, .bfloat16: try doubles().map { Float($0).description }
        default: try doubles().map { Int($0).description }
        }
    }
}
