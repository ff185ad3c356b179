// Optimizers, gradient transformations and schedules, with Optax's names, arguments and defaults.

extension Catalog {
    private static let learningRate = Parameter.required(
        "learning_rate", .numberOrSchedule(.positive), "Step size: a number, or a schedule of the step")

    private static let adamMoments: [Parameter] = [
        .defaulted("b1", .number(.decay), 0.9, "Decay of the first moment"),
        .defaulted("b2", .number(.decay), 0.999, "Decay of the second moment"),
        .defaulted("eps", .number(.nonnegative), 1e-8, "Added outside the square root"),
        .defaulted("eps_root", .number(.nonnegative), 0.0, "Added inside the square root"),
    ]

    static let optimizers: [CatalogEntry] = [
        CatalogEntry(
            .optimizer, "sgd", "Stochastic gradient descent, optionally with momentum",
            [
                learningRate,
                .optional("momentum", .number(.decay), "Decay of the momentum; none if absent"),
                .defaulted("nesterov", .boolean, false, "Nesterov's momentum"),
            ], planned: ["accumulator_dtype"],
            check: { arguments, pointer, decoder in
                if arguments.optionalBoolean("nesterov") == true, arguments.optionalNumber("momentum") == nil
                {
                    decoder.report(
                        .conflict, pointer.appending("nesterov"),
                        "nesterov needs a momentum; add momentum, for example 0.9")
                }
            }),
        CatalogEntry(
            .optimizer, "adam", "Adaptive moments",
            [learningRate] + adamMoments + [
                .defaulted("nesterov", .boolean, false, "Nesterov's momentum (NAdam)")
            ],
            planned: ["mu_dtype"]),
        CatalogEntry(
            .optimizer, "chain", "Gradient transformations, each applied to the result of the one before",
            [
                .required(
                    "transforms", .typedList([.optimizer, .transformation], count: 1...100), "What is applied"
                )
            ]),
    ]

    static let transformations: [CatalogEntry] = [
        CatalogEntry(.transformation, "identity", "Changes nothing"),
        CatalogEntry(
            .transformation, "scale", "Multiplies the updates by a number",
            [.required("step_size", .number(.any), "The factor; negative to descend")]),
        CatalogEntry(
            .transformation, "scale_by_schedule", "Multiplies the updates by a schedule of the step",
            [.required("step_size_fn", .typed([.schedule]), "The factor by step; negative to descend")]),
        CatalogEntry(
            .transformation, "scale_by_learning_rate", "Multiplies the updates by minus the learning rate",
            [
                learningRate,
                .defaulted("flip_sign", .boolean, true, "False to multiply by plus the learning rate"),
            ]),
        CatalogEntry(
            .transformation, "scale_by_adam", "Adam's direction, without a learning rate",
            adamMoments + [.defaulted("nesterov", .boolean, false, "Nesterov's momentum (NAdam)")]),
        CatalogEntry(
            .transformation, "trace", "Momentum, without a learning rate",
            [
                .required("decay", .number(.decay), "Decay of the trace"),
                .defaulted("nesterov", .boolean, false, "Nesterov's momentum"),
            ]),
    ]

    private static let steps = ParameterType.integer(1...1_000_000_000)
    private static let begin = ParameterType.integer(0...1_000_000_000)

    static let schedules: [CatalogEntry] = [
        CatalogEntry(
            .schedule, "constant_schedule", "One value",
            [.required("value", .number(.any), "The value")]),
        CatalogEntry(
            .schedule, "linear_schedule", "From one value to another in a straight line",
            [
                .required("init_value", .number(.any), "At the beginning"),
                .required("end_value", .number(.any), "At the end and after it"),
                .required("transition_steps", steps, "Steps from the one to the other"),
                .defaulted("transition_begin", begin, 0, "Steps before it begins"),
            ]),
        CatalogEntry(
            .schedule, "polynomial_schedule", "From one value to another along a power of the rest",
            [
                .required("init_value", .number(.any), "At the beginning"),
                .required("end_value", .number(.any), "At the end and after it"),
                .required("power", .number(.positive), "The power"),
                .required("transition_steps", steps, "Steps from the one to the other"),
                .defaulted("transition_begin", begin, 0, "Steps before it begins"),
            ]),
        CatalogEntry(
            .schedule, "cosine_decay_schedule", "Half a cosine wave, down to alpha times the initial value",
            [
                .required("init_value", .number(.any), "At the beginning"),
                .required("decay_steps", steps, "Steps of the decay"),
                .defaulted("alpha", .number(.any), 0.0, "Final value as a fraction of the initial one"),
                .defaulted("exponent", .number(.positive), 1.0, "Power of the cosine"),
            ]),
        CatalogEntry(
            .schedule, "exponential_decay", "init_value · decay_rate ^ (step / transition_steps)",
            [
                .required("init_value", .number(.any), "At the beginning"),
                .required("transition_steps", steps, "Steps of one factor"),
                .required("decay_rate", .number(.positive), "The factor"),
                .defaulted("transition_begin", begin, 0, "Steps before it begins"),
                .defaulted("staircase", .boolean, false, "Whole factors only"),
                .optional("end_value", .number(.any), "Bound of the value; none if absent"),
            ]),
        CatalogEntry(
            .schedule, "warmup_cosine_decay_schedule", "Linear warm-up, then half a cosine wave down",
            [
                .required("init_value", .number(.any), "At the beginning of the warm-up"),
                .required("peak_value", .number(.any), "At its end"),
                .required("warmup_steps", begin, "Steps of the warm-up"),
                .required("decay_steps", steps, "Steps of both together"),
                .defaulted("end_value", .number(.any), 0.0, "At the end and after it"),
                .defaulted("exponent", .number(.positive), 1.0, "Power of the cosine"),
            ],
            check: { arguments, pointer, decoder in
                guard let warmup = arguments.optionalInteger("warmup_steps"),
                    let decay = arguments.optionalInteger("decay_steps")
                else { return }
                if warmup >= decay {
                    decoder.report(
                        .conflict, pointer.appending("warmup_steps"),
                        "warmup_steps (\(warmup)) must be less than decay_steps (\(decay)), which counts the warm-up too"
                    )
                }
                if arguments.optionalNumber("peak_value") == 0,
                    let end = arguments.optionalNumber("end_value"),
                    end != 0
                {
                    decoder.report(
                        .conflict, pointer.appending("peak_value"),
                        "peak_value is 0 and end_value is not; the decay is a fraction of the peak")
                }
            }),
        CatalogEntry(
            .schedule, "piecewise_constant_schedule", "Multiplied by a factor at each boundary",
            [
                .required("init_value", .number(.any), "At the beginning"),
                .defaulted(
                    "boundaries_and_scales", .stepScales, [:], "Factor by step, for example {\"1000\": 0.1}"),
            ]),
    ]
}
