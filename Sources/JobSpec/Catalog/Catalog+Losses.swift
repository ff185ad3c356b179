// Losses with Optax's names and arguments, and metrics.

extension Catalog {
    private static func loss(
        _ name: String, _ summary: String, _ parameters: [Parameter] = [], _ target: TargetKind
    ) -> CatalogEntry {
        CatalogEntry(.loss, name, summary, parameters, target: target)
    }

    static let losses: [CatalogEntry] = [
        loss(
            "softmax_cross_entropy_with_integer_labels",
            "Cross entropy of logits [batch, …, classes] against class labels, mean over all labels", [],
            .classes),
        loss(
            "multiclass_hinge_loss", "max(0, 1 + largest other score - score of the label), mean", [],
            .classes),
        loss("multiclass_perceptron_loss", "largest score - score of the label, mean", [], .classes),
        loss(
            "softmax_cross_entropy",
            "Cross entropy of logits against probabilities, such as one_hot gives, mean",
            [], .values),
        loss(
            "safe_softmax_cross_entropy", "softmax_cross_entropy that takes logits of -infinity", [], .values),
        loss(
            "poly_loss_cross_entropy",
            "softmax_cross_entropy plus epsilon · (1 - probability of the label), mean",
            [.defaulted("epsilon", .number(.range(-1, 1e30)), 2.0, "Factor of the second part")], .values),
        loss(
            "sigmoid_binary_cross_entropy",
            "Cross entropy of a logit for each of several labels, 0 or 1, mean", [],
            .values),
        loss(
            "sigmoid_focal_loss", "Binary cross entropy that counts easy examples less, mean",
            [
                .optional("alpha", .number(.range(0, 1)), "Weight of the positive labels; none if absent"),
                .defaulted("gamma", .number(.nonnegative), 2.0, "How much less"),
            ], .values),
        loss("hinge_loss", "max(0, 1 - score · target) for targets -1 and 1, mean", [], .values),
        loss("perceptron_loss", "max(0, -score · target) for targets -1 and 1, mean", [], .values),
        loss("sparsemax_loss", "Sparsemax loss of scores for targets 0 and 1, mean", [], .values),
        loss(
            "multiclass_sparsemax_loss", "Sparsemax loss of scores against class labels, mean", [], .classes),
        loss(
            "generalized_kl_divergence",
            "Divergence of log predictions from targets that need not sum to 1", [], .values),
        loss(
            "dice_loss", "1 - overlap of predicted and target classes [batch, …, classes], mean",
            [
                .defaulted("smooth", .number(.nonnegative), 1.0, "Added to both parts of the ratio"),
                .defaulted("alpha", .number(.nonnegative), 0.5, "Weight of false positives"),
                .defaulted("beta", .number(.nonnegative), 0.5, "Weight of false negatives"),
                .defaulted("apply_softmax", .boolean, true, "Whether the output is logits"),
                .defaulted("ignore_background", .boolean, false, "Whether class 0 does not count"),
            ], .values),
        loss(
            "kl_divergence", "Divergence of the output, log probabilities, from target probabilities", [],
            .values),
        loss(
            "kl_divergence_with_log_targets", "Divergence of the output from targets, both log probabilities",
            [],
            .values),
        loss("convex_kl_divergence", "A divergence of log probabilities that is convex in both", [], .values),
        loss(
            "ranking_softmax_loss",
            "Cross entropy of a softmax over the items of a list, weighted by their relevance, mean over the lists",
            [], .values),
        loss(
            "ctc_loss",
            "Connectionist temporal classification of frames [batch, frames, classes] against labels [batch, length], mean over the sequences",
            [
                .defaulted(
                    "blank_id", .integer(0...1_000_000), 0,
                    "The class of the blank; labels of this value at the end are padding")
            ], .labelSequences),
        loss(
            "ntxent",
            "Contrastive loss of embeddings [batch, features]: rows of one label should be alike, mean over the pairs of a batch, of which there must be one",
            [.defaulted("temperature", .number(.positive), 0.07, "Scale of the similarities")], .groups),
        loss("squared_error", "(prediction - target)², mean over everything", [], .values),
        loss("l2_loss", "Half of (prediction - target)², mean over everything", [], .values),
        loss("absolute_error", "|prediction - target|, mean over everything", [], .values),
        loss(
            "huber_loss", "Half the square of small errors, linear in large ones, mean over everything",
            [.defaulted("delta", .number(.positive), 1.0, "Where it becomes linear")], .values),
        loss("log_cosh", "log(cosh(prediction - target)), mean over everything", [], .values),
        loss(
            "cosine_distance", "1 - cosine of the angle between prediction and target, mean over the batch",
            [.defaulted("epsilon", .number(.nonnegative), 0.0, "Smallest norm that counts")], .values),
        loss(
            "half_squared_error_sum",
            "Half the sum of (prediction - target)² over the outputs, mean over the batch", [], .values),
    ]

    static let metrics: [CatalogEntry] = [
        CatalogEntry(
            .metric, "accuracy",
            "Fraction of labels at the largest logit, or on the right side of a single one",
            target: .either),
        CatalogEntry(
            .metric, "top_k_accuracy", "Fraction of labels that are among the k largest logits",
            [.defaulted("k", .integer(1...1_000), 5, "How many count")], target: .classes),
        CatalogEntry(
            .metric, "perplexity", "exp of the mean cross entropy of the labels", target: .classes),
        CatalogEntry(
            .metric, "f1_macro",
            "Mean over the classes that occur of 2 · precision · recall / (precision + recall)",
            target: .either),
        CatalogEntry(
            .metric, "auc", "Area under the ROC curve of two classes: a pair is ranked rightly so often",
            target: .either),
        CatalogEntry(.metric, "mean_squared_error", "Mean of (prediction - target)²", target: .values),
        CatalogEntry(.metric, "mean_absolute_error", "Mean of |prediction - target|", target: .values),
        CatalogEntry(
            .metric, "r2",
            "1 - squared error / squared distance from the target's mean, mean over the outputs",
            target: .values),
    ]
}
