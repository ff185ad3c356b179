// What an operation is: one value with all its rules.

/// An operation of the engine with its parameters, and every rule that the transformations and the compiler need.
///
/// A primitive is a small struct: its stored properties are the parameters (`axes`, `permutation`, …), its methods are the
/// rules. Equations of a `Program` hold the value itself, so there is no registry to keep in step. Rules are written with
/// ordinary tensor operations; inside a transformation these are recorded, outside they run at once.
public protocol Primitive: Sendable, Hashable {
    /// The name in printed programs, in camel case.
    var name: String { get }

    /// Shape rule: the types of the results. Throws a `TensorError` that says what does not fit.
    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType]

    /// Forward-mode rule: results, and their tangents for the inputs' tangents (nil is a tangent of zeros). Tangents must be
    /// linear in the given tangents, built from primitives that have a transpose rule.
    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?])

    /// Transpose rule, for operations that are linear in some inputs: the cotangents of those inputs, from the cotangents of
    /// the results (nil is zeros). Called with at least one linear operand and one cotangent.
    func transpose(_ cotangents: [Tensor?], _ operands: [LinearOperand]) throws -> [Tensor?]

    /// Batching rule. Mapped inputs have the batch as axis 0; so must mapped results.
    func batch(_ inputs: [Batched], size: Int) throws -> [Batched]

    /// How the compiler sees the operation.
    var lowering: LoweringRule { get }

    /// What the operation is in StableHLO.
    var stableHLO: StableHLORule { get }

    /// The parameters as `name=value`, for printing.
    var parameterDescription: String { get }

    /// Floating-point operations for operands and results of these types, as `Program.operationCount` counts them.
    func operationCount(_ inputs: [TensorType], _ outputs: [TensorType]) -> Double

    /// The operation without the results that nobody reads, and which operands and results remain; nil where all do.
    func pruned(keeping isNeeded: [Bool]) -> (primitive: any Primitive, operands: [Int], results: [Int])?

    /// The programs that the operation runs (a loop's body, branches), by what they are for.
    var subprograms: [(label: String, program: Program)] { get }

    /// The program that computes the same, for operations that matter to transformations only (a custom derivative):
    /// the compiler puts it in their place.
    var inlined: Program? { get }
}

/// An operand of a linear operation during transposition.
public enum LinearOperand: Sendable {
    /// A value that does not depend on the linear inputs.
    case known(Tensor)
    /// An input in which the operation is linear, of this type.
    case linear(TensorType)

    var known: Tensor? {
        if case .known(let tensor) = self { tensor } else { nil }
    }

    var type: TensorType {
        switch self {
        case .known(let tensor): tensor.type
        case .linear(let type): type
        }
    }

    var isLinear: Bool { known == nil }
}

/// A tensor during vectorisation: with a batch axis in front, or the same for all members.
public struct Batched: Sendable {
    public var tensor: Tensor
    public var isMapped: Bool

    public init(_ tensor: Tensor, isMapped: Bool) {
        self.tensor = tensor
        self.isMapped = isMapped
    }

    /// The tensor with the batch axis in front, repeated for all members if it has none.
    func materialized(size: Int) throws -> Tensor {
        if isMapped { return tensor }
        return try broadcastInDim(
            tensor, shape: Shape([size] + tensor.shape.dimensions), dimensions: Array(1..<(tensor.rank + 1)))
    }

    /// The type of one member.
    var memberType: TensorType {
        isMapped ? TensorType(tensor.dtype, Shape(tensor.shape.dropFirst())) : tensor.type
    }
}

extension Primitive {
    public var parameterDescription: String { storedParameters }

    public var subprograms: [(label: String, program: Program)] { [] }

    public var inlined: Program? { nil }

    public func pruned(
        keeping isNeeded: [Bool]
    ) -> (primitive: any Primitive, operands: [Int], results: [Int])? { nil }

    public func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (
        primals: [Tensor], tangents: [Tensor?]
    ) {
        throw TensorError(
            .tracing, name, expected: "an operation with a derivative", got: "\(name), which has none",
            fix: "Wrap its input in stopGradient if it should count as a constant.")
    }

    public func transpose(_ cotangents: [Tensor?], _ operands: [LinearOperand]) throws -> [Tensor?] {
        throw TensorError(.tracing, name, expected: "an operation that is linear in its input", got: name)
    }

    /// Runs the operation: records it in the transformation that is being traced, or evaluates it at once.
    func callAsFunction(_ inputs: Tensor...) throws -> Tensor { try apply(self, inputs)[0] }
}

/// A primitive as a dictionary key: equal where type and parameters are.
struct PrimitiveKey: Hashable, Sendable {
    let primitive: any Primitive

    static func == (a: PrimitiveKey, b: PrimitiveKey) -> Bool {
        func isEqual<P: Primitive>(_ first: P) -> Bool { (b.primitive as? P) == first }
        return isEqual(a.primitive)
    }

    func hash(into hasher: inout Hasher) { primitive.hash(into: &hasher) }
}

/// Runs a primitive: records an equation in the innermost trace, or, outside of any, evaluates it at once.
public func apply(_ primitive: some Primitive, _ inputs: [Tensor]) throws -> [Tensor] {
    if let trace = Trace.current { return try trace.record(primitive, inputs) }
    for input in inputs where input.isTraced { throw Trace.escaped(input, in: primitive.name) }
    return try Eager.evaluate(primitive, inputs)
}

/// Result types, checked for absurd sizes.
func checkedOutputTypes(_ primitive: some Primitive, _ inputs: [TensorType]) throws -> [TensorType] {
    let types = try primitive.outputTypes(inputs)
    for type in types { try TensorLimits.check(type, for: primitive.name) }
    return types
}

/// Bounds that keep arithmetic on sizes far from overflow.
enum TensorLimits {
    static let largestByteCount = 1 << 42
    /// The kernels' SPK_MAX_RANK.
    static let largestRank = 8

    /// Throws unless a tensor may have this type. Every product of some of its sizes then is far from overflow, also where one
    /// of them is zero.
    static func check(_ type: TensorType, for operation: String) throws {
        guard type.shape.rank <= largestRank, type.shape.allSatisfy({ $0 >= 0 }) else {
            throw TensorError(
                .shape, operation, expected: "at most \(largestRank) dimensions of size 0 or more",
                got: "\(type)")
        }
        var byteCount = type.dtype.byteWidth
        for size in type.shape where size > 1 {
            let (next, overflow) = byteCount.multipliedReportingOverflow(by: size)
            guard !overflow, next <= largestByteCount else {
                throw TensorError(
                    .resource, operation, expected: "a tensor of at most \(largestByteCount) bytes",
                    got: "\(type)")
            }
            byteCount = next
        }
    }
}
