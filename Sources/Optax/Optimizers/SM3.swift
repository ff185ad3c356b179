// SM3: AdaGrad with one accumulator for each slice of a parameter.
import TensorEngine

/// SM3's rescaling (Anil et al., 2019, arXiv:1901.11150): the accumulator of a number is the smallest of those of the slices it lies in,
/// plus its squared gradient; each slice keeps its largest. The update is the average `b1 * t + (1 - b1) * g / sqrt(a + epsilon)`.
///
/// - Throws, when used: `TensorError` for parameters without dimensions, which SM3 has no slices for.
public func scaleBySM3(b1: Hyperparameter = 0.9, b2: Double = 1, epsilon: Double = 1e-8)
    -> GradientTransformation
{
    let name = "scaleBySM3"
    return GradientTransformation { params in
        let slices = try expandLeaves(params) { _, p in
            guard p.rank > 0 else {
                throw TensorError(.shape, name, expected: "parameters with dimensions", got: "a scalar")
            }
            return .tuple(try p.shape.map { .tensor(try zeros([$0])) })
        }
        return .state("ScaleBySM3State", ["mu": slices, "nu": try Tree.zerosLike(params)])
    } update: { updates, state, _, _ in
        let slices = try state.field("mu", of: name)
        var remaining = slices.leaves[...]
        guard remaining.count == updates.leaves.reduce(0, { $0 + $1.rank }) else {
            throw TensorError(
                .structure, name, expected: "updates and state of one structure", got: "another")
        }
        var newSlices: [Tensor] = []
        let scaled = try updates.map { g in
            var smallest: Tensor?
            for axis in 0..<g.rank {
                var shape = Shape(repeatElement(1, count: g.rank))
                shape[axis] = g.shape[axis]
                let slice = try reshape(remaining.removeFirst(), shape)
                smallest = try smallest.map { try minimum($0, slice) } ?? slice
            }
            let squared = try (b2 == 1 ? 1 : 1 - b2) * square(g)
            let accumulated = try smallest.map { try squared + b2 * $0 } ?? squared
            for axis in 0..<g.rank {
                let others = (0..<g.rank).filter { $0 != axis }
                newSlices.append(
                    others.isEmpty ? accumulated : try TensorEngine.max(accumulated, axes: others))
            }
            let factor = try select(greater(accumulated, 0), rsqrt(accumulated + epsilon), 0.0)
            return try (g * factor).astype(g.dtype)
        }
        let nu = try updateMoment(scaled, state.field("nu", of: name), b1, operation: name)
        return (nu, .state("ScaleBySM3State", ["mu": try slices.replacingLeaves(newSlices), "nu": nu]))
    }
}

/// SM3 (Anil et al., 2019, arXiv:1901.11150). See `scaleBySM3`.
public func sm3(learningRate: Hyperparameter, momentum: Hyperparameter = 0.9) -> GradientTransformation {
    chain(scaleBySM3(b1: momentum), scaleByLearningRate(learningRate))
}
