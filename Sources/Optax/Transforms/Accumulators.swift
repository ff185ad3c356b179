// Running sums and averages of updates: momentum, exponential moving average, applying every k steps.
import TensorEngine

/// Momentum: `t = g + decay * t`, and the update is t, or with Nesterov's look ahead `g + decay * t`.
///
/// - Parameter accumulatorDType: the type in which t is kept; by default that of the parameters.
public func trace(
    decay: Hyperparameter, nesterov: Bool = false, accumulatorDType: DType? = nil
) -> GradientTransformation {
    GradientTransformation { params in
        .state("TraceState", ["trace": try Tree.zerosLike(params, dtype: accumulatorDType)])
    } update: { updates, state, _, _ in
        let step = { (g: Tensor, t: Tensor) in try g + decay * t }
        let trace = try mapLeaves("trace", updates, state.field("trace", of: "trace"), step)
        let result = nesterov ? try mapLeaves("trace", updates, trace, step) : trace
        return (result, .state("TraceState", ["trace": try Tree.cast(trace, to: accumulatorDType)]))
    }
}

/// Exponential moving average: `m = (1 - decay) * g + decay * m`, with the correction of its start at zero.
public func ema(
    decay: Hyperparameter, debias: Bool = true, accumulatorDType: DType? = nil
) -> GradientTransformation {
    GradientTransformation { params in
        .state(
            "EmaState",
            ["count": try .counter(), "ema": try Tree.zerosLike(params, dtype: accumulatorDType)])
    } update: { updates, state, _, _ in
        let average = try updateMoment(updates, state.field("ema", of: "ema"), decay, operation: "ema")
        let count = try safeIncrement(state.scalar("count", of: "ema"))
        let result = debias ? try biasCorrection(average, decay, count) : average
        return (
            result,
            .state(
                "EmaState", ["count": .tensor(count), "ema": try Tree.cast(average, to: accumulatorDType)])
        )
    }
}

/// Adds updates up and lets their sum pass in every k-th step, zeros in between.
///
/// States of other members of a chain change in every step: for the effect of a k times larger batch use `multiSteps`.
public func applyEvery(_ k: Int = 1) throws -> GradientTransformation {
    guard k > 0 else { throw TensorError(.argument, "applyEvery", expected: "k of 1 or more", got: "\(k)") }
    return GradientTransformation { params in
        .state("ApplyEvery", ["count": try .counter(), "grad_acc": try Tree.zerosLike(params)])
    } update: { updates, state, _, _ in
        let count = try state.scalar("count", of: "applyEvery")
        let position = try rem(count, k)
        let sum = try mapLeaves("applyEvery", updates, state.field("grad_acc", of: "applyEvery")) { g, sum in
            try select(notEqual(position, 0), sum + g, g)
        }
        let emitted = try Tree.select(equal(position, k - 1), sum, Tree.zerosLike(sum))
        let next = try rem(safeIncrement(count), k)
        return (emitted, .state("ApplyEvery", ["count": .tensor(next), "grad_acc": sum]))
    }
}
