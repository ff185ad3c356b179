// Transforms of the data and generators of it.

extension Catalog {
    static let transforms: [CatalogEntry] = [
        CatalogEntry(
            .transform, "scale", "Multiplies every input by one number",
            [.required("by", .number(.any), "The factor")]),
        CatalogEntry(
            .transform, "standardize",
            "Subtracts each input column's mean and divides by its standard deviation, both of the training split"
        ),
        CatalogEntry(
            .transform, "normalize", "Subtracts given means and divides by given deviations, by channel",
            [
                .required(
                    "mean", .numbers(count: 1...10_000),
                    "Mean of each channel (last dimension), or one for all"),
                .required("std", .numbers(count: 1...10_000), "Deviation of each channel, or one for all"),
            ],
            check: { arguments, pointer, decoder in
                for (index, deviation) in ((try? arguments.numbers("std")) ?? []).enumerated()
                where deviation <= 0 {
                    decoder.report(
                        .outOfRange, pointer.appending("std").appending(index),
                        "a deviation is greater than 0")
                }
            }),
        CatalogEntry(
            .transform, "reshape", "Gives the inputs of each row another shape, such as [8, 8, 1] for images",
            [.required("shape", .integers(count: 1...6, each: 1...1_000_000), "The shape, without the batch")]
        ),
        CatalogEntry(
            .transform, "one_hot", "Makes the target, a class label, a vector with a 1 at the label's place",
            [.required("num_classes", .integer(2...1_000_000), "Length of the vector")]),
        CatalogEntry(
            .transform, "tokenize_chars",
            "Makes characters tokens: their places in the sorted training text's alphabet",
            [
                .defaulted(
                    "unknown", .choice(["token", "error"]), "token",
                    "What other characters become: one token more, or an error")
            ]),
        CatalogEntry(
            .transform, "window", "Cuts tokens into rows",
            [
                .required("length", .integer(1...1_000_000), "Tokens of a row"),
                .optional(
                    "stride", .integer(1...1_000_000), "Tokens from one row to the next; the length if absent"
                ),
            ]),
        CatalogEntry(
            .transform, "random_crop",
            "Shifts each image of a training step at random, with zeros at the border",
            [.required("padding", .integer(1...1_000), "Largest shift in pixels, in both directions")]),
        CatalogEntry(
            .transform, "random_flip", "Mirrors each image of a training step with probability 1/2",
            [
                .defaulted(
                    "direction", .choice(["horizontal", "vertical"]), "horizontal",
                    "Left and right, or up and down")
            ]),
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
}
