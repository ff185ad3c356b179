// Schedules, with Optax's names, arguments and defaults.

extension Catalog {
    private static let steps = ParameterType.integer(1...1_000_000_000)
    private static let begin = ParameterType.integer(0...1_000_000_000)

    private static let initialValue = Parameter.required("init_value", .number(.any), "At the beginning")
    private static let endValue = Parameter.required("end_value", .number(.any), "At the end and after it")
    private static let transitionSteps = Parameter.required(
        "transition_steps", steps, "Steps from the one to the other")
    private static let transitionBegin = Parameter.defaulted(
        "transition_begin", begin, 0, "Steps before it begins")
    private static let peakValue = Parameter.required("peak_value", .number(.any), "At the top")
    private static let warmupSteps = Parameter.required("warmup_steps", begin, "Steps of the warm-up")
    private static let riseFraction = Parameter.defaulted(
        "pct_start", .number(.range(0, 1)), 0.3, "Fraction of the steps that rise")
    private static let divisors: [Parameter] = [
        .defaulted("div_factor", .number(.positive), 25.0, "The peak divided by this is the beginning"),
        .defaulted("final_div_factor", .number(.positive), 1e4, "The beginning divided by this is the end"),
    ]
    private static let boundaries = Parameter.defaulted(
        "boundaries_and_scales", .stepScales, [:], "Factor by step, for example {\"1000\": 0.1}")
    private static let exponentialSteps = Parameter.required("transition_steps", steps, "Steps of one factor")
    private static let exponentialDecay: [Parameter] = [
        .required("decay_rate", .number(.positive), "The factor"),
        transitionBegin,
        .defaulted("staircase", .boolean, false, "Whole factors only"),
        .optional("end_value", .number(.any), "Bound of the value; none if absent"),
    ]
    private static let cosineCycle: [Parameter] = [
        .required("init_value", .number(.any), "At the beginning of the warm-up"),
        peakValue, warmupSteps,
        .required("decay_steps", steps, "Steps of both together"),
        .defaulted("end_value", .number(.any), 0.0, "At the end and after it"),
        .defaulted("exponent", .number(.positive), 1.0, "Power of the cosine"),
    ]

    static let schedules: [CatalogEntry] = [
        CatalogEntry(
            .schedule, "constant_schedule", "One value", [.required("value", .number(.any), "The value")]),
        CatalogEntry(
            .schedule, "linear_schedule", "From one value to another in a straight line",
            [initialValue, endValue, transitionSteps, transitionBegin]),
        CatalogEntry(
            .schedule, "polynomial_schedule", "From one value to another along a power of the rest",
            [
                initialValue, endValue, .required("power", .number(.positive), "The power"), transitionSteps,
                transitionBegin,
            ]),
        CatalogEntry(
            .schedule, "cosine_decay_schedule", "Half a cosine wave, down to alpha times the initial value",
            [
                initialValue, .required("decay_steps", steps, "Steps of the decay"),
                .defaulted("alpha", .number(.any), 0.0, "Final value as a fraction of the initial one"),
                .defaulted("exponent", .number(.positive), 1.0, "Power of the cosine"),
            ]),
        CatalogEntry(
            .schedule, "exponential_decay", "init_value · decay_rate ^ (step / transition_steps)",
            [initialValue, exponentialSteps] + exponentialDecay),
        CatalogEntry(
            .schedule, "warmup_constant_schedule", "Linear warm-up, then one value",
            [initialValue, peakValue, warmupSteps]),
        CatalogEntry(
            .schedule, "warmup_cosine_decay_schedule", "Linear warm-up, then half a cosine wave down",
            cosineCycle, check: checkCosineCycle),
        CatalogEntry(
            .schedule, "warmup_exponential_decay_schedule", "Linear warm-up, then exponential decay",
            [initialValue, peakValue, warmupSteps, exponentialSteps] + exponentialDecay),
        CatalogEntry(
            .schedule, "sgdr_schedule", "Warm-ups with half cosine waves, one after the other",
            [
                .required(
                    "cosine_kwargs",
                    .blocks(Block("sgdr_schedule.cosine_kwargs", cosineCycle), count: 1...1_000),
                    "The cycles, each with the arguments of warmup_cosine_decay_schedule")
            ],
            check: { arguments, pointer, decoder in
                for (index, cycle) in ((try? arguments.blocks("cosine_kwargs")) ?? []).enumerated() {
                    checkCosineCycle(cycle, pointer.appending("cosine_kwargs").appending(index), decoder)
                }
            }),
        CatalogEntry(
            .schedule, "piecewise_constant_schedule", "Multiplied by a factor at each boundary",
            [initialValue, boundaries]),
        CatalogEntry(
            .schedule, "piecewise_interpolate_schedule", "From factor to factor, in lines or cosine waves",
            [
                .required(
                    "interpolate_type", .choice(["linear", "cosine"]), "How to go from one to the next"),
                initialValue, boundaries,
            ]),
        CatalogEntry(
            .schedule, "linear_onecycle_schedule", "Up, down and out, in straight lines",
            [
                .required("transition_steps", steps, "Steps of the whole cycle"), peakValue, riseFraction,
                .defaulted(
                    "pct_final", .number(.range(0, 1)), 0.85, "Fraction of the steps before the way out"),
            ] + divisors,
            check: { arguments, pointer, decoder in
                guard let rise = arguments.optionalNumber("pct_start"),
                    let final = arguments.optionalNumber("pct_final"),
                    rise > final
                else { return }
                decoder.report(
                    .conflict, pointer.appending("pct_final"),
                    "pct_final must not be less than pct_start (\(rise))")
            }),
        CatalogEntry(
            .schedule, "cosine_onecycle_schedule", "Up and down in cosine waves",
            [.required("transition_steps", steps, "Steps of the whole cycle"), peakValue, riseFraction]
                + divisors),
        CatalogEntry(
            .schedule, "join_schedules",
            "Schedules one after the other, each counting from its own beginning",
            [
                .required("schedules", .typedList([.schedule], count: 1...100), "The schedules"),
                .required(
                    "boundaries", .integers(count: 0...99, each: 0...1_000_000_000),
                    "The steps at which the second, third, … begin"),
            ],
            check: { arguments, pointer, decoder in
                guard let schedules = try? arguments.specs("schedules"),
                    let boundaries = try? arguments.integers("boundaries")
                else { return }
                if boundaries.count != schedules.count - 1 {
                    decoder.report(
                        .conflict, pointer.appending("boundaries"),
                        "\(schedules.count) schedules have \(schedules.count - 1) boundaries, got \(boundaries.count)"
                    )
                } else if zip(boundaries, boundaries.dropFirst()).contains(where: { $0 >= $1 }) {
                    decoder.report(.conflict, pointer.appending("boundaries"), "boundaries must ascend")
                }
            }),
    ]

    private static let checkCosineCycle: @Sendable (Arguments, JSONPointer, SpecDecoder) -> Void = {
        arguments, pointer, decoder in
        guard let warmup = arguments.optionalInteger("warmup_steps"),
            let decay = arguments.optionalInteger("decay_steps")
        else { return }
        if warmup >= decay {
            decoder.report(
                .conflict, pointer.appending("warmup_steps"),
                "warmup_steps (\(warmup)) must be less than decay_steps (\(decay)), which counts the warm-up too"
            )
        }
        if arguments.optionalNumber("peak_value") == 0, let end = arguments.optionalNumber("end_value"),
            end != 0
        {
            decoder.report(
                .conflict, pointer.appending("peak_value"),
                "peak_value is 0 and end_value is not; the decay is a fraction of the peak")
        }
    }
}
