// Functions over all leaves of trees of equal structure.
import TensorEngine

/// The tree of `transform(leaf)`.
func mapLeaves(_ tree: Tree, _ transform: (Tensor) throws -> Tensor) throws -> Tree {
    try tree.map(transform)
}

/// The tree of `transform(leaf, leaf)` for trees of equal structure.
func mapLeaves(
    _ operation: String, _ a: Tree, _ b: Tree, _ transform: (Tensor, Tensor) throws -> Tensor
) throws -> Tree {
    try mapLists(operation, [a, b]) { try transform($0[0], $0[1]) }
}

func mapLeaves(
    _ operation: String, _ a: Tree, _ b: Tree, _ c: Tree,
    _ transform: (Tensor, Tensor, Tensor) throws -> Tensor
) throws -> Tree {
    try mapLists(operation, [a, b, c]) { try transform($0[0], $0[1], $0[2]) }
}

func mapLeaves(
    _ operation: String, _ a: Tree, _ b: Tree, _ c: Tree, _ d: Tree,
    _ transform: (Tensor, Tensor, Tensor, Tensor) throws -> Tensor
) throws -> Tree {
    try mapLists(operation, [a, b, c, d]) { try transform($0[0], $0[1], $0[2], $0[3]) }
}

private func mapLists(
    _ operation: String, _ trees: [Tree], _ transform: ([Tensor]) throws -> Tensor
) throws -> Tree {
    for other in trees.dropFirst() {
        if let difference = trees[0].structureDifference(from: other) {
            throw TensorError(
                .structure, operation, expected: "updates, state and parameters of one structure",
                got: "a difference \(difference)",
                fix: "Initialise the optimizer's state with the parameters that the gradients belong to.")
        }
    }
    let lists = trees.map(\.leaves)
    var results: [Tensor] = []
    for index in lists[0].indices { results.append(try transform(lists.map { $0[index] })) }
    return try trees[0].replacingLeaves(results)
}

/// The tree with each leaf replaced by a tree, given the leaf's number.
func expandLeaves(_ tree: Tree, _ transform: (Int, Tensor) throws -> Tree) throws -> Tree {
    var number = 0
    func expand(_ node: Tree) throws -> Tree {
        switch node {
        case .tensor(let tensor):
            defer { number += 1 }
            return try transform(number, tensor)
        case .none: return .none
        case .dictionary(let dictionary):
            return .dictionary(
                FrozenDict(try dictionary.sortedEntries.map { ($0.key, try expand($0.value)) }))
        case .tuple(let children): return .tuple(try children.map(expand))
        case .record(let name, let fields):
            return .record(name: name, fields: try fields.map { Tree.Field($0.name, try expand($0.value)) })
        }
    }
    return try expand(tree)
}

/// Zeros of the leaves' shapes, in their own types or in `dtype`.
func zeros(like tree: Tree, dtype: DType? = nil) throws -> Tree {
    try tree.map { try TensorEngine.zeros($0.shape, dtype: dtype ?? $0.dtype) }
}

/// The tree of one value.
func full(like tree: Tree, _ value: Double) throws -> Tree {
    try tree.map { try TensorEngine.full($0.shape, value, dtype: $0.dtype) }
}

/// The leaves in `dtype`; unchanged where that is nil.
func cast(_ tree: Tree, to dtype: DType?) throws -> Tree {
    guard let dtype else { return tree }
    return try tree.map { try $0.astype(dtype) }
}

/// The tree whose leaves are those of `onTrue` where a scalar condition holds, and of `onFalse` elsewhere.
func select(_ condition: Tensor, _ onTrue: Tree, _ onFalse: Tree) throws -> Tree {
    try mapLeaves("select", onTrue, onFalse) {
        try TensorEngine.select(condition, $0.astype($1.dtype), $1)
    }
}
