// Optimizers, with Optax's names, arguments and defaults.

extension Catalog {
    static let learningRate = Parameter.required(
        "learning_rate", .numberOrSchedule(.positive), "Step size: a number, or a schedule of the step")
    static let fixedLearningRate = Parameter.required("learning_rate", .number(.positive), "Step size")
    static let mask = Parameter.optional(
        "mask", .patterns, "Paths of the parameters that decay, such as \"**/kernel\"; all if absent")
    static let nesterov = Parameter.defaulted("nesterov", .boolean, false, "Nesterov's momentum")
    static let momentType = storageType("mu_dtype", "Type that the first moment is kept in")
    static let accumulatorType = storageType("accumulator_dtype", "Type that the accumulator is kept in")

    private static func storageType(_ name: String, _ doc: String) -> Parameter {
        .optional(
            name, .choice(["float32", "bfloat16", "float16"]), doc + "; the parameters' type if absent")
    }

    static func decay(_ name: String, _ value: Double, _ doc: String) -> Parameter {
        .defaulted(name, .hyperparameter(.decay), .double(value), doc)
    }
    static func small(_ name: String, _ value: Double, _ doc: String) -> Parameter {
        .defaulted(name, .hyperparameter(.nonnegative), .double(value), doc)
    }
    static func weightDecay(_ value: Double) -> Parameter {
        small(
            "weight_decay", value, "Fraction of the parameters that each step takes away, times the step size"
        )
    }
    static func betas(_ b1: Double = 0.9, _ b2: Double = 0.999) -> [Parameter] {
        [decay("b1", b1, "Decay of the first moment"), decay("b2", b2, "Decay of the second moment")]
    }
    static func epsilon(_ value: Double = 1e-8) -> Parameter {
        small("eps", value, "Added to the denominator")
    }
    static func epsilonRoot(_ value: Double = 0) -> Parameter {
        small("eps_root", value, "Added inside the square root")
    }
    static let adamMoments = betas() + [epsilon(), epsilonRoot()]
    /// `nesterov` says something only beside a momentum.
    static let momentumCheck: @Sendable (Arguments, JSONPointer, SpecDecoder) -> Void = {
        arguments, pointer, decoder in
        if arguments.optionalBoolean("nesterov") == true, arguments.values["momentum"] == nil {
            decoder.report(
                .conflict, pointer.appending("nesterov"),
                "nesterov needs a momentum; add momentum, for example 0.9")
        }
    }
    static let momentum = Parameter.optional(
        "momentum", .hyperparameter(.decay), "Decay of the momentum; none if absent")

    static let optimizers: [CatalogEntry] =
        gradientDescents + adamOptimizers + adaptiveOptimizers + scheduleFreeOptimizers
        + contributedOptimizers + wrappers

    private static let gradientDescents: [CatalogEntry] = [
        CatalogEntry(
            .optimizer, "sgd", "Stochastic gradient descent, optionally with momentum",
            [learningRate, momentum, nesterov, accumulatorType], check: momentumCheck),
        CatalogEntry(
            .optimizer, "noisy_sgd",
            "Gradient descent with noise that fades: variance eta / (1 + step)^gamma",
            [
                learningRate,
                .defaulted("eta", .number(.nonnegative), 0.01, "Variance of the noise at the beginning"),
                .defaulted("gamma", .number(.nonnegative), 0.55, "Power of its decline"),
                noiseKey,
            ]),
        CatalogEntry(
            .optimizer, "sign_sgd", "Steps of one size, in the direction of the sign", [learningRate]),
        CatalogEntry(
            .optimizer, "signum", "The sign of the momentum",
            [learningRate, decay("beta", 0.9, "Decay of the momentum")]),
        CatalogEntry(
            .optimizer, "rprop", "Step sizes by parameter that grow while the sign of the gradient stays",
            [fixedLearningRate] + rpropSteps),
        CatalogEntry(
            .optimizer, "optimistic_gradient_descent", "Gradient descent that extrapolates the last change",
            [learningRate] + optimism),
        CatalogEntry(
            .optimizer, "fromage", "Steps in proportion to the parameters' norm",
            [
                fixedLearningRate,
                .defaulted("min_norm", .number(.nonnegative), 1e-6, "Smallest norm that counts"),
            ]),
        CatalogEntry(
            .optimizer, "lars", "Momentum with a step size by layer, for large batches",
            [
                learningRate, weightDecay(0),
                .defaulted("weight_decay_mask", .patterns, "**", "Paths of the parameters that decay"),
                small("trust_coefficient", 0.001, "Factor of the trust ratio"),
                small("eps", 0, "Added to the denominator of the ratio"),
                .defaulted(
                    "trust_ratio_mask", .patterns, "**", "Paths of the parameters that the ratio scales"),
                decay("momentum", 0.9, "Decay of the momentum"), nesterov,
            ]),
    ]

    static let noiseKey = Parameter.defaulted(
        "key", .integer(0...4_294_967_295), 0, "Seed of the noise: PRNGKey(key)")
    static let rpropSteps: [Parameter] = [
        .defaulted("eta_minus", .number(.positive), 0.5, "Factor of a step whose sign changed"),
        .defaulted("eta_plus", .number(.positive), 1.2, "Factor of a step whose sign stayed"),
        .defaulted("min_step_size", .number(.positive), 1e-6, "Smallest step"),
        .defaulted("max_step_size", .number(.positive), 50.0, "Largest step"),
    ]
    static let optimism = [
        small("alpha", 1, "Factor of the gradient"), small("beta", 1, "Factor of the change since the last"),
    ]

    private static let adamOptimizers: [CatalogEntry] = [
        CatalogEntry(
            .optimizer, "adam", "Adaptive moments", [learningRate] + adamMoments + [momentType, nesterov]),
        CatalogEntry(
            .optimizer, "adamw", "Adam with weight decay beside the gradient",
            [learningRate] + adamMoments + [momentType, weightDecay(1e-4), mask, nesterov]),
        CatalogEntry(
            .optimizer, "nadam", "Adam with Nesterov's momentum", [learningRate] + adamMoments + [momentType]),
        CatalogEntry(
            .optimizer, "nadamw", "AdamW with Nesterov's momentum",
            [learningRate] + adamMoments + [momentType, weightDecay(1e-4), mask]),
        CatalogEntry(
            .optimizer, "adamax", "Adam with the largest gradient instead of the second moment",
            [learningRate] + betas() + [epsilon()]),
        CatalogEntry(
            .optimizer, "adamaxw", "Adamax with weight decay",
            [learningRate] + betas() + [epsilon(), weightDecay(1e-4), mask]),
        CatalogEntry(
            .optimizer, "amsgrad", "Adam whose second moment never shrinks",
            [learningRate] + adamMoments + [momentType] + amsgradCorrections),
        CatalogEntry(
            .optimizer, "adabelief", "Adam with the variance around the expected gradient",
            [learningRate] + betas() + [epsilon(1e-16), epsilonRoot(1e-16), nesterov]),
        CatalogEntry(
            .optimizer, "radam", "Adam that begins as momentum, until its variance is known",
            [learningRate] + adamMoments + [radamThreshold, nesterov]),
        CatalogEntry(
            .optimizer, "yogi", "Adam whose second moment grows slowly",
            [learningRate] + betas() + [epsilon(1e-3)]),
        CatalogEntry(
            .optimizer, "adan", "Adam with a moment of the gradient's change",
            [learningRate] + adanMoments(epsilonRoot: 1e-8) + [weightDecay(0), mask]),
        CatalogEntry(
            .optimizer, "optimistic_adam_v2", "Adam that extrapolates its last change",
            [learningRate] + optimism + adamMoments + [
                .defaulted("nesterov", .boolean, true, "Nesterov's momentum")
            ]),
        CatalogEntry(
            .optimizer, "lamb", "Adam with a step size by layer, for large batches",
            [learningRate] + betas() + [epsilon(1e-6), epsilonRoot(), weightDecay(0), mask]),
        CatalogEntry(
            .optimizer, "lion", "The sign of a mix of gradient and momentum",
            [learningRate] + betas(0.9, 0.99) + [momentType, weightDecay(1e-3), mask]),
        CatalogEntry(
            .optimizer, "novograd", "Adam with one second moment a layer",
            [learningRate] + betas(0.9, 0.25) + [epsilon(1e-6), epsilonRoot(), weightDecay(0)]),
    ]

    static let amsgradCorrections: [Parameter] = [
        .defaulted(
            "bias_correction_mu", .boolean, true, "Whether the first moment is corrected for its start"),
        .defaulted("bias_correction_nu", .boolean, true, "Whether the second moment is"),
    ]
    static let radamThreshold = Parameter.defaulted(
        "threshold", .number(.nonnegative), 5.0, "Degrees of freedom from which the variance counts")

    static func adanMoments(epsilonRoot root: Double) -> [Parameter] {
        [
            decay("b1", 0.98, "Decay of the first moment"),
            decay("b2", 0.92, "Decay of the moment of the change"),
            decay("b3", 0.99, "Decay of the second moment"), epsilon(), epsilonRoot(root),
        ]
    }

    private static let adaptiveOptimizers: [CatalogEntry] = [
        CatalogEntry(
            .optimizer, "adagrad", "Divides by the root of the sum of all squares",
            [learningRate, initialAccumulator(0.1), epsilon(1e-7)]),
        CatalogEntry(
            .optimizer, "adadelta", "Divides by a running mean of squares, in units of the parameters",
            [
                learningRate, decay("rho", 0.9, "Decay of the means"), epsilon(1e-6), weightDecay(0),
                .optional(
                    "weight_decay_mask", .patterns, "Paths of the parameters that decay; all if absent"),
            ]),
        CatalogEntry(
            .optimizer, "rmsprop", "Divides by the root of a running mean of squares",
            [learningRate] + rmsMoments + [
                .defaulted("centered", .boolean, false, "The variance instead of the mean square"), momentum,
                nesterov, rmsCorrection,
            ], check: momentumCheck),
        CatalogEntry(
            .optimizer, "adafactor", "Adam with factored second moments: little memory for large matrices",
            [
                .optional(
                    "learning_rate", .numberOrSchedule(.positive),
                    "Step size; relative to the parameters if absent"
                ),
                minimumFactored,
                .defaulted("decay_rate", .number(.range(0, 1)), 0.8, "Power of the second moment's decay"),
                .defaulted("decay_offset", .integer(0...1_000_000_000), 0, "Steps to begin the decay at"),
                .defaulted(
                    "multiply_by_parameter_scale", .boolean, true, "Step sizes relative to the parameters"),
                .defaulted(
                    "clipping_threshold", .hyperparameter(.positive), 1.0,
                    "Largest root mean square of an update"),
                momentum,
                .defaulted(
                    "dtype_momentum", .choice(["float32", "bfloat16", "float16"]), "float32",
                    "Type that the momentum is kept in"),
                .optional("weight_decay_rate", .hyperparameter(.nonnegative), "Weight decay; none if absent"),
                .defaulted("eps", .number(.nonnegative), 1e-30, "Added to squared gradients"),
                .defaulted("factored", .boolean, true, "Factor the second moments of large matrices"),
                .optional(
                    "weight_decay_mask", .patterns, "Paths of the parameters that decay; all if absent"),
            ]),
        CatalogEntry(
            .optimizer, "sm3", "Second moments by row and column",
            [learningRate, decay("momentum", 0.9, "Decay of the momentum")]),
    ]

    static func initialAccumulator(_ value: Double) -> Parameter {
        .defaulted(
            "initial_accumulator_value", .number(.nonnegative), .double(value),
            "Sum of squares at the beginning")
    }
    static let rmsMoments: [Parameter] = [
        decay("decay", 0.9, "Decay of the mean square"), epsilon(),
        .defaulted("initial_scale", .number(.nonnegative), 0.0, "Mean square at the beginning"),
        .defaulted("eps_in_sqrt", .boolean, true, "Whether eps is added inside the square root"),
    ]
    static let rmsCorrection = Parameter.defaulted(
        "bias_correction", .boolean, false, "Whether the mean square is corrected for its start")
    static let minimumFactored = Parameter.defaulted(
        "min_dim_size_to_factor", .integer(1...1_000_000), 128, "Smallest matrix dimension that is factored")

    private static let scheduleFreeOptimizers: [CatalogEntry] = [
        CatalogEntry(
            .optimizer, "schedule_free_sgd", "Gradient descent whose averaged iterates need no schedule",
            [
                fixedLearningRate, warmup, averaging,
                .optional("weight_decay", .hyperparameter(.nonnegative), "Weight decay; none if absent"),
            ]),
        CatalogEntry(
            .optimizer, "schedule_free_adamw", "AdamW whose averaged iterates need no schedule",
            [
                .defaulted("learning_rate", .number(.positive), 0.0025, "Step size"), warmup, averaging,
                decay("b2", 0.999, "Decay of the second moment"), epsilon(), weightDecay(0),
            ]),
    ]

    private static let warmup = Parameter.optional(
        "warmup_steps", .integer(1...1_000_000_000), "Steps of linear warm-up; none if absent")
    static let averaging = Parameter.defaulted(
        "b1", .number(.decay), 0.9,
        "Where gradients are taken: 0 at the raw iterate, towards 1 at the average")
}
