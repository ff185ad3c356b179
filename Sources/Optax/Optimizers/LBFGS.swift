// L-BFGS: Newton's method with an inverse Hessian estimated from the last few steps.
import TensorEngine

/// Multiplies updates by L-BFGS's estimate of the inverse Hessian (Liu & Nocedal, 1989), made from the changes of parameters and updates
/// in the last `memorySize` steps. Give it gradients of the full loss: those of batches differ for another reason than curvature.
///
/// - Parameter scalesInitialEstimate: whether the estimate that the memory corrects is the identity times the curvature of the last step
///   (in the first step 1 over the gradient's norm, at most 1), or the identity.
public func scaleByLBFGS(memorySize: Int = 10, scalesInitialEstimate: Bool = true) throws
    -> GradientTransformation
{
    let name = "scaleByLBFGS"
    guard memorySize > 0, Int32(exactly: memorySize) != nil else {
        throw TensorError(.argument, name, expected: "a memory of 1 or more steps", got: "\(memorySize)")
    }
    return GradientTransformation { params in
        let memory = try params.map {
            try zeros(Shape([memorySize] + $0.shape.dimensions), dtype: $0.dtype)
        }
        return .state(
            "ScaleByLBFGSState",
            [
                "count": try .counter(), "params": try Tree.zerosLike(params),
                "updates": try Tree.zerosLike(params), "diff_params_memory": memory,
                "diff_updates_memory": memory, "weights_memory": .tensor(try zeros([memorySize])),
            ])
    } update: { updates, state, params, _ in
        let params = try required(params, for: name)
        let count = try state.scalar("count", of: name)
        let isLater = try greater(count, 0)
        /// The change since the last step; zero in the first.
        func change(_ present: Tree, since field: String) throws -> Tree {
            let difference = try mapLeaves(name, present, state.field(field, of: name)) { try $0 - $1 }
            return try Tree.select(isLater, difference, Tree.zerosLike(difference))
        }
        let (paramsChange, updatesChange) = (
            try change(params, since: "params"), try change(updates, since: "updates")
        )
        let curvature = try Tree.vdot(updatesChange, paramsChange)
        let isFlat = try equal(curvature, 0)
        let weight = try select(isFlat, 0.0, 1 / select(isFlat, 1.0, curvature))

        // The present change overwrites the oldest, in the place of the step before this one.
        let place = try rem(count + (memorySize - 1), memorySize)
        let isPlace = try equal(arange(memorySize), place)
        func remember(_ memory: Tensor, _ value: Tensor) throws -> Tensor {
            let mask = try reshape(isPlace, Shape([memorySize] + value.shape.dimensions.map { _ in 1 }))
            return try select(mask, expandDims(value.astype(memory.dtype), axis: 0), memory)
        }
        let paramsMemory = try mapLeaves(
            name, state.field("diff_params_memory", of: name), paramsChange, remember)
        let updatesMemory = try mapLeaves(
            name, state.field("diff_updates_memory", of: name), updatesChange, remember)
        let weights = try remember(state.scalar("weights_memory", of: name), weight)

        var scale = try ones([])
        if scalesInitialEstimate {
            let size = try Tree.squaredNorm(updatesChange)
            let isSmall = try lessEqual(size, 0)
            let ratio = try select(isSmall, 1.0, curvature / select(isSmall, 1.0, size))
            let norm = try Tree.norm(updates.map { try stopGradient($0) })
            scale = try select(isLater, ratio, minimum(1.0, 1 / norm))
        }
        // From the oldest step to the last one.
        let order = try rem(arange(memorySize) + rem(count, memorySize), memorySize)
        func ordered(_ memory: Tree) throws -> Tree { try memory.map { try take($0, order) } }
        let result = try precondition(
            updates, scale, try ordered(paramsMemory), try ordered(updatesMemory), try take(weights, order))
        return (
            result,
            .state(
                "ScaleByLBFGSState",
                [
                    "count": .tensor(try safeIncrement(count)), "params": params, "updates": updates,
                    "diff_params_memory": paramsMemory, "diff_updates_memory": updatesMemory,
                    "weights_memory": .tensor(weights),
                ])
        )
    }
}

/// The product of the estimated inverse Hessian and a vector (Nocedal & Wright, 2006, algorithm 7.4): one pass over the memory from the
/// last step to the oldest, and one back.
private func precondition(
    _ vector: Tree, _ scale: Tensor, _ paramsMemory: Tree, _ updatesMemory: Tree, _ weights: Tensor
) throws -> Tree {
    let (right, alphas) = try scan(
        { (vector: Tree, step: [Tree]) in
            let alpha = try (step[2].tensor ?? zeros([])) * Tree.vdot(step[0], vector)
            let next = try Tree.addScale(vector, .tensor(0 - alpha), step[1])
            return (try Tree.cast(next, like: vector), alpha)
        }, initial: vector, over: [paramsMemory, updatesMemory, .tensor(weights)], reverse: true)
    let middle = try Tree.scale(.tensor(scale), right)
    return try scan(
        { (vector: Tree, step: [Tree]) in
            let beta = try (step[2].tensor ?? zeros([])) * Tree.vdot(step[1], vector)
            let factor = try (step[3].tensor ?? zeros([])) - beta
            let next = try Tree.addScale(vector, .tensor(factor), step[0])
            return (try Tree.cast(next, like: vector), [Tensor]())
        }, initial: middle, over: [paramsMemory, updatesMemory, .tensor(weights), .tensor(alphas)]
    ).carry
}

/// L-BFGS (Liu & Nocedal, 1989), by default with a zoom line search: pass the loss, its gradients and the loss as a function in the
/// update's context. See `scaleByLBFGS`, `scaleByZoomLineSearch`.
///
/// - Parameters:
///   - learningRate: a factor before the line search; none for 1.
///   - lineSearch: nil for none, and then a learning rate below 1 is in order.
public func lbfgs(
    learningRate: Hyperparameter? = nil, memorySize: Int = 10, scalesInitialEstimate: Bool = true,
    lineSearch: GradientTransformation?
) throws -> GradientTransformation {
    chain(
        try scaleByLBFGS(memorySize: memorySize, scalesInitialEstimate: scalesInitialEstimate),
        learningRate.map { scaleByLearningRate($0) } ?? scale(-1), lineSearch ?? identity())
}

/// L-BFGS with a zoom line search of at most 20 steps, each starting at step size 1: Optax's default.
public func lbfgs(
    learningRate: Hyperparameter? = nil, memorySize: Int = 10, scalesInitialEstimate: Bool = true
) throws -> GradientTransformation {
    try lbfgs(
        learningRate: learningRate, memorySize: memorySize, scalesInitialEstimate: scalesInitialEstimate,
        lineSearch: scaleByZoomLineSearch(maximumSteps: 20, initialGuess: .one))
}
