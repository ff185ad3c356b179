// A transformation that sees all parameters as one vector.
import TensorEngine

/// Gives `inner` all updates and parameters as one vector, which can be faster where there are many small parameters. They must all
/// have one type.
public func flatten(_ inner: GradientTransformation) -> GradientTransformation {
    @Sendable func vector(_ tree: Tree) throws -> Tree {
        let leaves = tree.leaves
        guard let first = leaves.first, leaves.allSatisfy({ $0.dtype == first.dtype }) else {
            throw TensorError(
                .dtype, "flatten", expected: "parameters of one type",
                got: "\(Set(leaves.map(\.dtype.description)))")
        }
        return .tensor(try concatenate(leaves.map { try reshape($0, [$0.shape.elementCount]) }))
    }
    return GradientTransformation { params in
        try inner.initialize(params: vector(params))
    } update: { updates, state, params, context in
        let (changed, next) = try inner.update(
            updates: vector(updates), state: state, params: params.map(vector), context: context)
        guard let all = changed.tensor else {
            throw TensorError(.structure, "flatten", expected: "one vector of updates", got: "a tree")
        }
        var start = 0
        let parts = try updates.map { leaf in
            defer { start += leaf.shape.elementCount }
            return try reshape(slice(all, axis: 0, start..<(start + leaf.shape.elementCount)), leaf.shape)
        }
        return (parts, next)
    }
}
