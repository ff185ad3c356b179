// Scaling of updates by a fixed number, by a schedule, and by the learning rate.
import TensorEngine

/// Multiplies updates by a number.
public func scale(_ stepSize: Hyperparameter) -> GradientTransformation {
    .stateless { updates, _ in try updates.map { try stepSize * $0 } }
}

/// Multiplies updates by a schedule's value at the number of updates so far (0 in the first step).
public func scaleBySchedule(_ schedule: Schedule) -> GradientTransformation {
    GradientTransformation { _ in
        .state("ScaleByScheduleState", ["count": try .counter()])
    } update: { updates, state, _, _ in
        let count = try state.scalar("count", of: "scaleBySchedule")
        let size = try schedule(count)
        return (
            try updates.map { try size.astype($0.dtype) * $0 },
            .state("ScaleByScheduleState", ["count": .tensor(try safeIncrement(count))])
        )
    }
}

/// Multiplies updates by minus the learning rate: updates are added to the parameters, so this makes them descend.
///
/// - Parameter flipsSign: false for a learning rate that is already negative, or to ascend.
public func scaleByLearningRate(
    _ learningRate: Hyperparameter, flipsSign: Bool = true
) -> GradientTransformation {
    let sign = flipsSign ? -1.0 : 1.0
    switch learningRate {
    case .constant(let rate): return scale(.constant(sign * rate))
    case .schedule(let schedule): return scaleBySchedule(Schedule { try sign * schedule($0) })
    case .tensor(let rate):
        return .stateless { updates, _ in
            let size = try sign * rate
            return try updates.map { try size.astype($0.dtype.floating) * $0 }
        }
    }
}
