// How a primitive says what it is in StableHLO.

/// What the exporter to StableHLO makes of an operation. Part of every primitive's rules.
///
/// Only operations of early StableHLO (0.9) are used, which all PJRT plugins and TensorFlow's XlaCallModule read; functions that it
/// lacks (`erf`, `lgamma`) are in CHLO, the dialect of such functions that these know as well.
public enum StableHLORule: Sendable {
    /// One operation on operands of one type, by its full name, such as `stablehlo.exponential`.
    case operation(String)
    /// A comparison in this direction (`LT`).
    case comparison(String)
    /// Other operations that compute the same. Sizes are to be taken from the tensors given, not from parameters, so that it
    /// holds for every batch size.
    case composite(@Sendable ([Tensor]) throws -> [Tensor])
    /// Operations that the rule writes. `sizes` names the parameters that may depend on the batch size, since the rule takes them
    /// from the results' types or asks for them (`StableHLOOperation.parameter`).
    case custom(
        sizes: [String] = [], @Sendable (inout StableHLOWriter, StableHLOOperation) throws -> [StableHLOValue]
    )
    /// Nothing that runs everywhere, for this reason.
    case unavailable(String)
}

/// The operation that a rule is to write.
public struct StableHLOOperation: Sendable {
    /// The operands' names and types.
    let operands: [StableHLOValue]
    /// What the results must be.
    let results: [StableHLOType]
    /// Where the operation stands.
    fileprivate let program: BatchPolymorphicProgram
    fileprivate let equation: Int

    init(
        operands: [StableHLOValue], results: [StableHLOType], program: BatchPolymorphicProgram, equation: Int
    ) {
        self.operands = operands
        self.results = results
        self.program = program
        self.equation = equation
    }

    /// The programs that it runs.
    var subprograms: [BatchPolymorphicProgram] { program.subprograms(at: equation) }

    /// Throws where a parameter depends on the batch size that the rule takes for fixed.
    func checkParameters(of primitive: any Primitive, _ rule: StableHLORule) throws {
        var covered: [String] = []
        if case .custom(let sizes, _) = rule { covered = sizes }
        guard
            let open = program.batchDependentParameters(at: equation).first(where: { !covered.contains($0) })
        else { return }
        throw TensorError(
            .shape, primitive.name, expected: "a \(open) that does not depend on the batch size",
            got: "one that does", fix: "Export for one batch size.")
    }

    /// A parameter that holds sizes, which may depend on the batch size.
    func parameter<P: Primitive>(_ path: KeyPath<P, [Int]>, of primitive: P) throws -> [SymbolicDimension] {
        try program.parameter(path, of: primitive, at: equation)
    }
}

extension StableHLORule: ExpressibleByStringLiteral {
    public init(stringLiteral value: String) { self = .operation(value) }
}

extension StableHLORule {
    /// The rule with composites of half-precision operands in float32, rounded once, as the engine computes.
    var computedInAccumulationType: StableHLORule {
        guard case .composite(let function) = self else { return self }
        return .composite { operands in
            guard let dtype = operands.first?.dtype, dtype.isHalfPrecision else {
                return try function(operands)
            }
            let results = try function(operands.map { try $0.astype(.float32) })
            return try results.map { $0.dtype == .float32 ? try $0.astype(dtype) : $0 }
        }
    }

    /// The operand as it is.
    static let identity = StableHLORule.custom { _, operation in operation.operands }
}
