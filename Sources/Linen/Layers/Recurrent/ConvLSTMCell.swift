// Long short-term memory whose products are convolutions.
import TensorEngine

/// A step of long short-term memory on images (Shi et al. 2015): `LSTMCell` with convolutions.
///
/// ```
/// i, g, f, o = ih ∗ x + hh ∗ h
/// c' = sigmoid(f + 1) · c + sigmoid(i) · tanh(g);  h' = sigmoid(o) · tanh(c')
/// ```
///
/// Input `[batch…, spatial…, inputs]`, carry and output `[batch…, spatial…, features]`. Submodules `ih` and `hh`, `Conv`s to four times
/// the features.
public final class ConvLSTMCell: Module, RecurrentCell {
    public let features: Int
    public let kernelSize: [Int]
    public let strides: [Int]?
    public let padding: ConvPadding
    public let useBias: Bool
    public let dtype: DType?
    public let paramDType: DType
    public let carryInitializer: Initializer

    public var featureAxisCount: Int { kernelSize.count + 1 }

    /// - Parameters:
    ///   - kernelSize: of both convolutions.
    ///   - dtype: the type to compute in; nil: what inputs and parameters promote to.
    ///   - carryInitializer: makes the first carry.
    public init(
        features: Int, kernelSize: [Int], strides: [Int]? = nil, padding: ConvPadding = .same,
        useBias: Bool = true, dtype: DType? = nil, paramDType: DType = .float32,
        carryInitializer: Initializer = .zeros, name: String? = nil
    ) {
        self.features = features
        self.kernelSize = kernelSize
        self.strides = strides
        self.padding = padding
        self.useBias = useBias
        self.dtype = dtype
        self.paramDType = paramDType
        self.carryInitializer = carryInitializer
        super.init(name: name)
    }

    public func forward(_ carry: LSTMCarry, _ x: Tensor) throws -> (carry: LSTMCarry, output: Tensor) {
        func convolution(_ name: String) -> Conv {
            Conv(
                features: 4 * features, kernelSize: kernelSize, strides: strides, padding: padding,
                useBias: useBias, dtype: dtype, paramDType: paramDType, name: name)
        }
        let all = try convolution("ih")(x) + convolution("hh")(carry.hidden)
        func part(_ index: Int) throws -> Tensor {
            try slice(all, axis: all.rank - 1, (index * features)..<((index + 1) * features))
        }
        let (input, candidate, forget, output) = (try part(0), try part(1), try part(2), try part(3))
        let next = try logistic(forget + 1) * carry.cell + logistic(input) * tanh(candidate)
        let hidden = try logistic(output) * tanh(next)
        return (LSTMCarry(cell: next, hidden: hidden), hidden)
    }

    public func initializeCarry(_ key: PRNGKey, inputShape: Shape) throws -> LSTMCarry {
        guard inputShape.rank > kernelSize.count, features > 0 else {
            throw ModuleError(
                .argument, className,
                expected: "inputs with \(kernelSize.count) spatial axes and one of features",
                got: "shape \(inputShape)")
        }
        let keys = try key.split()
        let shape = Shape(inputShape.dropLast() + [features])
        return LSTMCarry(
            cell: try carryInitializer(keys[0], shape, dtype: paramDType),
            hidden: try carryInitializer(keys[1], shape, dtype: paramDType))
    }
}
