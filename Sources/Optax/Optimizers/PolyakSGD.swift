// Gradient descent with Polyak's step size.
import TensorEngine

/// Which step `scaleByPolyak` takes where the loss is below its lower bound.
public enum PolyakVariant: String, Sendable, Hashable, CaseIterable {
    /// A step backwards.
    case sps
    /// None.
    case spsPlus = "sps+"
}

/// Multiplies updates by Polyak's step size `min((value - lowerBound) / (|u|² + epsilon), maximumLearningRate)` for the present loss
/// (`context.value`) (Loizou et al., 2020, arXiv:2002.10542; Berrada et al., 2019, arXiv:1906.05661).
///
/// - Parameter lowerBound: the smallest value of the loss, 0 for a model that can fit the data.
public func scaleByPolyak(
    lowerBound: Hyperparameter = 0, maximumLearningRate: Hyperparameter = 1, epsilon: Hyperparameter = 0,
    variant: PolyakVariant = .sps
) -> GradientTransformation {
    let name = "scaleByPolyak"
    return GradientTransformation { _ in
        .emptyState
    } update: { updates, state, _, context in
        let size = try Tree.squaredNorm(updates) + epsilon
        var gap = try (context.value(for: name) - lowerBound).astype(size.dtype)
        if variant == .spsPlus { gap = try maximum(gap, 0) }
        let isZero = try lessEqual(size, smallestSquaredNorm)
        let step = try select(isZero, 0.0, minimum(gap / size, maximumLearningRate))
        return (try Tree.scale(.tensor(step), updates), state)
    }
}

/// Gradient descent with Polyak's step size. See `scaleByPolyak`.
///
/// - Parameter scaling: a factor on the updates before their step size is computed.
public func polyakSGD(
    maximumLearningRate: Hyperparameter = 1, scaling: Hyperparameter = 1, lowerBound: Hyperparameter = 0,
    epsilon: Hyperparameter = 0, variant: PolyakVariant = .sps
) -> GradientTransformation {
    chain(
        sgd(learningRate: scaling),
        scaleByPolyak(
            lowerBound: lowerBound, maximumLearningRate: maximumLearningRate, epsilon: epsilon,
            variant: variant))
}

/// Below this a squared norm counts as zero: Optax takes the step of float64 at 1 for it.
let smallestSquaredNorm = Double.ulpOfOne
