// The rectifier whose negative slope is learned.
import TensorEngine

/// x where x ≥ 0, else slope · x, with a learned slope.
///
/// Parameters: `negative_slope`, shape `[]`, 0.01 at first.
public final class PReLU: Module, Layer {
    public let initialSlope: Double
    public let paramDType: DType

    public init(initialSlope: Double = 0.01, paramDType: DType = .float32, name: String? = nil) {
        self.initialSlope = initialSlope
        self.paramDType = paramDType
        super.init(name: name)
    }

    public func forward(_ x: Tensor) throws -> Tensor {
        let slope = try param("negative_slope", .constant(initialSlope), [], dtype: paramDType)
        return try select(greaterEqual(x, 0), x, slope.astype(x.dtype) * x)
    }
}
