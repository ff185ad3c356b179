// Adan: Adam with the gradients' differences.
import TensorEngine

/// Adan's rescaling (Xie et al., 2022, arXiv:2208.06677): with the averages m of gradients, v of their differences d from step to step,
/// and n of `(g + (1 - b2) * d)²`, all bias-corrected, the update is
/// `(m + (1 - b2) * v) / (sqrt(n + epsilonRoot) + epsilon)`. Optax's b1, b2, b3 are one minus the paper's.
public func scaleByAdan(
    b1: Hyperparameter = 0.98, b2: Hyperparameter = 0.92, b3: Hyperparameter = 0.99,
    epsilon: Hyperparameter = 1e-8, epsilonRoot: Hyperparameter = 0
) -> GradientTransformation {
    let name = "scaleByAdan"
    return GradientTransformation { params in
        let start = try Tree.zerosLike(params)
        return .state(
            "ScaleByAdanState", ["m": start, "v": start, "n": start, "g": start, "t": try .counter()])
    } update: { updates, state, _, _ in
        let count = try state.scalar("t", of: name)
        let isFirst = try equal(count, 0)
        let differences = try mapLeaves(name, updates, state.field("g", of: name)) { g, previous in
            try select(isFirst, zerosLike(g), g - previous)
        }
        let complement = try b2.complement()
        let m = try updateMoment(updates, state.field("m", of: name), b1, operation: name)
        let v = try updateMoment(differences, state.field("v", of: name), b2, operation: name)
        let ahead = try mapLeaves(name, updates, differences) { g, d in try g + complement * d }
        let n = try updateSquareMoment(ahead, state.field("n", of: name), b3, operation: name)
        let next = try safeIncrement(count)
        let result = try mapLeaves(
            name, biasCorrection(m, b1, next), biasCorrection(v, b2, next), biasCorrection(n, b3, next)
        ) { m, v, n in try (m + complement * v) / (sqrt(n + epsilonRoot) + epsilon) }
        return (
            result, .state("ScaleByAdanState", ["m": m, "v": v, "n": n, "g": updates, "t": .tensor(next)])
        )
    }
}

/// Adan (Xie et al., 2022, arXiv:2208.06677). See `scaleByAdan`.
public func adan(
    learningRate: Hyperparameter, b1: Hyperparameter = 0.98, b2: Hyperparameter = 0.92,
    b3: Hyperparameter = 0.99, epsilon: Hyperparameter = 1e-8, epsilonRoot: Hyperparameter = 1e-8,
    weightDecay: Hyperparameter = 0, mask: ParameterMask? = nil
) -> GradientTransformation {
    chain(
        scaleByAdan(b1: b1, b2: b2, b3: b3, epsilon: epsilon, epsilonRoot: epsilonRoot),
        addDecayedWeights(weightDecay, mask: mask), scaleByLearningRate(learningRate))
}
