// Residual networks, ready made: those of Flax's ImageNet example.
import TensorEngine

/// A residual network (He et al., 2016, in the version with the stride in the 3x3 convolution).
///
/// Input `[batch, height, width, channels]`, output `[batch, classes]`. Submodules `conv_init`, `bn_init`, `ResNetBlock_0`, … or
/// `BottleneckResNetBlock_0`, …, `Dense_0`; batch statistics in the collection `batch_stats`, with momentum 0.9.
public final class ResNet: Module, Layer {
    /// What comes before the blocks.
    public enum Stem: String, Sendable, CaseIterable {
        /// A 7x7 convolution and a pooling, each with stride 2.
        case imagenet
        /// A 3x3 convolution with stride 1, for images of few pixels.
        case small
    }

    public let classes: Int
    public let stageSizes: [Int]
    public let filters: Int
    public let bottleneck: Bool
    public let stem: Stem

    /// - Parameters:
    ///   - stageSizes: blocks of each stage; all but the first stage begin with stride 2 and have twice the filters.
    ///   - filters: of the first stage.
    ///   - bottleneck: blocks of three convolutions that narrow and widen, instead of two.
    public init(
        classes: Int, stageSizes: [Int], filters: Int = 64, bottleneck: Bool = false, stem: Stem = .imagenet,
        name: String? = nil
    ) {
        self.classes = classes
        self.stageSizes = stageSizes
        self.filters = filters
        self.bottleneck = bottleneck
        self.stem = stem
        super.init(name: name)
    }

    public func forward(_ x: Tensor) throws -> Tensor {
        var x = x
        switch stem {
        case .imagenet:
            x = try Conv(
                features: filters, kernelSize: [7, 7], strides: [2, 2], padding: .explicit(3, rank: 2),
                useBias: false,
                name: "conv_init")(x)
        case .small:
            x = try Conv(features: filters, kernelSize: [3, 3], useBias: false, name: "conv_init")(x)
        }
        x = try relu(BatchNorm(momentum: 0.9, name: "bn_init")(x))
        if stem == .imagenet { x = try maxPool(x, windowShape: [3, 3], strides: [2, 2], padding: .same) }
        for (stage, size) in stageSizes.enumerated() {
            // Beyond this there is no memory for the filters anyway.
            let width = filters << min(stage, 16)
            for block in 0..<size {
                let stride = stage > 0 && block == 0 ? 2 : 1
                x =
                    bottleneck
                    ? try BottleneckResNetBlock(filters: width, stride: stride)(x)
                    : try ResNetBlock(filters: width, stride: stride)(x)
            }
        }
        return try Dense(features: classes)(mean(x, axes: [1, 2]))
    }
}

/// Two 3x3 convolutions beside a shortcut.
public final class ResNetBlock: Module, Layer {
    public let filters: Int
    public let stride: Int

    public init(filters: Int, stride: Int = 1, name: String? = nil) {
        self.filters = filters
        self.stride = stride
        super.init(name: name)
    }

    public func forward(_ x: Tensor) throws -> Tensor {
        var y = try Conv(features: filters, kernelSize: [3, 3], strides: [stride, stride], useBias: false)(x)
        y = try relu(BatchNorm(momentum: 0.9)(y))
        y = try Conv(features: filters, kernelSize: [3, 3], useBias: false)(y)
        y = try BatchNorm(momentum: 0.9, scaleInitializer: .zeros)(y)
        return try relu(projected(x, like: y, stride: stride) + y)
    }
}

/// Convolutions 1x1, 3x3 and 1x1 beside a shortcut; the last has four times the filters.
public final class BottleneckResNetBlock: Module, Layer {
    public let filters: Int
    public let stride: Int

    public init(filters: Int, stride: Int = 1, name: String? = nil) {
        self.filters = filters
        self.stride = stride
        super.init(name: name)
    }

    public func forward(_ x: Tensor) throws -> Tensor {
        var y = try Conv(features: filters, kernelSize: [1, 1], useBias: false)(x)
        y = try relu(BatchNorm(momentum: 0.9)(y))
        y = try Conv(features: filters, kernelSize: [3, 3], strides: [stride, stride], useBias: false)(y)
        y = try relu(BatchNorm(momentum: 0.9)(y))
        y = try Conv(features: 4 * filters, kernelSize: [1, 1], useBias: false)(y)
        y = try BatchNorm(momentum: 0.9, scaleInitializer: .zeros)(y)
        return try relu(projected(x, like: y, stride: stride) + y)
    }
}

/// The shortcut of a block: `x`, or a 1x1 convolution of it where the block changes its shape. In the scope of the block.
private func projected(_ x: Tensor, like y: Tensor, stride: Int) throws -> Tensor {
    guard x.shape != y.shape else { return x }
    let projection = try Conv(
        features: y.shape[y.rank - 1], kernelSize: [1, 1], strides: [stride, stride], useBias: false,
        name: "conv_proj")(x)
    return try BatchNorm(momentum: 0.9, name: "norm_proj")(projection)
}
