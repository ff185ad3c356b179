// A program whose batch size is open: what exporters make files for other frameworks from.

/// A program for any batch size B.
///
/// A `Program` has fixed shapes. This one comes from tracing the same function at three batch sizes and comparing: the operations
/// and what they are applied to must be the same, and every size must be `fixed + perBatch · B`. So exporters read operations
/// from `program`, sizes from `dimensions(of:)`, and parameters that contain sizes from `parameter(_:at:)`:
///
///     let polymorphic = try BatchPolymorphicProgram { batchSize in
///         try makeProgram(model, try zeros([batchSize, 784]))
///     }
///     polymorphic.dimensions(of: polymorphic.program.inputs[0])   // [B, 784]
///
/// Calls (custom derivatives, remat) have their programs in their places, operations that only matter for derivatives are gone,
/// and so is what no output needs; inputs remain, also unused ones. Control flow has its programs as `subprograms(at:)`.
public struct BatchPolymorphicProgram: Sendable {
    /// Batch sizes at which functions are traced: primes that are unlikely to be the size of something else, so that shapes
    /// do not agree by accident, and small enough that even bfloat16 holds them exactly.
    public static let probeSizes = [211, 223, 227]

    /// The program at the first probe size.
    public let program: Program
    /// The program at each of `tracedBatchSizes`.
    private let probes: [Program]
    /// The batch sizes of `probes`.
    let tracedBatchSizes: [Int]
    /// By variable.
    private let dimensions: [[SymbolicDimension]]
    /// By equation.
    private let nested: [[BatchPolymorphicProgram]]
    private let openParameters: [[String]]
    private let scalars: [Variable: SymbolicDimension]

    /// Traces a function at three batch sizes.
    ///
    /// - Parameter trace: the program for a batch size, such as `makeProgram` gives it; the same program up to sizes.
    /// - Throws: where programs differ by more than sizes, or sizes are not of the form `fixed + perBatch · B`, with the name of
    ///   the operation.
    public init(tracing trace: (_ batchSize: Int) throws -> Program) throws {
        try self.init(at: BatchPolymorphicProgram.probeSizes, tracing: trace)
    }

    /// Traces a function at these batch sizes; at just one of them every dimension is known.
    init(at batchSizes: [Int], tracing trace: (_ batchSize: Int) throws -> Program) throws {
        try self.init(batchSizes.map(trace), at: batchSizes)
    }

    /// A program of one batch size in this form: every dimension is known.
    public init(_ program: Program) throws {
        try self.init([program], at: [0])
    }

    private init(_ programs: [Program], at batchSizes: [Int]) throws {
        let probes = try programs.map(BatchPolymorphicProgram.simplified)
        self.probes = probes
        tracedBatchSizes = batchSizes
        program = probes[0]
        try BatchPolymorphicProgram.checkWiring(probes)
        let owners = BatchPolymorphicProgram.operationNames(probes[0])
        dimensions = try probes[0].types.indices.map { k in
            try BatchPolymorphicProgram.dimensions(
                probes.map { $0.types[k] }, at: batchSizes, of: owners[k] ?? "an unused variable")
        }
        scalars = try BatchPolymorphicProgram.batchDependentScalars(probes, at: batchSizes)
        openParameters = try probes[0].equations.indices.map { k in
            try PrimitiveParameters.batchDependent(probes.map(\.equations[k].primitive), at: batchSizes)
        }
        nested = try probes[0].equations.indices.map { k in
            let programs = probes.map { $0.equations[k].primitive.subprograms.map(\.program) }
            return try programs[0].indices.map { k in
                try BatchPolymorphicProgram(programs.map { $0[k] }, at: batchSizes)
            }
        }
    }
}

// MARK: - What exporters ask

extension BatchPolymorphicProgram {
    /// The sizes of a variable of `program`.
    public func dimensions(of variable: Variable) -> [SymbolicDimension] { dimensions[variable.index] }

    /// The size of a variable of `program` along an axis.
    public func dimension(of variable: Variable, axis: Int) -> SymbolicDimension {
        dimensions[variable.index][axis]
    }

    /// True where any size depends on the batch size.
    public var isPolymorphic: Bool {
        dimensions.contains { $0.contains { !$0.isStatic } } || !scalars.isEmpty
    }

    /// What a scalar constant of `program` is the number of, where its value depends on the batch size (the divisor of a mean over
    /// the batch); nil for other variables. No other constants may depend on it.
    public func batchDependentValue(of constant: Variable) -> SymbolicDimension? { scalars[constant] }

    /// The programs that an equation of `program` runs, in the order of `Primitive.subprograms`.
    public func subprograms(at equation: Int) -> [BatchPolymorphicProgram] { nested[equation] }

    /// The names of the parameters of an equation of `program` that depend on the batch size, such as `limits` of a slice. To take
    /// one of these from `program` would be a mistake.
    public func batchDependentParameters(at equation: Int) -> [String] { openParameters[equation] }

    /// A parameter that holds sizes: the one that `primitive`, which is that of an equation of `program`, has at `path`.
    ///
    ///     if let slice = polymorphic.program.equations[k].primitive as? Slice {
    ///         let limits = try polymorphic.parameter(\.limits, of: slice, at: k)
    public func parameter<P: Primitive>(
        _ path: KeyPath<P, [Int]>, of primitive: P, at equation: Int
    ) throws -> [SymbolicDimension] {
        let values = probes.compactMap { ($0.equations[equation].primitive as? P)?[keyPath: path] }
        return try (values.first ?? []).indices.map { axis in
            guard values.count == probes.count, values.allSatisfy({ $0.count == values[0].count }),
                let size = SymbolicDimension(values.map { $0[axis] }, at: tracedBatchSizes)
            else { throw BatchPolymorphicProgram.notAffine(primitive.name, "\(values)", tracedBatchSizes) }
            return size
        }
    }
}

// MARK: - Comparing

extension BatchPolymorphicProgram {
    /// Without what only matters to transformations.
    private static func simplified(_ program: Program) throws -> Program {
        let inlined = removeIdentities(try inlinePrograms(program)) { $0 is StopGradient || $0 is Barrier }
        return eliminateDeadCode(inlined)
    }

    /// Throws unless the programs apply the same operations to the same variables.
    private static func checkWiring(_ probes: [Program]) throws {
        let first = probes[0]
        for other in probes.dropFirst() {
            for (a, b) in zip(first.equations, other.equations)
            where a.primitive.name != b.primitive.name || a.inputs != b.inputs || a.outputs != b.outputs {
                throw differs("\(a.primitive.name)", "\(b.primitive.name) or other operands", at: a.path)
            }
            let equations = (first.equations.count, other.equations.count)
            guard equations.0 == equations.1, first.inputs == other.inputs, first.outputs == other.outputs,
                first.types.count == other.types.count,
                first.constants.map(\.variable) == other.constants.map(\.variable)
            else {
                throw differs(
                    "\(equations.0) operations", "\(equations.1), or other inputs and results", at: "")
            }
        }
    }

    /// Which operation a variable is of, for errors.
    private static func operationNames(_ program: Program) -> [String?] {
        var names = [String?](repeating: nil, count: program.types.count)
        for (k, variable) in program.inputs.enumerated() { names[variable.index] = "input \(k)" }
        for (variable, _) in program.constants { names[variable.index] = "constant" }
        for equation in program.equations {
            for variable in equation.outputs { names[variable.index] = equation.primitive.name }
        }
        return names
    }

    private static func dimensions(
        _ types: [TensorType], at batchSizes: [Int], of operation: String
    ) throws -> [SymbolicDimension] {
        let first = types[0]
        guard types.allSatisfy({ $0.dtype == first.dtype && $0.shape.rank == first.shape.rank }) else {
            throw notAffine(operation, "\(types)", batchSizes)
        }
        return try first.shape.indices.map { axis in
            guard let size = SymbolicDimension(types.map { $0.shape[axis] }, at: batchSizes) else {
                throw notAffine(operation, "\(types)", batchSizes)
            }
            return size
        }
    }

    /// The scalar constants that are different at different batch sizes; throws where any other constant is.
    private static func batchDependentScalars(
        _ probes: [Program], at batchSizes: [Int]
    ) throws -> [Variable: SymbolicDimension] {
        var result: [Variable: SymbolicDimension] = [:]
        for (k, constant) in probes[0].constants.enumerated() {
            let values = probes.map { $0.constants[k].value }
            let areSame = try values.dropFirst().allSatisfy { try $0.hasSameElements(as: values[0]) }
            if areSame { continue }
            let numbers = values.filter { $0.rank == 0 }.compactMap { try? Int(exactly: $0.item()) }
            guard numbers.count == probes.count, let number = SymbolicDimension(numbers, at: batchSizes)
            else {
                let use = probes[0].equations.first { $0.inputs.contains(constant.variable) }
                throw TensorError(
                    .shape, use?.primitive.name ?? "constant",
                    expected:
                        "constants that do not depend on the batch size, or scalars of the form fixed + perBatch · B",
                    got:
                        "\(values.map(\.description).joined(separator: ", ")) at the batch sizes \(batchSizes)",
                    fix: "Compute it from the operands, or export for one batch size.", path: use?.path ?? "")
            }
            result[constant.variable] = number
        }
        return result
    }

    fileprivate static func notAffine(_ operation: String, _ values: String, _ batchSizes: [Int])
        -> TensorError
    {
        TensorError(
            .shape, operation, expected: "sizes of the form fixed + perBatch · B with the batch size B",
            got: "\(values) at the batch sizes \(batchSizes)", fix: "Export for one batch size.")
    }

    private static func differs(_ expected: String, _ got: String, at path: String) -> TensorError {
        TensorError(
            .structure, "BatchPolymorphicProgram", expected: "\(expected), as at the first batch size",
            got: got,
            fix: "What the function does may not depend on the batch size; export for one batch size.",
            path: path)
    }
}

extension Tensor {
    /// True for the same bytes of the same type.
    fileprivate func hasSameElements(as other: Tensor) throws -> Bool {
        guard type == other.type else { return false }
        let (mine, theirs) = (try buffer(for: "constant"), try other.buffer(for: "constant"))
        if mine === theirs { return true }
        return try withUnsafeBytes { mine in try other.withUnsafeBytes { mine.elementsEqual($0) } }
    }
}

/// Compares the parameters of an operation at several batch sizes.
private enum PrimitiveParameters {
    /// The names of the parameters that are not the same in all variants. Throws where these differ by more than whole numbers of
    /// the form `fixed + perBatch · B`.
    static func batchDependent(_ variants: [any Primitive], at batchSizes: [Int]) throws -> [String] {
        let first = PrimitiveKey(primitive: variants[0])
        if variants.dropFirst().allSatisfy({ PrimitiveKey(primitive: $0) == first }) { return [] }
        let parameters = variants.map { variant in
            Mirror(reflecting: variant).children.map { (label: $0.label ?? "", values: flattened($0.value)) }
        }
        return try parameters[0].indices.compactMap { k in
            let (label, values) = parameters[0][k]
            let others = parameters.map { k < $0.count ? $0[k].values : [] }
            if others.allSatisfy({ $0 == values }) { return nil }
            let areSizes = values.indices.allSatisfy { position in
                let numbers = others.compactMap { position < $0.count ? Int($0[position]) : nil }
                return SymbolicDimension(numbers, at: batchSizes) != nil
            }
            guard areSizes, others.allSatisfy({ $0.count == values.count }) else {
                throw BatchPolymorphicProgram.notAffine(variants[0].name, "\(label) of \(others)", batchSizes)
            }
            return label
        }
    }

    /// A parameter as the texts of the values that it is made of. Programs are compared on their own.
    private static func flattened<Value>(_ value: Value) -> [String] {
        if value is Program || value is [Program] { return [] }
        let mirror = Mirror(reflecting: value)
        return mirror.children.isEmpty ? ["\(value)"] : mirror.children.flatMap { flattened($0.value) }
    }
}
