// Callbacks: what watches a run and may end or steer it.

extension Catalog {
    private static let metric = Parameter.required(
        "metric", .text(.title),
        "\"train/loss\", looked at after each step, or \"validation/…\", after each evaluation")
    private static let mode = Parameter.defaulted(
        "mode", .choice(["min", "max"]), "min", "Which value is better")
    private static let smallestDelta = Parameter.defaulted(
        "min_delta", .number(.nonnegative), 0.0, "What a value must be better by to count as better")

    static let callbacks: [CatalogEntry] = [
        CatalogEntry(
            .callback, "early_stopping", "Ends the run when a metric no longer gets better",
            [
                metric, mode,
                .defaulted(
                    "patience", .integer(0...1_000_000), 0,
                    "So many values that are not better are put up with; the next ends the run, as in flax.training.early_stopping"
                ), smallestDelta,
                .defaulted(
                    "restore_best", .boolean, false,
                    "Whether the final checkpoint has the parameters and batch statistics of the best value"),
            ]),
        CatalogEntry(
            .callback, "stop_when", "Ends the run when a metric is good enough, or too bad",
            [
                metric, .optional("below", .number(.any), "Ends the run below this value; or above"),
                .optional("above", .number(.any), "Ends the run above this value; or below"),
            ],
            check: { arguments, pointer, decoder in
                let given = ["below", "above"].filter { arguments.values[$0] != nil }
                if given.isEmpty {
                    decoder.report(.missingField, pointer, "missing; stop_when needs below or above")
                } else if given.count > 1 {
                    decoder.report(
                        .conflict, pointer.appending("above"),
                        "below is given too; stop_when takes either below or above, and may be listed twice")
                }
            }),
        CatalogEntry(
            .callback, "reduce_on_plateau",
            "Makes the optimizer's steps smaller when a metric no longer gets better",
            [
                metric, mode,
                .defaulted(
                    "factor", .number(.range(1e-6, 0.999_999)), 0.1, "What the steps are multiplied by"),
                .defaulted(
                    "patience", .integer(1...1_000_000), 10, "So many values that are not better reduce them"),
                smallestDelta,
                .defaulted(
                    "cooldown", .integer(0...1_000_000), 0, "Values after a reduction that do not count"),
                .defaulted("min_scale", .number(.range(0, 1)), 0.0, "Where the steps stop getting smaller"),
            ]),
        CatalogEntry(
            .callback, "nan_guard", "What happens when the loss is not finite; without it, the run fails",
            [
                .defaulted(
                    "action", .choice(["fail", "skip_step", "rollback"]), "fail",
                    "Fail; leave the step out, also one with gradients that are not finite; or go back to an earlier state and on with the next batch"
                ),
                .defaulted(
                    "max_consecutive_errors", .integer(1...1_000_000), 10,
                    "So many in a row are put up with; the next fails"),
                .defaulted(
                    "every_steps", .integer(1...1_000_000), 100,
                    "Steps between the states that rollback goes back to"),
            ]),
    ]
}
