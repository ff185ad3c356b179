// Optimistic gradient descent, for games and other saddle points.
import TensorEngine

/// The optimistic gradient `(alpha + beta) * g - beta * previous g` (Mokhtari et al., 2019, arXiv:1901.08511); in the first step the
/// previous gradient is the present one.
public func scaleByOptimisticGradient(
    alpha: Hyperparameter = 1, beta: Hyperparameter = 1
) -> GradientTransformation {
    let name = "scaleByOptimisticGradient"
    return GradientTransformation { params in
        .state(
            "ScaleByOptimisticGradientState",
            ["is_initial_step": .tensor(try Tensor(true)), "previous_gradient": try Tree.zerosLike(params)])
    } update: { updates, state, _, _ in
        let isFirst = try state.scalar("is_initial_step", of: name)
        let result = try mapLeaves(name, updates, state.field("previous_gradient", of: name)) { g, previous in
            let before = try select(isFirst, g, previous)
            return try alpha * g + beta * g - beta * before
        }
        return (
            result,
            .state(
                "ScaleByOptimisticGradientState",
                ["is_initial_step": .tensor(try Tensor(false)), "previous_gradient": updates])
        )
    }
}

/// Optimistic gradient descent (Mokhtari et al., 2019, arXiv:1901.08511). See `scaleByOptimisticGradient`.
public func optimisticGradientDescent(
    learningRate: Hyperparameter, alpha: Hyperparameter = 1, beta: Hyperparameter = 1
) -> GradientTransformation {
    chain(scaleByOptimisticGradient(alpha: alpha, beta: beta), scaleByLearningRate(learningRate))
}

/// Adam followed by the optimistic gradient of its updates (Optax's `optimistic_adam_v2`).
public func optimisticAdam(
    learningRate: Hyperparameter, alpha: Hyperparameter = 1, beta: Hyperparameter = 1,
    b1: Hyperparameter = 0.9, b2: Hyperparameter = 0.999, epsilon: Hyperparameter = 1e-8,
    epsilonRoot: Hyperparameter = 0, nesterov: Bool = true
) -> GradientTransformation {
    chain(
        scaleByAdam(b1: b1, b2: b2, epsilon: epsilon, epsilonRoot: epsilonRoot, nesterov: nesterov),
        scaleByOptimisticGradient(alpha: alpha, beta: beta), scaleByLearningRate(learningRate))
}
