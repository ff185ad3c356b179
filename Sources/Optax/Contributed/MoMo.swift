// MoMo: momentum with a step size from a model of the loss.
import TensorEngine

/// MoMo (Schaipp et al., 2023, arXiv:2305.07583): gradient descent with momentum whose step goes to where the average of the recent
/// linear models of the loss reaches its lower bound, at most `learningRate` far. Needs the present loss (`context.value`).
///
/// - Parameters:
///   - lowerBound: of the loss; 0 for most.
///   - adaptsLowerBound: estimates the bound, from `lowerBound` up.
public func momo(
    learningRate: Hyperparameter = 1, beta: Double = 0.9, lowerBound: Double = 0, weightDecay: Double = 0,
    adaptsLowerBound: Bool = false
) -> GradientTransformation {
    let name = "momo"
    return GradientTransformation { params in
        let model = try LossModel(params: params, lowerBound: lowerBound)
        return .record(
            name: "MomoState",
            fields: [Tree.Field("exp_avg", try Tree.zerosLike(params))]
                + model.fields(count: try zeros([], dtype: .int32)))
    } update: { updates, state, params, context in
        let params = try required(params, for: name)
        let count = try state.scalar("count", of: name)
        // The first gradient starts the averages: no correction is needed.
        let decay = Hyperparameter.tensor(try select(equal(count, 0), 0.0, full([], beta)))
        let mean = try updateMoment(updates, state.field("exp_avg", of: name), decay, operation: name)
        var model = try LossModel(state, name)
        try model.average(context.value(for: name), Tree.vdot(updates, params), decay: decay)
        let step = try model.step(
            learningRate: learningRate.scalar(at: count), along: Tree.vdot(mean, params),
            norm: Tree.squaredNorm(mean), weightDecay: weightDecay,
            newBound: adaptsLowerBound ? lowerBound : nil)
        let result = try mapLeaves(name, mean, params) { m, p in
            try 0 - step.shrinkage * p - step.size * m
        }
        return (
            result,
            .record(
                name: "MomoState",
                fields: [Tree.Field("exp_avg", mean)] + model.fields(count: try safeIncrement(count)))
        )
    }
}

/// MoMo with Adam's preconditioner (Schaipp et al., 2023, arXiv:2305.07583). See `momo`.
public func momoAdam(
    learningRate: Hyperparameter = 0.01, b1: Double = 0.9, b2: Double = 0.999, epsilon: Double = 1e-8,
    lowerBound: Double = 0, weightDecay: Double = 0, adaptsLowerBound: Bool = false
) -> GradientTransformation {
    let name = "momoAdam"
    @Sendable func state(_ mean: Tree, _ squares: Tree, _ model: LossModel, _ count: Tensor) -> Tree {
        .record(
            name: "MomoAdamState",
            fields: [Tree.Field("exp_avg", mean), Tree.Field("exp_avg_sq", squares)]
                + model.fields(count: count))
    }
    return GradientTransformation { params in
        let start = try Tree.zerosLike(params)
        return state(
            start, start, try LossModel(params: params, lowerBound: lowerBound), try zeros([], dtype: .int32))
    } update: { updates, previous, params, context in
        let params = try required(params, for: name)
        let previousCount = try previous.scalar("count", of: name)
        let count = try safeIncrement(previousCount)
        let mean = try updateMoment(
            updates, previous.field("exp_avg", of: name), .constant(b1), operation: name)
        let squares = try updateSquareMoment(
            updates, previous.field("exp_avg_sq", of: name), .constant(b2), operation: name)
        let (meanCorrection, squareCorrection) = (
            try 1 - powerBySquaring(.constant(b1), count), try 1 - powerBySquaring(.constant(b2), count)
        )
        let divided = try mapLeaves(name, mean, squares) { m, v in
            try m / (epsilon + sqrt(v / squareCorrection.astype(v.dtype)))
        }
        var model = try LossModel(previous, name)
        try model.average(context.value(for: name), Tree.vdot(updates, params), decay: .constant(b1))
        let step = try model.step(
            learningRate: learningRate.scalar(at: previousCount), along: Tree.vdot(mean, params),
            norm: Tree.vdot(mean, divided), weightDecay: weightDecay,
            newBound: adaptsLowerBound ? lowerBound : nil, correction: meanCorrection)
        let result = try mapLeaves(name, divided, params) { m, p in
            try 0 - step.shrinkage * p - step.size * m
        }
        return (result, state(mean, squares, model, count))
    }
}

/// The averages that the model of the loss is made of: of its values, and of the products of gradients and parameters.
private struct LossModel {
    private var value: Tensor
    private var product: Tensor
    private var lowerBound: Tensor

    init(params: Tree, lowerBound: Double) throws {
        let dtype = Tree.lowestDType(params)
        value = try zeros([], dtype: dtype)
        product = value
        self.lowerBound = try full([], lowerBound, dtype: dtype)
    }

    init(_ state: Tree, _ operation: String) throws {
        value = try state.scalar("barf", of: operation)
        product = try state.scalar("gamma", of: operation)
        lowerBound = try state.scalar("lb", of: operation)
    }

    mutating func average(_ newValue: Tensor, _ newProduct: Tensor, decay: Hyperparameter) throws {
        let (dtype, complement) = (value.dtype, try decay.complement())
        value = try (decay * value + complement * newValue).astype(dtype)
        product = try (decay * product + complement * newProduct).astype(dtype)
    }

    /// How much the parameters shrink, and how far they move against the average of the gradients.
    ///
    /// - Parameters:
    ///   - along: the product of that average and the parameters.
    ///   - norm: the average's squared norm.
    ///   - newBound: the least value of an estimated lower bound; nil to leave the bound as it is.
    ///   - correction: of the averages' start at zero.
    mutating func step(
        learningRate: Tensor, along: Tensor, norm: Tensor, weightDecay: Double, newBound: Double?,
        correction: Tensor? = nil
    ) throws -> (shrinkage: Hyperparameter, size: Hyperparameter) {
        let correction = try correction ?? ones([])
        let decay = try learningRate * weightDecay
        let growth = try 1 + decay
        var bound = lowerBound
        if let newBound {
            let cap = try growth * (value - product) + along
            let lowered = try maximum(cap / (2 * correction * growth), newBound)
            bound = try select(less(cap, growth * correction * bound), lowered, bound)
        }
        let gap = try maximum(growth * (value - correction * bound - product) + along, 0.0)
        let isZero = try lessEqual(norm, smallestSquaredNorm)
        let ideal = try select(isZero, 0.0, gap / select(isZero, 1.0, norm))
        let size = try minimum(learningRate / correction, ideal)
        if let newBound {
            let estimate = try (value + along - product - 0.5 * size * norm) / correction
            lowerBound = try maximum(estimate, newBound).astype(lowerBound.dtype)
        }
        return (.tensor(try decay / growth), .tensor(size))
    }

    func fields(count: Tensor) -> [Tree.Field] {
        [
            Tree.Field("barf", .tensor(value)), Tree.Field("gamma", .tensor(product)),
            Tree.Field("lb", .tensor(lowerBound)), Tree.Field("count", .tensor(count)),
        ]
    }
}
