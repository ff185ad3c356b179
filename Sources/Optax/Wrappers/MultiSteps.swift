// Gradient accumulation.
import TensorEngine

/// Whether an update is left out: decides from the gradients, and keeps what it saw in a tree.
public struct SkipRule: Sendable {
    let decide: @Sendable (_ updates: Tree) throws -> (shouldSkip: Tensor, state: Tree)

    /// - Parameter decide: gives a bool scalar and the state to keep.
    public init(_ decide: @escaping @Sendable (_ updates: Tree) throws -> (shouldSkip: Tensor, state: Tree)) {
        self.decide = decide
    }

    /// Skips gradients that are not finite.
    public static let notFinite = SkipRule { updates in
        var count = try zeros([], dtype: .int32)
        for leaf in updates.leaves {
            count = try count + sum(logicalNot(isFinite(leaf)).astype(.int32))
        }
        let shouldSkip = try greater(count, 0)
        return (
            shouldSkip,
            .dictionary(["should_skip": .tensor(shouldSkip), "num_not_finite": .tensor(count)])
        )
    }

    /// Skips gradients whose squared global norm is at least `maximumSquaredNorm`.
    public static func largeUpdates(maximumSquaredNorm: Double) -> SkipRule {
        SkipRule { updates in
            var squares = try zeros([])
            for leaf in updates.leaves { squares = try squares + sum(square(leaf)) }
            // A NaN is not below the bound either.
            let shouldSkip = try logicalNot(less(squares, maximumSquaredNorm))
            return (
                shouldSkip,
                .dictionary(["should_skip": .tensor(shouldSkip), "norm_squared": .tensor(squares)])
            )
        }
    }
}

/// Gathers gradients over several steps and gives them to `inner` together: the effect of a larger batch in the memory of a small one
/// (Optax's `MultiSteps`). In the steps between, updates are zero.
///
/// - Parameters:
///   - every: how many steps to gather, as a function of the number of updates so far.
///   - usesMean: whether the mean of the gradients is given to `inner`, or their sum.
///   - skip: which gradients are left out as if the step had not happened.
///   - accumulatorDType: the type in which gradients are gathered, which is wider than that of half-precision ones.
public func multiSteps(
    _ inner: GradientTransformation, every: Schedule, usesMean: Bool = true, skip: SkipRule? = nil,
    accumulatorDType: DType = .float32
) -> GradientTransformation {
    let name = "multiSteps"
    return GradientTransformation { params in
        let start = try Tree.zerosLike(params)
        let gathered = try Tree.zerosLike(params, dtype: accumulatorDType)
        return .state(
            "MultiStepsState",
            [
                "mini_step": try .counter(), "gradient_step": try .counter(),
                "inner_opt_state": try inner.initialize(params: params), "acc_grads": gathered,
                "skip_state": try skip?.decide(start).state ?? .tuple([]),
            ])
    } update: { updates, state, params, context in
        let miniStep = try state.scalar("mini_step", of: name)
        let gradientStep = try state.scalar("gradient_step", of: name)
        let gathered = try state.field("acc_grads", of: name)
        let innerState = try state.field("inner_opt_state", of: name)
        let target = try every(gradientStep).astype(.int32)

        let sum = try mapLeaves(name, updates, gathered) { g, sum in
            // The mean so far, moved towards the new gradient: exact for any number of steps, and never overflows.
            let next =
                usesMean ? try sum + (g - sum) / (miniStep + 1).astype(sum.dtype.floating) : try g + sum
            return try next.astype(sum.dtype)
        }
        let (innerUpdates, newInnerState) = try inner.update(
            updates: Tree.cast(sum, like: updates), state: innerState, params: params, context: context)
        let (shouldSkip, skipState) = try skip?.decide(updates) ?? (full([], 0, dtype: .bool), .tuple([]))
        let isCounted = try logicalNot(shouldSkip)
        let emits = try and(equal(miniStep, target - 1), isCounted)

        let nextMiniStep = try rem(safeIncrement(miniStep), target)
        let nextGathered = try Tree.select(emits, Tree.zerosLike(sum), Tree.select(isCounted, sum, gathered))
        let next = Tree.state(
            "MultiStepsState",
            [
                "mini_step": .tensor(try select(isCounted, nextMiniStep, miniStep)),
                "gradient_step": .tensor(
                    try select(emits, safeIncrement(gradientStep), gradientStep)),
                "inner_opt_state": try Tree.select(emits, newInnerState, innerState),
                "acc_grads": nextGathered, "skip_state": skipState,
            ])
        return (try Tree.select(emits, innerUpdates, Tree.zerosLike(innerUpdates)), next)
    }
}

/// Gathers gradients over `every` steps. See the other `multiSteps`.
public func multiSteps(
    _ inner: GradientTransformation, every: Int, usesMean: Bool = true, skip: SkipRule? = nil,
    accumulatorDType: DType = .float32
) throws -> GradientTransformation {
    guard every > 0, Int32(exactly: every) != nil else {
        throw TensorError(.argument, "multiSteps", expected: "1 or more steps", got: "\(every)")
    }
    let schedule = Schedule { _ in try full([], Double(every), dtype: .int32) }
    return multiSteps(
        inner, every: schedule, usesMean: usesMean, skip: skip, accumulatorDType: accumulatorDType)
}

/// Whether the step that gave this state of `multiSteps` changed the parameters, a bool scalar.
public func multiStepsHasUpdated(_ state: Tree) throws -> Tensor {
    let name = "multiStepsHasUpdated"
    return try and(
        equal(state.scalar("mini_step", of: name), 0), greater(state.scalar("gradient_step", of: name), 0))
}
