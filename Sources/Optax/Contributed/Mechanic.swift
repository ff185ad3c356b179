// Mechanic: a learning rate tuner around any optimizer.
import TensorEngine

/// Mechanic (Cutkosky et al., 2023, arXiv:2306.00144): scales the sum of all of `base`'s updates since the start by a factor that it
/// learns by betting, with several rates of forgetting at once. `base` keeps its schedule, whose scale no longer matters.
///
/// - Parameters:
///   - weightDecay: of the parameters, as the factor's gradient sees it.
///   - initialScale: the factor before the first step.
///   - betaCount: the number of rates of forgetting, `1 - 0.1^k`.
public func mechanize(
    _ base: GradientTransformation, weightDecay: Double = 0.01, epsilon: Double = 1e-8,
    initialScale: Double = 1e-6, betaCount: Int = 6
) throws -> GradientTransformation {
    let name = "mechanize"
    guard (1...64).contains(betaCount) else {
        throw TensorError(.argument, name, expected: "1 to 64 rates of forgetting", got: "\(betaCount)")
    }
    var (rates, power) = ([Float](), 1.0)
    for _ in 0..<betaCount {
        power *= 0.1
        rates.append(Float(1 - power))
    }
    let betas = try Tensor(rates)
    return GradientTransformation { params in
        let dtype = Tree.lowestDType(params)
        let start = try zeros([betaCount], dtype: dtype)
        return .state(
            "MechanicState",
            [
                "base_optimizer_state": try base.initialize(params: params), "count": try .counter(),
                "r": .tensor(start), "m": .tensor(start), "v": .tensor(start),
                "s": .tensor(try full([betaCount], initialScale, dtype: dtype)), "x0": params,
            ])
    } update: { updates, state, params, context in
        let params = try required(params, for: name)
        func vector(_ field: String) throws -> Tensor { try state.scalar(field, of: name) }
        let count = try vector("count")
        let (r, m, v, s) = (try vector("r"), try vector("m"), try vector("v"), try vector("s"))
        let (changed, baseState) = try base.update(
            updates: updates, state: state.field("base_optimizer_state", of: name), params: params,
            context: context)
        let start = try Tree.select(equal(count, 0), params, state.field("x0", of: name))
        let scale = try sum(s)
        let pull = try weightDecay * scale * Tree.norm(updates) / (Tree.norm(params) + epsilon)
        let gradients = try Tree.addScale(updates, .tensor(pull), params)
        let previous = try mapLeaves(name, params, start) { p, start in
            try (start - p) / (scale + epsilon).astype(p.dtype)
        }
        let direction = try mapLeaves(name, previous, changed) { try $0 - $1 }

        let reward = try Tree.vdot(gradients, previous)
        let bounded = try minimum(maximum(reward, 0 - m), m)
        let beta = try betas.astype(s.dtype)
        let newM = try maximum(beta * m, TensorEngine.abs(reward) + epsilon)
        let newV = try square(beta) * v + square(reward)
        let newR = try beta * r + bounded * s
        let wealth = try initialScale / Double(betaCount) * newM + maximum(newR, 0)
        let newS = try wealth / (sqrt(newV) + epsilon)
        let newScale = try sum(newS)
        let result = try mapLeaves(name, start, direction, params) { start, direction, p in
            try start - newScale.astype(p.dtype) * direction - p
        }
        func kept(_ new: Tensor, _ old: Tensor) throws -> Tree { .tensor(try new.astype(old.dtype)) }
        return (
            result,
            .state(
                "MechanicState",
                [
                    "base_optimizer_state": baseState, "count": .tensor(try safeIncrement(count)),
                    "r": try kept(newR, r), "m": try kept(newM, m), "v": try kept(newV, v),
                    "s": try kept(newS, s), "x0": start,
                ])
        )
    }
}
