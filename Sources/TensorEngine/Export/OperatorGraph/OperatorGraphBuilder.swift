// From a program to an operator graph: the walk over the equations, and the values on the way.

/// A primitive that operator graphs can hold.
protocol GraphExportable: Primitive {
    /// Adds the operators that compute the primitive, and returns the results.
    func export(
        _ operands: [GraphOperand], _ equation: ExportedEquation, to graph: inout OperatorGraphBuilder
    ) throws -> [GraphOperand]
}

/// An equation of a program whose batch size is open.
struct ExportedEquation {
    let polymorphic: BatchPolymorphicProgram
    let index: Int

    var equation: Equation { polymorphic.program.equations[index] }

    /// The types of the results.
    var results: [OperatorGraph.ValueType] {
        equation.outputs.map {
            .init(dtype: polymorphic.program.type(of: $0).dtype, dimensions: polymorphic.dimensions(of: $0))
        }
    }

    /// A parameter that holds sizes.
    func sizes<P: Primitive>(_ path: KeyPath<P, [Int]>, of primitive: P) throws -> [SymbolicDimension] {
        try polymorphic.parameter(path, of: primitive, at: index)
    }

    /// A parameter whose numbers may not depend on the batch size.
    func numbers<P: Primitive>(_ path: KeyPath<P, [Int]>, of primitive: P) throws -> [Int] {
        let sizes = try sizes(path, of: primitive)
        guard let shape = sizes.staticShape else {
            throw TensorError(
                .shape, primitive.name,
                expected: "parameters that do not depend on the batch size, as graph formats need them",
                got: "\(sizes)", fix: "Export for one batch size.", path: equation.path)
        }
        return shape.dimensions
    }
}

struct OperatorGraphBuilder {
    /// Constants larger than this are left to be computed where the graph runs.
    static let largestFoldedElementCount = 1 << 16
    /// The largest number of nodes: a longer loop should not be unrolled.
    static let largestNodeCount = 50_000

    private(set) var graph = OperatorGraph()
    /// The equation that is being exported.
    private(set) var path = ""
    private(set) var primitive = ""
    /// The constants that are values of the graph already.
    private var constantValues: [ConstantKey: OperatorGraph.Value] = [:]

    /// Small constants are the same where their bytes are, large ones where their memory is.
    private enum ConstantKey: Hashable {
        case bytes([UInt8], TensorType)
        case memory(ObjectIdentifier, TensorType)

        init(_ tensor: Tensor) throws {
            let largestCompared = 64
            self =
                tensor.type.byteCount <= largestCompared
                ? .bytes(try tensor.withUnsafeBytes { Array($0) }, tensor.type)
                : .memory(ObjectIdentifier(try tensor.buffer(for: "operatorGraph")), tensor.type)
        }
    }
}

extension BatchPolymorphicProgram {
    /// The program as operators that other frameworks have.
    ///
    /// - Throws: `TensorError` for an operation without a counterpart, with its name and module path.
    package func operatorGraph() throws -> OperatorGraph {
        var builder = OperatorGraphBuilder()
        return try builder.build(self)
    }
}

// MARK: - The walk

extension OperatorGraphBuilder {
    fileprivate mutating func build(_ polymorphic: BatchPolymorphicProgram) throws -> OperatorGraph {
        let program = polymorphic.program
        let arguments = program.inputs.map { variable in
            let type = OperatorGraph.ValueType(
                dtype: program.type(of: variable).dtype, dimensions: polymorphic.dimensions(of: variable))
            let value = graph.makeValue(type)
            graph.inputs.append(value)
            return operand(value)
        }
        let results = try evaluate(polymorphic, arguments)
        graph.outputs = try results.map { try value(of: $0) }
        graph.removeUnused()
        return graph
    }

    /// The results of a program, or of a loop's body, on `arguments`.
    mutating func evaluate(
        _ polymorphic: BatchPolymorphicProgram, _ arguments: [GraphOperand]
    ) throws -> [GraphOperand] {
        let program = polymorphic.program
        var values = [GraphOperand?](repeating: nil, count: program.types.count)
        for (variable, argument) in zip(program.inputs, arguments) { values[variable.index] = argument }
        for (variable, tensor) in program.constants {
            values[variable.index] =
                try polymorphic.batchDependentValue(of: variable).map {
                    try emit(.size($0), [], .init(dtype: tensor.dtype, dimensions: []))
                } ?? GraphOperand(tensor)
        }
        for (index, equation) in program.equations.enumerated() {
            let outer = (path, primitive)
            (path, primitive) = (equation.path, equation.primitive.name)
            let operands = try equation.inputs.map { try Program.defined(values[$0.index], $0) }
            let results = try export(
                equation.primitive, operands, ExportedEquation(polymorphic: polymorphic, index: index))
            for (variable, result) in zip(equation.outputs, results) { values[variable.index] = result }
            (path, primitive) = outer
        }
        return try program.outputs.map { try Program.defined(values[$0.index], $0) }
    }

    private mutating func export(
        _ primitive: any Primitive, _ operands: [GraphOperand], _ equation: ExportedEquation
    ) throws -> [GraphOperand] {
        let limit = Self.largestFoldedElementCount
        // A broadcast stays what it is: elementwise operators do it on their own.
        if !(primitive is BroadcastInDim) {
            let constants = try operands.compactMap { try $0.constantTensor(largest: limit) }
            let areResultsSmall = equation.results.allSatisfy {
                ($0.dimensions.staticShape?.elementCount ?? .max) <= limit
            }
            if constants.count == operands.count, areResultsSmall {
                return try primitive.run(constants).map { GraphOperand($0) }
            }
        }
        guard let exportable = primitive as? any GraphExportable else { throw refusal() }
        return try exportable.export(operands, equation, to: &self)
    }

    /// The error for an operation that graph formats do not have.
    func refusal(_ got: String? = nil, fix: String? = nil) -> TensorError {
        TensorError(
            .argument, primitive, expected: "an operation that has a counterpart in graph formats",
            got: got ?? "\(primitive), which has none",
            fix: fix ?? "Export with StableHLO operations instead (saved_model with ops stablehlo).",
            path: path)
    }
}

// MARK: - Adding nodes

extension OperatorGraphBuilder {
    func operand(_ value: OperatorGraph.Value) -> GraphOperand {
        let type = graph.type(of: value)
        return GraphOperand(
            .value(value), type.dtype, sourceDimensions: type.dimensions, dimensions: type.dimensions)
    }

    /// Adds a node on values.
    private mutating func add(
        _ operation: Operator, _ inputs: [OperatorGraph.Value], _ type: OperatorGraph.ValueType
    ) throws -> OperatorGraph.Value {
        guard graph.nodes.count < Self.largestNodeCount else {
            throw refusal(
                "a loop that would be unrolled to more than \(Self.largestNodeCount) operators",
                fix: "Export shorter sequences, or with StableHLO operations, which have loops.")
        }
        let output = graph.makeValue(type)
        graph.nodes.append(
            .init(operation: operation, inputs: inputs, output: output, path: path, primitive: primitive))
        return output
    }

    /// Adds a node on whole operands.
    mutating func emit(
        _ operation: Operator, _ inputs: [GraphOperand], _ type: OperatorGraph.ValueType
    ) throws -> GraphOperand {
        let values = try inputs.map { try value(of: $0) }
        let result = try add(operation, values, type)
        return operand(result)
    }

    /// Adds a node whose operands broadcast. The result is repeated as far as all of its operands are.
    mutating func emitBroadcasting(
        _ operation: Operator, _ inputs: [GraphOperand], _ dtype: DType
    ) throws -> GraphOperand {
        guard let first = inputs.first else { throw refusal() }
        let sources = try inputs.map { try sourceValue(of: $0) }
        let result = try add(
            operation, sources, .init(dtype: dtype, dimensions: Self.joinedSourceDimensions(inputs)))
        return operand(result).broadcast(to: first.dimensions)
    }

    /// Adds a node whose operands broadcast, or, where all are constants, evaluates the primitive that it stands for.
    mutating func emitBroadcasting(
        _ operation: Operator, _ inputs: [GraphOperand], _ dtype: DType, folding primitive: any Primitive
    ) throws -> GraphOperand {
        let joined = Self.joinedSourceDimensions(inputs)
        if let first = inputs.first, let shape = joined.staticShape,
            shape.elementCount <= Self.largestFoldedElementCount
        {
            let constants = inputs.compactMap {
                if case .constant(let tensor) = $0.source { tensor } else { nil }
            }
            if constants.count == inputs.count {
                let results = try primitive.run(try constants.map { try broadcastTo($0, shape) })
                return GraphOperand(results[0]).broadcast(to: first.dimensions)
            }
        }
        return try emitBroadcasting(operation, inputs, dtype)
    }

    /// The sizes that the sources of operands of one shape broadcast to.
    static func joinedSourceDimensions(_ operands: [GraphOperand]) -> [SymbolicDimension] {
        guard let first = operands.first else { return [] }
        let rank = operands.map(\.sourceDimensions.count).max() ?? 0
        let axes = (first.rank - rank)..<first.rank
        return axes.map { axis in
            operands.contains { $0.alignedSourceDimensions[axis] == first.dimensions[axis] }
                ? first.dimensions[axis] : .one
        }
    }

    /// The source as a value of the graph.
    private mutating func sourceValue(of operand: GraphOperand) throws -> OperatorGraph.Value {
        switch operand.source {
        case .value(let value): return value
        case .constant(let tensor):
            let key = try ConstantKey(tensor)
            if let known = constantValues[key] { return known }
            let value = graph.makeValue(
                .init(dtype: operand.dtype, dimensions: operand.sourceDimensions))
            graph.constants.append((value, tensor))
            constantValues[key] = value
            return value
        }
    }

    /// The whole operand as a value of the graph: repeated, where it is not.
    mutating func value(of operand: GraphOperand) throws -> OperatorGraph.Value {
        if operand.isWhole { return try sourceValue(of: operand) }
        if let tensor = try operand.constantTensor(largest: Self.largestFoldedElementCount) {
            return try sourceValue(of: GraphOperand(tensor))
        }
        return try add(.broadcast, [try sourceValue(of: operand)], operand.type)
    }

    /// The operand without anything left to repeat.
    mutating func whole(_ operand: GraphOperand) throws -> GraphOperand {
        if operand.isWhole { return operand }
        let whole = try value(of: operand)
        return self.operand(whole)
    }

    // MARK: Operators that rules are written with

    /// The operand's elements in other sizes.
    mutating func reshape(
        _ operand: GraphOperand, _ dimensions: [SymbolicDimension]
    ) throws -> GraphOperand {
        if operand.dimensions == dimensions { return operand }
        if operand.isWhole, case .constant(let tensor) = operand.source, let shape = dimensions.staticShape {
            return GraphOperand(try TensorEngine.reshape(tensor, shape))
        }
        return try emit(.reshape, [operand], .init(dtype: operand.dtype, dimensions: dimensions))
    }

    /// The source in other sizes, for an operand that is seen as repeated to `dimensions` then.
    mutating func reshapeSource(
        _ operand: GraphOperand, to source: [SymbolicDimension], dimensions: [SymbolicDimension]
    ) throws -> GraphOperand {
        let bare = operand.broadcast(to: operand.sourceDimensions)
        return try reshape(bare, source).broadcast(to: dimensions)
    }

    mutating func transpose(_ operand: GraphOperand, _ permutation: [Int]) throws -> GraphOperand {
        if permutation == Array(0..<operand.rank) { return operand }
        let dimensions = permutation.map { operand.dimensions[$0] }
        if operand.isWhole, case .constant(let tensor) = operand.source {
            return GraphOperand(try TensorEngine.transpose(tensor, axes: permutation))
        }
        return try emit(
            .transpose(permutation), [operand], .init(dtype: operand.dtype, dimensions: dimensions))
    }

    mutating func slice(
        _ operand: GraphOperand, starts: [Int], limits: [SymbolicDimension], strides: [Int],
        _ dimensions: [SymbolicDimension]
    ) throws -> GraphOperand {
        try emit(
            .slice(starts: starts, limits: limits, strides: strides), [operand],
            .init(dtype: operand.dtype, dimensions: dimensions))
    }

    mutating func elementwise(
        _ operation: ElementwiseOperator, _ operands: GraphOperand...
    ) throws -> GraphOperand {
        try emitBroadcasting(.elementwise(operation), operands, operands[0].dtype)
    }

    /// A number as a constant of the operand's type that is seen as of its sizes.
    func constant(_ value: Double, like operand: GraphOperand) throws -> GraphOperand {
        GraphOperand(try Constant.scalar(value, operand.dtype)).broadcast(to: operand.dimensions)
    }

    /// The operand with constants around it.
    mutating func pad(
        _ operand: GraphOperand, low: [Int], high: [Int], value: GraphOperand
    ) throws -> GraphOperand {
        guard (low + high).contains(where: { $0 != 0 }) else { return operand }
        let dimensions = operand.dimensions.indices.map {
            SymbolicDimension(
                fixed: operand.dimensions[$0].fixed + low[$0] + high[$0],
                perBatch: operand.dimensions[$0].perBatch)
        }
        return try emit(
            .pad(low: low, high: high), [operand, value],
            .init(dtype: operand.dtype, dimensions: dimensions))
    }
}
