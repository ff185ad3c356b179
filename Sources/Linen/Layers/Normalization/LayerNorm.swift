// Normalizations of each example by itself: by mean and variance, or by the root mean square.
import TensorEngine

/// Normalizes over some axes of each example, the last by default.
///
/// Input of any shape; output of the same shape. Parameters:
///
/// | name | shape | initializer |
/// |---|---|---|
/// | `scale` | sizes of `featureAxes` | `scaleInitializer`, ones; only with `useScale` |
/// | `bias` | sizes of `featureAxes` | `biasInitializer`, zeros; only with `useBias` |
public final class LayerNorm: Module, Layer {
    public let reductionAxes: [Int]
    public let featureAxes: [Int]
    private let normalization: Normalization

    /// - Parameters:
    ///   - dtype: the type of the result; nil: what input and parameters promote to.
    ///   - reductionAxes: the axes that mean and variance are taken over.
    ///   - featureAxes: the axes that have a scale and a bias for each of their members.
    ///   - useFastVariance: E[x²] - E[x]², in one pass.
    public init(
        epsilon: Double = 1e-6, dtype: DType? = nil, paramDType: DType = .float32, useBias: Bool = true,
        useScale: Bool = true, biasInitializer: Initializer = .zeros, scaleInitializer: Initializer = .ones,
        reductionAxes: [Int] = [-1], featureAxes: [Int] = [-1], useFastVariance: Bool = true,
        forceFloat32Reductions: Bool = true, name: String? = nil
    ) {
        self.reductionAxes = reductionAxes
        self.featureAxes = featureAxes
        normalization = Normalization(
            epsilon: epsilon, dtype: dtype, paramDType: paramDType, useBias: useBias, useScale: useScale,
            biasInitializer: biasInitializer, scaleInitializer: scaleInitializer,
            useFastVariance: useFastVariance, forceFloat32Reductions: forceFloat32Reductions)
        super.init(name: name)
    }

    public func forward(_ x: Tensor) throws -> Tensor { try normalized(x, mask: nil) }

    /// As the main call, with the statistics taken where `mask`, broadcast to the input, is true.
    public func callAsFunction(_ x: Tensor, mask: Tensor?) throws -> Tensor {
        try mainCall(x) { try normalized($0, mask: mask) }
    }

    private func normalized(_ x: Tensor, mask: Tensor?) throws -> Tensor {
        let reduced = try resolvedAxes(reductionAxes, rank: x.rank, for: className)
        let (mean, variance) = try normalization.statistics(x, over: reduced, mask: mask)
        return try normalization.normalized(
            x, mean: mean, variance: variance,
            featureAxes: resolvedAxes(featureAxes, rank: x.rank, for: className), in: self)
    }
}

/// Divides by the root mean square over some axes of each example, the last by default.
///
/// Input of any shape; output of the same shape. Parameters: `scale`, the sizes of `featureAxes`, ones at first, with `useScale`.
public final class RMSNorm: Module, Layer {
    public let reductionAxes: [Int]
    public let featureAxes: [Int]
    private let normalization: Normalization

    /// - Parameters:
    ///   - dtype: the type of the result; nil: what input and parameters promote to.
    ///   - reductionAxes: the axes that the mean is taken over.
    ///   - featureAxes: the axes that have a scale for each of their members.
    public init(
        epsilon: Double = 1e-6, dtype: DType? = nil, paramDType: DType = .float32, useScale: Bool = true,
        scaleInitializer: Initializer = .ones, reductionAxes: [Int] = [-1], featureAxes: [Int] = [-1],
        forceFloat32Reductions: Bool = true, name: String? = nil
    ) {
        self.reductionAxes = reductionAxes
        self.featureAxes = featureAxes
        normalization = Normalization(
            epsilon: epsilon, dtype: dtype, paramDType: paramDType, useBias: false, useScale: useScale,
            biasInitializer: .zeros, scaleInitializer: scaleInitializer, useFastVariance: true,
            forceFloat32Reductions: forceFloat32Reductions)
        super.init(name: name)
    }

    public func forward(_ x: Tensor) throws -> Tensor { try normalized(x, mask: nil) }

    /// As the main call, with the mean taken where `mask`, broadcast to the input, is true.
    public func callAsFunction(_ x: Tensor, mask: Tensor?) throws -> Tensor {
        try mainCall(x) { try normalized($0, mask: mask) }
    }

    private func normalized(_ x: Tensor, mask: Tensor?) throws -> Tensor {
        let reduced = try resolvedAxes(reductionAxes, rank: x.rank, for: className)
        return try normalization.normalized(
            x, mean: nil, variance: normalization.meanSquare(x, over: reduced, mask: mask),
            featureAxes: resolvedAxes(featureAxes, rank: x.rank, for: className), in: self)
    }
}
