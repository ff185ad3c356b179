// Optimizers with moments, after Adam.
import JobSpec
import Optax

extension OptimizerBuilder {
    static let adamFamily: [TransformationBuilder] = [
        .init("adam") { a in
            adam(
                learningRate: try a.learningRate, b1: try a.value("b1"), b2: try a.value("b2"),
                epsilon: try a.value("eps"), epsilonRoot: try a.value("eps_root"),
                momentDType: try a.dtype("mu_dtype"), nesterov: try a.flag("nesterov"))
        },
        .init("adamw") { a in
            adamw(
                learningRate: try a.learningRate, b1: try a.value("b1"), b2: try a.value("b2"),
                epsilon: try a.value("eps"), epsilonRoot: try a.value("eps_root"),
                momentDType: try a.dtype("mu_dtype"), weightDecay: try a.value("weight_decay"),
                mask: try a.optionalMask("mask"), nesterov: try a.flag("nesterov"))
        },
        .init("nadam") { a in
            nadam(
                learningRate: try a.learningRate, b1: try a.value("b1"), b2: try a.value("b2"),
                epsilon: try a.value("eps"), epsilonRoot: try a.value("eps_root"),
                momentDType: try a.dtype("mu_dtype"))
        },
        .init("nadamw") { a in
            nadamw(
                learningRate: try a.learningRate, b1: try a.value("b1"), b2: try a.value("b2"),
                epsilon: try a.value("eps"), epsilonRoot: try a.value("eps_root"),
                momentDType: try a.dtype("mu_dtype"), weightDecay: try a.value("weight_decay"),
                mask: try a.optionalMask("mask"))
        },
        .init("adamax") { a in
            adamax(
                learningRate: try a.learningRate, b1: try a.value("b1"), b2: try a.value("b2"),
                epsilon: try a.value("eps"))
        },
        .init("adamaxw") { a in
            adamaxw(
                learningRate: try a.learningRate, b1: try a.value("b1"), b2: try a.value("b2"),
                epsilon: try a.value("eps"), weightDecay: try a.value("weight_decay"),
                mask: try a.optionalMask("mask"))
        },
        .init("amsgrad") { a in
            amsgrad(
                learningRate: try a.learningRate, b1: try a.value("b1"), b2: try a.value("b2"),
                epsilon: try a.value("eps"), epsilonRoot: try a.value("eps_root"),
                momentDType: try a.dtype("mu_dtype"), correctsMean: try a.flag("bias_correction_mu"),
                correctsVariance: try a.flag("bias_correction_nu"))
        },
        .init("adabelief") { a in
            adabelief(
                learningRate: try a.learningRate, b1: try a.value("b1"), b2: try a.value("b2"),
                epsilon: try a.value("eps"), epsilonRoot: try a.value("eps_root"),
                nesterov: try a.flag("nesterov"))
        },
        .init("radam") { a in
            radam(
                learningRate: try a.learningRate, b1: try a.value("b1"), b2: try a.value("b2"),
                epsilon: try a.value("eps"), epsilonRoot: try a.value("eps_root"),
                threshold: try a.number("threshold"), nesterov: try a.flag("nesterov"))
        },
        .init("yogi") { a in
            yogi(
                learningRate: try a.learningRate, b1: try a.value("b1"), b2: try a.value("b2"),
                epsilon: try a.value("eps"))
        },
        .init("adan") { a in
            adan(
                learningRate: try a.learningRate, b1: try a.value("b1"), b2: try a.value("b2"),
                b3: try a.value("b3"), epsilon: try a.value("eps"), epsilonRoot: try a.value("eps_root"),
                weightDecay: try a.value("weight_decay"), mask: try a.optionalMask("mask"))
        },
        .init("optimistic_adam_v2") { a in
            optimisticAdam(
                learningRate: try a.learningRate, alpha: try a.value("alpha"), beta: try a.value("beta"),
                b1: try a.value("b1"), b2: try a.value("b2"), epsilon: try a.value("eps"),
                epsilonRoot: try a.value("eps_root"), nesterov: try a.flag("nesterov"))
        },
        .init("lamb") { a in
            lamb(
                learningRate: try a.learningRate, b1: try a.value("b1"), b2: try a.value("b2"),
                epsilon: try a.value("eps"), epsilonRoot: try a.value("eps_root"),
                weightDecay: try a.value("weight_decay"), mask: try a.optionalMask("mask"))
        },
        .init("lion") { a in
            lion(
                learningRate: try a.learningRate, b1: try a.value("b1"), b2: try a.value("b2"),
                momentDType: try a.dtype("mu_dtype"), weightDecay: try a.value("weight_decay"),
                mask: try a.optionalMask("mask"))
        },
        .init("novograd") { a in
            novograd(
                learningRate: try a.learningRate, b1: try a.value("b1"), b2: try a.value("b2"),
                epsilon: try a.value("eps"), epsilonRoot: try a.value("eps_root"),
                weightDecay: try a.value("weight_decay"))
        },
        .init("schedule_free_adamw") { a in
            try scheduleFreeAdamW(
                learningRate: try a.number("learning_rate"),
                warmupSteps: a.arguments.optionalInteger("warmup_steps"), b1: try a.number("b1"),
                b2: try a.value("b2"), epsilon: try a.value("eps"), weightDecay: try a.value("weight_decay"))
        },
    ]
}
