// NovoGrad: one second moment for each parameter tensor.
import TensorEngine

/// NovoGrad's rescaling (Ginsburg et al., 2019, arXiv:1905.11286): v is the average of the gradients' squared norms, a scalar for each
/// parameter, and `m ← b1 * m + g / (sqrt(v + epsilonRoot) + epsilon) + weightDecay * p` is the update. The first step starts both
/// averages at their first value.
public func scaleByNovoGrad(
    b1: Hyperparameter = 0.9, b2: Hyperparameter = 0.25, epsilon: Hyperparameter = 1e-8,
    epsilonRoot: Hyperparameter = 0, weightDecay: Hyperparameter = 0, momentDType: DType? = nil
) -> GradientTransformation {
    let name = "scaleByNovoGrad"
    return GradientTransformation { params in
        .state(
            "ScaleByNovogradState",
            [
                "count": try .counter(), "mu": try Tree.zerosLike(params, dtype: momentDType),
                "nu": try params.map { _ in try zeros([]) },
            ])
    } update: { updates, state, params, _ in
        let count = try safeIncrement(state.scalar("count", of: name))
        let isFirst = try equal(count, 1)
        let squares = try updates.map { try square(sqrt(sum(square($0)))).astype(.float32) }
        let previous = try state.field("nu", of: name)
        let nu = try Tree.select(isFirst, squares, updateMoment(squares, previous, b2, operation: name))
        let steps = try mapLeaves(name, updates, required(params, for: name), nu) { g, p, v in
            try g / (sqrt(v + epsilonRoot) + epsilon).astype(g.dtype) + weightDecay * p
        }
        let mu = try mapLeaves(name, state.field("mu", of: name), steps) { m, step in
            try select(isFirst, step, b1 * m + step)
        }
        let kept = try Tree.cast(mu, to: momentDType)
        return (kept, .state("ScaleByNovogradState", ["count": .tensor(count), "mu": kept, "nu": nu]))
    }
}

/// NovoGrad (Ginsburg et al., 2019, arXiv:1905.11286). See `scaleByNovoGrad`.
public func novograd(
    learningRate: Hyperparameter, b1: Hyperparameter = 0.9, b2: Hyperparameter = 0.25,
    epsilon: Hyperparameter = 1e-6, epsilonRoot: Hyperparameter = 0, weightDecay: Hyperparameter = 0
) -> GradientTransformation {
    chain(
        scaleByNovoGrad(b1: b1, b2: b2, epsilon: epsilon, epsilonRoot: epsilonRoot, weightDecay: weightDecay),
        scaleByLearningRate(learningRate))
}
