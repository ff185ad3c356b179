// Optimizers without second moments.
import JobSpec
import Optax

extension OptimizerBuilder {
    static let gradientDescents: [TransformationBuilder] = [
        .init("sgd") { a in
            sgd(
                learningRate: try a.learningRate, momentum: try a.optional("momentum"),
                nesterov: try a.flag("nesterov"), accumulatorDType: try a.dtype("accumulator_dtype"))
        },
        .init("noisy_sgd") { a in
            noisySGD(
                learningRate: try a.learningRate, eta: try a.number("eta"), gamma: try a.number("gamma"),
                key: try a.key("key"))
        },
        .init("sign_sgd") { a in signSGD(learningRate: try a.learningRate) },
        .init("signum") { a in signum(learningRate: try a.learningRate, decay: try a.value("beta")) },
        .init("rprop") { a in
            rprop(
                learningRate: try a.number("learning_rate"), decrease: try a.number("eta_minus"),
                increase: try a.number("eta_plus"), minimumStep: try a.number("min_step_size"),
                maximumStep: try a.number("max_step_size"))
        },
        .init("optimistic_gradient_descent") { a in
            optimisticGradientDescent(
                learningRate: try a.learningRate, alpha: try a.value("alpha"), beta: try a.value("beta"))
        },
        .init("fromage") { a in
            fromage(learningRate: try a.number("learning_rate"), minimumNorm: try a.number("min_norm"))
        },
        .init("lars") { a in
            lars(
                learningRate: try a.learningRate, weightDecay: try a.value("weight_decay"),
                decayMask: try a.mask("weight_decay_mask"),
                trustCoefficient: try a.value("trust_coefficient"),
                epsilon: try a.value("eps"), trustRatioMask: try a.mask("trust_ratio_mask"),
                momentum: try a.value("momentum"), nesterov: try a.flag("nesterov"))
        },
        .init("schedule_free_sgd") { a in
            try scheduleFreeSGD(
                learningRate: try a.number("learning_rate"),
                warmupSteps: a.arguments.optionalInteger("warmup_steps"),
                b1: try a.number("b1"), weightDecay: try a.optional("weight_decay"))
        },
    ]
}
