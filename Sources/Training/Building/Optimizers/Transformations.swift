// Gradient transformations that are no optimizer by themselves.
import JobSpec
import Optax

extension OptimizerBuilder {
    static let generalTransformations: [TransformationBuilder] = [
        .init("identity") { _ in identity() },
        .init("set_to_zero") { _ in setToZero() },
        .init("scale") { a in scale(try a.value("step_size")) },
        .init("scale_by_schedule") { a in
            scaleBySchedule(try ScheduleBuilder.schedule(try a.arguments.spec("step_size_fn")))
        },
        .init("scale_by_learning_rate") { a in
            scaleByLearningRate(try a.learningRate, flipsSign: try a.flag("flip_sign"))
        },
        .init("trace") { a in
            trace(
                decay: try a.value("decay"), nesterov: try a.flag("nesterov"),
                accumulatorDType: try a.dtype("accumulator_dtype"))
        },
        .init("ema") { a in
            ema(
                decay: try a.value("decay"), debias: try a.flag("debias"),
                accumulatorDType: try a.dtype("accumulator_dtype"))
        },
        .init("apply_every") { a in try applyEvery(try a.integer("k")) },
        .init("add_decayed_weights") { a in
            addDecayedWeights(try a.value("weight_decay"), mask: try a.optionalMask("mask"))
        },
        .init("add_noise") { a in
            addNoise(eta: try a.number("eta"), gamma: try a.number("gamma"), key: try a.key("key"))
        },
        .init("freeze") { a in freeze(try a.mask("mask")) },
        .init("zero_nans") { _ in zeroNaNs() },
        .init("keep_params_nonnegative") { _ in keepParametersNonnegative() },
        .init("reduce_on_plateau") { a in
            try reduceOnPlateau(
                factor: try a.number("factor"), patience: try a.integer("patience"),
                relativeTolerance: try a.number("rtol"), absoluteTolerance: try a.number("atol"),
                cooldown: try a.integer("cooldown"), accumulationSize: try a.integer("accumulation_size"),
                minimumScale: try a.number("min_scale"))
        },
    ]

    static let clippings: [TransformationBuilder] = [
        .init("clip") { a in clip(try a.value("max_delta")) },
        .init("clip_by_global_norm") { a in clipByGlobalNorm(try a.value("max_norm")) },
        .init("clip_by_block_rms") { a in clipByBlockRMS(try a.value("threshold")) },
        .init("adaptive_grad_clip") { a in
            adaptiveGradClip(try a.value("clipping"), epsilon: try a.number("eps"))
        },
        .init("centralize") { _ in centralize() },
        .init("normalize") { _ in normalize() },
        .init("normalize_by_update_norm") { a in
            normalizeByUpdateNorm(scale: try a.value("scale_factor"), epsilon: try a.value("eps"))
        },
    ]

    static let scalings: [TransformationBuilder] = [
        .init("scale_by_adam") { a in
            scaleByAdam(
                b1: try a.value("b1"), b2: try a.value("b2"), epsilon: try a.value("eps"),
                epsilonRoot: try a.value("eps_root"), momentDType: try a.dtype("mu_dtype"),
                nesterov: try a.flag("nesterov"))
        },
        .init("scale_by_adamax") { a in
            scaleByAdaMax(b1: try a.value("b1"), b2: try a.value("b2"), epsilon: try a.value("eps"))
        },
        .init("scale_by_amsgrad") { a in
            scaleByAMSGrad(
                b1: try a.value("b1"), b2: try a.value("b2"), epsilon: try a.value("eps"),
                epsilonRoot: try a.value("eps_root"), momentDType: try a.dtype("mu_dtype"),
                correctsMean: try a.flag("bias_correction_mu"),
                correctsVariance: try a.flag("bias_correction_nu"))
        },
        .init("scale_by_adan") { a in
            scaleByAdan(
                b1: try a.value("b1"), b2: try a.value("b2"), b3: try a.value("b3"),
                epsilon: try a.value("eps"), epsilonRoot: try a.value("eps_root"))
        },
        .init("scale_by_belief") { a in
            scaleByBelief(
                b1: try a.value("b1"), b2: try a.value("b2"), epsilon: try a.value("eps"),
                epsilonRoot: try a.value("eps_root"), nesterov: try a.flag("nesterov"))
        },
        .init("scale_by_yogi") { a in
            scaleByYogi(
                b1: try a.value("b1"), b2: try a.value("b2"), epsilon: try a.value("eps"),
                epsilonRoot: try a.value("eps_root"), initial: try a.number("initial_accumulator_value"))
        },
        .init("scale_by_radam") { a in
            scaleByRAdam(
                b1: try a.value("b1"), b2: try a.value("b2"), epsilon: try a.value("eps"),
                epsilonRoot: try a.value("eps_root"), threshold: try a.number("threshold"),
                nesterov: try a.flag("nesterov"))
        },
        .init("scale_by_rms") { a in
            scaleByRMS(
                decay: try a.value("decay"), epsilon: try a.value("eps"),
                initialScale: try a.number("initial_scale"), epsilonInRoot: try a.flag("eps_in_sqrt"),
                biasCorrection: try a.flag("bias_correction"))
        },
        .init("scale_by_stddev") { a in
            scaleByStddev(
                decay: try a.value("decay"), epsilon: try a.value("eps"),
                initialScale: try a.number("initial_scale"), epsilonInRoot: try a.flag("eps_in_sqrt"),
                biasCorrection: try a.flag("bias_correction"))
        },
        .init("scale_by_rss") { a in
            scaleByRSS(initial: try a.number("initial_accumulator_value"), epsilon: try a.value("eps"))
        },
        .init("scale_by_adadelta") { a in
            scaleByAdaDelta(rho: try a.value("rho"), epsilon: try a.value("eps"))
        },
        .init("scale_by_lion") { a in
            scaleByLion(b1: try a.value("b1"), b2: try a.value("b2"), momentDType: try a.dtype("mu_dtype"))
        },
        .init("scale_by_novograd") { a in
            scaleByNovoGrad(
                b1: try a.value("b1"), b2: try a.value("b2"), epsilon: try a.value("eps"),
                epsilonRoot: try a.value("eps_root"), weightDecay: try a.value("weight_decay"),
                momentDType: try a.dtype("mu_dtype"))
        },
        .init("scale_by_sm3") { a in
            scaleBySM3(b1: try a.value("b1"), b2: try a.number("b2"), epsilon: try a.number("eps"))
        },
        .init("scale_by_factored_rms") { a in
            scaleByFactoredRMS(
                factored: try a.flag("factored"), decayRate: try a.number("decay_rate"),
                stepOffset: try a.integer("step_offset"),
                minimumDimension: try a.integer("min_dim_size_to_factor"), epsilon: try a.number("epsilon"))
        },
        .init("scale_by_optimistic_gradient") { a in
            scaleByOptimisticGradient(alpha: try a.value("alpha"), beta: try a.value("beta"))
        },
        .init("scale_by_rprop") { a in
            scaleByRprop(
                learningRate: try a.number("learning_rate"), decrease: try a.number("eta_minus"),
                increase: try a.number("eta_plus"), minimumStep: try a.number("min_step_size"),
                maximumStep: try a.number("max_step_size"))
        },
        .init("scale_by_sign") { _ in scaleBySign() },
        .init("scale_by_trust_ratio") { a in
            scaleByTrustRatio(
                minimumNorm: try a.number("min_norm"), coefficient: try a.value("trust_coefficient"),
                epsilon: try a.value("eps"))
        },
        .init("scale_by_param_block_norm") { a in scaleByParameterNorm(minimum: try a.number("min_scale")) },
        .init("scale_by_param_block_rms") { a in scaleByParameterRMS(minimum: try a.number("min_scale")) },
    ]
}
