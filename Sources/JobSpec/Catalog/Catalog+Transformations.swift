// Gradient transformations that are no optimizer by themselves, with Optax's names, arguments and defaults.

extension Catalog {
    private static func coefficient(_ name: String, _ range: NumberRange, _ doc: String) -> Parameter {
        .required(name, .hyperparameter(range), doc)
    }

    static let transformations: [CatalogEntry] = generalTransformations + clippings + scalings

    private static let generalTransformations: [CatalogEntry] = [
        CatalogEntry(.transformation, "identity", "Changes nothing"),
        CatalogEntry(.transformation, "set_to_zero", "Makes every update 0: the parameters stay"),
        CatalogEntry(
            .transformation, "scale", "Multiplies the updates by a number",
            [coefficient("step_size", .any, "The factor; negative to descend")]),
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
            .transformation, "trace", "Momentum, without a learning rate",
            [coefficient("decay", .decay, "Decay of the trace"), nesterov, accumulatorType]),
        CatalogEntry(
            .transformation, "ema", "A running mean of the updates",
            [
                coefficient("decay", .decay, "Decay of the mean"),
                .defaulted("debias", .boolean, true, "Whether the mean is corrected for its start at 0"),
                accumulatorType,
            ]),
        CatalogEntry(
            .transformation, "apply_every", "Adds up k updates and lets the sum pass every k steps",
            [.defaulted("k", .integer(1...1_000_000), 1, "Steps of one update")]),
        CatalogEntry(
            .transformation, "add_decayed_weights", "Adds the parameters, times the decay",
            [small("weight_decay", 0, "The factor"), mask]),
        CatalogEntry(
            .transformation, "add_noise", "Adds noise of variance eta / (1 + step)^gamma",
            [
                .required("eta", .number(.nonnegative), "Variance at the beginning"),
                .required("gamma", .number(.nonnegative), "Power of its decline"), noiseKey,
            ]),
        CatalogEntry(
            .transformation, "freeze", "Leaves some parameters as they are",
            [.required("mask", .patterns, "Paths of the parameters, such as \"encoder/**\"")]),
        CatalogEntry(.transformation, "zero_nans", "Replaces NaN by 0"),
        CatalogEntry(.transformation, "keep_params_nonnegative", "Stops parameters at 0"),
        CatalogEntry(
            .transformation, "reduce_on_plateau", "Shrinks the updates when the training loss stops falling",
            [
                .defaulted("factor", .number(.range(0, 1)), 0.1, "Factor of a reduction"),
                .defaulted(
                    "patience", .integer(0...1_000_000_000), 10, "Steps without improvement before one"),
                .defaulted("rtol", .number(.range(0, 1)), 1e-4, "Relative improvement that counts"),
                .defaulted("atol", .number(.nonnegative), 0.0, "Absolute improvement that counts"),
                .defaulted(
                    "cooldown", .integer(0...1_000_000_000), 0, "Steps after a reduction that do not count"),
                .defaulted(
                    "accumulation_size", .integer(1...1_000_000_000), 1, "Losses that are averaged first"),
                .defaulted("min_scale", .number(.nonnegative), 0.0, "Smallest scale"),
            ]),
    ]

    private static let clippings: [CatalogEntry] = [
        CatalogEntry(
            .transformation, "clip", "Clips every update to a range",
            [coefficient("max_delta", .nonnegative, "Largest absolute value")]),
        CatalogEntry(
            .transformation, "clip_by_global_norm", "Shrinks all updates together to a norm",
            [coefficient("max_norm", .positive, "Largest norm of all updates together")]),
        CatalogEntry(
            .transformation, "clip_by_block_rms", "Shrinks each parameter's updates to a root mean square",
            [coefficient("threshold", .positive, "Largest root mean square")]),
        CatalogEntry(
            .transformation, "adaptive_grad_clip", "Shrinks each unit's updates to a fraction of its norm",
            [
                coefficient("clipping", .positive, "Largest ratio of an update's norm to the parameter's"),
                .defaulted("eps", .number(.nonnegative), 1e-3, "Smallest norm of a parameter that counts"),
            ]),
        CatalogEntry(.transformation, "centralize", "Subtracts the mean of each unit's updates"),
        CatalogEntry(.transformation, "normalize", "Divides all updates by their global norm"),
        CatalogEntry(
            .transformation, "normalize_by_update_norm", "Divides all updates by their norm, and scales",
            [
                .defaulted("scale_factor", .hyperparameter(.any), 1.0, "The norm afterwards"),
                small("eps", 1e-6, "Added to the norm"),
            ]),
    ]

    private static let scalings: [CatalogEntry] = [
        CatalogEntry(
            .transformation, "scale_by_adam", "Adam's direction, without a learning rate",
            adamMoments + [momentType, nesterov]),
        CatalogEntry(
            .transformation, "scale_by_adamax", "Adamax's direction, without a learning rate",
            betas() + [epsilon()]),
        CatalogEntry(
            .transformation, "scale_by_amsgrad", "AMSGrad's direction, without a learning rate",
            adamMoments + [momentType] + amsgradCorrections),
        CatalogEntry(
            .transformation, "scale_by_adan", "Adan's direction, without a learning rate",
            adanMoments(epsilonRoot: 0)),
        CatalogEntry(
            .transformation, "scale_by_belief", "AdaBelief's direction, without a learning rate",
            betas() + [epsilon(1e-16), epsilonRoot(1e-16), nesterov]),
        CatalogEntry(
            .transformation, "scale_by_yogi", "Yogi's direction, without a learning rate",
            betas() + [epsilon(1e-3), epsilonRoot(), initialAccumulator(1e-6)]),
        CatalogEntry(
            .transformation, "scale_by_radam", "RAdam's direction, without a learning rate",
            adamMoments + [radamThreshold, nesterov]),
        CatalogEntry(
            .transformation, "scale_by_rms", "Divides by the root of a running mean of squares",
            rmsMoments + [rmsCorrection]),
        CatalogEntry(
            .transformation, "scale_by_stddev", "Divides by a running standard deviation",
            rmsMoments + [rmsCorrection]),
        CatalogEntry(
            .transformation, "scale_by_rss", "Divides by the root of the sum of all squares",
            [initialAccumulator(0.1), epsilon(1e-7)]),
        CatalogEntry(
            .transformation, "scale_by_adadelta", "Adadelta's direction, without a learning rate",
            [decay("rho", 0.9, "Decay of the means"), epsilon(1e-6)]),
        CatalogEntry(
            .transformation, "scale_by_lion", "Lion's direction, without a learning rate",
            betas(0.9, 0.99) + [momentType]),
        CatalogEntry(
            .transformation, "scale_by_novograd", "NovoGrad's direction, without a learning rate",
            betas(0.9, 0.25) + [epsilon(), epsilonRoot(), weightDecay(0), momentType]),
        CatalogEntry(
            .transformation, "scale_by_sm3", "SM3's direction, without a learning rate",
            [
                decay("b1", 0.9, "Decay of the momentum"),
                .defaulted("b2", .number(.range(0, 1)), 1.0, "Decay of the second moments"),
                .defaulted("eps", .number(.nonnegative), 1e-8, "Added to the denominator"),
            ]),
        CatalogEntry(
            .transformation, "scale_by_factored_rms", "Adafactor's direction, without a learning rate",
            [
                .defaulted("factored", .boolean, true, "Factor the second moments of large matrices"),
                .defaulted("decay_rate", .number(.range(0, 1)), 0.8, "Power of the second moment's decay"),
                .defaulted("step_offset", .integer(0...1_000_000_000), 0, "Steps to begin the decay at"),
                minimumFactored,
                .defaulted("epsilon", .number(.nonnegative), 1e-30, "Added to squared gradients"),
            ]),
        CatalogEntry(
            .transformation, "scale_by_optimistic_gradient", "Extrapolates the last change of the gradient",
            optimism),
        CatalogEntry(
            .transformation, "scale_by_rprop", "Rprop's steps", [fixedLearningRate] + rpropSteps),
        CatalogEntry(.transformation, "scale_by_sign", "The sign of each update"),
        CatalogEntry(
            .transformation, "scale_by_trust_ratio",
            "Multiplies by the ratio of the parameter's norm to the update's",
            [
                .defaulted("min_norm", .number(.nonnegative), 0.0, "Smallest norm that counts"),
                small("trust_coefficient", 1, "Factor of the ratio"),
                small("eps", 0, "Added to the denominator"),
            ]),
        CatalogEntry(
            .transformation, "scale_by_param_block_norm", "Multiplies by the parameter's norm",
            [.defaulted("min_scale", .number(.nonnegative), 1e-3, "Smallest norm that counts")]),
        CatalogEntry(
            .transformation, "scale_by_param_block_rms", "Multiplies by the parameter's root mean square",
            [.defaulted("min_scale", .number(.nonnegative), 1e-3, "Smallest root mean square that counts")]),
    ]
}
