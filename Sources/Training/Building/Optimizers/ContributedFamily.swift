// Optimizers of optax.contrib, and those that look ahead along a line.
import JobSpec
import Optax
import TensorEngine

extension OptimizerBuilder {
    static let contributedFamily: [TransformationBuilder] = [
        .init("adopt") { a in
            adopt(
                learningRate: try a.learningRate, b1: try a.value("b1"), b2: try a.value("b2"),
                epsilon: try a.value("eps"), momentDType: try a.dtype("mu_dtype"),
                nesterov: try a.flag("nesterov"), clips: try a.flag("use_clipping"))
        },
        .init("acprop") { a in
            acprop(
                learningRate: try a.learningRate, b1: try a.value("b1"), b2: try a.value("b2"),
                epsilon: try a.value("eps"), epsilonRoot: try a.value("eps_root"),
                weightDecay: try a.value("weight_decay"), mask: try a.optionalMask("mask"))
        },
        .init("ademamix") { a in
            ademamix(
                learningRate: try a.learningRate, b1: try a.value("b1"), b2: try a.value("b2"),
                b3: try a.value("b3"), alpha: try a.value("alpha"), epsilon: try a.value("eps"),
                epsilonRoot: try a.value("eps_root"), momentDType: try a.dtype("mu_dtype"),
                weightDecay: try a.value("weight_decay"), mask: try a.optionalMask("mask"))
        },
        .init("simplified_ademamix") { a in
            simplifiedAdEMAMix(
                learningRate: try a.learningRate, b1: try a.value("b1"), b2: try a.value("b2"),
                alpha: try a.value("alpha"), epsilon: try a.value("eps"),
                epsilonRoot: try a.value("eps_root"),
                weightDecay: try a.value("weight_decay"), mask: try a.optionalMask("mask"))
        },
        .init("cocob") { a in
            cocob(
                learningRate: try a.learningRate, alpha: try a.value("alpha"), epsilon: try a.number("eps"),
                weightDecay: try a.value("weight_decay"), mask: try a.optionalMask("mask"))
        },
        .init("dog") { a in
            dog(
                learningRate: try a.learningRate, start: .heuristic(try a.number("reps_rel")),
                epsilon: try a.number("eps"), weightDecay: try a.optional("weight_decay"),
                mask: try a.optionalMask("mask"))
        },
        .init("dowg") { a in
            dowg(
                learningRate: try a.learningRate,
                initialEstimate: a.arguments.optionalNumber("init_estim_sq_dist"),
                epsilon: try a.number("eps"),
                weightDecay: try a.optional("weight_decay"), mask: try a.optionalMask("mask"))
        },
        .init("madgrad") { a in
            madgrad(
                learningRate: try a.learningRate, momentum: try a.number("momentum"),
                weightDecay: try a.value("weight_decay"), epsilon: try a.number("eps"))
        },
        .init("momo") { a in
            momo(
                learningRate: try a.learningRate, beta: try a.number("beta"),
                lowerBound: try a.number("lower_bound"), weightDecay: try a.number("weight_decay"),
                adaptsLowerBound: try a.flag("adapt_lower_bound"))
        },
        .init("momo_adam") { a in
            momoAdam(
                learningRate: try a.learningRate, b1: try a.number("b1"), b2: try a.number("b2"),
                epsilon: try a.number("eps"), lowerBound: try a.number("lower_bound"),
                weightDecay: try a.number("weight_decay"), adaptsLowerBound: try a.flag("adapt_lower_bound"))
        },
        .init("muon") { a in
            try muon(
                learningRate: try a.learningRate, steps: try a.integer("ns_steps"), beta: try a.value("beta"),
                epsilon: try a.number("eps"), weightDecay: try a.value("weight_decay"),
                weightDecayMask: try a.optionalMask("weight_decay_mask"),
                momentDType: try a.dtype("mu_dtype"),
                nesterov: try a.flag("nesterov"), adaptive: try a.flag("adaptive"),
                adamB1: try a.value("adam_b1"), adamB2: try a.value("adam_b2"),
                adamEpsilonRoot: try a.value("adam_eps_root"),
                adamWeightDecay: try a.value("adam_weight_decay"),
                adamLearningRate: try a.optional("adam_learning_rate"))
        },
        .init("prodigy") { a in
            let betas = try a.arguments.numbers("betas")
            return prodigy(
                learningRate: try a.learningRate, b1: betas[0], b2: betas[1],
                b3: a.arguments.optionalNumber("beta3"), epsilon: try a.number("eps"),
                initialEstimate: try a.number("estim_lr0"), estimateFactor: try a.number("estim_lr_coef"),
                weightDecay: try a.value("weight_decay"), safeguardsWarmup: try a.flag("safeguard_warmup"))
        },
        .init("dadapt_adamw") { a in
            let betas = try a.arguments.numbers("betas")
            return dadaptAdamW(
                learningRate: try a.learningRate, b1: betas[0], b2: betas[1], epsilon: try a.number("eps"),
                initialEstimate: try a.number("estim_lr0"), weightDecay: try a.value("weight_decay"))
        },
        .init("mechanize") { a in
            try mechanize(
                try a.inner("base_optimizer"), weightDecay: try a.number("weight_decay"),
                epsilon: try a.number("eps"), initialScale: try a.number("s_init"),
                betaCount: try a.integer("num_betas"))
        },
        .init("sophia") { a in
            try sophia(
                learningRate: try a.learningRate, b1: try a.value("b1"), b2: try a.value("b2"),
                epsilon: try a.number("eps"), weightDecay: try a.value("weight_decay"),
                mask: try a.optionalMask("weight_decay_mask"), gamma: try a.number("gamma"),
                threshold: try a.number("clip_threshold"), updateInterval: try a.integer("update_interval"),
                hessianDiagonal: hutchinsonEstimatorDiagonalHessian(key: try a.key("random_seed")),
                momentDType: try a.dtype("mu_dtype"))
        },
        .init("sam") { a in
            let (optimizer, adversary) = (try a.inner("optimizer"), try a.inner("adv_optimizer"))
            let (period, resets) = (try a.integer("sync_period"), try a.flag("reset_state"))
            return try a.flag("opaque_mode")
                ? opaqueSAM(optimizer, adversary: adversary, syncPeriod: period, resetsState: resets)
                : sam(optimizer, adversary: adversary, syncPeriod: period, resetsState: resets)
        },
        .init("galore") { a in
            try galore(
                learningRate: try a.learningRate, rank: try a.integer("rank"),
                projectionPeriod: try a.integer("update_proj_gap"), scale: try a.number("scale"),
                base: try a.inner("base_optimizer"), weightDecay: try a.value("weight_decay"),
                mask: try a.optionalMask("mask"))
        },
        .init("dpsgd") { a in
            dpsgd(
                learningRate: try a.learningRate, maxNorm: try a.number("l2_norm_clip"),
                noiseMultiplier: try a.number("noise_multiplier"), key: try a.key("seed"),
                momentum: try a.optional("momentum"), nesterov: try a.flag("nesterov"))
        },
        .init("polyak_sgd") { a in
            guard let variant = PolyakVariant(rawValue: try a.arguments.text("variant")) else {
                throw CatalogMismatch("polyak_sgd.variant \(try a.arguments.text("variant"))")
            }
            return polyakSGD(
                maximumLearningRate: try a.value("max_learning_rate"), scaling: try a.value("scaling"),
                lowerBound: try a.value("f_min"), epsilon: try a.value("eps"), variant: variant)
        },
        .init("lbfgs") { a in
            try lbfgs(
                learningRate: try a.optional("learning_rate"), memorySize: try a.integer("memory_size"),
                scalesInitialEstimate: try a.flag("scale_init_precond"))
        },
    ]
}
