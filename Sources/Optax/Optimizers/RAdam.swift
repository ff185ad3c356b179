// Rectified Adam.
import TensorEngine

/// Rectified Adam's rescaling (Liu et al., 2020, arXiv:1908.03265): as long as the second moment rests on too few steps
/// (ρ below `threshold`) the update is the mean alone, then Adam's times `sqrt((ρ-4)(ρ-2)ρ∞ / ((ρ∞-4)(ρ∞-2)ρ))`.
public func scaleByRAdam(
    b1: Hyperparameter = 0.9, b2: Hyperparameter = 0.999, epsilon: Hyperparameter = 1e-8,
    epsilonRoot: Hyperparameter = 0, threshold: Double = 5, nesterov: Bool = false
) -> GradientTransformation {
    let name = "scaleByRAdam"
    return GradientTransformation { params in
        .state(
            "ScaleByAdamState",
            ["count": try .counter(), "mu": try Tree.zerosLike(params), "nu": try Tree.zerosLike(params)])
    } update: { updates, state, _, _ in
        let mu = try updateMoment(updates, state.field("mu", of: name), b1, operation: name)
        let nu = try updateSquareMoment(updates, state.field("nu", of: name), b2, operation: name)
        let count = try safeIncrement(state.scalar("count", of: name))
        let mean = try correctedMean(updates, mu, b1, count, nesterov: nesterov)
        let limit = try b2.mapped({ 2 / (1 - $0) - 1 }, { try 2 / (1 - $0) - 1 })
        let steps = try count.astype(.float32)
        let power = try powerBySquaring(b2, count)
        let length = try limit - 2 * steps * power / (1 - power)
        let isTractable = try greaterEqual(length, threshold)
        // Where the root is not used its argument may be negative.
        let safe = try select(isTractable, length, limit)
        let numerator = try (safe - 4) * (safe - 2) * limit
        let factors = try limit.mapped({ ($0 - 4) * ($0 - 2) }, { try ($0 - 4) * ($0 - 2) })
        let rectification = try sqrt(numerator / (factors * safe))
        let result = try mapLeaves(name, mean, biasCorrection(nu, b2, count)) { m, v in
            try select(
                isTractable, rectification.astype(m.dtype) * m / (sqrt(v + epsilonRoot) + epsilon), m)
        }
        return (result, .state("ScaleByAdamState", ["count": .tensor(count), "mu": mu, "nu": nu]))
    }
}

/// Rectified Adam (Liu et al., 2020, arXiv:1908.03265). See `scaleByRAdam`.
public func radam(
    learningRate: Hyperparameter, b1: Hyperparameter = 0.9, b2: Hyperparameter = 0.999,
    epsilon: Hyperparameter = 1e-8, epsilonRoot: Hyperparameter = 0, threshold: Double = 5,
    nesterov: Bool = false
) -> GradientTransformation {
    chain(
        scaleByRAdam(
            b1: b1, b2: b2, epsilon: epsilon, epsilonRoot: epsilonRoot, threshold: threshold,
            nesterov: nesterov),
        scaleByLearningRate(learningRate))
}
