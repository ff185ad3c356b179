// The table of learned vectors.
import TensorEngine

/// Looks up vectors by number: row `id` of a table.
///
/// Input: integers of any shape; output `[…, features]`. Parameters:
///
/// | name | shape | initializer |
/// |---|---|---|
/// | `embedding` | `[count, features]` | normal with variance 1 / features |
///
/// Numbers from `count` on give NaN, negative ones count from the end, as in Flax.
public final class Embed: Module, Layer {
    public let count: Int
    public let features: Int
    public let dtype: DType?
    public let paramDType: DType
    public let embeddingInitializer: Initializer

    /// - Parameter count: the number of vectors (Flax's num_embeddings).
    public init(
        count: Int, features: Int, dtype: DType? = nil, paramDType: DType = .float32,
        embeddingInitializer: Initializer = .varianceScaling(
            1, .fanIn, .normal, axes: Initializer.KernelAxes(output: [0])),
        name: String? = nil
    ) {
        self.count = count
        self.features = features
        self.dtype = dtype
        self.paramDType = paramDType
        self.embeddingInitializer = embeddingInitializer
        super.init(name: name)
    }

    public func forward(_ ids: Tensor) throws -> Tensor {
        guard ids.dtype.isInteger else {
            throw ModuleError(
                .argument, "Embed", expected: "integers", got: "\(ids.type)",
                fix: "Convert the ids with astype(.int32).")
        }
        let table = try promoted([embedding()], to: dtype)[0]
        return try take(table, ids, axis: 0, mode: .fill)
    }

    /// The scalar product of vectors `[…, features]` with every row of the table, `[…, count]`: for output layers that share
    /// the table.
    public func attend(_ query: Tensor) throws -> Tensor {
        try compact {
            let operands = try promoted([query, embedding()], to: dtype)
            return try inner(operands[0], operands[1])
        }
    }

    private func embedding() throws -> Tensor {
        guard count > 0, features > 0 else {
            throw ModuleError(
                .argument, "Embed", expected: "1 vector or more, of 1 feature or more",
                got: "\(count) of \(features)")
        }
        return try param("embedding", embeddingInitializer, [count, features], dtype: paramDType)
    }
}
