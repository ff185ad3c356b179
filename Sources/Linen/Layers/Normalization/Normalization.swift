// What all normalization layers share: statistics, and what is done with them.
import TensorEngine

/// How a layer normalizes. The layers differ in the axes that they take the statistics over, and in where these come from.
struct Normalization {
    /// Added to the variance.
    var epsilon: Double
    /// The type of the result; nil: what input and parameters promote to.
    var dtype: DType?
    var paramDType: DType
    var useBias: Bool
    var useScale: Bool
    var biasInitializer: Initializer
    var scaleInitializer: Initializer
    /// Var = E[x²] - E[x]², in one pass over the input, instead of E[(x - E[x])²].
    var useFastVariance: Bool
    /// Statistics in float32 at least.
    var forceFloat32Reductions: Bool

    /// The mean and the variance over `axes`, which stay as dimensions of size 1. Float32 at least, if so configured.
    ///
    /// - Parameter mask: where to look, broadcast to the input; nil: everywhere.
    func statistics(
        _ x: Tensor, over axes: [Int], mask: Tensor?
    ) throws -> (mean: Tensor, variance: Tensor) {
        let x = try prepared(x)
        let mean = try masked(x, mean: axes, mask)
        guard useFastVariance else {
            return (mean, try masked(square(x - mean), mean: axes, mask))
        }
        // Rounding can make the difference negative.
        let difference = try masked(square(x), mean: axes, mask) - square(mean)
        return (mean, try maximum(zerosLike(difference), difference))
    }

    /// The mean of the squares over `axes`, which stay as dimensions of size 1.
    func meanSquare(_ x: Tensor, over axes: [Int], mask: Tensor?) throws -> Tensor {
        try masked(square(prepared(x)), mean: axes, mask)
    }

    private func prepared(_ x: Tensor) throws -> Tensor {
        let type = dtype ?? x.dtype
        return try x.astype(forceFloat32Reductions ? DType.promote(type, .float32) : type.floating)
    }

    private func masked(_ x: Tensor, mean axes: [Int], _ mask: Tensor?) throws -> Tensor {
        guard let mask else { return try mean(x, axes: axes, keepDims: true) }
        let isSeen = try broadcastTo(mask.astype(.bool), x.shape)
        return try sum(select(isSeen, x, zerosLike(x)), axes: axes, keepDims: true)
            / sum(isSeen.astype(x.dtype), axes: axes, keepDims: true)
    }

    /// (x - mean) · (scale / √(variance + ε)) + bias, with the parameters `scale` and `bias` of `module`.
    ///
    /// - Parameters:
    ///   - mean: broadcasts to the input; nil: 0.
    ///   - featureAxes: the axes that have a scale and a bias for each of their members.
    func normalized(
        _ x: Tensor, mean: Tensor?, variance: Tensor, featureAxes: [Int], in module: Module
    ) throws -> Tensor {
        let features = featureAxes.sorted()
        let shape = Shape(features.map { x.shape[$0] })
        let broadcast = Shape(x.shape.indices.map { features.contains($0) ? x.shape[$0] : 1 })
        var types = [x.dtype]
        var factor = try rsqrt(variance + epsilon)
        if useScale {
            let scale = try module.param("scale", scaleInitializer, shape, dtype: paramDType)
            factor = try factor * reshape(scale, broadcast)
            types.append(paramDType)
        }
        var y = try mean.map { try x - $0 } ?? x
        y = try y * factor
        if useBias {
            let bias = try module.param("bias", biasInitializer, shape, dtype: paramDType)
            y = try y + reshape(bias, broadcast)
            types.append(paramDType)
        }
        return try y.astype(dtype ?? types.dropFirst().reduce(types[0], DType.promote).floating)
    }
}
