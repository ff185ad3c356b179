// Trees of tensors: what transformations take and return.

/// A value made of tensors, which transformations can take apart and put together again: a tensor, a `Tree`, a
/// `FrozenDict`, arrays of those, or a type of your own that lists its parts.
public protocol TensorTree: Sendable {
    /// Appends the tensors, in the tree's fixed order (dictionaries by key, as JAX flattens them).
    func appendLeaves(to leaves: inout [Tensor])

    /// The same tree with other tensors, taken from `leaves` in the order of `appendLeaves`.
    func replacingLeaves(from leaves: inout LeafCursor) throws -> Self

    /// Appends what besides the tensors' types distinguishes this tree (keys, lengths), so that a compiled function is not
    /// reused for another structure. By default nothing: right for types with a fixed set of tensors.
    func appendStructure(to structure: inout [String])

    /// Appends the path of each tensor, such as `Dense_0/kernel`, in the order of `appendLeaves`. By default their numbers.
    func appendPaths(prefix: String, to paths: inout [String])
}

/// Hands out replacement leaves one after the other.
public struct LeafCursor: Sendable {
    private let leaves: [Tensor]
    private var position = 0

    public init(_ leaves: [Tensor]) { self.leaves = leaves }

    /// The next leaf. Throws when there are fewer leaves than the tree needs.
    public mutating func next() throws -> Tensor {
        guard position < leaves.count else {
            throw TensorError(
                .structure, "replacingLeaves", expected: "a tensor for each leaf of the tree",
                got: "\(leaves.count) tensors")
        }
        defer { position += 1 }
        return leaves[position]
    }

    /// Throws unless every leaf was used.
    func finish() throws {
        guard position == leaves.count else {
            throw TensorError(
                .structure, "replacingLeaves", expected: "\(position) tensors, one for each leaf of the tree",
                got: "\(leaves.count)")
        }
    }
}

extension TensorTree {
    public func appendStructure(to structure: inout [String]) {}

    public func appendPaths(prefix: String, to paths: inout [String]) {
        for k in leaves.indices { paths.append(joinedPath(prefix, "\(k)")) }
    }

    /// The path of each tensor, in the order of `leaves`.
    public var paths: [String] {
        var result: [String] = []
        appendPaths(prefix: "", to: &result)
        return result
    }

    /// The first difference between the paths of two trees as a sentence, or nil where they are the same.
    func pathDifference(from other: some TensorTree) -> String? {
        let (mine, theirs) = (paths, other.paths)
        guard mine != theirs else { return nil }
        let place =
            zip(mine, theirs).enumerated().first { $0.element.0 != $0.element.1 }?.offset
            ?? Swift.min(mine.count, theirs.count)
        func name(_ paths: [String]) -> String {
            place < paths.count ? "'\(paths[place])'" : "no further tensor"
        }
        return "\(name(mine)) in the first, \(name(theirs)) in the second"
    }

    /// The tensors in the tree's fixed order.
    public var leaves: [Tensor] {
        var result: [Tensor] = []
        appendLeaves(to: &result)
        return result
    }

    /// The same tree with other tensors.
    public func replacingLeaves(_ leaves: [Tensor]) throws -> Self {
        var cursor = LeafCursor(leaves)
        let result = try replacingLeaves(from: &cursor)
        try cursor.finish()
        return result
    }

    /// The tree with every tensor transformed. (Not `map`: an array of tensors is a sequence as well as a tree.)
    public func mapLeaves(_ transform: (Tensor) throws -> Tensor) throws -> Self {
        try replacingLeaves(try leaves.map(transform))
    }

    /// The tree whose tensors are `transform(own, other's)`, for two trees whose tensors have the same paths.
    public func mapLeaves<Other: TensorTree>(
        _ other: Other, _ transform: (Tensor, Tensor) throws -> Tensor
    ) throws -> Self {
        if let difference = pathDifference(from: other) {
            throw TensorError(
                .structure, "map", expected: "two trees of the same structure", got: difference)
        }
        return try replacingLeaves(try zip(leaves, other.leaves).map(transform))
    }
}

/// A key behind the path that leads to it.
func joinedPath(_ prefix: String, _ key: String) -> String { prefix.isEmpty ? key : "\(prefix)/\(key)" }

extension Tensor: TensorTree {
    public func appendPaths(prefix: String, to paths: inout [String]) { paths.append(prefix) }
    public func appendLeaves(to leaves: inout [Tensor]) { leaves.append(self) }
    public func replacingLeaves(from leaves: inout LeafCursor) throws -> Tensor { try leaves.next() }
}

extension Array: TensorTree where Element: TensorTree {
    public func appendPaths(prefix: String, to paths: inout [String]) {
        for (k, element) in enumerated() {
            element.appendPaths(prefix: joinedPath(prefix, "\(k)"), to: &paths)
        }
    }
    public func appendLeaves(to leaves: inout [Tensor]) {
        for element in self { element.appendLeaves(to: &leaves) }
    }
    public func replacingLeaves(from leaves: inout LeafCursor) throws -> [Element] {
        try map { try $0.replacingLeaves(from: &leaves) }
    }
    public func appendStructure(to structure: inout [String]) {
        structure.append("\(count)")
        for element in self { element.appendStructure(to: &structure) }
    }
}

extension Optional: TensorTree where Wrapped: TensorTree {
    public func appendPaths(prefix: String, to paths: inout [String]) {
        self?.appendPaths(prefix: prefix, to: &paths)
    }
    public func appendLeaves(to leaves: inout [Tensor]) { self?.appendLeaves(to: &leaves) }
    public func replacingLeaves(from leaves: inout LeafCursor) throws -> Wrapped? {
        try map { try $0.replacingLeaves(from: &leaves) }
    }
    public func appendStructure(to structure: inout [String]) {
        structure.append({ if case .none = self { "none" } else { "some" } }())
        self?.appendStructure(to: &structure)
    }
}
