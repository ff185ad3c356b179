// Schedules that go from one value to another along a polynomial.
import TensorEngine

/// From `initial` to `end` along `(1 - t / steps)^power`, starting after `begin` steps. Constant at `initial` where `steps` is not
/// positive, as in Optax.
public func polynomialSchedule(
    initial: Double, end: Double, power: Double, steps: Int, begin: Int = 0
) -> Schedule {
    guard steps > 0 else { return constantSchedule(initial) }
    let begin = max(begin, 0)
    return Schedule { count in
        let elapsed = try TensorEngine.clip(count - begin, 0, steps)
        let fraction = try 1 - elapsed.astype(.float32) / Double(steps)
        let curve = power == 1 ? fraction : try pow(fraction, power)
        return try (initial - end) * curve + end
    }
}

/// From `initial` to `end` in a straight line over `steps` steps, starting after `begin` steps.
public func linearSchedule(initial: Double, end: Double, steps: Int, begin: Int = 0) -> Schedule {
    polynomialSchedule(initial: initial, end: end, power: 1, steps: steps, begin: begin)
}
