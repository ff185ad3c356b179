// Adam's rescaling and its close relatives: AMSGrad, AdaMax.
import TensorEngine

/// Adam (Kingma & Ba, 2014, arXiv:1412.6980): `m / (sqrt(v + epsilonRoot) + epsilon)` with the bias-corrected averages m of the
/// gradients and v of their squares.
///
/// - Parameters:
///   - nesterov: looks one step ahead in m (Dozat, 2016), as Optax and PyTorch do.
///   - momentDType: the type in which m is kept.
public func scaleByAdam(
    b1: Hyperparameter = 0.9, b2: Hyperparameter = 0.999, epsilon: Hyperparameter = 1e-8,
    epsilonRoot: Hyperparameter = 0, momentDType: DType? = nil, nesterov: Bool = false
) -> GradientTransformation {
    let name = "scaleByAdam"
    return GradientTransformation { params in
        .state(
            "ScaleByAdamState",
            [
                "count": try .counter(), "mu": try Tree.zerosLike(params, dtype: momentDType),
                "nu": try Tree.zerosLike(params),
            ])
    } update: { updates, state, _, _ in
        let mu = try updateMoment(updates, state.field("mu", of: name), b1, operation: name)
        let nu = try updateSquareMoment(updates, state.field("nu", of: name), b2, operation: name)
        let count = try safeIncrement(state.scalar("count", of: name))
        let mean = try correctedMean(updates, mu, b1, count, nesterov: nesterov)
        let result = try mapLeaves(name, mean, biasCorrection(nu, b2, count)) { m, v in
            try m / (sqrt(v + epsilonRoot) + epsilon)
        }
        return (
            result,
            .state(
                "ScaleByAdamState",
                ["count": .tensor(count), "mu": try Tree.cast(mu, to: momentDType), "nu": nu])
        )
    }
}

/// The bias-corrected mean, or with `nesterov` the one that the next step would see if it brought the same gradient.
func correctedMean(
    _ updates: Tree, _ mu: Tree, _ b1: Hyperparameter, _ count: Tensor, nesterov: Bool
) throws -> Tree {
    guard nesterov else { return try biasCorrection(mu, b1, count) }
    let complement = try b1.complement()
    return try mapLeaves(
        "nesterov", biasCorrection(mu, b1, safeIncrement(count)), biasCorrection(updates, b1, count)
    ) { m, g in try b1 * m + complement * g }
}

/// AMSGrad (Reddi et al., 2018): Adam with the largest second moment so far in place of the present one.
///
/// - Parameters:
///   - correctsMean, correctsVariance: whether the moments' start at zero is corrected (Optax's default).
public func scaleByAMSGrad(
    b1: Hyperparameter = 0.9, b2: Hyperparameter = 0.999, epsilon: Hyperparameter = 1e-8,
    epsilonRoot: Hyperparameter = 0, momentDType: DType? = nil, correctsMean: Bool = true,
    correctsVariance: Bool = true
) -> GradientTransformation {
    let name = "scaleByAMSGrad"
    return GradientTransformation { params in
        .state(
            "ScaleByAmsgradState",
            [
                "count": try .counter(), "mu": try Tree.zerosLike(params, dtype: momentDType),
                "nu": try Tree.zerosLike(params), "nu_max": try Tree.zerosLike(params),
            ])
    } update: { updates, state, _, _ in
        let mu = try updateMoment(updates, state.field("mu", of: name), b1, operation: name)
        let nu = try updateSquareMoment(updates, state.field("nu", of: name), b2, operation: name)
        let count = try safeIncrement(state.scalar("count", of: name))
        let mean = correctsMean ? try biasCorrection(mu, b1, count) : mu
        let variance = correctsVariance ? try biasCorrection(nu, b2, count) : nu
        let largest = try mapLeaves(name, state.field("nu_max", of: name), variance) { try maximum($0, $1) }
        let result = try mapLeaves(name, mean, largest) { m, v in try m / (sqrt(v + epsilonRoot) + epsilon) }
        return (
            result,
            .state(
                "ScaleByAmsgradState",
                [
                    "count": .tensor(count), "mu": try Tree.cast(mu, to: momentDType), "nu": nu,
                    "nu_max": largest,
                ])
        )
    }
}

/// AdaMax (Kingma & Ba, 2014): Adam with a decaying maximum in place of the second moment,
/// `v = max(|g| + epsilon, b2 * v)`, and the update `m / v`.
public func scaleByAdaMax(
    b1: Hyperparameter = 0.9, b2: Hyperparameter = 0.999, epsilon: Hyperparameter = 1e-8
) -> GradientTransformation {
    let name = "scaleByAdaMax"
    return GradientTransformation { params in
        .state(
            "ScaleByAdamState",
            ["count": try .counter(), "mu": try Tree.zerosLike(params), "nu": try Tree.zerosLike(params)])
    } update: { updates, state, _, _ in
        let count = try safeIncrement(state.scalar("count", of: name))
        let mu = try updateMoment(updates, state.field("mu", of: name), b1, operation: name)
        let nu = try mapLeaves(name, updates, state.field("nu", of: name)) { g, v in
            try maximum(TensorEngine.abs(g) + epsilon, b2 * v)
        }
        let result = try mapLeaves(name, biasCorrection(mu, b1, count), nu) { try $0 / $1 }
        return (result, .state("ScaleByAdamState", ["count": .tensor(count), "mu": mu, "nu": nu]))
    }
}
