// ADOPT and ACProp: Adam whose second moment does not contain the present gradient.
import TensorEngine

/// ADOPT's rescaling (Taniguchi et al., 2024, arXiv:2411.02853): the average of gradients that were divided, each, by the root of the
/// second moment *before* them. The first step only initialises that moment, and changes nothing.
///
/// - Parameters:
///   - clips: whether the divided gradients are clipped to `±bound(count)`, where counts start at 0.
///   - bound: the fourth root of the count by default.
public func scaleByADOPT(
    b1: Hyperparameter = 0.9, b2: Hyperparameter = 0.9999, epsilon: Hyperparameter = 1e-6,
    momentDType: DType? = nil, nesterov: Bool = false, clips: Bool = true,
    bound: Schedule = Schedule { try pow($0.astype(.float32), 0.25) }
) -> GradientTransformation {
    let name = "scaleByADOPT"
    return GradientTransformation { params in
        .state(
            "ScaleByAdamState",
            [
                "count": try .counter(), "mu": try Tree.zerosLike(params, dtype: momentDType),
                "nu": try Tree.zerosLike(params),
            ])
    } update: { updates, state, _, _ in
        let count = try state.scalar("count", of: name)
        let isLater = try greater(count, 0)
        let b1 = Hyperparameter.tensor(try select(isLater, b1.scalar(), 1.0))
        let b2 = Hyperparameter.tensor(try select(isLater, b2.scalar(), 0.0))
        let previous = try state.field("nu", of: name)
        let limit = try bound(count)
        let divided = try mapLeaves(name, updates, previous) { g, v in
            let ratio = try g / maximum(sqrt(v), epsilon.tensor(beside: v.dtype))
            guard clips else { return ratio }
            let limit = try limit.astype(ratio.dtype)
            return try minimum(maximum(ratio, 0 - limit), limit)
        }
        let nu = try updateSquareMoment(updates, previous, b2, operation: name)
        let mu = try updateMoment(divided, state.field("mu", of: name), b1, operation: name)
        let result = nesterov ? try updateMoment(divided, mu, b1, operation: name) : mu
        return (
            result,
            .state(
                "ScaleByAdamState",
                [
                    "count": .tensor(try safeIncrement(count)), "mu": try Tree.cast(mu, to: momentDType),
                    "nu": nu,
                ])
        )
    }
}

/// ADOPT (Taniguchi et al., 2024, arXiv:2411.02853). See `scaleByADOPT`.
public func adopt(
    learningRate: Hyperparameter, b1: Hyperparameter = 0.9, b2: Hyperparameter = 0.9999,
    epsilon: Hyperparameter = 1e-6, momentDType: DType? = nil, nesterov: Bool = false, clips: Bool = true
) -> GradientTransformation {
    chain(
        scaleByADOPT(
            b1: b1, b2: b2, epsilon: epsilon, momentDType: momentDType, nesterov: nesterov, clips: clips),
        scaleByLearningRate(learningRate))
}

/// ACProp's rescaling (Zhuang et al., 2021, arXiv:2110.05454): the gradient divided by the root of the second moment *before* it, which
/// is that of the errors of predicting gradients by their average. In the first step the gradient passes unchanged.
///
/// - Parameter epsilonRoot: added to the second moment itself, in every step.
public func scaleByACProp(
    b1: Hyperparameter = 0.9, b2: Hyperparameter = 0.999, epsilon: Hyperparameter = 1e-16,
    epsilonRoot: Hyperparameter = 1e-16
) -> GradientTransformation {
    let name = "scaleByACProp"
    return GradientTransformation { params in
        .state(
            "ScaleByBeliefState",
            ["count": try .counter(), "mu": try Tree.zerosLike(params), "nu": try Tree.zerosLike(params)])
    } update: { updates, state, _, _ in
        let (previousMean, previous) = (try state.field("mu", of: name), try state.field("nu", of: name))
        let mu = try updateMoment(updates, previousMean, b1, operation: name)
        let errors = try mapLeaves(name, updates, previousMean) { try $0 - $1 }
        let nu = try updateSquareMoment(errors, previous, b2, operation: name).map { try $0 + epsilonRoot }
        let count = try state.scalar("count", of: name)
        let isFirst = try equal(count, 0)
        let next = try safeIncrement(count)
        let corrected = try biasCorrection(previous, b2, select(isFirst, next, count))
        let result = try mapLeaves(name, updates, corrected) { g, v in
            try g / (sqrt(select(isFirst, onesLike(v), v)) + epsilon)
        }
        return (result, .state("ScaleByBeliefState", ["count": .tensor(next), "mu": mu, "nu": nu]))
    }
}

/// ACProp (Zhuang et al., 2021, arXiv:2110.05454). See `scaleByACProp`.
public func acprop(
    learningRate: Hyperparameter, b1: Hyperparameter = 0.9, b2: Hyperparameter = 0.999,
    epsilon: Hyperparameter = 1e-16, epsilonRoot: Hyperparameter = 1e-16, weightDecay: Hyperparameter = 0,
    mask: ParameterMask? = nil
) -> GradientTransformation {
    chain(
        scaleByACProp(b1: b1, b2: b2, epsilon: epsilon, epsilonRoot: epsilonRoot),
        addDecayedWeights(weightDecay, mask: mask), scaleByLearningRate(learningRate))
}
