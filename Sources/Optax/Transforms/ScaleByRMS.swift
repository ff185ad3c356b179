// Rescaling by root mean squares of gradients: RMSProp, AdaGrad, AdaDelta.
import TensorEngine

/// RMSProp (Hinton, 2012): `g / sqrt(v + epsilon)` with the average v of the gradients' squares.
///
/// - Parameters:
///   - initialScale: v before the first step.
///   - epsilonInRoot: whether epsilon stands inside the root (Optax's default) or outside.
///   - biasCorrection: whether v's start at `initialScale` is corrected as in Adam.
public func scaleByRMS(
    decay: Hyperparameter = 0.9, epsilon: Hyperparameter = 1e-8, initialScale: Double = 0,
    epsilonInRoot: Bool = true, biasCorrection isCorrected: Bool = false
) -> GradientTransformation {
    let name = "scaleByRMS"
    return GradientTransformation { params in
        let nu = try Tree.fullLike(params, initialScale)
        return isCorrected
            ? .state("ScaleByRmsWithCountState", ["count": try .counter(), "nu": nu])
            : .state("ScaleByRmsState", ["nu": nu])
    } update: { updates, state, _, _ in
        let nu = try updateSquareMoment(updates, state.field("nu", of: name), decay, operation: name)
        let (next, corrected): (Tree, Tree)
        if isCorrected {
            let count = try safeIncrement(state.scalar("count", of: name))
            corrected = try biasCorrection(nu, decay, count)
            next = .state("ScaleByRmsWithCountState", ["count": .tensor(count), "nu": nu])
        } else {
            (corrected, next) = (nu, .state("ScaleByRmsState", ["nu": nu]))
        }
        let result = try mapLeaves(name, updates, corrected) { g, v in
            try inverseRoot(v, epsilon, epsilonInRoot) * g
        }
        return (result, next)
    }
}

/// RMSProp with the variance in place of the mean square: `g / sqrt(v - m² + epsilon)` (Graves, 2013, arXiv:1308.0850).
///
/// Parameters as in `scaleByRMS`.
public func scaleByStddev(
    decay: Hyperparameter = 0.9, epsilon: Hyperparameter = 1e-8, initialScale: Double = 0,
    epsilonInRoot: Bool = true, biasCorrection isCorrected: Bool = false
) -> GradientTransformation {
    let name = "scaleByStddev"
    return GradientTransformation { params in
        let (mu, nu) = (try Tree.zerosLike(params), try Tree.fullLike(params, initialScale))
        return isCorrected
            ? .state("ScaleByRStdDevWithCountState", ["count": try .counter(), "mu": mu, "nu": nu])
            : .state("ScaleByRStdDevState", ["mu": mu, "nu": nu])
    } update: { updates, state, _, _ in
        let mu = try updateMoment(updates, state.field("mu", of: name), decay, operation: name)
        let nu = try updateSquareMoment(updates, state.field("nu", of: name), decay, operation: name)
        var (mean, square, next) = (mu, nu, Tree.state("ScaleByRStdDevState", ["mu": mu, "nu": nu]))
        if isCorrected {
            let count = try safeIncrement(state.scalar("count", of: name))
            (mean, square) = (try biasCorrection(mu, decay, count), try biasCorrection(nu, decay, count))
            next = .state("ScaleByRStdDevWithCountState", ["count": .tensor(count), "mu": mu, "nu": nu])
        }
        let result = try mapLeaves(name, updates, mean, square) { g, m, v in
            try inverseRoot(v - TensorEngine.square(m), epsilon, epsilonInRoot) * g
        }
        return (result, next)
    }
}

private func inverseRoot(_ x: Tensor, _ epsilon: Hyperparameter, _ isInRoot: Bool) throws -> Tensor {
    isInRoot ? try rsqrt(x + epsilon) : try 1 / (sqrt(x) + epsilon)
}

/// AdaGrad (Duchi et al., 2011): `g / sqrt(s + epsilon)` with the sum s of all squared gradients so far.
///
/// - Parameter initial: s before the first step; 0.1 in Optax.
public func scaleByRSS(initial: Double = 0.1, epsilon: Hyperparameter = 1e-7) -> GradientTransformation {
    let name = "scaleByRSS"
    return GradientTransformation { params in
        .state("ScaleByRssState", ["sum_of_squares": try Tree.fullLike(params, initial)])
    } update: { updates, state, _, _ in
        let sums = try mapLeaves(name, updates, state.field("sum_of_squares", of: name)) { g, s in
            try square(g) + s
        }
        let result = try mapLeaves(name, sums, updates) { s, g in
            try select(greater(s, 0), rsqrt(s + epsilon), 0.0) * g
        }
        return (result, .state("ScaleByRssState", ["sum_of_squares": sums]))
    }
}

/// AdaDelta (Zeiler, 2012, arXiv:1212.5701): `sqrt(x + epsilon) / sqrt(v + epsilon) * g` with the averages v of squared gradients
/// and x of squared updates.
public func scaleByAdaDelta(rho: Hyperparameter = 0.9, epsilon: Hyperparameter = 1e-6)
    -> GradientTransformation
{
    let name = "scaleByAdaDelta"
    return GradientTransformation { params in
        .state(
            "ScaleByAdaDeltaState", ["e_g": try Tree.zerosLike(params), "e_x": try Tree.zerosLike(params)])
    } update: { updates, state, _, _ in
        let previous = try state.field("e_x", of: name)
        let squares = try updateSquareMoment(updates, state.field("e_g", of: name), rho, operation: name)
        let result = try mapLeaves(name, updates, squares, previous) { g, v, x in
            try sqrt(x + epsilon) / sqrt(v + epsilon) * g
        }
        let next = try updateSquareMoment(result, previous, rho, operation: name)
        return (result, .state("ScaleByAdaDeltaState", ["e_g": squares, "e_x": next]))
    }
}
