// Optimizers, transformations and schedules of a spec as Optax values.
import JobSpec
import Optax
import TensorEngine

enum OptimizerBuilder {
    /// The transformation that a spec names.
    static func transformation(_ spec: OptimizerSpec) throws -> GradientTransformation {
        let arguments = spec.arguments
        switch spec.name {
        case "sgd":
            return sgd(
                learningRate: try hyperparameter(arguments, "learning_rate"),
                momentum: arguments.optionalNumber("momentum").map { .constant($0) },
                nesterov: try arguments.boolean("nesterov"))
        case "adam":
            return adam(
                learningRate: try hyperparameter(arguments, "learning_rate"),
                b1: try constant(arguments, "b1"),
                b2: try constant(arguments, "b2"), epsilon: try constant(arguments, "eps"),
                epsilonRoot: try constant(arguments, "eps_root"), nesterov: try arguments.boolean("nesterov"))
        case "chain":
            return chain(try arguments.specs("transforms").map(transformation))
        case "identity": return identity()
        case "scale": return scale(try constant(arguments, "step_size"))
        case "scale_by_schedule":
            return scaleBySchedule(try schedule(try arguments.spec("step_size_fn")))
        case "scale_by_learning_rate":
            return scaleByLearningRate(
                try hyperparameter(arguments, "learning_rate"), flipsSign: try arguments.boolean("flip_sign"))
        case "scale_by_adam":
            return scaleByAdam(
                b1: try constant(arguments, "b1"), b2: try constant(arguments, "b2"),
                epsilon: try constant(arguments, "eps"), epsilonRoot: try constant(arguments, "eps_root"),
                nesterov: try arguments.boolean("nesterov"))
        case "trace":
            return trace(decay: try constant(arguments, "decay"), nesterov: try arguments.boolean("nesterov"))
        default: throw unbuilt(spec)
        }
    }

    /// A schedule: the value by the step's number.
    static func schedule(_ spec: ScheduleSpec) throws -> Schedule {
        let arguments = spec.arguments
        func number(_ name: String) throws -> Double { try arguments.number(name) }
        func integer(_ name: String) throws -> Int { try arguments.integer(name) }
        switch spec.name {
        case "constant_schedule": return constantSchedule(try number("value"))
        case "linear_schedule":
            return linearSchedule(
                initial: try number("init_value"), end: try number("end_value"),
                steps: try integer("transition_steps"), begin: try integer("transition_begin"))
        case "polynomial_schedule":
            return polynomialSchedule(
                initial: try number("init_value"), end: try number("end_value"), power: try number("power"),
                steps: try integer("transition_steps"), begin: try integer("transition_begin"))
        case "cosine_decay_schedule":
            return try cosineDecaySchedule(
                initial: try number("init_value"), steps: try integer("decay_steps"),
                alpha: try number("alpha"),
                exponent: try number("exponent"))
        case "exponential_decay":
            return exponentialDecay(
                initial: try number("init_value"), steps: try integer("transition_steps"),
                decayRate: try number("decay_rate"), begin: try integer("transition_begin"),
                staircase: try arguments.boolean("staircase"), end: arguments.optionalNumber("end_value"))
        case "warmup_cosine_decay_schedule":
            return try warmupCosineDecaySchedule(
                initial: try number("init_value"), peak: try number("peak_value"),
                warmupSteps: try integer("warmup_steps"), decaySteps: try integer("decay_steps"),
                end: try number("end_value"), exponent: try number("exponent"))
        case "piecewise_constant_schedule":
            return try piecewiseConstantSchedule(
                initial: try number("init_value"),
                scales: Dictionary(
                    uniqueKeysWithValues: try arguments.stepScales("boundaries_and_scales").map {
                        ($0.key, $0.value)
                    }))
        default: throw unbuilt(spec)
        }
    }

    private static func hyperparameter(_ arguments: Arguments, _ name: String) throws -> Hyperparameter {
        switch try arguments.scalarOrSchedule(name) {
        case .number(let value): .constant(value)
        case .schedule(let spec): .schedule(try schedule(spec))
        }
    }

    private static func constant(_ arguments: Arguments, _ name: String) throws -> Hyperparameter {
        .constant(try arguments.number(name))
    }
}
