// Losses of a spec as functions over tensors.
import JobSpec
import Optax
import TensorEngine

/// What a batch is judged by: a scalar from the model's output `[batch, …, outputs]` and the target: `int32[batch, …]` class labels,
/// or `float32[batch, …, outputs]`.
typealias BatchScore = @Sendable (_ output: Tensor, _ target: Tensor) throws -> Tensor

enum LossBuilder {
    /// The loss of a spec, the mean over the batch (and over all other axes that Optax's function leaves).
    static func loss(_ spec: LossSpec) throws -> BatchScore {
        let each = try table.builder(spec).build(spec.arguments)
        return { try mean(each($0, $1)) }
    }

    static let table = BuildTable<Arguments, BatchScore>([
        classifications, distributions, comparisons, regressions,
    ])

    private static let classifications: [Builder<Arguments, BatchScore>] = [
        .init("softmax_cross_entropy_with_integer_labels") { _ in
            { try softmaxCrossEntropyWithIntegerLabels($0, $1) }
        },
        .init("multiclass_hinge_loss") { _ in { try multiclassHingeLoss($0, $1) } },
        .init("multiclass_perceptron_loss") { _ in { try multiclassPerceptronLoss($0, $1) } },
        .init("sigmoid_binary_cross_entropy") { _ in { try sigmoidBinaryCrossEntropy($0, $1) } },
        .init("sigmoid_focal_loss") { a in
            let (alpha, gamma) = (a.optionalNumber("alpha"), try a.number("gamma"))
            return { try sigmoidFocalLoss($0, $1, alpha: alpha, gamma: gamma) }
        },
        .init("hinge_loss") { _ in { try hingeLoss($0, $1) } },
        .init("perceptron_loss") { _ in { try perceptronLoss($0, $1) } },
        .init("sparsemax_loss") { _ in { try sparsemaxLoss($0, $1) } },
    ]

    private static let distributions: [Builder<Arguments, BatchScore>] = [
        .init("softmax_cross_entropy") { _ in { try softmaxCrossEntropy($0, $1) } },
        .init("safe_softmax_cross_entropy") { _ in { try safeSoftmaxCrossEntropy($0, $1) } },
        .init("poly_loss_cross_entropy") { a in
            let epsilon = try a.number("epsilon")
            return { try polyLossCrossEntropy($0, $1, epsilon: epsilon) }
        },
        .init("multiclass_sparsemax_loss") { _ in { try multiclassSparsemaxLoss($0, $1) } },
        .init("generalized_kl_divergence") { _ in { try generalizedKLDivergence($0, $1) } },
        .init("dice_loss") { a in
            let (smooth, alpha, beta) = (try a.number("smooth"), try a.number("alpha"), try a.number("beta"))
            let (softmax, background) = (try a.boolean("apply_softmax"), try a.boolean("ignore_background"))
            return {
                try diceLoss(
                    $0, $1, smooth: smooth, alpha: alpha, beta: beta, appliesSoftmax: softmax,
                    ignoresBackground: background)
            }
        },
        .init("kl_divergence") { _ in { try klDivergence($0, $1) } },
        .init("kl_divergence_with_log_targets") { _ in { try klDivergenceWithLogTargets($0, $1) } },
        .init("convex_kl_divergence") { _ in { try convexKLDivergence($0, $1) } },
    ]

    private static let comparisons: [Builder<Arguments, BatchScore>] = [
        .init("ranking_softmax_loss") { _ in { try rankingSoftmaxLoss($0, $1) } },
        .init("ctc_loss") { a in
            let blank = try a.integer("blank_id")
            return { logits, labels in
                // Every frame counts; labels end where blanks begin.
                let frames = try zeros(Shape(logits.shape.dropLast()), dtype: logits.dtype)
                let padding = try equal(labels, blank).astype(logits.dtype)
                return try ctcLoss(logits, frames, labels, padding, blank: blank)
            }
        },
        .init("ntxent") { a in
            let temperature = try a.number("temperature")
            return { try ntxent($0, $1, temperature: temperature) }
        },
    ]

    private static let regressions: [Builder<Arguments, BatchScore>] = [
        .init("squared_error") { _ in { try squaredError($0, $1) } },
        .init("l2_loss") { _ in { try l2Loss($0, $1) } },
        .init("absolute_error") { _ in { try absoluteError($0, $1) } },
        .init("huber_loss") { a in
            let delta = try a.number("delta")
            return { try huberLoss($0, $1, delta: delta) }
        },
        .init("log_cosh") { _ in { try logCosh($0, $1) } },
        .init("cosine_distance") { a in
            let epsilon = try a.number("epsilon")
            return { try cosineDistance($0, $1, epsilon: epsilon) }
        },
        .init("half_squared_error_sum") { _ in
            // The loss of the Flax Basics guide: each row's inner(error, error) / 2.
            { try sum(squaredError($0, $1), axes: Array(1..<$0.rank)) / 2 }
        },
    ]
}
