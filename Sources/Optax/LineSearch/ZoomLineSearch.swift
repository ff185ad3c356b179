// A line search that also asks for a small slope where it ends.
import TensorEngine

/// Where `scaleByZoomLineSearch` starts to look.
public enum LineSearchGuess: String, Sendable, Hashable, CaseIterable {
    /// At 1: right for Newton-like updates, whose own length is a good one.
    case one
    /// At the last step size: right for gradients.
    case keep
}

/// Multiplies updates by a step size for which the loss falls enough and its slope along the updates has become small (the strong Wolfe
/// conditions; Nocedal & Wright, 2006, algorithms 3.5 and 3.6, with the relaxed decrease of Hager & Zhang, 2006). Needs all of the
/// update's context.
///
/// First the step grows by `increaseFactor` until an interval is found that must contain a good one; then the interval shrinks, by
/// interpolation where that gives a point well inside, and by halving where it does not. A search that runs out of steps takes the best
/// step found that lowers the loss, if any.
///
/// - Parameters:
///   - maximumSteps: how many step sizes are tried; each costs a value and a gradient.
///   - maximumLearningRate: the largest step size; none for no bound.
///   - tolerance: how much each condition may fail by.
///   - slopeTolerance, curvatureTolerance: of the initial slope, how much the loss must fall by on average, and how much may be left.
///   - approximateDecreaseTolerance: how far the loss may rise, relative to itself, where its slope says that it falls: near a minimum the
///     change of the loss drowns in rounding. None to insist on the decrease.
///   - stepSizePrecision: at which length of the interval the search ends.
public func scaleByZoomLineSearch(
    maximumSteps: Int, maximumLearningRate: Double? = nil, tolerance: Double = 0, increaseFactor: Double = 2,
    slopeTolerance: Double = 1e-4, curvatureTolerance: Double = 0.9,
    approximateDecreaseTolerance: Double? = 1e-6,
    stepSizePrecision: Double = 1e-5, initialGuess: LineSearchGuess = .keep
) throws -> GradientTransformation {
    let name = "scaleByZoomLineSearch"
    guard maximumSteps > 0, Int32(exactly: maximumSteps) != nil, increaseFactor > 1 else {
        throw TensorError(
            .argument, name, expected: "1 or more steps and an increase above 1",
            got: "\(maximumSteps) steps, increase \(increaseFactor)")
    }
    let search = ZoomSearch(
        maximumSteps: maximumSteps, maximumSize: maximumLearningRate, tolerance: tolerance,
        increaseFactor: increaseFactor, slopeTolerance: slopeTolerance,
        curvatureTolerance: curvatureTolerance,
        approximateDecreaseTolerance: approximateDecreaseTolerance, precision: stepSizePrecision)
    @Sendable func state(_ rate: Tensor, _ value: Tensor, _ gradient: Tree, _ info: [Tensor]) -> Tree {
        .state(
            "ScaleByZoomLinesearchState",
            [
                "learning_rate": .tensor(rate), "value": .tensor(value), "grad": gradient,
                "info": .state(
                    "ZoomLinesearchInfo",
                    [
                        "num_linesearch_steps": .tensor(info[0]), "decrease_error": .tensor(info[1]),
                        "curvature_error": .tensor(info[2]),
                    ]),
            ])
    }
    return GradientTransformation { params in
        let dtype = params.leaves.first?.dtype ?? .float32
        let infinity = try full([], .infinity)
        return state(
            try ones([], dtype: dtype), try infinity.astype(dtype), try Tree.zerosLike(params),
            [try zeros([], dtype: .int32), infinity, infinity])
    } update: { updates, previous, params, context in
        let params = try required(params, for: name)
        let (value, gradients) = (try context.value(for: name), try context.gradients(for: name))
        let rate = try previous.scalar("learning_rate", of: name)
        let end = try search.run(
            params: params, updates: updates, value: value.astype(.float32), gradients: gradients,
            guess: initialGuess == .one ? ones([]) : rate.astype(.float32),
            function: context.valueFunction(for: name))
        return (
            try Tree.scale(.tensor(end.size), updates),
            state(
                try end.size.astype(rate.dtype),
                try end.value.astype(previous.scalar("value", of: name).dtype),
                try Tree.cast(end.gradient, like: previous.field("grad", of: name)),
                [end.count, end.decreaseError, end.curvatureError])
        )
    }
}

/// A step size, with the loss and its slope along the updates there.
private struct Trial: TensorTree {
    var size: Tensor
    var value: Tensor
    var slope: Tensor

    func appendLeaves(to leaves: inout [Tensor]) { leaves += [size, value, slope] }

    func replacingLeaves(from leaves: inout LeafCursor) throws -> Trial {
        Trial(size: try leaves.next(), value: try leaves.next(), slope: try leaves.next())
    }

    static func select(_ condition: Tensor, _ onTrue: Trial, _ onFalse: Trial) throws -> Trial {
        Trial(
            size: try TensorEngine.select(condition, onTrue.size, onFalse.size),
            value: try TensorEngine.select(condition, onTrue.value, onFalse.value),
            slope: try TensorEngine.select(condition, onTrue.slope, onFalse.slope))
    }
}

/// What the search carries from trial to trial.
private struct ZoomState: TensorTree {
    var count: Tensor
    /// The last trial and the gradient there.
    var last: Trial
    var gradient: Tree
    var decreaseError: Tensor
    var curvatureError: Tensor
    var isIntervalFound: Tensor
    var isDone: Tensor
    var hasFailed: Tensor
    /// The interval: `low` is its better end, on whichever side; `reference` a third point for interpolation.
    var low: Trial
    var high: Trial
    var reference: Trial
    /// The best trial so far that lowers the loss, with size 0 where there is none.
    var safe: Trial
    var safeGradient: Tree

    func appendLeaves(to leaves: inout [Tensor]) {
        leaves += [count, decreaseError, curvatureError, isIntervalFound, isDone, hasFailed]
        for trial in [last, low, high, reference, safe] { trial.appendLeaves(to: &leaves) }
        gradient.appendLeaves(to: &leaves)
        safeGradient.appendLeaves(to: &leaves)
    }

    func replacingLeaves(from leaves: inout LeafCursor) throws -> ZoomState {
        var result = self
        result.count = try leaves.next()
        result.decreaseError = try leaves.next()
        result.curvatureError = try leaves.next()
        result.isIntervalFound = try leaves.next()
        result.isDone = try leaves.next()
        result.hasFailed = try leaves.next()
        result.last = try last.replacingLeaves(from: &leaves)
        result.low = try low.replacingLeaves(from: &leaves)
        result.high = try high.replacingLeaves(from: &leaves)
        result.reference = try reference.replacingLeaves(from: &leaves)
        result.safe = try safe.replacingLeaves(from: &leaves)
        result.gradient = try gradient.replacingLeaves(from: &leaves)
        result.safeGradient = try safeGradient.replacingLeaves(from: &leaves)
        return result
    }
}

/// The search itself.
private struct ZoomSearch: Sendable {
    let maximumSteps: Int
    let maximumSize: Double?
    let tolerance: Double
    let increaseFactor: Double
    let slopeTolerance: Double
    let curvatureTolerance: Double
    let approximateDecreaseTolerance: Double?
    let precision: Double

    /// Where a search ended.
    struct End {
        let size: Tensor
        let value: Tensor
        let gradient: Tree
        let count: Tensor
        let decreaseError: Tensor
        let curvatureError: Tensor
    }

    func run(
        params: Tree, updates: Tree, value: Tensor, gradients: Tree, guess: Tensor,
        function: @escaping @Sendable (Tree) throws -> Tensor
    ) throws -> End {
        let zero = try zeros([])
        let infinity = try full([], .infinity)
        let start = Trial(size: zero, value: value, slope: try Tree.vdot(updates, gradients).astype(.float32))
        let falsehood = try zeros([], dtype: .bool)
        let initial = ZoomState(
            count: try zeros([], dtype: .int32), last: start, gradient: gradients, decreaseError: infinity,
            curvatureError: infinity, isIntervalFound: falsehood, isDone: falsehood, hasFailed: falsehood,
            low: start, high: start, reference: start, safe: start, safeGradient: gradients)
        let end = try whileLoop(
            { (state: ZoomState) in try logicalNot(or(state.isDone, state.hasFailed)) },
            { (state: ZoomState) in
                let size = try select(
                    state.isIntervalFound, insideInterval(state), beyond(state, guess: guess))
                let (value, gradient) = try valueAndGrad(function)(
                    Tree.addScale(params, .tensor(size), updates))
                let slope = try Tree.vdot(gradient, updates).astype(.float32)
                return try state.after(
                    Trial(size: size, value: value.astype(.float32), slope: slope),
                    gradient: Tree.cast(gradient, like: state.gradient), start: start, search: self)
            }, initial: initial)
        // A failed search falls back on a step that at least lowers the loss, and does not step where the loss is not finite.
        let fallsBack = try and(
            end.hasFailed, or(greater(end.safe.size, 0), equal(end.decreaseError, Double.infinity)))
        let chosen = try Trial.select(fallsBack, end.safe, end.last)
        return End(
            size: chosen.size, value: chosen.value,
            gradient: try Tree.select(fallsBack, end.safeGradient, end.gradient), count: end.count,
            decreaseError: end.decreaseError, curvatureError: end.curvatureError)
    }

    /// The next step size while no interval is found: the guess, then larger and larger ones.
    private func beyond(_ state: ZoomState, guess: Tensor) throws -> Tensor {
        let size = try select(equal(state.count, 0), guess, increaseFactor * state.last.size)
        return try maximumSize.map { try minimum(size, $0) } ?? size
    }

    /// The next step size in an interval: the minimum of a cubic or of a parabola through what is known, where that lies well inside, or
    /// the middle.
    private func insideInterval(_ state: ZoomState) throws -> Tensor {
        let (low, high) = (state.low, state.high)
        let length = try TensorEngine.abs(high.size - low.size)
        let (left, right) = (try minimum(high.size, low.size), try maximum(high.size, low.size))
        func isInside(_ size: Tensor, _ margin: Double) throws -> Tensor {
            try and(greater(size, left + margin * length), less(size, right - margin * length))
        }
        let cubic = try cubicMinimum(low, high, state.reference)
        let parabola = try parabolaMinimum(low, high)
        let middle = try (low.size + high.size) / 2.0
        return try select(isInside(cubic, 0.2), cubic, select(isInside(parabola, 0.1), parabola, middle))
    }

    /// By how much the loss has fallen too little; infinity where that is not a number.
    func decreaseError(_ trial: Trial, start: Trial) throws -> Tensor {
        let change = try trial.value - start.value
        var error = try change - slopeTolerance * trial.size * start.slope
        if let allowed = approximateDecreaseTolerance {
            let slopeError = try trial.slope - (2 * slopeTolerance - 1) * start.slope
            let rise = try change - allowed * TensorEngine.abs(start.value)
            error = try minimum(maximum(slopeError, rise), error)
        }
        error = try maximum(error, 0.0)
        return try select(notEqual(error, error), Double.infinity, error)
    }

    /// By how much the slope is still too large; infinity where that is not a number.
    func curvatureError(_ trial: Trial, start: Trial) throws -> Tensor {
        let error = try maximum(
            TensorEngine.abs(trial.slope) - curvatureTolerance * TensorEngine.abs(start.slope), 0.0)
        return try select(notEqual(error, error), Double.infinity, error)
    }
}

extension ZoomState {
    /// The state after a trial, which either looked for an interval or cut one.
    func after(_ trial: Trial, gradient: Tree, start: Trial, search: ZoomSearch) throws -> ZoomState {
        var next = self
        next.count = try safeIncrement(count)
        next.last = trial
        next.gradient = gradient
        next.decreaseError = try search.decreaseError(trial, start: start)
        next.curvatureError = try search.curvatureError(trial, start: start)
        let isGood = try lessEqual(maximum(next.decreaseError, next.curvatureError), search.tolerance)

        let falls = try lessEqual(next.decreaseError, search.tolerance)
        let isSafer = try and(falls, or(logicalNot(isIntervalFound), less(trial.value, safe.value)))
        next.safe = try .select(isSafer, trial, safe)
        next.safeGradient = try Tree.select(isSafer, gradient, safeGradient)

        let looking = try looked(trial, isGood: isGood, decreaseError: next.decreaseError, search)
        let cutting = try cut(trial, decreaseError: next.decreaseError)
        next.low = try .select(isIntervalFound, cutting.low, looking.low)
        next.high = try .select(isIntervalFound, cutting.high, looking.high)
        next.reference = try .select(isIntervalFound, cutting.reference, looking.low)
        next.isIntervalFound = try or(isIntervalFound, looking.isFound)
        next.isDone = try or(isGood, and(logicalNot(isIntervalFound), looking.isAtLimit))
        let isTooSmall = try and(
            isIntervalFound, lessEqual(TensorEngine.abs(high.size - low.size), search.precision))
        let givesUp = try or(
            greaterEqual(count + 1, search.maximumSteps), and(isTooSmall, greater(next.safe.size, 0)))
        next.hasFailed = try and(givesUp, logicalNot(next.isDone))
        return next
    }

    /// What a trial says while an interval is looked for: it ends at the trial where the loss rose, or where its slope has turned.
    private func looked(
        _ trial: Trial, isGood: Tensor, decreaseError: Tensor, _ search: ZoomSearch
    ) throws -> (low: Trial, high: Trial, isFound: Tensor, isAtLimit: Tensor) {
        let rises = try or(
            greater(decreaseError, 0), and(greaterEqual(trial.value, last.value), greater(count, 0)))
        let turns = try and(greaterEqual(trial.slope, 0), logicalNot(rises))
        let isFound = try or(or(rises, turns), isGood)
        let isAtLimit =
            try search.maximumSize.map { try and(greaterEqual(trial.size, $0), logicalNot(isFound)) }
            ?? zeros([], dtype: .bool)
        return (try .select(turns, trial, last), try .select(turns, last, trial), isFound, isAtLimit)
    }

    /// What a trial inside the interval makes of it.
    private func cut(
        _ trial: Trial, decreaseError: Tensor
    ) throws -> (low: Trial, high: Trial, reference: Trial) {
        let isWorse = try or(greater(decreaseError, 0), greaterEqual(trial.value, low.value))
        let turns = try and(greaterEqual(trial.slope * (high.size - low.size), 0), logicalNot(isWorse))
        let newHigh = try Trial.select(turns, low, .select(isWorse, trial, high))
        return (
            try .select(isWorse, low, trial), newHigh, try .select(or(isWorse, turns), high, low)
        )
    }
}

/// Where the cubic through three points, with a's slope, has its minimum; not a number where it has none.
private func cubicMinimum(_ a: Trial, _ b: Trial, _ c: Trial) throws -> Tensor {
    let (db, dc) = (try b.size - a.size, try c.size - a.size)
    let (rb, rc) = (try b.value - a.value - a.slope * db, try c.value - a.value - a.slope * dc)
    let denominator = try square(db * dc) * (db - dc)
    let cubic = try (dc * dc * rb - db * db * rc) / denominator
    let quadratic = try (db * db * db * rc - dc * dc * dc * rb) / denominator
    let root = try sqrt(quadratic * quadratic - 3.0 * cubic * a.slope)
    return try a.size + (root - quadratic) / (3.0 * cubic)
}

/// Where the parabola through two points, with a's slope, has its minimum.
private func parabolaMinimum(_ a: Trial, _ b: Trial) throws -> Tensor {
    let distance = try b.size - a.size
    let quadratic = try (b.value - a.value - a.slope * distance) / square(distance)
    return try a.size - a.slope / (2.0 * quadratic)
}
