// Self-attention that sees no later positions, where a module of one input is asked for.
import TensorEngine

/// An attention layer with a causal mask, in that layer's place: the tree of variables is its own.
public final class CausalAttention: Module, Layer {
    public let attention: MultiHeadDotProductAttention

    public init(_ attention: MultiHeadDotProductAttention, name: String? = nil) {
        self.attention = attention
        super.init(name: name, passed: [attention], sharing: attention)
    }

    public func forward(_ x: Tensor) throws -> Tensor {
        guard x.rank >= 2 else {
            throw ModuleError(
                .argument, className, expected: "inputs [batch…, time, features]", got: "\(x.shape)")
        }
        return try attention(x, mask: makeCausalMask(zeros(Shape(x.shape.dimensions.dropLast()))))
    }
}
