// Writes programs as StableHLO text: names, lines, regions. What operations look like is in StableHLOOperations.swift.

/// The text of a StableHLO function in the making.
public struct StableHLOWriter {
    private(set) var lines: [String] = []
    private var depth: Int
    private var nameCount = 0
    /// The batch sizes that composites are traced at.
    private let batchSizes: [Int]
    /// The batch size, an int32 scalar of the program; nil where all sizes are known.
    private var batchSize: StableHLOValue?
    /// What was written already and can be used again, by region from the outermost to the current one.
    private var scopes: [[Known: StableHLOValue]] = [[:]]

    /// Values that many operations ask for.
    private enum Known: Hashable {
        case constant(DType, String)
        case size(SymbolicDimension)
        case sizes([SymbolicDimension])
    }

    init(batchSizes: [Int], depth: Int) {
        self.batchSizes = batchSizes
        self.depth = depth
    }

    mutating func line(_ text: String) {
        lines.append(String(repeating: "  ", count: depth) + text)
    }

    /// Names for `count` results of one operation, and what stands before the equal sign.
    private mutating func newNames(_ count: Int) -> (all: String, each: [String]) {
        let name = "%\(nameCount)"
        nameCount += 1
        return count == 1 ? (name, [name]) : ("\(name):\(count)", (0..<count).map { "\(name)#\($0)" })
    }

    /// A name for the one result of an operation.
    mutating func newName() -> String { newNames(1).all }

    private mutating func known(
        _ key: Known, _ write: (inout StableHLOWriter) -> StableHLOValue
    ) -> StableHLOValue {
        for scope in scopes.reversed() { if let value = scope[key] { return value } }
        let value = write(&self)
        scopes[scopes.count - 1][key] = value
        return value
    }
}

// MARK: - Operations

extension StableHLOWriter {
    /// `%4 = stablehlo.transpose %3, dims = [1, 0] : (tensor<2x3xf32>) -> tensor<3x2xf32>`
    ///
    /// - Parameter attributes: what stands between operands and types, such as `, dims = [1, 0]`.
    mutating func write(
        _ operation: String, _ operands: [StableHLOValue], _ attributes: String = "", as result: StableHLOType
    ) -> StableHLOValue {
        let name = newNames(1)
        let names = operands.map(\.name).joined(separator: ", ")
        // Elementwise operations are written with one type, and those without operands have but one.
        let isUniform = attributes.isEmpty && operands.allSatisfy { $0.type == result }
        let types = isUniform || operands.isEmpty ? result.text : signature(operands, [result])
        line("\(name.all) = \(operation)\(operands.isEmpty ? "" : " ")\(names)\(attributes) : \(types)")
        return StableHLOValue(name: name.each[0], type: result)
    }

    /// `%4 = stablehlo.convolution(%2, %3) … : (…) -> …`.
    mutating func write(
        call operation: String, _ operands: [StableHLOValue], separator: String = ", ", _ attributes: String,
        as result: StableHLOType
    ) -> StableHLOValue {
        let name = newNames(1)
        let names = operands.map(\.name).joined(separator: separator)
        line("\(name.all) = \(operation)(\(names))\(attributes) : \(signature(operands, [result]))")
        return StableHLOValue(name: name.each[0], type: result)
    }

    private func signature(_ operands: [StableHLOValue], _ results: [StableHLOType]) -> String {
        let types = results.map(\.text).joined(separator: ", ")
        return "(\(operands.map(\.type.text).joined(separator: ", "))) -> "
            + (results.count == 1 ? types : "(\(types))")
    }

    /// A region of an operation: the types of what it gets, and what it does with that.
    struct Region {
        let arguments: [StableHLOType]
        let body: (inout StableHLOWriter, [StableHLOValue]) throws -> [StableHLOValue]
    }

    /// An operation in the generic form, in which it may have regions and several results.
    ///
    /// - Parameter attributes: such as `dimension = 1 : i64`.
    mutating func writeGeneric(
        _ operation: String, _ operands: [StableHLOValue], _ attributes: String = "",
        _ regions: [Region] = [],
        as results: [StableHLOType]
    ) throws -> [StableHLOValue] {
        // The results are named first, but defined after the regions, which may not use them.
        let names = newNames(results.count)
        var head = "\"\(operation)\"(\(operands.map(\.name).joined(separator: ", ")))"
        if !attributes.isEmpty { head += " <{\(attributes)}>" }
        head = "\(names.all) = \(head)"
        guard !regions.isEmpty else {
            line("\(head) : \(signature(operands, results))")
            return zip(names.each, results).map { StableHLOValue(name: $0, type: $1) }
        }
        line("\(head) ({")
        for (k, region) in regions.enumerated() {
            if k > 0 { line("}, {") }
            try write(region)
        }
        line("}) : \(signature(operands, results))")
        return zip(names.each, results).map { StableHLOValue(name: $0, type: $1) }
    }

    private mutating func write(_ region: Region) throws {
        let arguments = region.arguments.map { StableHLOValue(name: newNames(1).all, type: $0) }
        if !arguments.isEmpty {
            line("^bb0(\(arguments.map { "\($0.name): \($0.type.text)" }.joined(separator: ", "))):")
        }
        depth += 1
        scopes.append([:])
        let results = try region.body(&self, arguments)
        scopes.removeLast()
        line(
            "stablehlo.return \(results.map(\.name).joined(separator: ", ")) : "
                + results.map(\.type.text).joined(separator: ", "))
        depth -= 1
    }
}

// MARK: - Constants and sizes

extension StableHLOWriter {
    /// A constant of the program.
    mutating func constant(_ value: Tensor) throws -> StableHLOValue {
        let elements = try value.stableHLOElements()
        guard value.rank == 0 else { return literal(elements, StableHLOType(value.type)) }
        return known(.constant(value.dtype, elements)) { $0.literal(elements, StableHLOType(value.type)) }
    }

    /// A scalar.
    mutating func constant(_ value: Double, _ dtype: DType) throws -> StableHLOValue {
        try constant(Constant.scalar(value, dtype))
    }

    /// An int32 scalar.
    mutating func index(_ value: Int) -> StableHLOValue {
        known(.constant(.int32, "\(value)")) { $0.literal("\(value)", StableHLOType(.int32, [])) }
    }

    private mutating func literal(_ elements: String, _ type: StableHLOType) -> StableHLOValue {
        write("stablehlo.constant", [], " dense<\(elements)>", as: type)
    }

    /// int32 numbers in a row.
    mutating func vector(_ values: [Int]) -> StableHLOValue {
        sizes(values.map { SymbolicDimension(fixed: $0) })
    }

    /// A size as an int32 scalar.
    mutating func size(_ dimension: SymbolicDimension) -> StableHLOValue {
        if let size = dimension.staticSize { return index(size) }
        return known(.size(dimension)) { writer in
            let scalar = StableHLOType(.int32, [])
            // Without a batch size there would be no such dimension.
            var value = writer.batchSize ?? writer.index(0)
            if dimension.perBatch != 1 {
                let factor = writer.index(dimension.perBatch)
                value = writer.write("stablehlo.multiply", [value, factor], as: scalar)
            }
            if dimension.fixed != 0 {
                value = writer.write("stablehlo.add", [value, writer.index(dimension.fixed)], as: scalar)
            }
            return value
        }
    }

    /// Sizes as a vector of int32.
    mutating func sizes(_ dimensions: [SymbolicDimension]) -> StableHLOValue {
        known(.sizes(dimensions)) { writer in
            let type = StableHLOType.vector(dimensions.count)
            if dimensions.allSatisfy(\.isStatic) {
                let numbers = dimensions.map { "\($0.fixed)" }.joined(separator: ", ")
                return writer.literal(dimensions.isEmpty ? "" : "[\(numbers)]", type)
            }
            return writer.row(dimensions.map { writer.size($0) })
        }
    }

    /// int32 scalars in a row.
    mutating func row(_ scalars: [StableHLOValue]) -> StableHLOValue {
        let parts = scalars.map { write("stablehlo.reshape", [$0], as: .vector(1)) }
        return parts.count == 1
            ? parts[0] : write("stablehlo.concatenate", parts, ", dim = 0", as: .vector(parts.count))
    }

    /// Finds out the batch size, from the size of an argument that depends on it.
    mutating func readBatchSize(from arguments: [StableHLOValue]) throws {
        let scalar = StableHLOType(.int32, [])
        for argument in arguments {
            guard let axis = argument.type.dimensions.firstIndex(where: { !$0.isStatic }) else { continue }
            let dimension = argument.type.dimensions[axis]
            var value = write("stablehlo.get_dimension_size", [argument], ", dim = \(axis)", as: scalar)
            if dimension.fixed != 0 {
                value = write("stablehlo.subtract", [value, index(dimension.fixed)], as: scalar)
            }
            if dimension.perBatch != 1 {
                value = write("stablehlo.divide", [value, index(dimension.perBatch)], as: scalar)
            }
            batchSize = value
            return
        }
        throw TensorError(
            .shape, "stableHLO", expected: "an input with a size that depends on the batch size",
            got: arguments.map(\.type.text).joined(separator: ", "))
    }
}

// MARK: - Programs

extension StableHLOWriter {
    /// Writes the operations of a program that gets `arguments`, and gives its results.
    mutating func write(
        _ program: BatchPolymorphicProgram, _ arguments: [StableHLOValue]
    ) throws -> [StableHLOValue] {
        let source = program.program
        var values = [StableHLOValue?](repeating: nil, count: source.types.count)
        for (variable, argument) in zip(source.inputs, arguments) { values[variable.index] = argument }
        for (variable, value) in source.constants {
            if let number = program.batchDependentValue(of: variable) {
                values[variable.index] = convert(size(number), to: value.dtype)
            } else {
                values[variable.index] = try constant(value)
            }
        }
        for (k, equation) in source.equations.enumerated() {
            let operation = StableHLOOperation(
                operands: try equation.inputs.map { try Program.defined(values[$0.index], $0) },
                results: equation.outputs.map {
                    StableHLOType(source.type(of: $0).dtype, program.dimensions(of: $0))
                }, program: program, equation: k)
            let results = try ModulePath.$current.withValue(equation.path) {
                try write(operation, by: equation.primitive)
            }
            for (variable, result) in zip(equation.outputs, results) { values[variable.index] = result }
        }
        return try source.outputs.map { try Program.defined(values[$0.index], $0) }
    }

    private mutating func write(
        _ operation: StableHLOOperation, by primitive: any Primitive
    ) throws -> [StableHLOValue] {
        let rule = primitive.stableHLO
        try operation.checkParameters(of: primitive, rule)
        let results: [StableHLOValue]
        switch rule {
        case .operation(let name) where name.hasPrefix("chlo."):
            results = try writeGeneric(name, operation.operands, as: operation.results)
        case .operation(let name):
            results = [write(name, operation.operands, as: operation.results[0])]
        case .comparison(let direction):
            results = [compare(direction, operation.operands[0], operation.operands[1])]
        case .composite(let function):
            results = try composite(operation.operands, function)
        case .custom(_, let rule):
            results = try rule(&self, operation)
        case .unavailable(let reason):
            throw TensorError(
                .structure, primitive.name, expected: "an operation that has a form in StableHLO",
                got: "\(primitive.name): \(reason)")
        }
        guard results.map(\.type) == operation.results else {
            throw TensorError(
                .structure, primitive.name, expected: "a StableHLO rule that gives \(operation.results)",
                got: "\(results.map(\.type))")
        }
        return results
    }

    /// What a function computes, written in place. Sizes come from the tensors that it gets.
    mutating func composite(
        _ operands: [StableHLOValue], _ function: ([Tensor]) throws -> [Tensor]
    ) throws -> [StableHLOValue] {
        let program = try BatchPolymorphicProgram(at: batchSizes) { batchSize in
            try Trace.$current.withValue(nil) {
                try Trace.record(operands.map { $0.type.type(batch: batchSize) }) { (try function($0), ()) }
                    .program
            }
        }
        return try write(program, operands)
    }
}
