// Random functions made of rows of the table of primitives: what the property tests try.
import TestSupport

@testable import TensorEngine

/// A function of a few tensors, drawn from a seed: each step applies a row of the table of primitives to values made so
/// far, which are reshaped, converted and brought into the row's range first. So every family takes part, with shapes and
/// types of all kinds.
struct RandomProgram: Sendable {
    private struct Step: Sendable {
        let sample: PrimitiveSample
        /// By operand: which of the values so far it is made of.
        let picks: [Int]
        /// By operand: how it is made to fit.
        let fits: [Int]
    }

    let seed: UInt64
    let inputTypes: [TensorType]
    private let steps: [Step]

    /// - Parameter isDifferentiable: true to use only operations that reverse mode can pass.
    init(seed: UInt64, operations: Int, isDifferentiable: Bool) {
        var generator = SeededGenerator(seed: seed)
        self.seed = seed
        let rows = PrimitiveTable.all.filter { sample in
            switch sample.derivative {
            case .smooth, .zero: true
            case .missing, .forwardOnly, .reverseOnly: !isDifferentiable
            }
        }
        let byName = Dictionary(grouping: rows, by: \.name).sorted { $0.key < $1.key }.map(\.value)
        let shapes: [Shape] = [[], [1], [4], [2, 3], [3, 1, 2], [2, 2, 2, 2], [0, 2]]
        inputTypes = (0..<3).map { k in
            // At least one input that a gradient can be taken with respect to.
            let dtype: DType =
                k == 0 ? .float32 : [.float64, .int32, .float32, .bool, .bfloat16].random(&generator)
            return TensorType(dtype, shapes.random(&generator))
        }
        steps = (0..<operations).map { number in
            let sample = byName.random(&generator).random(&generator).allTypes.random(&generator)
            return Step(
                sample: sample,
                picks: sample.inputs.map { _ in
                    // Recent values more often than old ones, so that chains grow long.
                    let range =
                        Bool.random(using: &generator) ? max(0, number)...(number + 2) : 0...(number + 2)
                    return Int.random(in: range, using: &generator)
                }, fits: sample.inputs.map { _ in Int.random(in: 0..<3, using: &generator) })
        }
    }

    /// Inputs, another set for each `member`.
    func draw(member: Int = 0) throws -> [Tensor] {
        let key = try PRNGKey(seed: Int(truncatingIfNeeded: seed)).foldIn(member)
        return try inputTypes.enumerated().map { k, type in
            let uniform = try key.foldIn(k).uniform(type.shape, low: -2.0, high: 2.0)
            return type.dtype == .bool ? try greater(uniform, 0) : try uniform.astype(type.dtype)
        }
    }

    /// The last few values.
    func callAsFunction(_ inputs: [Tensor]) throws -> [Tensor] {
        var values = inputs
        for step in steps {
            var operands: [Tensor] = []
            for (k, input) in step.sample.inputs.enumerated() {
                operands.append(try fit(values[step.picks[k] % values.count], to: input, step.fits[k]))
            }
            values += try step.sample.call(operands)
        }
        return Array(values.suffix(5))
    }

    /// The sum of the float values, for gradients.
    func loss(_ inputs: [Tensor]) throws -> Tensor {
        try self(inputs).filter(\.dtype.isFloating).reduce(zeros([])) { total, value in
            // Bounded, so that no value drowns the others; where there is no number there is no gradient either.
            let finite = try select(isFinite(value), value, 0).astype(.float32)
            return try total + sum(tanh(finite * 0.25))
        }
    }

    /// Whether some values are float16 or bfloat16.
    var hasHalfPrecision: Bool {
        (inputTypes + steps.flatMap { $0.sample.inputs.map(\.type) }).contains { $0.dtype.isHalfPrecision }
    }

    /// What the function does, for messages.
    var description: String {
        "seed \(seed): " + steps.map { "\($0.sample.testDescription)" }.joined(separator: "; ")
    }

    private func fit(_ x: Tensor, to input: SampleInput, _ way: Int) throws -> Tensor {
        let count = input.type.shape.elementCount
        var flat = try reshape(x, [x.shape.elementCount])
        if case .fixed = input.values {
            var generator = SeededGenerator(seed: 0)
            return try input.draw(&generator)
        }
        if flat.shape[0] == 0 { flat = try full([1], 0.5).astype(x.dtype) }
        switch way {
        case 0: break
        case 1: flat = try flip(flat, axes: [0])
        default: flat = try concatenate([flat, flat])
        }
        if count <= flat.shape[0] {
            flat = try slice(flat, axis: 0, 0..<count)
        } else {
            let indices = (0..<count).map { Int32($0 % flat.shape[0]) }
            flat = try take(flat, Tensor(indices), mode: .clamp)
        }
        return try inRange(try reshape(flat, input.type.shape), input)
    }

    /// The elements brought into the range that the operand wants.
    private func inRange(_ x: Tensor, _ input: SampleInput) throws -> Tensor {
        let dtype = input.type.dtype
        func squashed(_ range: ClosedRange<Double>) throws -> Tensor {
            let wide = try x.astype(x.dtype == .float64 ? .float64 : .float32)
            return try logistic(wide) * (range.upperBound - range.lowerBound) + range.lowerBound
        }
        switch input.values {
        case .uniform(let range, _): return try squashed(range).astype(dtype)
        case .integers(0...1) where dtype == .bool: return try greater(x.astype(.float32), 0)
        case .integers(let range) where range.count < 1 << 20:
            let numbers = try squashed(Double(range.lowerBound)...Double(range.upperBound))
            return try round(numbers).astype(dtype)
        case .integers, .distinct, .fixed: return try x.astype(dtype)
        case .positiveDefinite:
            let n = input.type.shape.last ?? 1
            let factor = try squashed(-1...1).astype(dtype)
            let transposed = try transpose(
                factor, axes: Array(0..<(factor.rank - 2)) + [factor.rank - 1, factor.rank - 2])
            let identity = try oneHot(arange(n), count: n, dtype: dtype)
            return try matmul(factor, transposed) + identity * 2
        }
    }
}

extension Array {
    /// One of the elements.
    func random(_ generator: inout SeededGenerator) -> Element {
        self[Int.random(in: indices, using: &generator)]
    }
}
