// Descent by signs: sign SGD, signum, Rprop.
import TensorEngine

/// Sign descent (Bernstein et al., 2018, arXiv:1802.04434): `p ← p - learningRate * sign(g)`.
public func signSGD(learningRate: Hyperparameter) -> GradientTransformation {
    chain(scaleBySign(), scaleByLearningRate(learningRate))
}

/// Sign descent with the sign of the gradients' average (Bernstein et al., 2018, arXiv:1802.04434).
public func signum(learningRate: Hyperparameter, decay: Hyperparameter = 0.9) -> GradientTransformation {
    chain(ema(decay: decay), scaleBySign(), scaleByLearningRate(learningRate))
}

/// Rprop's rescaling (Riedmiller & Braun, 1993): a step size for each number, which grows by `increase` while the gradient's sign stays
/// and shrinks by `decrease` where it changes; where it just changed, no step is taken. Steps lag one update behind their gradients, as
/// Optax has it: the first update is zero.
public func scaleByRprop(
    learningRate: Double, decrease: Double = 0.5, increase: Double = 1.2, minimumStep: Double = 1e-6,
    maximumStep: Double = 50
) -> GradientTransformation {
    let name = "scaleByRprop"
    return GradientTransformation { params in
        .state(
            "ScaleByRpropState",
            [
                "step_sizes": try Tree.fullLike(params, learningRate),
                "prev_updates": try Tree.zerosLike(params),
            ])
    } update: { updates, state, _, _ in
        let previous = try state.field("prev_updates", of: name)
        let agreement = try mapLeaves(name, updates, previous) { try $0 * $1 }
        let sizes = try mapLeaves(name, agreement, state.field("step_sizes", of: name)) { a, size in
            let factor = try select(greater(a, 0), full([], increase), full([], decrease))
            let changed = try TensorEngine.clip(size * factor.astype(size.dtype), minimumStep, maximumStep)
            return try select(equal(a, 0), size, changed)
        }
        let next = try mapLeaves(name, agreement, updates, sizes) { a, g, size in
            try select(less(a, 0), zerosLike(g), size * sign(g))
        }
        // As in Optax, a step is taken one update after its gradient was seen.
        let result = try mapLeaves(name, agreement, previous) { a, step in
            try select(less(a, 0), zerosLike(step), step)
        }
        return (result, .state("ScaleByRpropState", ["step_sizes": sizes, "prev_updates": next]))
    }
}

/// Rprop (Riedmiller & Braun, 1993), for full batches. See `scaleByRprop`.
public func rprop(
    learningRate: Double, decrease: Double = 0.5, increase: Double = 1.2, minimumStep: Double = 1e-6,
    maximumStep: Double = 50
) -> GradientTransformation {
    chain(
        scaleByRprop(
            learningRate: learningRate, decrease: decrease, increase: increase, minimumStep: minimumStep,
            maximumStep: maximumStep), scale(-1))
}
