// Sophia: second-order clipping with an estimate of the Hessian's diagonal.
import TensorEngine

/// Hutchinson's estimate of the Hessian's diagonal: `z * (H z)` for random signs z. Its "updates" are that estimate; it needs the loss as a
/// function (`context.valueFunction`).
///
/// - Parameter key: where the signs come from; the state holds what is left of it.
public func hutchinsonEstimatorDiagonalHessian(key: PRNGKey) -> GradientTransformation {
    let name = "hutchinsonEstimatorDiagonalHessian"
    return GradientTransformation { _ in
        .state("HutchinsonState", ["key": .tensor(key.data)])
    } update: { _, state, params, context in
        let params = try required(params, for: name)
        let keys = try PRNGKey(data: state.scalar("key", of: name)).split()
        let signs = try Tree.randomLike(keys[1], params) { key, shape, dtype in
            try select(key.bernoulli(0.5, shape), 1.0, full(shape, -1, dtype: dtype))
        }
        let product = try hessianVectorProduct(context.valueFunction(for: name), params, signs)
        return (
            try mapLeaves(name, product, signs) { try $0 * $1 },
            .state("HutchinsonState", ["key": .tensor(keys[0].data)])
        )
    }
}

/// Sophia's rescaling (Liu et al., 2023, arXiv:2305.14342): `clip(m / max(gamma * h, epsilon), ±threshold)` with the bias-corrected average
/// m of the gradients and an average h of the Hessian's diagonal, which is estimated every `updateInterval` steps.
///
/// - Parameters:
///   - threshold: none for no clipping.
///   - hessianDiagonal: a transformation whose updates are the estimate.
public func scaleBySophia(
    b1: Hyperparameter = 0.965, b2: Hyperparameter = 0.99, epsilon: Double = 1e-8, gamma: Double = 0.01,
    threshold: Double? = 1, updateInterval: Int = 10, hessianDiagonal: GradientTransformation,
    momentDType: DType? = nil
) throws -> GradientTransformation {
    let name = "scaleBySophia"
    guard updateInterval > 0, Int32(exactly: updateInterval) != nil else {
        throw TensorError(
            .argument, name, expected: "an interval of 1 or more steps", got: "\(updateInterval)")
    }
    return GradientTransformation { params in
        .state(
            "SophiaState",
            [
                "count": try .counter(), "mu": try Tree.zerosLike(params, dtype: momentDType),
                "nu": try Tree.zerosLike(params),
                "hessian_fn_state": try hessianDiagonal.initialize(params: params),
            ])
    } update: { updates, state, params, context in
        let params = try required(params, for: name)
        let count = try state.scalar("count", of: name)
        let (nu, hessianState) = (
            try state.field("nu", of: name), try state.field("hessian_fn_state", of: name)
        )
        let mu = try updateMoment(updates, state.field("mu", of: name), b1, operation: name)
        let next = try safeIncrement(count)
        let result = try mapLeaves(name, biasCorrection(mu, b1, next), nu) { m, h in
            let step = try m / maximum(gamma * h, epsilon)
            guard let threshold else { return step }
            return try TensorEngine.clip(step, -threshold, threshold)
        }
        let estimated = try cond(
            equal(rem(count, updateInterval), 0),
            { (previous: [Tree]) in
                let (diagonal, newState) = try hessianDiagonal.update(
                    updates: updates, state: previous[1], params: params, context: context)
                return [try updateMoment(diagonal, previous[0], b2, operation: name), newState]
            }, { (previous: [Tree]) in previous }, [nu, hessianState])
        return (
            result,
            .state(
                "SophiaState",
                [
                    "count": .tensor(next), "mu": try Tree.cast(mu, to: momentDType), "nu": estimated[0],
                    "hessian_fn_state": estimated[1],
                ])
        )
    }
}

/// Sophia (Liu et al., 2023, arXiv:2305.14342). See `scaleBySophia`.
public func sophia(
    learningRate: Hyperparameter, b1: Hyperparameter = 0.965, b2: Hyperparameter = 0.99,
    epsilon: Double = 1e-8,
    weightDecay: Hyperparameter = 1e-4, mask: ParameterMask? = nil, gamma: Double = 0.01,
    threshold: Double? = 1,
    updateInterval: Int = 10, hessianDiagonal: GradientTransformation, momentDType: DType? = nil
) throws -> GradientTransformation {
    chain(
        try scaleBySophia(
            b1: b1, b2: b2, epsilon: epsilon, gamma: gamma, threshold: threshold,
            updateInterval: updateInterval, hessianDiagonal: hessianDiagonal, momentDType: momentDType),
        addDecayedWeights(weightDecay, mask: mask), scaleByLearningRate(learningRate))
}
