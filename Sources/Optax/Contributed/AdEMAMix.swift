// AdEMAMix: Adam with a second, slow average of the gradients.
import TensorEngine

/// AdEMAMix's rescaling (Pagliardini et al., 2024, arXiv:2409.03137): `(m + alpha * s) / (sqrt(v + epsilonRoot) + epsilon)` with Adam's
/// bias-corrected m and v, and a slow average s of the gradients with the decay b3, which is not corrected.
///
/// - Parameters:
///   - b3, alpha: may follow schedules; the paper warms both up.
///   - momentDType: the type in which all averages start.
public func scaleByAdEMAMix(
    b1: Hyperparameter = 0.9, b2: Hyperparameter = 0.999, b3: Hyperparameter = 0.9999,
    alpha: Hyperparameter = 6,
    epsilon: Hyperparameter = 1e-8, epsilonRoot: Hyperparameter = 0, momentDType: DType? = nil
) -> GradientTransformation {
    let name = "scaleByAdEMAMix"
    return GradientTransformation { params in
        let start = try Tree.zerosLike(params, dtype: momentDType)
        return .state(
            "ScaleByAdemamixState",
            ["count": try .counter(), "count_m2": try .counter(), "m1": start, "m2": start, "nu": start])
    } update: { updates, state, _, _ in
        let slowCount = try state.scalar("count_m2", of: name)
        let (b3, alpha) = (try b3.fixed(at: slowCount), try alpha.fixed(at: slowCount))
        let fast = try updateMoment(updates, state.field("m1", of: name), b1, operation: name)
        let slow = try updateMoment(updates, state.field("m2", of: name), b3, operation: name)
        let nu = try updateSquareMoment(updates, state.field("nu", of: name), b2, operation: name)
        let count = try safeIncrement(state.scalar("count", of: name))
        let result = try mapLeaves(
            name, biasCorrection(fast, b1, count), slow, biasCorrection(nu, b2, count)
        ) { fast, slow, v in try (fast + alpha * slow) / (sqrt(v + epsilonRoot) + epsilon) }
        return (
            result,
            .state(
                "ScaleByAdemamixState",
                [
                    "count": .tensor(count), "count_m2": .tensor(try safeIncrement(slowCount)), "m1": fast,
                    "m2": slow, "nu": nu,
                ])
        )
    }
}

/// AdEMAMix (Pagliardini et al., 2024, arXiv:2409.03137). See `scaleByAdEMAMix`.
public func ademamix(
    learningRate: Hyperparameter, b1: Hyperparameter = 0.9, b2: Hyperparameter = 0.999,
    b3: Hyperparameter = 0.9999, alpha: Hyperparameter = 5, epsilon: Hyperparameter = 1e-8,
    epsilonRoot: Hyperparameter = 0, momentDType: DType? = nil, weightDecay: Hyperparameter = 0,
    mask: ParameterMask? = nil
) -> GradientTransformation {
    chain(
        scaleByAdEMAMix(
            b1: b1, b2: b2, b3: b3, alpha: alpha, epsilon: epsilon, epsilonRoot: epsilonRoot,
            momentDType: momentDType),
        addDecayedWeights(weightDecay, mask: mask), scaleByLearningRate(learningRate))
}

/// Simplified AdEMAMix's rescaling (Morwani et al., 2025, arXiv:2502.02431): with the sum `m = g + b1 * m` instead of two averages,
/// `(m + alpha * g) / (sqrt(v + epsilonRoot) + epsilon)`.
///
/// - Parameter alpha: may follow a schedule.
public func scaleBySimplifiedAdEMAMix(
    b1: Hyperparameter = 0.99, b2: Hyperparameter = 0.95, alpha: Hyperparameter = 0,
    epsilon: Hyperparameter = 1e-8, epsilonRoot: Hyperparameter = 0
) -> GradientTransformation {
    let name = "scaleBySimplifiedAdEMAMix"
    return GradientTransformation { params in
        .state(
            "ScaleBySimplifiedAdEMAMixState",
            ["t": try .counter(), "m": try Tree.zerosLike(params), "n": try Tree.zerosLike(params)])
    } update: { updates, state, _, _ in
        let previous = try state.scalar("t", of: name)
        let alpha = try alpha.fixed(at: previous)
        let m = try mapLeaves(name, updates, state.field("m", of: name)) { g, m in try g + b1 * m }
        let n = try mapLeaves(name, updates, state.field("n", of: name)) { g, n in
            let squared = try square(g)
            return try squared + b2 * (n - squared)
        }
        let count = try safeIncrement(previous)
        let result = try mapLeaves(name, m, updates, biasCorrection(n, b2, count)) { m, g, n in
            try (m + alpha * g) / (sqrt(n + epsilonRoot) + epsilon)
        }
        return (result, .state("ScaleBySimplifiedAdEMAMixState", ["t": .tensor(count), "m": m, "n": n]))
    }
}

/// Simplified AdEMAMix (Morwani et al., 2025, arXiv:2502.02431). See `scaleBySimplifiedAdEMAMix`.
public func simplifiedAdEMAMix(
    learningRate: Hyperparameter, b1: Hyperparameter = 0.99, b2: Hyperparameter = 0.95,
    alpha: Hyperparameter = 0, epsilon: Hyperparameter = 1e-8, epsilonRoot: Hyperparameter = 0,
    weightDecay: Hyperparameter = 0, mask: ParameterMask? = nil
) -> GradientTransformation {
    chain(
        scaleBySimplifiedAdEMAMix(b1: b1, b2: b2, alpha: alpha, epsilon: epsilon, epsilonRoot: epsilonRoot),
        addDecayedWeights(weightDecay, mask: mask), scaleByLearningRate(learningRate))
}
