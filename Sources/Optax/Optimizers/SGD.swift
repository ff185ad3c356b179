// Stochastic gradient descent.
import TensorEngine

/// Stochastic gradient descent, `p ← p - learningRate * g`, with momentum `t ← g + momentum * t` in place of g where given
/// (Sutskever et al., 2013).
///
/// - Parameters:
///   - nesterov: uses `g + momentum * t`.
///   - accumulatorDType: the type in which t is kept.
public func sgd(
    learningRate: Hyperparameter, momentum: Hyperparameter? = nil, nesterov: Bool = false,
    accumulatorDType: DType? = nil
) -> GradientTransformation {
    chain(
        momentum.map { trace(decay: $0, nesterov: nesterov, accumulatorDType: accumulatorDType) }
            ?? identity(),
        scaleByLearningRate(learningRate))
}
