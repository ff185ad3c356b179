// Layerwise learning rates for large batches: LAMB, LARS, Fromage.
import TensorEngine

/// LAMB (You et al., 2020, arXiv:1904.00962): Adam with decay of the weights, each parameter's update scaled to the parameter's norm.
public func lamb(
    learningRate: Hyperparameter, b1: Hyperparameter = 0.9, b2: Hyperparameter = 0.999,
    epsilon: Hyperparameter = 1e-6, epsilonRoot: Hyperparameter = 0, weightDecay: Hyperparameter = 0,
    mask: ParameterMask? = nil
) -> GradientTransformation {
    chain(
        scaleByAdam(b1: b1, b2: b2, epsilon: epsilon, epsilonRoot: epsilonRoot),
        addDecayedWeights(weightDecay, mask: mask), scaleByTrustRatio(), scaleByLearningRate(learningRate))
}

/// LARS (You et al., 2017, arXiv:1708.03888): momentum of gradients that are scaled to the parameter's norm.
///
/// - Parameters:
///   - decayMask: which parameters decay.
///   - trustRatioMask: which parameters are scaled.
public func lars(
    learningRate: Hyperparameter, weightDecay: Hyperparameter = 0,
    decayMask: ParameterMask = .tree(true), trustCoefficient: Hyperparameter = 0.001,
    epsilon: Hyperparameter = 0, trustRatioMask: ParameterMask = .tree(true),
    momentum: Hyperparameter = 0.9, nesterov: Bool = false
) -> GradientTransformation {
    chain(
        addDecayedWeights(weightDecay, mask: decayMask),
        masked(scaleByTrustRatio(coefficient: trustCoefficient, epsilon: epsilon), trustRatioMask),
        scaleByLearningRate(learningRate), trace(decay: momentum, nesterov: nesterov))
}

/// Fromage (Bernstein et al., 2020, arXiv:2002.03432): `p ← (p - learningRate * |p| / |g| * g) / sqrt(1 + learningRate²)`.
public func fromage(learningRate: Double, minimumNorm: Double = 1e-6) -> GradientTransformation {
    let factor = 1 / (1 + learningRate * learningRate).squareRoot()
    return chain(
        scaleByTrustRatio(minimumNorm: minimumNorm), scaleByLearningRate(.constant(learningRate * factor)),
        addDecayedWeights(.constant(factor - 1)))
}
