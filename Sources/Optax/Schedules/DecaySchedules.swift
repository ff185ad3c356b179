// Schedules that decay exponentially or along a cosine.
import TensorEngine

/// `initial * decayRate^((count - begin) / steps)`, and `initial` until `begin`.
///
/// - Parameters:
///   - staircase: decays in jumps, every `steps` steps.
///   - end: the value at which the decay (or, with a rate above 1, the growth) stops.
public func exponentialDecay(
    initial: Double, steps: Int, decayRate: Double, begin: Int = 0, staircase: Bool = false,
    end: Double? = nil
) -> Schedule {
    guard steps > 0, decayRate != 0 else { return constantSchedule(initial) }
    let begin = max(begin, 0)
    return Schedule { count in
        let elapsed = try count - begin
        var exponent = try elapsed.astype(.float32) / Double(steps)
        if staircase { exponent = try floor(exponent) }
        let value = try select(
            lessEqual(elapsed, 0), full([], initial), initial * pow(full([], decayRate), exponent))
        guard let end else { return value }
        return decayRate < 1 ? try maximum(value, end) : try minimum(value, end)
    }
}

/// From `initial` down to `alpha * initial` along half a cosine over `steps` steps
/// (Loshchilov & Hutter, 2017, arXiv:1608.03983): `initial * ((1 - alpha) * c^exponent + alpha)`, `c = (1 + cos(π t / steps)) / 2`.
public func cosineDecaySchedule(
    initial: Double, steps: Int, alpha: Double = 0, exponent: Double = 1
) throws -> Schedule {
    guard steps > 0 else {
        throw TensorError(
            .argument, "cosineDecaySchedule", expected: "a positive number of steps to decay over",
            got: "\(steps)")
    }
    return Schedule { count in
        let elapsed = try minimum(count, steps).astype(.float32)
        let cosine = try 0.5 * (1 + roundedCosine(Double.pi * elapsed / Double(steps)))
        let decayed = exponent == 1 ? cosine : try pow(cosine, exponent)
        return try initial * ((1 - alpha) * decayed + alpha)
    }
}

/// The cosine of a float32 scalar, rounded once: `1 + cos` loses most digits near -1, so the last bit counts.
func roundedCosine(_ x: Tensor) throws -> Tensor { try cos(x.astype(.float64)).astype(.float32) }
