// How the losses of several examples become one number.
import TensorEngine

/// What becomes of the losses of several examples, classes or lists.
public enum LossReduction: String, Sendable, Hashable, CaseIterable {
    case mean, sum
    /// They are returned as they are.
    case none

    func apply(_ losses: Tensor, axes: [Int]? = nil) throws -> Tensor {
        switch self {
        case .mean: try TensorEngine.mean(losses, axes: axes)
        case .sum: try TensorEngine.sum(losses, axes: axes)
        case .none: losses
        }
    }
}
