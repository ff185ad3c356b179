// Batch normalization.
import TensorEngine

/// Normalizes each feature over the batch in training, and by running averages of those statistics in use.
///
/// Input of any shape; output of the same shape. Which statistics it uses must be said in one of three ways: when it is made,
/// when it is called (`norm(x, useRunningAverage: true)`), or for the whole model by `apply(…, training:)`. Variables:
///
/// | collection | name | shape | at first |
/// |---|---|---|---|
/// | `params` | `scale` | `[features…]` | `scaleInitializer`, ones; only with `useScale` |
/// | `params` | `bias` | `[features…]` | `biasInitializer`, zeros; only with `useBias` |
/// | `batch_stats` | `mean` | `[features…]` | zeros |
/// | `batch_stats` | `var` | `[features…]` | ones |
///
/// The running averages are float32 and change by `apply(…, mutable: ["batch_stats"])` without `useRunningAverage` only, not by
/// `initialize`. The variance is the biased one, also for the running average, as in Flax.
public final class BatchNorm: Module, Layer {
    public let useRunningAverage: Bool?
    public let axes: [Int]
    public let momentum: Double
    private let normalization: Normalization

    /// - Parameters:
    ///   - axes: the axes that are not averaged over; usually the last.
    ///   - momentum: how much of a running average is kept in each step.
    ///   - dtype: the type of the result; nil: what input and parameters promote to.
    ///   - useFastVariance: E[x²] - E[x]², in one pass.
    public init(
        useRunningAverage: Bool? = nil, axes: [Int] = [-1], momentum: Double = 0.99, epsilon: Double = 1e-5,
        dtype: DType? = nil, paramDType: DType = .float32, useBias: Bool = true, useScale: Bool = true,
        biasInitializer: Initializer = .zeros, scaleInitializer: Initializer = .ones,
        useFastVariance: Bool = true, forceFloat32Reductions: Bool = true, name: String? = nil
    ) {
        self.useRunningAverage = useRunningAverage
        self.axes = axes
        self.momentum = momentum
        normalization = Normalization(
            epsilon: epsilon, dtype: dtype, paramDType: paramDType, useBias: useBias, useScale: useScale,
            biasInitializer: biasInitializer, scaleInitializer: scaleInitializer,
            useFastVariance: useFastVariance, forceFloat32Reductions: forceFloat32Reductions)
        super.init(name: name)
    }

    public func forward(_ x: Tensor) throws -> Tensor {
        try normalized(x, useRunningAverage: nil, mask: nil)
    }

    /// As the main call, with the choice made here.
    ///
    /// - Parameter mask: the elements that count for the statistics, broadcast to the input.
    public func callAsFunction(
        _ x: Tensor, useRunningAverage: Bool? = nil, mask: Tensor? = nil
    ) throws -> Tensor {
        try mainCall(x) { try normalized($0, useRunningAverage: useRunningAverage, mask: mask) }
    }

    private func normalized(_ x: Tensor, useRunningAverage: Bool?, mask: Tensor?) throws -> Tensor {
        let usesRunning = try mergeParam(
            "useRunningAverage", self.useRunningAverage, useRunningAverage,
            fallback: isTraining.map { !$0 })
        let features = try resolvedAxes(axes, rank: x.rank, for: className).sorted()
        let reduced = x.shape.indices.filter { !features.contains($0) }
        let shape = Shape(features.map { x.shape[$0] })
        let statisticsType = normalization.forceFloat32Reductions ? .float32 : x.dtype
        let runningMean = try variable("batch_stats", "mean") { try zeros(shape, dtype: statisticsType) }
        let runningVariance = try variable("batch_stats", "var") { try ones(shape, dtype: statisticsType) }
        let broadcast = Shape(x.shape.indices.map { features.contains($0) ? x.shape[$0] : 1 })
        if usesRunning {
            return try normalization.normalized(
                x, mean: reshape(runningMean.value, broadcast),
                variance: reshape(runningVariance.value, broadcast), featureAxes: features, in: self)
        }
        let (mean, variance) = try normalization.statistics(x, over: reduced, mask: mask)
        if !isInitializing {
            func average(_ old: Tensor, _ new: Tensor) throws -> Tensor {
                try momentum * old + (1 - momentum) * reshape(new, shape)
            }
            try runningMean.set(average(runningMean.value, mean))
            try runningVariance.set(average(runningVariance.value, variance))
        }
        return try normalization.normalized(
            x, mean: mean, variance: variance, featureAxes: features, in: self)
    }
}
