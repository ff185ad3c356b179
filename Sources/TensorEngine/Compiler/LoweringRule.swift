// How the compiler sees a primitive.

/// The three kinds of work that a plan consists of.
public enum LoweringRule: Sendable {
    /// Result elements depend on operand elements at the same index: emits code of the block interpreter, given the
    /// operands' registers, their types and the results' types. Such equations are fused.
    case elementwise(@Sendable (inout BlockCode, [Register], [TensorType], [TensorType]) -> [Register])
    /// The result is the operand's memory read with other strides; nil where no strides describe it, which costs a copy.
    case view(@Sendable (Layout, TensorType, TensorType) -> Layout?)
    /// Steps of its own.
    case kernel(@Sendable (inout PlanBuilder, [Operand], [Operand]) throws -> Void)
}
