// Scaling by the size of the parameters, and of the updates themselves.
import TensorEngine

/// Multiplies each parameter's update u by `coefficient * |p| / (|u| + epsilon)` (You et al., 2017, arXiv:1708.03888; 2020,
/// arXiv:1904.00962), or by 1 where a norm is zero: such parameters would never move.
///
/// - Parameter minimumNorm: the smallest norm that either is taken to have.
public func scaleByTrustRatio(
    minimumNorm: Double = 0, coefficient: Hyperparameter = 1, epsilon: Hyperparameter = 0
) -> GradientTransformation {
    .stateless { updates, params in
        try mapLeaves("scaleByTrustRatio", updates, required(params, for: "scaleByTrustRatio")) { u, p in
            let parameterNorm = try safeNorm(p, minimum: minimumNorm)
            let updateNorm = try safeNorm(u, minimum: minimumNorm)
            let ratio = try coefficient * parameterNorm / (updateNorm + epsilon)
            let isZero = try or(equal(parameterNorm, 0), equal(updateNorm, 0))
            return try u * select(isZero, onesLike(ratio), ratio)
        }
    }
}

/// Multiplies each parameter's update by the parameter's norm, at least `minimum`.
public func scaleByParameterNorm(minimum: Double = 1e-3) -> GradientTransformation {
    .stateless { updates, params in
        try mapLeaves("scaleByParameterNorm", updates, required(params, for: "scaleByParameterNorm")) {
            u, p in
            try u * safeNorm(p, minimum: minimum)
        }
    }
}

/// Multiplies each parameter's update by the parameter's root mean square, at least `minimum`.
public func scaleByParameterRMS(minimum: Double = 1e-3) -> GradientTransformation {
    .stateless { updates, params in
        try mapLeaves("scaleByParameterRMS", updates, required(params, for: "scaleByParameterRMS")) { u, p in
            try u * safeRootMeanSquare(p, minimum: minimum)
        }
    }
}

/// Divides all updates together by their global norm: `u * scale / (norm + epsilon)`.
public func normalizeByUpdateNorm(
    scale: Hyperparameter = 1, epsilon: Hyperparameter = 1e-6
) -> GradientTransformation {
    .stateless { updates, _ in
        let norm = try (globalNorm(updates) + epsilon) / scale
        return try updates.map { try $0 / norm.astype($0.dtype) }
    }
}

/// Divides all updates together by their global norm.
public func normalize() -> GradientTransformation {
    .stateless { updates, _ in
        let norm = try globalNorm(updates)
        return try updates.map { try $0 / norm.astype($0.dtype) }
    }
}

/// Replaces each update by its sign.
public func scaleBySign() -> GradientTransformation {
    .stateless { updates, _ in try updates.map { try sign($0) } }
}

/// Subtracts from each update its mean over all axes but the first (Yong et al., 2020, arXiv:2004.01461); vectors pass.
public func centralize() -> GradientTransformation {
    .stateless { updates, _ in
        try updates.map { g in
            g.rank < 2 ? g : try g - mean(g, axes: Array(1..<g.rank), keepDims: true)
        }
    }
}
