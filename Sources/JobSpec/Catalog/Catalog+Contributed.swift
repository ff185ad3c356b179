// Optimizers of optax.contrib, and those that look ahead along a line.

extension Catalog {
    private static let freeLearningRate = Parameter.defaulted(
        "learning_rate", .numberOrSchedule(.positive), 1.0, "Factor of the step size that it finds by itself")
    private static let betas = Parameter.defaulted(
        "betas", .numbers(count: 2...2), [0.9, 0.999], "Decays of the first and second moment")
    private static let plainEpsilon = Parameter.defaulted(
        "eps", .number(.nonnegative), 1e-8, "Added to the denominator")
    private static let firstEstimate = Parameter.defaulted(
        "estim_lr0", .number(.positive), 1e-6, "First estimate of the step size")
    private static let lowerBound: [Parameter] = [
        .defaulted("lower_bound", .number(.any), 0.0, "What the loss cannot be below"),
        .defaulted("weight_decay", .number(.nonnegative), 0.0, "Weight decay"),
        .defaulted("adapt_lower_bound", .boolean, false, "Whether the bound is estimated"),
    ]

    private static let stage = ParameterType.typed([.optimizer, .transformation])

    static let contributedOptimizers: [CatalogEntry] = [
        CatalogEntry(
            .optimizer, "adopt", "Adam with the second moment of the steps before",
            [
                learningRate, decay("b1", 0.9, "Decay of the first moment"),
                decay("b2", 0.9999, "Decay of the second moment"), epsilon(1e-6), momentType, nesterov,
                .defaulted("use_clipping", .boolean, true, "Whether updates are clipped at step^0.25"),
            ]),
        CatalogEntry(
            .optimizer, "acprop", "AdaBelief with the second moment of the step before",
            [learningRate] + betas() + [epsilon(1e-16), epsilonRoot(1e-16), weightDecay(0), mask]),
        CatalogEntry(
            .optimizer, "ademamix", "Adam with a second, slower first moment",
            [learningRate] + betas() + [
                decay("b3", 0.9999, "Decay of the slower moment"),
                small("alpha", 5, "Weight of the slower moment"), epsilon(), epsilonRoot(), momentType,
                weightDecay(0), mask,
            ]),
        CatalogEntry(
            .optimizer, "simplified_ademamix", "AdEMAMix with one moment",
            [
                learningRate, decay("b1", 0.99, "Decay of the first moment"),
                decay("b2", 0.95, "Decay of the second moment"), small("alpha", 0, "Weight of the gradient"),
                epsilon(), epsilonRoot(), weightDecay(0), mask,
            ]),
        CatalogEntry(
            .optimizer, "cocob", "Bets on each coordinate: no learning rate is needed",
            [
                freeLearningRate, small("alpha", 100, "Caution of the first bets"), plainEpsilon,
                weightDecay(0), mask,
            ]),
        CatalogEntry(
            .optimizer, "dog", "Step size from the distance travelled",
            [
                freeLearningRate,
                .defaulted(
                    "reps_rel", .number(.positive), 1e-6, "First distance, relative to the parameters"),
                plainEpsilon,
                .optional("weight_decay", .hyperparameter(.nonnegative), "Weight decay; none if absent"),
                mask,
            ]),
        CatalogEntry(
            .optimizer, "dowg", "Step size from the distance travelled, weighted",
            [
                freeLearningRate,
                .optional("init_estim_sq_dist", .number(.positive), "First squared distance; eps if absent"),
                .defaulted("eps", .number(.nonnegative), 1e-4, "Added to the denominator"),
                .optional("weight_decay", .hyperparameter(.nonnegative), "Weight decay; none if absent"),
                mask,
            ]),
        CatalogEntry(
            .optimizer, "madgrad", "Dual averaging with momentum and a cube root",
            [
                learningRate, .defaulted("momentum", .number(.decay), 0.9, "Decay of the momentum"),
                weightDecay(0), .defaulted("eps", .number(.nonnegative), 1e-6, "Added to the denominator"),
            ]),
        CatalogEntry(
            .optimizer, "momo", "Momentum whose step size follows from the loss",
            [freeLearningRate]
                + [.defaulted("beta", .number(.decay), 0.9, "Decay of the momentum")] + lowerBound),
        CatalogEntry(
            .optimizer, "momo_adam", "Adam whose step size follows from the loss",
            [
                .defaulted("learning_rate", .numberOrSchedule(.positive), 0.01, "Largest step size"),
                .defaulted("b1", .number(.decay), 0.9, "Decay of the first moment"),
                .defaulted("b2", .number(.decay), 0.999, "Decay of the second moment"), plainEpsilon,
            ] + lowerBound),
        CatalogEntry(
            .optimizer, "muon", "Orthogonal updates of matrices, and Adam for everything else",
            [
                learningRate, .defaulted("ns_steps", .integer(1...100), 5, "Newton-Schulz iterations"),
                decay("beta", 0.95, "Decay of the momentum"), plainEpsilon, weightDecay(0),
                .optional(
                    "weight_decay_mask", .patterns, "Paths of the parameters that decay; all if absent"),
                momentType, .defaulted("nesterov", .boolean, true, "Nesterov's momentum"),
                .defaulted("adaptive", .boolean, false, "Whether updates are scaled by their dual norm"),
                decay("adam_b1", 0.9, "Adam's decay of the first moment"),
                decay("adam_b2", 0.999, "Adam's decay of the second moment"),
                small("adam_eps_root", 0, "Adam's eps_root"),
                small("adam_weight_decay", 0, "Adam's weight decay"),
                .optional(
                    "adam_learning_rate", .numberOrSchedule(.positive),
                    "Adam's step size; learning_rate if absent"),
            ]),
        CatalogEntry(
            .optimizer, "prodigy", "Adam that estimates its step size",
            [
                freeLearningRate, betas,
                .optional(
                    "beta3", .number(.decay), "Decay of the estimate; the root of the second beta if absent"),
                plainEpsilon, firstEstimate,
                .defaulted("estim_lr_coef", .number(.positive), 1.0, "Factor of the estimate"),
                weightDecay(0),
                .defaulted(
                    "safeguard_warmup", .boolean, false, "Whether a warm-up does not spoil the estimate"),
            ]),
        CatalogEntry(
            .optimizer, "dadapt_adamw", "AdamW that estimates its step size",
            [freeLearningRate, betas, plainEpsilon, firstEstimate, weightDecay(0)]),
        CatalogEntry(
            .optimizer, "mechanize", "Finds the step size of another optimizer",
            [
                .required(
                    "base_optimizer", .typed([.optimizer]),
                    "The optimizer, whose learning rate is a shape only"),
                .defaulted("weight_decay", .number(.nonnegative), 0.01, "Weight decay of the tuner"),
                plainEpsilon,
                .defaulted("s_init", .number(.positive), 1e-6, "First factor"),
                .defaulted("num_betas", .integer(1...100), 6, "Tuners that are averaged"),
            ]),
        CatalogEntry(
            .optimizer, "sophia", "Second-order steps, clipped: divides by an estimate of the curvature",
            [
                learningRate, decay("b1", 0.965, "Decay of the first moment"),
                decay("b2", 0.99, "Decay of the curvature"),
                .defaulted("eps", .number(.nonnegative), 1e-8, "Smallest denominator"), weightDecay(1e-4),
                .optional(
                    "weight_decay_mask", .patterns, "Paths of the parameters that decay; all if absent"),
                .defaulted("gamma", .number(.positive), 0.01, "Factor of the curvature"),
                .defaulted("clip_threshold", .number(.positive), 1.0, "Largest step of a parameter"),
                .defaulted(
                    "update_interval", .integer(1...1_000_000), 10, "Steps from one estimate to the next"),
                momentType,
                .defaulted(
                    "random_seed", .integer(0...4_294_967_295), 0,
                    "Seed of the estimate's random signs: PRNGKey(random_seed)"),
            ]),
        CatalogEntry(
            .optimizer, "sam",
            "Sharpness-aware minimisation: gradients are taken at the worst point nearby",
            [
                .required("optimizer", stage, "What descends"),
                .required(
                    "adv_optimizer", stage, "What climbs, as a rule a chain of normalize and sgd"),
                .defaulted(
                    "sync_period", .integer(1...1_000), 2, "Steps of which the last descends"),
                .defaulted(
                    "reset_state", .boolean, true, "Whether the climb's state starts anew each time"),
                .defaulted(
                    "opaque_mode", .boolean, false,
                    "Whether the climb happens within one step, with gradients of its own"),
            ]),
        CatalogEntry(
            .optimizer, "galore", "Adam, or another optimizer, with states of a low rank",
            [
                learningRate, .defaulted("rank", .integer(1...1_000_000), 128, "Directions that are kept"),
                .defaulted(
                    "update_proj_gap", .integer(1...1_000_000_000), 200,
                    "Steps after which the directions are chosen anew"),
                .defaulted("scale", .number(.positive), 1.0, "Factor of the updates of matrices"),
                .defaulted(
                    "base_optimizer", stage, "scale_by_adam",
                    "What gets the projected gradients; it does not see the parameters"), weightDecay(0),
                mask,
            ]),
        CatalogEntry(
            .optimizer, "dpsgd",
            "Differentially private gradient descent: clips the gradient of each example and adds noise; only as the outermost optimizer",
            [
                learningRate,
                .required(
                    "l2_norm_clip", .number(.positive), "Largest norm of an example's gradient"),
                .required(
                    "noise_multiplier", .number(.nonnegative), "Deviation of the noise, times l2_norm_clip"),
                .required("seed", .integer(0...4_294_967_295), "Seed of the noise: PRNGKey(seed)"),
                momentum, nesterov,
            ], check: momentumCheck),
        CatalogEntry(
            .optimizer, "polyak_sgd", "Step size from the loss's distance to its bound",
            [
                .defaulted("max_learning_rate", .hyperparameter(.positive), 1.0, "Largest step size"),
                .defaulted("scaling", .hyperparameter(.positive), 1.0, "Factor of the step size"),
                .defaulted("f_min", .hyperparameter(.any), 0.0, "The loss's lower bound"),
                small("eps", 0, "Added to the denominator"),
                .defaulted(
                    "variant", .choice(["sps", "sps+"]), "sps", "Whether a loss below the bound steps back"),
            ]),
        CatalogEntry(
            .optimizer, "lbfgs", "Limited-memory BFGS with a zoom line search, for whole batches",
            [
                .optional(
                    "learning_rate", .numberOrSchedule(.positive), "Factor of the direction; none if absent"),
                .defaulted("memory_size", .integer(1...1_000), 10, "Steps that are remembered"),
                .defaulted("scale_init_precond", .boolean, true, "Whether the first estimate is scaled"),
            ]),
    ]
}
