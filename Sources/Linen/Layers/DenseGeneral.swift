// The fully connected layer over any axes.
import TensorEngine

/// A linear transformation of some axes into others: contracts `axes` of the input with a kernel, and appends `features`.
///
/// Input of any shape; output `[batch axes…, remaining axes…, features…]`. Parameters:
///
/// | name | shape | initializer |
/// |---|---|---|
/// | `kernel` | `[batch axes…, axes…, features…]` | `kernelInitializer` on the kernel as a matrix |
/// | `bias` | `[batch axes…, features…]` | `biasInitializer`; only with `useBias` |
///
/// The kernel is drawn as a matrix `[inputs, outputs]` and reshaped, as in Flax: so its fans are those of the flat shape.
public final class DenseGeneral: Module, Layer {
    public let features: [Int]
    public let axes: [Int]
    public let batchAxes: [Int]
    public let useBias: Bool
    public let dtype: DType?
    public let paramDType: DType
    public let kernelInitializer: Initializer
    public let biasInitializer: Initializer

    /// - Parameters:
    ///   - axes: the axes to contract; negative ones count from the end.
    ///   - batchAxes: axes that have a kernel for each of their members; they must be the first ones, 0, 1, ….
    public init(
        features: [Int], axes: [Int] = [-1], batchAxes: [Int] = [], useBias: Bool = true,
        dtype: DType? = nil, paramDType: DType = .float32,
        kernelInitializer: Initializer = .lecunNormal(), biasInitializer: Initializer = .zeros,
        name: String? = nil
    ) {
        self.features = features
        self.axes = axes
        self.batchAxes = batchAxes
        self.useBias = useBias
        self.dtype = dtype
        self.paramDType = paramDType
        self.kernelInitializer = kernelInitializer
        self.biasInitializer = biasInitializer
        super.init(name: name)
    }

    public func forward(_ x: Tensor) throws -> Tensor {
        let contracted = try resolvedAxes(axes, rank: x.rank, for: className)
        let batch = try resolvedAxes(batchAxes, rank: x.rank, for: className)
        guard !features.isEmpty, features.allSatisfy({ $0 > 0 }), batch == Array(0..<batch.count),
            Set(contracted + batch).count == contracted.count + batch.count
        else {
            throw ModuleError(
                .argument, "DenseGeneral",
                expected: "positive features, each axis once, and batch axes 0, 1, … in order",
                got: "features \(features), axes \(axes), batch axes \(batchAxes) for an input \(x.type)")
        }
        let batchShape = batch.map { x.shape[$0] }
        let contractedShape = contracted.map { x.shape[$0] }
        let kernel = try param(
            "kernel",
            flat(kernelInitializer, [batchShape + contractedShape, features]),
            Shape(batchShape + contractedShape + features), dtype: paramDType)
        let inner = Array(batch.count..<(batch.count + contracted.count))
        func product(_ x: Tensor, _ kernel: Tensor) throws -> Tensor {
            try dotGeneral(x, kernel, contracting: (contracted, inner), batch: (batch, Array(batch.indices)))
        }
        guard useBias else {
            let operands = try promoted([x, kernel], to: dtype)
            return try product(operands[0], operands[1])
        }
        let bias = try param(
            "bias", flat(biasInitializer, [batchShape + features]), Shape(batchShape + features),
            dtype: paramDType)
        let operands = try promoted([x, kernel, bias], to: dtype)
        // The bias stands beside [batch…, remaining…, features…].
        let remaining = x.rank - batch.count - contracted.count
        let expanded = Shape(batchShape + [Int](repeating: 1, count: remaining) + features)
        return try product(operands[0], operands[1]) + reshape(operands[2], expanded)
    }

    /// An initializer that draws with each group of dimensions made one.
    private func flat(_ initializer: Initializer, _ groups: [[Int]]) -> Initializer {
        let flatShape = Shape(groups.map { Shape($0).elementCount })
        return Initializer { key, shape, dtype in
            try reshape(initializer(key, flatShape, dtype: dtype), shape)
        }
    }
}
