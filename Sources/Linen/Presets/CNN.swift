// A convolutional network for images, ready made: the one of Flax's MNIST example.
import TensorEngine

/// Convolutions with an activation and a pooling each, then dense layers.
///
/// Input `[batch, height, width, channels]`, output `[batch, classes]`. Submodules `Conv_0`, …, `Dense_0`, …, and `Dropout_0`, … where
/// there is dropout, as in the compact Flax module of the same lines:
///
///     for features: x = pool(activation(Conv(features, kernel_size)(x)), (2, 2), strides=(2, 2))
///     x = x.reshape((x.shape[0], -1))
///     for features: x = Dropout(rate)(activation(Dense(features)(x)))
///     return Dense(classes)(x)
public final class CNN: Module, Layer {
    public enum Pooling: String, Sendable, CaseIterable {
        case average = "avg"
        case maximum = "max"
    }

    public let classes: Int
    public let features: [Int]
    public let kernelSize: [Int]
    public let denseFeatures: [Int]
    public let activation: Activation
    public let pooling: Pooling
    public let dropoutRate: Double

    /// - Parameters:
    ///   - features: outputs of each convolution.
    ///   - denseFeatures: outputs of the dense layers before the last.
    ///   - dropoutRate: after each of these.
    public init(
        classes: Int, features: [Int] = [32, 64], kernelSize: [Int] = [3, 3], denseFeatures: [Int] = [256],
        activation: Activation = .relu, pooling: Pooling = .average, dropoutRate: Double = 0,
        name: String? = nil
    ) {
        self.classes = classes
        self.features = features
        self.kernelSize = kernelSize
        self.denseFeatures = denseFeatures
        self.activation = activation
        self.pooling = pooling
        self.dropoutRate = dropoutRate
        super.init(name: name)
    }

    public func forward(_ x: Tensor) throws -> Tensor {
        var x = x
        let window = Array(repeating: 2, count: kernelSize.count)
        for size in features {
            x = try activation(Conv(features: size, kernelSize: kernelSize)(x))
            switch pooling {
            case .average: x = try avgPool(x, windowShape: window, strides: window)
            case .maximum: x = try maxPool(x, windowShape: window, strides: window)
            }
        }
        x = try flattenedRows(x)
        for size in denseFeatures {
            x = try activation(Dense(features: size)(x))
            if dropoutRate > 0 { x = try Dropout(rate: dropoutRate)(x) }
        }
        return try Dense(features: classes)(x)
    }
}

/// Each member of the batch as one vector.
func flattenedRows(_ x: Tensor) throws -> Tensor {
    guard let rows = x.shape.first, rows > 0 else {
        return try reshape(x, [0, x.shape.dropFirst().reduce(1, *)])
    }
    return try reshape(x, [rows, x.shape.elementCount / rows])
}
