// Updates kept within bounds that are not about their size: no NaN, no negative parameters.
import TensorEngine

/// Replaces NaN in updates by 0; the state says in which parameters there were any in the last step.
public func zeroNaNs() -> GradientTransformation {
    GradientTransformation { params in
        .state(
            "ZeroNansState",
            ["found_nan": try params.map { _ in try zeros([], dtype: .bool) }])
    } update: { updates, _, _, _ in
        let found = try updates.map { try TensorEngine.any(notEqual($0, $0)) }
        let cleaned = try updates.map { try select(notEqual($0, $0), zerosLike($0), $0) }
        return (cleaned, .state("ZeroNansState", ["found_nan": found]))
    }
}

/// Changes updates that would make a parameter negative so that it becomes 0. The parameters must not be negative to begin with.
public func keepParametersNonnegative() -> GradientTransformation {
    GradientTransformation { _ in
        .state("NonNegativeParamsState", [:])
    } update: { updates, state, params, _ in
        let name = "keepParametersNonnegative"
        let bounded = try mapLeaves(name, updates, required(params, for: name)) { u, p in
            try select(less(p + u, 0), 0 - p, u)
        }
        return (bounded, state)
    }
}
