// A line search that shrinks the step until the loss has fallen enough.
import TensorEngine

/// Multiplies updates by the first of the step sizes `s, decreaseFactor * s, …` for which the loss falls enough: Armijo's condition
/// `f(p + s u) <= (1 + relativeTolerance) f(p) + s * slopeTolerance * <u, g> + absoluteTolerance`. Needs all of the update's context.
/// The search starts a little above the last step size, so that steps can grow again.
///
/// - Parameters:
///   - maximumSteps: how often the step may shrink; after that the last one is taken as it is.
///   - storesGradient: also computes the gradient where the search ends, into the state: see `valueAndGradFromState`.
public func scaleByBacktrackingLineSearch(
    maximumSteps: Int, slopeTolerance: Double = 1e-4, decreaseFactor: Double = 0.8,
    increaseFactor: Double = 1.5,
    maximumLearningRate: Double = 1, absoluteTolerance: Double = 0, relativeTolerance: Double = 0,
    storesGradient: Bool = false
) throws -> GradientTransformation {
    let name = "scaleByBacktrackingLineSearch"
    guard maximumSteps >= 0, Int32(exactly: maximumSteps) != nil, decreaseFactor > 0, decreaseFactor < 1,
        increaseFactor >= 1
    else {
        throw TensorError(
            .argument, name,
            expected: "0 or more steps, a decrease between 0 and 1, an increase of 1 or more",
            got: "\(maximumSteps) steps, decrease \(decreaseFactor), increase \(increaseFactor)")
    }
    @Sendable func state(_ rate: Tensor, _ value: Tensor, _ gradient: Tree, _ steps: Tensor, _ error: Tensor)
        -> Tree
    {
        .state(
            "ScaleByBacktrackingLinesearchState",
            [
                "learning_rate": .tensor(rate), "value": .tensor(value), "grad": gradient,
                "info": .state(
                    "BacktrackingLinesearchInfo",
                    ["num_linesearch_steps": .tensor(steps), "decrease_error": .tensor(error)]),
            ])
    }
    return GradientTransformation { params in
        let dtype = params.leaves.first?.dtype ?? .float32
        let infinity = try full([], .infinity, dtype: dtype)
        return state(
            try ones([], dtype: dtype), infinity, storesGradient ? try Tree.zerosLike(params) : .none,
            try zeros([], dtype: .int32), infinity)
    } update: { updates, previous, params, context in
        let params = try required(params, for: name)
        let (value, gradients) = (try context.value(for: name), try context.gradients(for: name))
        let function = try context.valueFunction(for: name)
        let rate = try previous.scalar("learning_rate", of: name)
        let (valueType, errorType) = (
            try previous.scalar("value", of: name).dtype,
            try previous.field("info", of: name).scalar("decrease_error", of: name).dtype
        )
        let start = try value.astype(.float32)
        let slope = try Tree.vdot(updates, gradients).astype(.float32)

        // What the loop carries: the step size, the loss there, how much too little it fell, and the number of trials.
        let first = try minimum(increaseFactor * rate.astype(.float32), maximumLearningRate)
        let end = try whileLoop(
            { (search: [Tensor]) in
                // Not `greater`: an error that is no number is an error.
                try and(
                    logicalNot(lessEqual(search[2], absoluteTolerance)), lessEqual(search[3], maximumSteps))
            },
            { (search: [Tensor]) in
                let size = try select(greater(search[3], 0), decreaseFactor * search[0], search[0])
                let reached = try function(Tree.addScale(params, .tensor(size), updates)).astype(.float32)
                let lack = try reached - (1 + relativeTolerance) * start - size * slopeTolerance * slope
                let error = try maximum(select(notEqual(lack, lack), Double.infinity, lack), 0.0)
                return [size, reached, error, try search[3] + 1]
            }, initial: [first, start, full([], .infinity), zeros([], dtype: .int32)])
        // A step to where the loss is not finite is not made.
        let size = try select(equal(end[2], Double.infinity), 0.0, end[0])
        var gradient = Tree.none
        if storesGradient {
            gradient = try grad(function)(Tree.addScale(params, .tensor(end[0]), updates))
        }
        return (
            try Tree.scale(.tensor(size), updates),
            state(
                try size.astype(rate.dtype), try end[1].astype(valueType), gradient, end[3],
                try end[2].astype(errorType))
        )
    }
}

/// The loss and its gradients at the present parameters: those that a line search left in the state, where it did, and else computed.
///
/// A step with a line search ends with both at the parameters of the next step; this saves computing them again, as long as the loss is
/// the same function in every step (no batches).
///
///     let (value, gradients) = try valueAndGradFromState(loss, params, state: state)
public func valueAndGradFromState(
    _ function: @escaping @Sendable (Tree) throws -> Tensor, _ params: Tree, state: Tree
) throws -> (value: Tensor, gradients: Tree) {
    guard let value = try Tree.get(state, "value")?.tensor, let gradients = try Tree.get(state, "grad"),
        gradients.leaves.count == params.leaves.count
    else {
        throw TensorError(
            .structure, "valueAndGradFromState", expected: "a state with a loss and its gradients",
            got: "one without",
            fix:
                "Use an optimizer with a zoom line search, or with a backtracking one that stores the gradient."
        )
    }
    let result = try cond(
        isFinite(value), { (kept: [Tree]) in kept },
        { (kept: [Tree]) in
            let (value, gradients) = try valueAndGrad(function)(params)
            return [
                .tensor(try value.astype(kept[0].leaves[0].dtype)), try Tree.cast(gradients, like: kept[1]),
            ]
        }, [.tensor(value), gradients])
    return (result[0].tensor ?? value, result[1])
}
