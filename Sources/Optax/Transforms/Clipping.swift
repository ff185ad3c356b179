// Bounds on gradients.
import TensorEngine

/// Clips every element to `[-maxDelta, maxDelta]`.
public func clip(_ maxDelta: Hyperparameter) -> GradientTransformation {
    .stateless { updates, _ in
        try updates.map { g in
            let bound = try maxDelta.tensor(beside: g.dtype).astype(g.dtype)
            return try minimum(maximum(g, 0 - bound), bound)
        }
    }
}

/// Scales all gradients together so that their global norm is at most `maxNorm`: `g / norm * maxNorm` where it is larger,
/// unchanged where it is smaller (Pascanu et al., 2012, arXiv:1211.5063).
public func clipByGlobalNorm(_ maxNorm: Hyperparameter) -> GradientTransformation {
    .stateless { updates, _ in
        let norm = try globalNorm(updates)
        let isSmall = try less(norm, maxNorm)
        return try updates.map { g in
            try select(isSmall, g, g / norm.astype(g.dtype) * maxNorm)
        }
    }
}

/// Scales each parameter's gradient so that its root mean square is at most `threshold`.
public func clipByBlockRMS(_ threshold: Hyperparameter) -> GradientTransformation {
    .stateless { updates, _ in
        try updates.map { g in
            try g / maximum(1.0, sqrt(mean(square(g))) / threshold)
        }
    }
}

/// Scales the gradient of each unit (column of a matrix, filter of a convolution) so that its norm is at most `clipping` times
/// the norm of the unit's weights (Brock et al., 2021, arXiv:2102.06171).
///
/// - Parameter epsilon: the smallest norm that weights are taken to have.
public func adaptiveGradClip(_ clipping: Hyperparameter, epsilon: Double = 1e-3) -> GradientTransformation {
    .stateless { updates, params in
        try mapLeaves("adaptiveGradClip", updates, required(params, for: "adaptiveGradClip")) { g, p in
            let norm = try unitwiseNorm(g)
            let largest = try clipping * maximum(unitwiseNorm(p), epsilon)
            return try select(less(norm, largest), g, g * (largest / maximum(norm, 1e-6)))
        }
    }
}

/// The norm over what makes one unit: everything for vectors, the inputs of a dense kernel, window and inputs of a convolution.
private func unitwiseNorm(_ x: Tensor) throws -> Tensor {
    let axes: [Int]?
    switch x.shape.dimensions.count(where: { $0 != 1 }) {
    case 0, 1: axes = nil
    case _ where x.rank <= 3: axes = [0]
    case _ where x.rank == 4: axes = [0, 1, 2]
    default:
        throw TensorError(
            .shape, "adaptiveGradClip", expected: "parameters of at most 4 dimensions",
            got: "shape \(x.shape)")
    }
    return try broadcastTo(sqrt(sum(square(x), axes: axes, keepDims: axes != nil)), x.shape)
}
