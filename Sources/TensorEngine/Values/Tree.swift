// The tree whose shape is known at run time only: variables, gradients, optimizer states.

/// A tree of tensors with names, as JAX has them: dictionaries, tuples, named tuples.
public indirect enum Tree: Sendable {
    case tensor(Tensor)
    /// Named children in the order of creation; leaves are visited in the order of the keys.
    case dictionary(FrozenDict)
    /// Children by position. Flax's state dict of it has the keys "0", "1", ….
    case tuple([Tree])
    /// A named tuple such as Optax's `ScaleByAdamState`; leaves are visited in the order of the fields.
    case record(name: String, fields: [Field])
    /// No value (Python's None).
    case none

    /// A field of a record.
    public struct Field: Sendable {
        public var name: String
        public var value: Tree

        public init(_ name: String, _ value: Tree) {
            self.name = name
            self.value = value
        }
    }

    /// A record without fields, Optax's state of a transformation that keeps none.
    public static let emptyState = Tree.record(name: "EmptyState", fields: [])

    /// The child at a key, a field name or a position.
    public subscript(_ key: String) -> Tree? {
        switch self {
        case .dictionary(let dictionary): dictionary[key]
        case .record(_, let fields): fields.first { $0.name == key }?.value
        case .tuple(let children): Int(key).flatMap { children.indices.contains($0) ? children[$0] : nil }
        case .tensor, .none: nil
        }
    }

    /// The tensor, if this is a leaf.
    public var tensor: Tensor? {
        if case .tensor(let tensor) = self { tensor } else { nil }
    }

    /// The dictionary, if this is one.
    public var dictionary: FrozenDict? {
        if case .dictionary(let dictionary) = self { dictionary } else { nil }
    }

    /// The named children in the order in which leaves are visited.
    var children: [(name: String, value: Tree)] {
        switch self {
        case .tensor, .none: []
        case .dictionary(let dictionary): dictionary.sortedEntries.map { ($0.key, $0.value) }
        case .tuple(let children): children.enumerated().map { (String($0.offset), $0.element) }
        case .record(_, let fields): fields.map { ($0.name, $0.value) }
        }
    }

    /// Each leaf with its path, such as `Dense_0/kernel`, in the tree's fixed order.
    public func leavesWithPaths(prefix: String = "") -> [(path: String, tensor: Tensor)] {
        if case .tensor(let tensor) = self { return [(prefix, tensor)] }
        return children.flatMap {
            $0.value.leavesWithPaths(prefix: prefix.isEmpty ? $0.name : prefix + "/" + $0.name)
        }
    }

    /// The tree with every tensor transformed, given its path. Dictionaries come out sorted by key, as from any tree map in JAX.
    public func mapWithPath(
        prefix: String = "", _ transform: (String, Tensor) throws -> Tensor
    ) throws -> Tree {
        func path(_ name: String) -> String { prefix.isEmpty ? name : prefix + "/" + name }
        return switch self {
        case .tensor(let tensor): .tensor(try transform(prefix, tensor))
        case .none: .none
        case .dictionary(let dictionary):
            .dictionary(
                FrozenDict(
                    try dictionary.sortedEntries.map {
                        ($0.key, try $0.value.mapWithPath(prefix: path($0.key), transform))
                    }))
        case .tuple(let children):
            .tuple(
                try children.enumerated().map {
                    try $0.element.mapWithPath(prefix: path("\($0.offset)"), transform)
                })
        case .record(let name, let fields):
            .record(
                name: name,
                fields: try fields.map {
                    Field($0.name, try $0.value.mapWithPath(prefix: path($0.name), transform))
                })
        }
    }

    /// The first difference in structure from `other` as a sentence, or nil where the two have the same structure.
    public func structureDifference(from other: Tree, prefix: String = "") -> String? {
        let place = prefix.isEmpty ? "the root" : "'\(prefix)'"
        let (mine, theirs) = (children, other.children)
        switch (self, other) {
        case (.tensor, .tensor), (.none, .none): return nil
        case (.dictionary, .dictionary), (.tuple, .tuple), (.record, .record):
            if mine.map(\.name) != theirs.map(\.name) {
                return "at \(place): \(mine.map(\.name)) against \(theirs.map(\.name))"
            }
            for (a, b) in zip(mine, theirs) {
                let path = prefix.isEmpty ? a.name : prefix + "/" + a.name
                if let difference = a.value.structureDifference(from: b.value, prefix: path) {
                    return difference
                }
            }
            return nil
        default:
            return "at \(place): \(kindName) against \(other.kindName)"
        }
    }

    private var kindName: String {
        switch self {
        case .tensor: "a tensor"
        case .dictionary: "a dictionary"
        case .tuple: "a tuple"
        case .record(let name, _): "a \(name)"
        case .none: "none"
        }
    }
}

extension Tree: TensorTree {
    public func appendPaths(prefix: String, to paths: inout [String]) {
        if case .tensor = self { return paths.append(prefix) }
        for (name, value) in children { value.appendPaths(prefix: joinedPath(prefix, name), to: &paths) }
    }

    public func appendLeaves(to leaves: inout [Tensor]) {
        switch self {
        case .tensor(let tensor): leaves.append(tensor)
        case .none: break
        case .dictionary(let dictionary): dictionary.appendLeaves(to: &leaves)
        case .tuple(let children): for child in children { child.appendLeaves(to: &leaves) }
        case .record(_, let fields): for field in fields { field.value.appendLeaves(to: &leaves) }
        }
    }

    public func replacingLeaves(from leaves: inout LeafCursor) throws -> Tree {
        switch self {
        case .tensor: .tensor(try leaves.next())
        case .none: .none
        case .dictionary(let dictionary): .dictionary(try dictionary.replacingLeaves(from: &leaves))
        case .tuple(let children): .tuple(try children.map { try $0.replacingLeaves(from: &leaves) })
        case .record(let name, let fields):
            .record(
                name: name,
                fields: try fields.map { Field($0.name, try $0.value.replacingLeaves(from: &leaves)) })
        }
    }

    public func appendStructure(to structure: inout [String]) {
        structure.append(kindName)
        for (name, value) in children {
            structure.append(name)
            value.appendStructure(to: &structure)
        }
        structure.append("end")
    }
}

extension Tree {
    /// The tree with every tensor transformed.
    public func map(_ transform: (Tensor) throws -> Tensor) throws -> Tree { try mapLeaves(transform) }

    /// The tree whose tensors are `transform(own, other's)`.
    public func map<Other: TensorTree>(
        _ other: Other, _ transform: (Tensor, Tensor) throws -> Tensor
    ) throws -> Tree {
        try mapLeaves(other, transform)
    }
}
