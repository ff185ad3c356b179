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

/// The tree of `transform(leaves)` for any number of trees of equal structure.
func mapLists(
    _ operation: String, _ trees: [Tree], _ transform: ([Tensor]) throws -> Tensor
) throws -> Tree {
    let lists = try leafLists(operation, trees)
    var results: [Tensor] = []
    for index in lists[0].indices { results.append(try transform(lists.map { $0[index] })) }
    return try trees[0].replacingLeaves(results)
}

/// The leaves of trees, which must have one structure.
private func leafLists(_ operation: String, _ trees: [Tree]) throws -> [[Tensor]] {
    for other in trees.dropFirst() {
        if let difference = trees[0].structureDifference(from: other) {
            throw TensorError(
                .structure, operation, expected: "updates, state and parameters of one structure",
                got: "a difference \(difference)",
                fix: "Initialise the optimizer's state with the parameters that the gradients belong to.")
        }
    }
    return trees.map(\.leaves)
}

/// The sum over all leaves of `term(leaf)`, each a scalar; 0 for a tree without leaves.
func sumOverLeaves(_ tree: Tree, _ term: (Tensor) throws -> Tensor) throws -> Tensor {
    try total(try tree.leaves.map(term))
}

/// The sum over all leaves of `term(leaf, leaf)`, each a scalar.
func sumOverLeaves(
    _ operation: String, _ a: Tree, _ b: Tree, _ term: (Tensor, Tensor) throws -> Tensor
) throws -> Tensor {
    let lists = try leafLists(operation, [a, b])
    return try total(try zip(lists[0], lists[1]).map(term))
}

private func total(_ terms: [Tensor]) throws -> Tensor {
    guard var result = terms.first else { return try zeros([]) }
    for next in terms.dropFirst() { result = try result + next }
    return result
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

/// All elements of a tree as one vector. The leaves must have one type.
func vector(_ tree: Tree, for operation: String) throws -> Tensor {
    let leaves = tree.leaves
    guard let first = leaves.first, leaves.allSatisfy({ $0.dtype == first.dtype }) else {
        throw TensorError(
            .dtype, operation, expected: "a tree of tensors of one type",
            got: "\(Set(leaves.map(\.dtype.description)).sorted())")
    }
    return try concatenate(leaves.map { try reshape($0, [$0.shape.elementCount]) })
}

/// The tree whose elements a vector lists.
func splitting(_ vector: Tensor, like tree: Tree) throws -> Tree {
    var start = 0
    return try tree.map { leaf in
        defer { start += leaf.shape.elementCount }
        return try reshape(slice(vector, axis: 0, start..<(start + leaf.shape.elementCount)), leaf.shape)
    }
}
