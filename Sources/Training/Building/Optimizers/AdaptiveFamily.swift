// Optimizers with a step size for each parameter, without a first moment of their own.
import JobSpec
import Optax
import TensorEngine

extension OptimizerBuilder {
    static let adaptiveFamily: [TransformationBuilder] = [
        .init("adagrad") { a in
            adagrad(
                learningRate: try a.learningRate, initial: try a.number("initial_accumulator_value"),
                epsilon: try a.value("eps"))
        },
        .init("adadelta") { a in
            adadelta(
                learningRate: try a.learningRate, rho: try a.value("rho"), epsilon: try a.value("eps"),
                weightDecay: try a.value("weight_decay"), mask: try a.optionalMask("weight_decay_mask"))
        },
        .init("rmsprop") { a in
            rmsprop(
                learningRate: try a.learningRate, decay: try a.value("decay"), epsilon: try a.value("eps"),
                initialScale: try a.number("initial_scale"), epsilonInRoot: try a.flag("eps_in_sqrt"),
                centered: try a.flag("centered"), momentum: try a.optional("momentum"),
                nesterov: try a.flag("nesterov"), biasCorrection: try a.flag("bias_correction"))
        },
        .init("adafactor") { a in
            adafactor(
                learningRate: try a.optional("learning_rate"),
                minimumDimension: try a.integer("min_dim_size_to_factor"),
                decayRate: try a.number("decay_rate"),
                decayOffset: try a.integer("decay_offset"),
                multiplyByParameterScale: try a.flag("multiply_by_parameter_scale"),
                clippingThreshold: try a.value("clipping_threshold"), momentum: try a.optional("momentum"),
                momentumDType: try a.dtype("dtype_momentum") ?? .float32,
                weightDecay: try a.optional("weight_decay_rate"), epsilon: try a.number("eps"),
                factored: try a.flag("factored"), decayMask: try a.optionalMask("weight_decay_mask"))
        },
        .init("sm3") { a in sm3(learningRate: try a.learningRate, momentum: try a.value("momentum")) },
    ]
}
