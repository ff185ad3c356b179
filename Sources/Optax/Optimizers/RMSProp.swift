// RMSProp, AdaGrad and AdaDelta.
import TensorEngine

/// RMSProp (Hinton, 2012) with Optax's defaults: decay 0.9 (Keras and PyTorch: 0.9 and 0.99), epsilon inside the root.
///
/// - Parameters:
///   - centered: divides by the standard deviation instead of the root mean square.
///   - momentum: momentum of the *scaled* updates, learning rate included.
public func rmsprop(
    learningRate: Hyperparameter, decay: Hyperparameter = 0.9, epsilon: Hyperparameter = 1e-8,
    initialScale: Double = 0, epsilonInRoot: Bool = true, centered: Bool = false,
    momentum: Hyperparameter? = nil, nesterov: Bool = false, biasCorrection: Bool = false
) -> GradientTransformation {
    let scaling = centered ? scaleByStddev : scaleByRMS
    return chain(
        scaling(decay, epsilon, initialScale, epsilonInRoot, biasCorrection),
        scaleByLearningRate(learningRate),
        momentum.map { trace(decay: $0, nesterov: nesterov) } ?? identity())
}

/// AdaGrad (Duchi et al., 2011). See `scaleByRSS`.
public func adagrad(
    learningRate: Hyperparameter, initial: Double = 0.1, epsilon: Hyperparameter = 1e-7
) -> GradientTransformation {
    chain(scaleByRSS(initial: initial, epsilon: epsilon), scaleByLearningRate(learningRate))
}

/// AdaDelta (Zeiler, 2012, arXiv:1212.5701). See `scaleByAdaDelta`.
///
/// - Parameter weightDecay: added to the gradients, before they are scaled.
public func adadelta(
    learningRate: Hyperparameter, rho: Hyperparameter = 0.9, epsilon: Hyperparameter = 1e-6,
    weightDecay: Hyperparameter = 0, mask: ParameterMask? = nil
) -> GradientTransformation {
    chain(
        addDecayedWeights(weightDecay, mask: mask), scaleByAdaDelta(rho: rho, epsilon: epsilon),
        scaleByLearningRate(learningRate))
}
