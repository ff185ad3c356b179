// Losses, metrics, transforms of the data and generators of it, callbacks.

extension Catalog {
    static let losses: [CatalogEntry] = [
        CatalogEntry(
            .loss, "softmax_cross_entropy_with_integer_labels",
            "Cross entropy of logits [batch, classes] against class labels, mean over the batch",
            target: .classes),
        CatalogEntry(
            .loss, "squared_error", "(prediction - target)², mean over everything", target: .values),
        CatalogEntry(
            .loss, "l2_loss", "Half of (prediction - target)², mean over everything", target: .values),
        CatalogEntry(
            .loss, "half_squared_error_sum",
            "Half the sum of (prediction - target)² over the outputs, mean over the batch", target: .values),
    ]

    static let metrics: [CatalogEntry] = [
        CatalogEntry(
            .metric, "accuracy", "Fraction of rows whose largest logit is at the label", target: .classes),
        CatalogEntry(
            .metric, "mean_squared_error", "Mean of (prediction - target)²", target: .values),
        CatalogEntry(
            .metric, "mean_absolute_error", "Mean of |prediction - target|", target: .values),
    ]

    static let transforms: [CatalogEntry] = [
        CatalogEntry(
            .transform, "scale", "Multiplies every input by one number",
            [.required("by", .number(.any), "The factor")]),
        CatalogEntry(
            .transform, "standardize",
            "Subtracts each input column's mean and divides by its standard deviation, both of the training split"
        ),
    ]

    /// Elements of a generated table.
    private static let maximumGenerated = 100_000_000

    static let generators: [CatalogEntry] = [
        CatalogEntry(
            .generator, "linear_regression",
            "targets = inputs · W + b + noise, with W, b and inputs drawn from the normal distribution",
            [
                .defaulted("seed", .integer(0...4_294_967_295), 0, "Seed of the data, apart from the job's"),
                .required("samples", .integer(1...100_000_000), "Number of rows"),
                .required("inputs", units, "Number of input columns"),
                .required("outputs", units, "Number of target columns"),
                .defaulted("noise", .number(.nonnegative), 0.1, "Standard deviation of the noise"),
            ], target: .values,
            check: { arguments, pointer, decoder in
                guard let samples = arguments.optionalInteger("samples"),
                    let inputs = arguments.optionalInteger("inputs"),
                    let outputs = arguments.optionalInteger("outputs")
                else { return }
                // The factors' ranges keep these products far below Int.max.
                let elements = samples * (inputs + outputs) + inputs * outputs
                if elements > maximumGenerated {
                    decoder.report(
                        .outOfRange, pointer.appending("samples"),
                        "the generator would make \(elements) numbers; the limit is \(maximumGenerated)")
                }
            })
    ]

    static let callbacks: [CatalogEntry] = [
        CatalogEntry(
            .callback, "nan_guard",
            "Ends the job when the loss is not finite (it always does in this version)",
            [
                .defaulted(
                    "action", .choice(["fail"], planned: ["skip_step", "rollback"]), "fail",
                    "What happens then")
            ])
    ]
}
