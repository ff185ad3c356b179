// Decay of the weights themselves.
import TensorEngine

/// Adds `weightDecay * p` to each update. Before `scaleByLearningRate` in a chain, so that the decay is multiplied by the learning
/// rate: PyTorch's convention for AdamW, not that of the paper (Loshchilov & Hutter, 2019, arXiv:1711.05101).
///
/// - Parameter mask: which parameters decay; all by default. `.rankAboveOne` leaves biases and scales alone.
public func addDecayedWeights(
    _ weightDecay: Hyperparameter = 0, mask: ParameterMask? = nil
) -> GradientTransformation {
    let decay = GradientTransformation.stateless { updates, params in
        try mapLeaves("addDecayedWeights", updates, required(params, for: "addDecayedWeights")) { g, p in
            try g + weightDecay * p
        }
    }
    return mask.map { masked(decay, $0) } ?? decay
}
