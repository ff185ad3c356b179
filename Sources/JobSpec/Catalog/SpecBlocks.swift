// The blocks of a job spec: which fields each has, their types, ranges and defaults (JOBSPEC.md's table).

package enum SpecBlocks {
    static let largestStep = 1_000_000_000
    private static let steps = ParameterType.integer(1...largestStep)
    private static let seconds = ParameterType.number(
        NumberRange(minimum: 0, maximum: 1e9, excludesMinimum: true))

    static let source = Block(
        "data source",
        [
            .optional("dataset", .dataset, "An uploaded dataset, or pinned by its digest"),
            .optional("target_dataset", .dataset, "The targets of a dataset that is an array (NPY, IDX)"),
            .optional("split", .split, "Rows of the dataset; all if absent"),
            .optional("generator", .typed([.generator]), "Synthetic data instead of a dataset"),
        ])

    static let shiftedTarget = Block(
        "target",
        [
            .required(
                "shift", .integer(0...1_000_000),
                "The target is the inputs so many places ahead; 0 is the inputs themselves, for autoencoders")
        ])

    static let data = Block(
        "data",
        [
            .required("train", .block(source), "What is trained on"),
            .optional("validation", .block(source), "What evaluations use"),
            .optional("test", .block(source), "What the final state is judged by, once"),
            .optional("inputs", .columns, "Input columns; every column but the target if absent"),
            .optional("target", .target, "Target column or array; {\"shift\": 1} is the next token"),
            .defaulted(
                "transforms", .typedList([.transform], count: 0...100), [],
                "Applied to the inputs, in this order"),
            .defaulted("batch_size", .integer(1...1_000_000), 32, "Rows of one step"),
            .defaulted(
                "shuffle", .choice(["epoch", "none"]), "epoch",
                "A new order every epoch, or the order of the file"),
            .defaulted("drop_remainder", .boolean, true, "Leave out the last rows that do not fill a batch"),
        ])

    static let budget = Block(
        "budget",
        [
            .optional("steps", steps, "Training steps; or epochs"),
            .optional("epochs", .integer(1...1_000_000), "Passes over the training data; or steps"),
            .optional("wall_seconds", seconds, "Time running; queued and paused time does not count"),
            .optional("memory_bytes", .integer(16_777_216...(1 << 50)), "Most memory of the worker"),
            .optional("threads", .integer(1...1_024), "Threads of the worker"),
        ])

    static let evaluation = Block(
        "evaluation",
        [
            .optional("every_steps", steps, "Training steps between evaluations; or every_epochs"),
            .optional("every_epochs", .integer(1...1_000_000), "Epochs between evaluations; or every_steps"),
            .optional("max_batches", steps, "Batches of one evaluation; all if absent"),
        ])

    static let best = Block(
        "best",
        [
            .required(
                "metric", .text(.title), "\"train/loss\", \"validation/loss\" or \"validation/METRIC\""),
            .required("mode", .choice(["min", "max"]), "Which value is better"),
            .defaulted("count", .integer(1...1_000), 1, "How many are kept"),
        ])

    static let keep = Block(
        "keep",
        [
            .defaulted("last", .integer(1...1_000), 2, "The newest that are kept"),
            .optional("best", .block(best), "The best by a metric that are kept"),
            .optional("every_steps", steps, "Multiples of this number of steps are kept"),
        ])

    static let checkpoint = Block(
        "checkpoint",
        [
            .optional("every_steps", steps, "Training steps between checkpoints"),
            .optional(
                "every_seconds", seconds, "Seconds between checkpoints; 60 if no every_ field is given"),
            .optional("every_epochs", .integer(1...1_000_000), "Epochs between checkpoints"),
            .defaulted("keep", .block(keep), [:], "Which checkpoints are kept"),
        ])

    static let retry = Block(
        "retry",
        [
            .defaulted("max_attempts", .integer(1...1_000), 3, "Attempts in all, with the first"),
            .defaulted("backoff_seconds", .number(.range(0, 86_400)), 0.0, "Wait before the next attempt"),
        ])

    static let initialization = Block(
        "init",
        [
            .required("checkpoint", .dataset, "A checkpoint of a job, or an uploaded Flax file"),
            .defaulted("load", .names, ["params"], "Parts of it: params, batch_stats, opt_state, step"),
            .defaulted("strict", .boolean, true, "Whether all values must be there, and all be used"),
            .defaulted("map", .renames, [:], "New paths of values, such as {\"encoder/**\": \"body/**\"}"),
        ])

    static let job = Block(
        "job spec",
        [
            .defaulted("spec_version", .integer(1...1), 1, "Version of this format"),
            .defaulted("name", .text(.title), "untitled", "For people; need not be unique"),
            .defaulted("labels", .labels, [:], "For people and filters"),
            .defaulted(
                "seed", .integer(0...4_294_967_295), 0, "PRNGKey(seed): parameters, shuffling, dropout"),
            .defaulted("priority", .integer(0...100), 50, "Higher runs first"),
            .defaulted("queue", .text(.identifier), "default", "Queue of the server"),
            .required("model", .typed([.module]), "What is trained"),
            .optional("init", .block(initialization), "What it starts from; fresh parameters if absent"),
            .required("data", .block(data), "What it is trained on"),
            .required("loss", .typed([.loss]), "What is minimised"),
            .defaulted(
                "metrics", .typedList([.metric], count: 0...32), [],
                "What evaluations report besides the loss"
            ),
            .required("optimizer", .typed([.optimizer]), "How it is minimised"),
            .required("budget", .block(budget), "When it ends"),
            .optional("evaluation", .block(evaluation), "When validation data is evaluated"),
            .defaulted("checkpoint", .block(checkpoint), [:], "When the state is saved, and what is kept"),
            .defaulted("callbacks", .typedList([.callback], count: 0...32), [], "What watches the run"),
            .defaulted("retry", .block(retry), [:], "What happens when an attempt dies"),
        ], planned: ["kind", "base", "space", "algorithm", "execution"])
}
