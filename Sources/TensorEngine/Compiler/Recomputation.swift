// Computes cheap values again where they are needed, instead of keeping them in memory until then.

/// A result of a few simple operations that the backward pass reads (a bias added, a mean taken off, a square) costs more to
/// store and load than to compute again from what is in memory anyway. Each later group that reads such a value gets
/// equations of its own for it. The bits are the same: the same operations on the same operands.
@Sendable func recomputeCheapResults(_ program: Program) throws -> Program {
    guard program.equations.contains(where: { isLarge($0, program) }) else { return program }
    var recomputation = Recomputation(program)
    return recomputation.rewritten()
}

/// Smaller values stay in the first caches.
private func isLarge(_ equation: Equation, _ program: Program) -> Bool {
    guard equation.outputs.count == 1, case .elementwise = equation.primitive.lowering else { return false }
    return program.type(of: equation.outputs[0]).shape.elementCount >= Recomputation.smallestResult
}

private struct Recomputation {
    static let smallestResult = 4096
    /// Of all operations that a value is computed with again, in simple operations.
    static let largestWeight = 6
    /// An operand this many times smaller than the result costs nothing to keep and to read.
    static let smallOperand = 16

    let program: Program
    /// The number of the group of each equation, ascending in time; -1 for views and kernels.
    let group: [Int]
    /// By variable: the equation that computes it, -1 for inputs and constants.
    let producer: [Int]
    /// By variable: the elementwise equations that read it as it lies; nil where something else reads it too, for which it must
    /// be in memory.
    var readers: [[Int]?]
    var weights: [Int: Int?] = [:]

    init(_ program: Program) {
        self.program = program
        group = FusionGroups.groups(of: program)
        producer = program.producers()
        readers = Array(repeating: [], count: program.types.count)
        for (position, equation) in program.equations.enumerated() {
            for variable in equation.inputs {
                if group[position] >= 0 {
                    readers[variable.index]?.append(position)
                } else {
                    readers[variable.index] = nil
                }
            }
        }
        for variable in program.outputs { readers[variable.index] = nil }
    }

    /// What a value is computed from again.
    private struct Cone {
        var equations: Set<Int> = []
        var weight = 0
        /// Operands of the result's size that must be in memory.
        var large: Set<Int32> = []
    }

    mutating func rewritten() -> Program {
        // By reading group: the values that it computes again, and the first equation that needs one.
        var wanted: [Int: (variables: Set<Int32>, equations: Set<Int>, first: Int)] = [:]
        for (position, equation) in program.equations.enumerated() where isLarge(equation, program) {
            let variable = equation.outputs[0]
            guard let readers = readers[variable.index] else { continue }
            let later = readers.filter { group[$0] != group[position] }
            guard !later.isEmpty, let cone = cone(of: variable), cone.large.count <= 1 else { continue }
            for reader in later {
                var entry = wanted[group[reader]] ?? ([], [], reader)
                entry.variables.insert(variable.id)
                entry.equations.formUnion(cone.equations)
                entry.first = min(entry.first, reader)
                wanted[group[reader]] = entry
            }
        }
        guard !wanted.isEmpty else { return program }

        var result = program
        result.equations = []
        var copies: [Int: [Int32: Variable]] = [:]
        let starts = Dictionary(grouping: wanted, by: \.value.first)
        for (position, equation) in program.equations.enumerated() {
            for (number, entry) in (starts[position] ?? []).sorted(by: { $0.key < $1.key }) {
                var names: [Int32: Variable] = [:]
                for again in entry.equations.sorted() {
                    var copy = program.equations[again]
                    copy.inputs = copy.inputs.map { names[$0.id] ?? $0 }
                    let output = result.makeVariable(program.type(of: copy.outputs[0]))
                    names[copy.outputs[0].id] = output
                    copy.outputs = [output]
                    result.equations.append(copy)
                }
                copies[number] = names.filter { entry.variables.contains($0.key) }
            }
            var equation = equation
            if group[position] >= 0, let names = copies[group[position]] {
                equation.inputs = equation.inputs.map { names[$0.id] ?? $0 }
            }
            result.equations.append(equation)
        }
        return result
    }

    /// The equations that compute a value from what is in memory anyway, or nil where they are too many, or too expensive.
    private mutating func cone(of variable: Variable) -> Cone? {
        let count = program.type(of: variable).shape.elementCount
        var cone = Cone()
        var pending = [producer[variable.index]]
        while let position = pending.popLast() {
            guard cone.equations.insert(position).inserted else { continue }
            guard let weight = weight(of: position) else { return nil }
            cone.weight += weight
            guard cone.weight <= Recomputation.largestWeight else { return nil }
            for input in program.equations[position].inputs {
                let source = base(of: input)
                if program.type(of: source).shape.elementCount * Recomputation.smallOperand <= count {
                    continue
                }
                let before = producer[source.index]
                // Inputs may be overwritten by then.
                guard before >= 0 else { return nil }
                if source == input, group[before] >= 0, readers[source.index] != nil {
                    pending.append(before)
                } else {
                    cone.large.insert(source.id)
                }
            }
        }
        return cone
    }

    /// What a view looks at.
    private func base(of variable: Variable) -> Variable {
        var variable = variable
        while producer[variable.index] >= 0 {
            let equation = program.equations[producer[variable.index]]
            guard case .view = equation.primitive.lowering else { break }
            variable = equation.inputs[0]
        }
        return variable
    }

    /// What an equation costs, in simple operations; nil for what is not elementwise, or asks for more than its operands.
    private mutating func weight(of position: Int) -> Int? {
        if let known = weights[position] { return known }
        let equation = program.equations[position]
        var result: Int?
        if case .elementwise(let emit) = equation.primitive.lowering, equation.outputs.count == 1 {
            var code = BlockCode()
            let types = equation.inputs.map(program.type(of:))
            let inputs = types.indices.map { code.load($0, types[$0].dtype) }
            _ = emit(&code, inputs, types, equation.outputs.map(program.type(of:)))
            result = code.usesIndices ? nil : code.weight
        }
        weights[position] = .some(result)
        return result
    }
}
