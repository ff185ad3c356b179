// The multilayer perceptron, ready made.
import TensorEngine

/// Dense layers with an activation between them, none after the last.
///
/// Input `[…, inputs]`, output `[…, features.last]`. Submodules `Dense_0`, `Dense_1`, …, as in the compact Flax module that one
/// would write for it.
public final class MLP: Module, Layer {
    public let features: [Int]
    public let activation: Activation

    /// - Parameter features: the outputs of each layer; the last is the output of the model.
    public init(features: [Int], activation: Activation = .relu, name: String? = nil) {
        self.features = features
        self.activation = activation
        super.init(name: name)
    }

    public func forward(_ x: Tensor) throws -> Tensor {
        var x = x
        for (index, size) in features.enumerated() {
            x = try Dense(features: size)(x)
            if index < features.count - 1 { x = try activation(x) }
        }
        return x
    }
}
