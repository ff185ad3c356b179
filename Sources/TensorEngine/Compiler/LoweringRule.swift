// How the compiler sees a primitive.

/// The kinds of work that a plan consists of.
public enum LoweringRule: Sendable {
    /// Result elements depend on operand elements at the same index: emits code of the block interpreter, given the
    /// operands' registers, their types and the results' types. Such equations are fused.
    case elementwise(@Sendable (inout BlockCode, [Register], [TensorType], [TensorType]) -> [Register])
    /// The result is the operand's memory read with other strides; nil where no strides describe it, which costs a copy.
    case view(@Sendable (Layout, TensorType, TensorType) -> Layout?)
    /// Sums of products of two operands: dimensions of the left as [batch, rows, contracted], of the right as [batch,
    /// contracted, columns], given both types; the result is dense [batch…, rows…, columns…]. Elementwise work that follows
    /// runs on its tiles.
    case contraction(@Sendable (TensorType, TensorType) -> (lhs: [[Int]], rhs: [[Int]]))
    /// Steps of its own.
    case kernel(@Sendable (inout PlanBuilder, [Operand], [Operand]) throws -> Void)
}
