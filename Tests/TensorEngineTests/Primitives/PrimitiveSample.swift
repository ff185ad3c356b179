// One row of the table of primitives: how an operation is called, and what holds for it.
import TensorEngine
import TestSupport
import Testing

/// What an input's elements are drawn from.
enum SampleValues: Sendable {
    /// Evenly from an interval, at least 0.05 away from some points.
    case uniform(ClosedRange<Double>, awayFrom: [Double])
    case integers(ClosedRange<Int>)
    /// A random order of evenly spaced numbers around 0: no two are near, so small steps do not reorder them.
    case distinct
    /// A symmetric positive definite matrix in the last two dimensions.
    case positiveDefinite
    case fixed([Double])

    fileprivate func draw(_ shape: Shape, _ generator: inout SeededGenerator) -> [Double] {
        let count = shape.elementCount
        switch self {
        case .uniform(let range, let points):
            return (0..<count).map { _ in
                var value = Double.random(in: range, using: &generator)
                while points.contains(where: { abs($0 - value) < 0.05 }) {
                    value = Double.random(in: range, using: &generator)
                }
                return value
            }
        case .integers(let range):
            return (0..<count).map { _ in Double(Int.random(in: range, using: &generator)) }
        case .distinct:
            return (0..<count).map { (Double($0) - Double(count) / 2) * 0.375 }.shuffled(using: &generator)
        case .positiveDefinite:
            let n = shape.last ?? 1
            var values = [Double](repeating: 0, count: count)
            for matrix in 0..<(count / max(n * n, 1)) {
                let factor = (0..<(n * n)).map { _ in Double.random(in: -1...1, using: &generator) }
                for i in 0..<n {
                    for j in 0..<n {
                        let product = (0..<n).reduce(0) { $0 + factor[i * n + $1] * factor[j * n + $1] }
                        values[matrix * n * n + i * n + j] = product + (i == j ? 1 + Double(i) : 0)
                    }
                }
            }
            return values
        case .fixed(let values):
            return (0..<count).map { values[$0 % values.count] }
        }
    }
}

/// An operand of a sample.
struct SampleInput: Sendable {
    var type: TensorType
    var values: SampleValues

    func draw(_ generator: inout SeededGenerator) throws -> Tensor {
        let wide = try Tensor(values.draw(type.shape, &generator), shape: type.shape)
        return try wide.astype(type.dtype)
    }
}

/// Numbers, declared as float64: derivatives are checked in it, and the other types of a sample take its place.
func numbers(_ shape: Shape, _ range: ClosedRange<Double> = -2...2, awayFrom: [Double] = []) -> SampleInput {
    SampleInput(type: TensorType(.float64, shape), values: .uniform(range, awayFrom: awayFrom))
}

func distinct(_ shape: Shape) -> SampleInput {
    SampleInput(type: TensorType(.float64, shape), values: .distinct)
}

/// int32 elements, for indices.
func indices(_ shape: Shape, _ range: ClosedRange<Int>) -> SampleInput {
    SampleInput(type: TensorType(.int32, shape), values: .integers(range))
}

func conditions(_ shape: Shape) -> SampleInput {
    SampleInput(type: TensorType(.bool, shape), values: .integers(0...1))
}

/// How an operation can be differentiated with respect to its float operands.
enum SampleDerivative: Sendable {
    /// As often as one likes.
    case smooth
    /// The tangent is zero (`floor`, comparisons).
    case zero
    /// There is no rule: `jvp` throws an error that says so.
    case missing
    /// There is no reverse mode: `vjp` throws an error that says so.
    case forwardOnly
    /// There is no forward mode.
    case reverseOnly
}

/// Where the right value comes from.
enum SampleEvidence: Sendable {
    /// A plain loop in Double. Floats agree within the relative error of their type times `slack`, integers exactly.
    case reference(slack: Double, @Sendable ([PlainArray]) -> [PlainArray])
    /// Operations of this name in a group of the golden primitive cases.
    case parity(group: String, operation: String)
}

/// One row of the table.
struct PrimitiveSample: Sendable, CustomTestStringConvertible {
    /// The primitive's name in programs.
    var name: String
    /// What distinguishes this row from others of the same primitive.
    var detail: String
    var inputs: [SampleInput]
    /// Types that take the place of float64 in the operands. float64 itself is always checked where it is declared.
    var types: [DType]
    var derivative: SampleDerivative
    var evidence: SampleEvidence
    /// True where the operands' shapes may be any, as long as they agree: then empty ones and long ones are made from them.
    var isShapeFree: Bool
    var call: @Sendable ([Tensor]) throws -> [Tensor]

    init(
        _ name: String, _ detail: String, _ inputs: [SampleInput], types: [DType] = [.float32],
        derivative: SampleDerivative = .smooth, isShapeFree: Bool = false, evidence: SampleEvidence,
        call: @escaping @Sendable ([Tensor]) throws -> [Tensor]
    ) {
        self.name = name
        self.detail = detail
        self.inputs = inputs
        self.types = types
        self.derivative = derivative
        self.evidence = evidence
        self.isShapeFree = isShapeFree
        self.call = call
    }

    /// A row for a primitive as it is.
    init(
        _ primitive: some Primitive, _ detail: String, _ inputs: [SampleInput],
        types: [DType] = [.float32], derivative: SampleDerivative = .smooth, isShapeFree: Bool = false,
        slack: Double = 1, _ reference: @escaping @Sendable ([PlainArray]) -> [PlainArray]
    ) {
        self.init(
            primitive.name, detail, inputs, types: types, derivative: derivative, isShapeFree: isShapeFree,
            evidence: .reference(slack: slack, reference)
        ) { try apply(primitive, $0) }
    }

    /// A row for a primitive that needs no further words.
    init(
        _ primitive: some Primitive, _ inputs: [SampleInput], types: [DType] = [.float32],
        derivative: SampleDerivative = .smooth, isShapeFree: Bool = false, slack: Double = 1,
        _ reference: @escaping @Sendable ([PlainArray]) -> [PlainArray]
    ) {
        self.init(
            primitive, "", inputs, types: types, derivative: derivative, isShapeFree: isShapeFree,
            slack: slack, reference)
    }

    var testDescription: String {
        let operands = inputs.map(\.type.description).joined(separator: ", ")
        return "\(name)(\(operands))\(detail.isEmpty ? "" : " \(detail)")"
    }

    /// The row with other element types in place of float64.
    func with(_ dtype: DType) -> PrimitiveSample {
        var result = self
        for k in inputs.indices where inputs[k].type.dtype == .float64 { result.inputs[k].type.dtype = dtype }
        return result
    }

    /// This row in each of its types.
    var allTypes: [PrimitiveSample] {
        let isGeneric = inputs.contains { $0.type.dtype == .float64 }
        return [self] + (isGeneric ? types.map { with($0) } : [])
    }

    /// The row with another shape for all operands.
    func with(_ shape: Shape) -> PrimitiveSample {
        var result = self
        for k in inputs.indices { result.inputs[k].type.shape = shape }
        return result
    }

    /// Operands, the same in every run for one `seed`.
    func draw(seed: UInt64 = 0) throws -> [Tensor] {
        var generator = SeededGenerator(seed: seed &+ name.utf8.reduce(7) { $0 &* 31 &+ UInt64($1) })
        return try inputs.map { try $0.draw(&generator) }
    }

    /// Positions of the operands that can be differentiated.
    var activeInputs: [Int] { inputs.indices.filter { inputs[$0].type.dtype.isFloating } }

    /// Whether reverse mode gives something else than zeros.
    var hasGradient: Bool {
        switch derivative {
        case .smooth, .reverseOnly: true
        case .zero, .missing, .forwardOnly: false
        }
    }

    /// The float results as a function of the float operands, the others being as in `operands`.
    func differentiable(_ operands: [Tensor]) -> ([Tensor]) throws -> [Tensor] {
        { active in
            var all = operands
            for (position, tensor) in zip(activeInputs, active) { all[position] = tensor }
            return try call(all).filter(\.dtype.isFloating)
        }
    }
}
