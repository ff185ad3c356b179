// Normalizations of each example over space: in groups of channels, or each channel by itself.
import TensorEngine

/// Normalizes each example over all axes but the first, in equal groups of neighbouring channels (the last axis).
///
/// Input `[batch, …, channels]`; output of the same shape. Parameters `scale` and `bias`, `[channels]`, as in `LayerNorm`.
public final class GroupNorm: Module, Layer {
    public let groups: Int?
    public let groupSize: Int?
    public let reductionAxes: [Int]?
    private let normalization: Normalization

    /// - Parameters:
    ///   - groups: how many groups; nil where `groupSize` says how many channels each has.
    ///   - dtype: the type of the result; nil: what input and parameters promote to.
    ///   - reductionAxes: the axes that the statistics are taken over, with the last among them; nil: all but the first. Needed
    ///     where the input has more than one batch axis.
    public init(
        groups: Int? = 32, groupSize: Int? = nil, epsilon: Double = 1e-6, dtype: DType? = nil,
        paramDType: DType = .float32, useBias: Bool = true, useScale: Bool = true,
        biasInitializer: Initializer = .zeros, scaleInitializer: Initializer = .ones,
        reductionAxes: [Int]? = nil, useFastVariance: Bool = true, forceFloat32Reductions: Bool = true,
        name: String? = nil
    ) {
        self.groups = groups
        self.groupSize = groupSize
        self.reductionAxes = reductionAxes
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
        guard x.rank > 0 else {
            throw ModuleError(
                .argument, className, expected: "an input with channels", got: "\(x.type)")
        }
        let last = x.rank - 1
        let reduced =
            try reductionAxes.map { try resolvedAxes($0, rank: x.rank, for: className).sorted() }
            ?? Array(Swift.min(1, last)...last)
        guard reduced.last == last else {
            throw ModuleError(
                .argument, className, expected: "the last axis, the channels, among the reduction axes",
                got: "\(reductionAxes ?? reduced) for \(x.type)")
        }
        let channels = x.shape[last]
        let count = try groupCount(of: channels)
        let (size, leading) = (channels / Swift.max(count, 1), Array(x.shape.dropLast()))
        let grouped = Shape(leading + [count, size])
        let seen = try mask.map {
            try reshape(broadcastTo($0.astype(.bool), x.shape), grouped)
        }
        let statistics = try normalization.statistics(
            reshape(x, grouped), over: reduced.dropLast() + [x.rank], mask: seen)
        /// From a value for each group to one for each channel.
        func spread(_ value: Tensor) throws -> Tensor {
            let kept = Array(value.shape.dropLast(2))
            return try reshape(
                broadcastTo(value, Shape(kept + [count, size])), Shape(kept + [channels]))
        }
        return try normalization.normalized(
            x, mean: spread(statistics.mean), variance: spread(statistics.variance), featureAxes: [last],
            in: self)
    }

    private func groupCount(of channels: Int) throws -> Int {
        switch (groups, groupSize) {
        case (let groups?, nil) where groups > 0 && channels % groups == 0: return groups
        case (nil, let size?) where size > 0 && channels % size == 0: return channels / size
        case (let groups?, nil):
            throw ModuleError(
                .argument, className, expected: "a number of groups that divides the \(channels) channels",
                got: "\(groups)")
        case (nil, let size?):
            throw ModuleError(
                .argument, className, expected: "a group size that divides the \(channels) channels",
                got: "\(size)")
        case (nil, nil), (.some, .some):
            throw ModuleError(
                .argument, className, expected: "either groups or groupSize",
                got: groups == nil ? "neither" : "groups \(groups ?? 0) and groupSize \(groupSize ?? 0)",
                fix: "For a group size, say groups: nil too; 32 groups are the default.")
        }
    }
}

/// Normalizes each feature of each example over all axes but the first.
///
/// Input `[batch, …, features]`; output of the same shape. Parameters `scale` and `bias`, the sizes of `featureAxes`, as in
/// `LayerNorm`.
public final class InstanceNorm: Module, Layer {
    public let featureAxes: [Int]
    private let normalization: Normalization

    /// - Parameters:
    ///   - dtype: the type of the result; nil: what input and parameters promote to.
    ///   - featureAxes: the axes that are not averaged over; not the first.
    public init(
        epsilon: Double = 1e-6, dtype: DType? = nil, paramDType: DType = .float32, useBias: Bool = true,
        useScale: Bool = true, biasInitializer: Initializer = .zeros, scaleInitializer: Initializer = .ones,
        featureAxes: [Int] = [-1], useFastVariance: Bool = true, forceFloat32Reductions: Bool = true,
        name: String? = nil
    ) {
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
        let features = try resolvedAxes(featureAxes, rank: x.rank, for: className)
        guard !features.contains(0), x.rank > 0 else {
            throw ModuleError(
                .argument, className, expected: "feature axes without the first, which counts the examples",
                got: "\(featureAxes) for \(x.type)")
        }
        let reduced = (1..<x.rank).filter { !features.contains($0) }
        let (mean, variance) = try normalization.statistics(x, over: reduced, mask: mask)
        return try normalization.normalized(
            x, mean: mean, variance: variance, featureAxes: features, in: self)
    }
}
