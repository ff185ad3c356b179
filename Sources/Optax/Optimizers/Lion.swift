// Lion: sign updates with two averages.
import TensorEngine

/// Lion's rescaling (Chen et al., 2023, arXiv:2302.06675): the update is `sign((1 - b1) * g + b1 * m)`, and then
/// `m ← (1 - b2) * g + b2 * m`.
public func scaleByLion(
    b1: Hyperparameter = 0.9, b2: Hyperparameter = 0.99, momentDType: DType? = nil
) -> GradientTransformation {
    let name = "scaleByLion"
    return GradientTransformation { params in
        .state(
            "ScaleByLionState",
            ["count": try .counter(), "mu": try Tree.zerosLike(params, dtype: momentDType)])
    } update: { updates, state, _, _ in
        let mu = try state.field("mu", of: name)
        let result = try updateMoment(updates, mu, b1, operation: name).map { try sign($0) }
        let next = try Tree.cast(updateMoment(updates, mu, b2, operation: name), to: momentDType)
        let count = try safeIncrement(state.scalar("count", of: name))
        return (result, .state("ScaleByLionState", ["count": .tensor(count), "mu": next]))
    }
}

/// Lion (Chen et al., 2023, arXiv:2302.06675). Its updates are larger than Adam's: a learning rate 3 to 10 times smaller and a decay as
/// much larger suit it. Optax's default of the decay, 1e-3.
public func lion(
    learningRate: Hyperparameter, b1: Hyperparameter = 0.9, b2: Hyperparameter = 0.99,
    momentDType: DType? = nil, weightDecay: Hyperparameter = 1e-3, mask: ParameterMask? = nil
) -> GradientTransformation {
    chain(
        scaleByLion(b1: b1, b2: b2, momentDType: momentDType), addDecayedWeights(weightDecay, mask: mask),
        scaleByLearningRate(learningRate))
}
