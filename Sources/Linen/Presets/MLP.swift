// The multilayer perceptron, ready made.
import TensorEngine

/// Dense layers with an activation between them, none after the last.
///
/// Input `[…, inputs]`, output `[…, features.last]`. Submodules `Dense_0`, `Dense_1`, … and, with dropout, `Dropout_0`, …, as in the
/// compact Flax module that one would write for it.
public final class MLP: Module, Layer {
    public let features: [Int]
    public let activation: Activation
    public let dropoutRate: Double

    /// - Parameters:
    ///   - features: the outputs of each layer; the last is the output of the model.
    ///   - dropoutRate: after each activation.
    public init(features: [Int], activation: Activation = .relu, dropoutRate: Double = 0, name: String? = nil)
    {
        self.features = features
        self.activation = activation
        self.dropoutRate = dropoutRate
        super.init(name: name)
    }

    public func forward(_ x: Tensor) throws -> Tensor {
        var x = x
        for (index, size) in features.enumerated() {
            x = try Dense(features: size)(x)
            guard index < features.count - 1 else { continue }
            x = try activation(x)
            if dropoutRate > 0 { x = try Dropout(rate: dropoutRate)(x) }
        }
        return x
    }
}
