// An immutable dictionary of tensors and dictionaries: Flax's FrozenDict.

/// Named tensors and sub-dictionaries, such as `["params": ["Dense_0": ["kernel": …, "bias": …]]]`.
///
/// Keeps the order of creation, which `toBytes` shows; leaves are visited in the order of the keys' UTF-8 bytes, and every
/// `map` gives a sorted dictionary, as tree maps in JAX do.
public struct FrozenDict: Sendable {
    public private(set) var keys: [String]
    private var values: [String: Tree]

    public init() {
        keys = []
        values = [:]
    }

    /// From pairs; of a repeated key, the last value counts.
    public init(_ entries: some Sequence<(String, Tree)>) {
        self.init()
        for (key, value) in entries { self[key] = value }
    }

    public var count: Int { keys.count }
    public var isEmpty: Bool { keys.isEmpty }

    public subscript(_ key: String) -> Tree? {
        get { values[key] }
        set {
            if newValue != nil, values[key] == nil { keys.append(key) }
            if newValue == nil { keys.removeAll { $0 == key } }
            values[key] = newValue
        }
    }

    /// The entries in the order of creation.
    public var entries: [(key: String, value: Tree)] {
        keys.compactMap { key in values[key].map { (key, $0) } }
    }

    /// The entries in the order of the keys' UTF-8 bytes.
    public var sortedEntries: [(key: String, value: Tree)] {
        keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.compactMap { key in
            values[key].map { (key, $0) }
        }
    }

    /// The value at a path of keys separated by slashes, such as `"Dense_0/kernel"`.
    public func value(at path: String) -> Tree? {
        var node = Tree.dictionary(self)
        for key in path.split(separator: "/") {
            guard let child = node[String(key)] else { return nil }
            node = child
        }
        return node
    }

    /// The tensor at a path. Throws an error that lists what there is.
    public func tensor(at path: String) throws -> Tensor {
        guard let tensor = value(at: path)?.tensor else {
            throw TensorError(
                .structure, "FrozenDict", expected: "a tensor at '\(path)'",
                got:
                    "tensors at \(Tree.dictionary(self).leavesWithPaths().map(\.path).joined(separator: ", "))"
            )
        }
        return tensor
    }

    /// This dictionary with the entries of `other` added or put in place of its own.
    public func merging(_ other: FrozenDict) -> FrozenDict {
        var result = self
        for (key, value) in other.entries { result[key] = value }
        return result
    }
}

extension FrozenDict: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, Tree)...) { self.init(elements) }
}

extension FrozenDict: TensorTree {
    public func appendPaths(prefix: String, to paths: inout [String]) {
        Tree.dictionary(self).appendPaths(prefix: prefix, to: &paths)
    }

    public func appendLeaves(to leaves: inout [Tensor]) {
        for (_, value) in sortedEntries { value.appendLeaves(to: &leaves) }
    }

    public func replacingLeaves(from leaves: inout LeafCursor) throws -> FrozenDict {
        FrozenDict(try sortedEntries.map { ($0.key, try $0.value.replacingLeaves(from: &leaves)) })
    }

    public func appendStructure(to structure: inout [String]) {
        Tree.dictionary(self).appendStructure(to: &structure)
    }
}

extension FrozenDict {
    /// The tree with every tensor transformed.
    public func map(_ transform: (Tensor) throws -> Tensor) throws -> FrozenDict { try mapLeaves(transform) }

    /// The tree whose tensors are `transform(own, other's)`.
    public func map<Other: TensorTree>(
        _ other: Other, _ transform: (Tensor, Tensor) throws -> Tensor
    ) throws -> FrozenDict {
        try mapLeaves(other, transform)
    }
}
