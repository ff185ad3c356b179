// Losses and metrics of a spec as functions over tensors.
import Datasets
import JobSpec
import Optax
import TensorEngine

/// What a batch is judged by: a scalar from the model's output `[batch, outputs]` and the target (`int32[batch]` class labels, or
/// `float32[batch, outputs]`), the mean over the batch.
typealias BatchScore = @Sendable (_ output: Tensor, _ target: Tensor) throws -> Tensor

enum LossBuilder {
    /// The loss of a spec.
    static func loss(_ spec: LossSpec) throws -> BatchScore {
        switch spec.name {
        case "softmax_cross_entropy_with_integer_labels":
            return { try mean(softmaxCrossEntropyWithIntegerLabels($0, $1)) }
        case "squared_error": return { try mean(squaredError($0, $1)) }
        case "l2_loss": return { try mean(l2Loss($0, $1)) }
        case "half_squared_error_sum":
            // The loss of the Flax Basics guide: each row's inner(error, error) / 2.
            return { try mean(sum(squaredError($0, $1), axes: [-1]) / 2) }
        default: throw unbuilt(spec)
        }
    }

    /// A metric of a spec.
    static func metric(_ spec: MetricSpec) throws -> BatchScore {
        switch spec.name {
        case "accuracy": return { try mean(equal(argmax($0, axis: -1), $1).astype(.float32)) }
        case "mean_squared_error": return { try mean(squaredError($0, $1)) }
        case "mean_absolute_error": return { try mean(abs($0 - $1)) }
        default: throw unbuilt(spec)
        }
    }
}

/// An entry of the catalog that no builder knows: a mistake in this program, which a test over the whole catalog finds.
func unbuilt(_ spec: TypedSpec) -> SpecErrors {
    SpecErrors(problems: [
        spec.problem("unsupported", "\(spec.kind.rawValue) \(spec.name) has no implementation")
    ])
}
