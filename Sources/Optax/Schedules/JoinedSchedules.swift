// Schedules one after the other, and those that are made that way: warm-ups and restarts.
import TensorEngine

/// One schedule after the other: schedule i + 1 takes over at `boundaries[i]`, and counts from there.
public func joinSchedules(_ schedules: [Schedule], boundaries: [Int]) throws -> Schedule {
    guard let first = schedules.first, boundaries.count == schedules.count - 1 else {
        throw TensorError(
            .argument, "joinSchedules", expected: "one boundary less than schedules",
            got: "\(schedules.count) schedules and \(boundaries.count) boundaries")
    }
    return Schedule { count in
        var value = try first(count)
        for (boundary, schedule) in zip(boundaries, schedules.dropFirst()) {
            value = try select(less(count, boundary), value, schedule(count - boundary))
        }
        return value
    }
}

/// A straight line from `initial` to `peak`, then constant.
public func warmupConstantSchedule(initial: Double, peak: Double, warmupSteps: Int) throws -> Schedule {
    try joinSchedules(
        [linearSchedule(initial: initial, end: peak, steps: warmupSteps), constantSchedule(peak)],
        boundaries: [warmupSteps])
}

/// A straight line from `initial` to `peak`, then half a cosine down to `end`.
///
/// - Parameter decaySteps: the length of the whole schedule, warm-up included; must be more than `warmupSteps`.
public func warmupCosineDecaySchedule(
    initial: Double, peak: Double, warmupSteps: Int, decaySteps: Int, end: Double = 0, exponent: Double = 1
) throws -> Schedule {
    let alpha = peak == 0 ? 0 : end / peak
    return try joinSchedules(
        [
            linearSchedule(initial: initial, end: peak, steps: warmupSteps),
            cosineDecaySchedule(
                initial: peak, steps: decaySteps - warmupSteps, alpha: alpha, exponent: exponent),
        ], boundaries: [warmupSteps])
}

/// A straight line from `initial` to `peak`, then an exponential decay. See `exponentialDecay`.
public func warmupExponentialDecaySchedule(
    initial: Double, peak: Double, warmupSteps: Int, steps: Int, decayRate: Double, begin: Int = 0,
    staircase: Bool = false, end: Double? = nil
) throws -> Schedule {
    try joinSchedules(
        [
            linearSchedule(initial: initial, end: peak, steps: warmupSteps),
            exponentialDecay(
                initial: peak, steps: steps, decayRate: decayRate, begin: begin, staircase: staircase,
                end: end),
        ], boundaries: [warmupSteps])
}

/// One cycle of `sgdrSchedule`, with the meaning of `warmupCosineDecaySchedule`'s arguments.
public struct WarmupCosineCycle: Sendable, Hashable {
    public var initial: Double
    public var peak: Double
    public var warmupSteps: Int
    public var decaySteps: Int
    public var end: Double
    public var exponent: Double

    public init(
        initial: Double, peak: Double, warmupSteps: Int, decaySteps: Int, end: Double = 0,
        exponent: Double = 1
    ) {
        self.initial = initial
        self.peak = peak
        self.warmupSteps = warmupSteps
        self.decaySteps = decaySteps
        self.end = end
        self.exponent = exponent
    }
}

/// Warm restarts (Loshchilov & Hutter, 2017, arXiv:1608.03983): cycles of warm-up and cosine decay, one after the other.
public func sgdrSchedule(_ cycles: [WarmupCosineCycle]) throws -> Schedule {
    var (boundaries, end) = ([Int](), 0)
    let schedules = try cycles.map { cycle in
        let (sum, overflow) = end.addingReportingOverflow(cycle.decaySteps)
        guard !overflow else {
            throw TensorError(
                .argument, "sgdrSchedule", expected: "cycles within 64 bits", got: "longer ones")
        }
        end = sum
        boundaries.append(end)
        return try warmupCosineDecaySchedule(
            initial: cycle.initial, peak: cycle.peak, warmupSteps: cycle.warmupSteps,
            decaySteps: cycle.decaySteps,
            end: cycle.end, exponent: cycle.exponent)
    }
    return try joinSchedules(schedules, boundaries: boundaries.dropLast())
}
