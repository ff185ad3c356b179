// Schedules in pieces: jumps, interpolation between points, and the one-cycle policies made of those.
import TensorEngine

/// `initial`, multiplied by each scale once its boundary is reached.
///
/// - Parameter scales: from step counts to factors, none of them negative.
public func piecewiseConstantSchedule(initial: Double, scales: [Int: Double] = [:]) throws -> Schedule {
    let points = try ordered(scales, for: "piecewiseConstantSchedule")
    return Schedule { count in
        var value = try full([], initial)
        for (boundary, scale) in points {
            // As in Optax the boundary itself already counts as passed; a step halfway does not exist.
            let isBefore = try maximum(0.0, sign(boundary - count).astype(.float32))
            value = try value * isBefore + (1 - isBefore) * scale * value
        }
        return value
    }
}

/// How `piecewiseInterpolateSchedule` goes from one point to the next.
public enum ScheduleInterpolation: String, Sendable, Hashable, CaseIterable {
    case linear, cosine
}

/// Through the points `(boundary, value)`, where each value is the one before times the boundary's scale; constant after the last.
public func piecewiseInterpolateSchedule(
    _ interpolation: ScheduleInterpolation, initial: Double, scales: [Int: Double] = [:]
) throws -> Schedule {
    let points = try ordered(scales, for: "piecewiseInterpolateSchedule")
    var knots = [(step: 0, value: initial)]
    for (boundary, scale) in points { knots.append((boundary, knots[knots.count - 1].value * scale)) }
    let (last, segments) = (
        knots[knots.count - 1], zip(knots, knots.dropFirst()).filter { $0.step < $1.step }
    )
    return Schedule { count in
        var value = try full([], last.value)
        for (from, to) in segments.reversed() {
            let fraction = try (count - from.step).astype(.float32) / Double(to.step - from.step)
            let between =
                switch interpolation {
                case .linear: try (to.value - from.value) * fraction + from.value
                case .cosine:
                    try to.value + (from.value - to.value) / 2 * (roundedCosine(Double.pi * fraction) + 1)
                }
            value = try select(less(count, to.step), between, value)
        }
        return value
    }
}

/// The one-cycle policy (Smith & Topin, 2018, arXiv:1708.07120) in straight lines: up from `peak / divisor` to `peak` in the first
/// `riseFraction` of the steps, down again until `fallFraction`, then to `peak / divisor / finalDivisor`.
public func linearOneCycleSchedule(
    steps: Int, peak: Double, riseFraction: Double = 0.3, fallFraction: Double = 0.85, divisor: Double = 25,
    finalDivisor: Double = 1e4
) throws -> Schedule {
    let (rise, fall) = (
        try boundary(riseFraction, of: steps, for: "linearOneCycleSchedule"),
        try boundary(fallFraction, of: steps, for: "linearOneCycleSchedule")
    )
    return try piecewiseInterpolateSchedule(
        .linear, initial: peak / divisor,
        scales: merged([(rise, divisor), (fall, 1 / divisor), (steps, 1 / finalDivisor)]))
}

/// The one-cycle policy along cosines: up to `peak` in the first `riseFraction` of the steps, then down to
/// `peak / (divisor * finalDivisor)` divided by `divisor` again, as Optax defines it.
public func cosineOneCycleSchedule(
    steps: Int, peak: Double, riseFraction: Double = 0.3, divisor: Double = 25, finalDivisor: Double = 1e4
) throws -> Schedule {
    let rise = try boundary(riseFraction, of: steps, for: "cosineOneCycleSchedule")
    return try piecewiseInterpolateSchedule(
        .cosine, initial: peak / divisor,
        scales: merged([(rise, divisor), (steps, 1 / (divisor * finalDivisor))]))
}

/// Of equal boundaries the last counts, as in the dictionary that Optax makes of them.
private func merged(_ points: [(Int, Double)]) -> [Int: Double] { Dictionary(points) { _, last in last } }

private func boundary(_ fraction: Double, of steps: Int, for operation: String) throws -> Int {
    guard steps > 0, let boundary = Int(exactly: (fraction * Double(steps)).rounded(.towardZero)) else {
        throw TensorError(
            .argument, operation, expected: "a positive number of steps and a fraction of them",
            got: "\(steps) steps, fraction \(fraction)")
    }
    return boundary
}

private func ordered(_ scales: [Int: Double], for operation: String) throws -> [(key: Int, value: Double)] {
    guard scales.values.allSatisfy({ $0 >= 0 }), scales.keys.allSatisfy({ $0 >= 0 }) else {
        throw TensorError(
            .argument, operation, expected: "boundaries and scales of 0 or more", got: "\(scales)")
    }
    return scales.sorted { $0.key < $1.key }
}
