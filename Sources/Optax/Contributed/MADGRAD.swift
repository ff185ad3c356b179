// MADGRAD: dual averaging with AdaGrad's denominators.
import TensorEngine

/// MADGRAD's updates (Defazio & Jelassi, 2022, arXiv:2101.11075), the learning rate included: parameters move from the start by the
/// weighted sum of all gradients over the cube root of that of their squares, smoothed by `momentum`.
public func scaleByMADGRAD(
    learningRate: Hyperparameter, momentum: Double = 0.9, epsilon: Double = 1e-6
) -> GradientTransformation {
    let name = "scaleByMADGRAD"
    return GradientTransformation { params in
        let start = try Tree.zerosLike(params)
        return .state(
            "MadgradState", ["count": try .counter(), "grad_sum_sq": start, "s": start, "x0": params])
    } update: { updates, state, params, _ in
        let params = try required(params, for: name)
        let count = try state.scalar("count", of: name)
        let start = try state.field("x0", of: name)
        let rate = try learningRate.scalar(at: count) + epsilon
        let weight = Hyperparameter.tensor(try rate * sqrt((count + 1).astype(.float32)))
        let squares = try mapLeaves(name, state.field("grad_sum_sq", of: name), updates) { sum, g in
            try sum + weight * square(g)
        }
        let sums = try mapLeaves(name, state.field("s", of: name), updates) { sum, g in try sum + weight * g }
        let result = try mapLeaves(name, start, sums, squares, params) { start, sum, squares, p in
            let z = try start - sum / (cbrt(squares) + epsilon)
            return try (1 - momentum) * z + momentum * p - p
        }
        return (
            result,
            .state(
                "MadgradState",
                ["count": .tensor(try safeIncrement(count)), "grad_sum_sq": squares, "s": sums, "x0": start])
        )
    }
}

/// MADGRAD (Defazio & Jelassi, 2022, arXiv:2101.11075). See `scaleByMADGRAD`.
public func madgrad(
    learningRate: Hyperparameter, momentum: Double = 0.9, weightDecay: Hyperparameter = 0,
    epsilon: Double = 1e-6
) -> GradientTransformation {
    chain(
        addDecayedWeights(weightDecay),
        scaleByMADGRAD(learningRate: learningRate, momentum: momentum, epsilon: epsilon))
}
