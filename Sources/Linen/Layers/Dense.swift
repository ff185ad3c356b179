// The fully connected layer.
import TensorEngine

/// A linear transformation of the last dimension: `y = x · kernel + bias`.
///
/// Input `[…, inputs]`, output `[…, features]`. Parameters:
///
/// | name | shape | initializer |
/// |---|---|---|
/// | `kernel` | `[inputs, features]` | `kernelInitializer`, LeCun normal |
/// | `bias` | `[features]` | `biasInitializer`, zeros; only with `useBias` |
public final class Dense: Module, Layer {
    public let features: Int
    public let useBias: Bool
    /// The type to compute in; nil: what input and parameters promote to.
    public let dtype: DType?
    /// The type that parameters are kept in.
    public let paramDType: DType
    public let kernelInitializer: Initializer
    public let biasInitializer: Initializer

    public init(
        features: Int, useBias: Bool = true, dtype: DType? = nil, paramDType: DType = .float32,
        kernelInitializer: Initializer = .lecunNormal(), biasInitializer: Initializer = .zeros,
        name: String? = nil
    ) {
        self.features = features
        self.useBias = useBias
        self.dtype = dtype
        self.paramDType = paramDType
        self.kernelInitializer = kernelInitializer
        self.biasInitializer = biasInitializer
        super.init(name: name)
    }

    public func forward(_ x: Tensor) throws -> Tensor {
        guard features > 0 else {
            throw ModuleError(.argument, "Dense", expected: "1 feature or more", got: "\(features)")
        }
        guard x.rank > 0 else {
            throw ModuleError(
                .argument, "Dense", expected: "an input of rank 1 or more", got: "\(x.type)",
                fix: "The last dimension is what the kernel multiplies.")
        }
        let kernel = try param(
            "kernel", kernelInitializer, [x.shape[x.rank - 1], features], dtype: paramDType)
        guard useBias else {
            let operands = try promoted([x, kernel], to: dtype)
            return try dotGeneral(operands[0], operands[1], contracting: ([x.rank - 1], [0]))
        }
        let bias = try param("bias", biasInitializer, [features], dtype: paramDType)
        let operands = try promoted([x, kernel, bias], to: dtype)
        return try dotGeneral(operands[0], operands[1], contracting: ([x.rank - 1], [0])) + operands[2]
    }
}
