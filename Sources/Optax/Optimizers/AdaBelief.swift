// AdaBelief and Yogi: other second moments than Adam's.
import TensorEngine

/// AdaBelief's rescaling (Zhuang et al., 2020, arXiv:2010.07468): Adam with the average of the squared error of predicting the gradient
/// by its average, this gradient included, `(g - m)²`, as second moment. epsilonRoot is added to that average itself, in every step.
public func scaleByBelief(
    b1: Hyperparameter = 0.9, b2: Hyperparameter = 0.999, epsilon: Hyperparameter = 1e-16,
    epsilonRoot: Hyperparameter = 1e-16, nesterov: Bool = false
) -> GradientTransformation {
    let name = "scaleByBelief"
    return GradientTransformation { params in
        .state(
            "ScaleByBeliefState",
            ["count": try .counter(), "mu": try Tree.zerosLike(params), "nu": try Tree.zerosLike(params)])
    } update: { updates, state, _, _ in
        let mu = try updateMoment(updates, state.field("mu", of: name), b1, operation: name)
        let errors = try mapLeaves(name, updates, mu) { try $0 - $1 }
        let nu = try updateSquareMoment(errors, state.field("nu", of: name), b2, operation: name)
            .map { try $0 + epsilonRoot }
        let count = try safeIncrement(state.scalar("count", of: name))
        let mean = try correctedMean(updates, mu, b1, count, nesterov: nesterov)
        let result = try mapLeaves(name, mean, biasCorrection(nu, b2, count)) { m, v in
            try m / (sqrt(v) + epsilon)
        }
        return (result, .state("ScaleByBeliefState", ["count": .tensor(count), "mu": mu, "nu": nu]))
    }
}

/// AdaBelief (Zhuang et al., 2020, arXiv:2010.07468). See `scaleByBelief`.
public func adabelief(
    learningRate: Hyperparameter, b1: Hyperparameter = 0.9, b2: Hyperparameter = 0.999,
    epsilon: Hyperparameter = 1e-16, epsilonRoot: Hyperparameter = 1e-16, nesterov: Bool = false
) -> GradientTransformation {
    chain(
        scaleByBelief(b1: b1, b2: b2, epsilon: epsilon, epsilonRoot: epsilonRoot, nesterov: nesterov),
        scaleByLearningRate(learningRate))
}

/// Yogi's rescaling (Zaheer et al., 2018): Adam with `v ← v - (1 - b2) * sign(v - g²) * g²`.
///
/// - Parameter initial: both moments before the first step.
public func scaleByYogi(
    b1: Hyperparameter = 0.9, b2: Hyperparameter = 0.999, epsilon: Hyperparameter = 1e-3,
    epsilonRoot: Hyperparameter = 0, initial: Double = 1e-6
) -> GradientTransformation {
    let name = "scaleByYogi"
    return GradientTransformation { params in
        .state(
            "ScaleByAdamState",
            [
                "count": try .counter(), "mu": try Tree.fullLike(params, initial),
                "nu": try Tree.fullLike(params, initial),
            ])
    } update: { updates, state, _, _ in
        let mu = try updateMoment(updates, state.field("mu", of: name), b1, operation: name)
        let complement = try b2.complement()
        let nu = try mapLeaves(name, updates, state.field("nu", of: name)) { g, v in
            let squared = try square(g)
            return try v - complement * sign(v - squared) * squared
        }
        let count = try safeIncrement(state.scalar("count", of: name))
        let result = try mapLeaves(name, biasCorrection(mu, b1, count), biasCorrection(nu, b2, count)) {
            m, v in
            try m / (sqrt(v + epsilonRoot) + epsilon)
        }
        return (result, .state("ScaleByAdamState", ["count": .tensor(count), "mu": mu, "nu": nu]))
    }
}

/// Yogi (Zaheer et al., 2018). See `scaleByYogi`.
public func yogi(
    learningRate: Hyperparameter, b1: Hyperparameter = 0.9, b2: Hyperparameter = 0.999,
    epsilon: Hyperparameter = 1e-3
) -> GradientTransformation {
    chain(scaleByYogi(b1: b1, b2: b2, epsilon: epsilon), scaleByLearningRate(learningRate))
}
