// Schedules of a spec as Optax values.
import JobSpec
import Optax
import TensorEngine

enum ScheduleBuilder {
    /// A schedule: the value by the step's number.
    static func schedule(_ spec: ScheduleSpec) throws -> Schedule {
        try table.builder(spec).build(spec.arguments)
    }

    static let table = BuildTable<Arguments, Schedule>([decays, warmups, piecewise])

    private static let decays: [Builder<Arguments, Schedule>] = [
        .init("constant_schedule") { a in constantSchedule(try a.number("value")) },
        .init("linear_schedule") { a in
            linearSchedule(
                initial: try a.number("init_value"), end: try a.number("end_value"),
                steps: try a.integer("transition_steps"), begin: try a.integer("transition_begin"))
        },
        .init("polynomial_schedule") { a in
            polynomialSchedule(
                initial: try a.number("init_value"), end: try a.number("end_value"),
                power: try a.number("power"),
                steps: try a.integer("transition_steps"), begin: try a.integer("transition_begin"))
        },
        .init("cosine_decay_schedule") { a in
            try cosineDecaySchedule(
                initial: try a.number("init_value"), steps: try a.integer("decay_steps"),
                alpha: try a.number("alpha"), exponent: try a.number("exponent"))
        },
        .init("exponential_decay") { a in
            exponentialDecay(
                initial: try a.number("init_value"), steps: try a.integer("transition_steps"),
                decayRate: try a.number("decay_rate"), begin: try a.integer("transition_begin"),
                staircase: try a.boolean("staircase"), end: a.optionalNumber("end_value"))
        },
    ]

    private static let warmups: [Builder<Arguments, Schedule>] = [
        .init("warmup_constant_schedule") { a in
            try warmupConstantSchedule(
                initial: try a.number("init_value"), peak: try a.number("peak_value"),
                warmupSteps: try a.integer("warmup_steps"))
        },
        .init("warmup_cosine_decay_schedule") { a in
            try warmupCosineDecaySchedule(
                initial: try a.number("init_value"), peak: try a.number("peak_value"),
                warmupSteps: try a.integer("warmup_steps"), decaySteps: try a.integer("decay_steps"),
                end: try a.number("end_value"), exponent: try a.number("exponent"))
        },
        .init("warmup_exponential_decay_schedule") { a in
            try warmupExponentialDecaySchedule(
                initial: try a.number("init_value"), peak: try a.number("peak_value"),
                warmupSteps: try a.integer("warmup_steps"), steps: try a.integer("transition_steps"),
                decayRate: try a.number("decay_rate"), begin: try a.integer("transition_begin"),
                staircase: try a.boolean("staircase"), end: a.optionalNumber("end_value"))
        },
        .init("sgdr_schedule") { a in
            try sgdrSchedule(
                try a.blocks("cosine_kwargs").map { cycle in
                    WarmupCosineCycle(
                        initial: try cycle.number("init_value"), peak: try cycle.number("peak_value"),
                        warmupSteps: try cycle.integer("warmup_steps"),
                        decaySteps: try cycle.integer("decay_steps"), end: try cycle.number("end_value"),
                        exponent: try cycle.number("exponent"))
                })
        },
    ]

    private static let piecewise: [Builder<Arguments, Schedule>] = [
        .init("piecewise_constant_schedule") { a in
            try piecewiseConstantSchedule(initial: try a.number("init_value"), scales: try scales(a))
        },
        .init("piecewise_interpolate_schedule") { a in
            guard let kind = ScheduleInterpolation(rawValue: try a.text("interpolate_type")) else {
                throw CatalogMismatch("interpolate_type \(try a.text("interpolate_type"))")
            }
            return try piecewiseInterpolateSchedule(
                kind, initial: try a.number("init_value"), scales: try scales(a))
        },
        .init("linear_onecycle_schedule") { a in
            try linearOneCycleSchedule(
                steps: try a.integer("transition_steps"), peak: try a.number("peak_value"),
                riseFraction: try a.number("pct_start"), fallFraction: try a.number("pct_final"),
                divisor: try a.number("div_factor"), finalDivisor: try a.number("final_div_factor"))
        },
        .init("cosine_onecycle_schedule") { a in
            try cosineOneCycleSchedule(
                steps: try a.integer("transition_steps"), peak: try a.number("peak_value"),
                riseFraction: try a.number("pct_start"), divisor: try a.number("div_factor"),
                finalDivisor: try a.number("final_div_factor"))
        },
        .init("join_schedules") { a in
            try joinSchedules(
                try a.specs("schedules").map(schedule), boundaries: try a.integers("boundaries"))
        },
    ]

    private static func scales(_ a: Arguments) throws -> [Int: Double] {
        Dictionary(uniqueKeysWithValues: try a.stepScales("boundaries_and_scales").map { ($0.key, $0.value) })
    }
}
