// Adam, with and without decay of the weights, and its variants by a flag.
import TensorEngine

/// Adam (Kingma & Ba, 2014, arXiv:1412.6980): `p ← p - learningRate * m / (sqrt(v + epsilonRoot) + epsilon)`. See `scaleByAdam`.
public func adam(
    learningRate: Hyperparameter, b1: Hyperparameter = 0.9, b2: Hyperparameter = 0.999,
    epsilon: Hyperparameter = 1e-8, epsilonRoot: Hyperparameter = 0, momentDType: DType? = nil,
    nesterov: Bool = false
) -> GradientTransformation {
    chain(
        scaleByAdam(
            b1: b1, b2: b2, epsilon: epsilon, epsilonRoot: epsilonRoot, momentDType: momentDType,
            nesterov: nesterov),
        scaleByLearningRate(learningRate))
}

/// Adam with decay of the weights: `p ← p - learningRate * (m / (sqrt(v + epsilonRoot) + epsilon) + weightDecay * p)`.
///
/// The decay is multiplied by the learning rate, as in PyTorch and unlike the paper (Loshchilov & Hutter, 2019,
/// arXiv:1711.05101). Optax's default of the decay, 1e-4.
///
/// - Parameter mask: which parameters decay; all by default.
public func adamw(
    learningRate: Hyperparameter, b1: Hyperparameter = 0.9, b2: Hyperparameter = 0.999,
    epsilon: Hyperparameter = 1e-8, epsilonRoot: Hyperparameter = 0, momentDType: DType? = nil,
    weightDecay: Hyperparameter = 1e-4, mask: ParameterMask? = nil, nesterov: Bool = false
) -> GradientTransformation {
    chain(
        scaleByAdam(
            b1: b1, b2: b2, epsilon: epsilon, epsilonRoot: epsilonRoot, momentDType: momentDType,
            nesterov: nesterov),
        addDecayedWeights(weightDecay, mask: mask), scaleByLearningRate(learningRate))
}

/// Adam with Nesterov's look ahead (Dozat, 2016).
public func nadam(
    learningRate: Hyperparameter, b1: Hyperparameter = 0.9, b2: Hyperparameter = 0.999,
    epsilon: Hyperparameter = 1e-8, epsilonRoot: Hyperparameter = 0, momentDType: DType? = nil
) -> GradientTransformation {
    adam(
        learningRate: learningRate, b1: b1, b2: b2, epsilon: epsilon, epsilonRoot: epsilonRoot,
        momentDType: momentDType, nesterov: true)
}

/// `nadam` with decay of the weights. See `adamw`.
public func nadamw(
    learningRate: Hyperparameter, b1: Hyperparameter = 0.9, b2: Hyperparameter = 0.999,
    epsilon: Hyperparameter = 1e-8, epsilonRoot: Hyperparameter = 0, momentDType: DType? = nil,
    weightDecay: Hyperparameter = 1e-4, mask: ParameterMask? = nil
) -> GradientTransformation {
    adamw(
        learningRate: learningRate, b1: b1, b2: b2, epsilon: epsilon, epsilonRoot: epsilonRoot,
        momentDType: momentDType, weightDecay: weightDecay, mask: mask, nesterov: true)
}

/// AdaMax (Kingma & Ba, 2014). See `scaleByAdaMax`.
public func adamax(
    learningRate: Hyperparameter, b1: Hyperparameter = 0.9, b2: Hyperparameter = 0.999,
    epsilon: Hyperparameter = 1e-8
) -> GradientTransformation {
    chain(scaleByAdaMax(b1: b1, b2: b2, epsilon: epsilon), scaleByLearningRate(learningRate))
}

/// AdaMax with decay of the weights. See `adamw`.
public func adamaxw(
    learningRate: Hyperparameter, b1: Hyperparameter = 0.9, b2: Hyperparameter = 0.999,
    epsilon: Hyperparameter = 1e-8, weightDecay: Hyperparameter = 1e-4, mask: ParameterMask? = nil
) -> GradientTransformation {
    chain(
        scaleByAdaMax(b1: b1, b2: b2, epsilon: epsilon), addDecayedWeights(weightDecay, mask: mask),
        scaleByLearningRate(learningRate))
}

/// AMSGrad (Reddi et al., 2018). See `scaleByAMSGrad`.
public func amsgrad(
    learningRate: Hyperparameter, b1: Hyperparameter = 0.9, b2: Hyperparameter = 0.999,
    epsilon: Hyperparameter = 1e-8, epsilonRoot: Hyperparameter = 0, momentDType: DType? = nil,
    correctsMean: Bool = true, correctsVariance: Bool = true
) -> GradientTransformation {
    chain(
        scaleByAMSGrad(
            b1: b1, b2: b2, epsilon: epsilon, epsilonRoot: epsilonRoot, momentDType: momentDType,
            correctsMean: correctsMean, correctsVariance: correctsVariance),
        scaleByLearningRate(learningRate))
}
