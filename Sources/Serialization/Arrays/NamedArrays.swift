// Arrays by name in an order: what safetensors and npz files hold.
import TensorEngine

/// Arrays with names, each once, in an order.
public struct NamedArrays: Sendable {
    public private(set) var names: [String] = []
    private var arrays: [String: StateArray] = [:]

    public init() {}

    /// From pairs; of a repeated name the last array counts, at the place of the first.
    public init(_ entries: some Sequence<(String, StateArray)>) {
        for (name, array) in entries { self[name] = array }
    }

    public var count: Int { names.count }

    /// The array of a name. Setting nil removes it.
    public subscript(_ name: String) -> StateArray? {
        get { arrays[name] }
        set {
            if newValue != nil, arrays[name] == nil { names.append(name) }
            if newValue == nil { names.removeAll { $0 == name } }
            arrays[name] = newValue
        }
    }

    /// The names with their arrays, in order.
    public var entries: [(name: String, array: StateArray)] {
        names.compactMap { name in arrays[name].map { (name, $0) } }
    }

    /// The tensor of a name. Throws `SerializationError` for a name that is not there, with those that are, and for complex numbers.
    public func tensor(_ name: String) throws -> Tensor {
        switch arrays[name] {
        case .tensor(let tensor): return tensor
        case .file(let array): return try array.tensor()
        case .complex(let precision, let shape, _):
            throw SerializationError(
                .unsupported, "NamedArrays", path: name, expected: "an array of real numbers",
                got: "\(precision.rawValue) \(shape)")
        case nil:
            throw SerializationError(
                .structure, "NamedArrays", expected: "one of the names \(quoted(names))", got: "'\(name)'")
        }
    }
}

extension NamedArrays {
    /// The leaves of a tree, named by their paths: `params.Dense_0.kernel`.
    ///
    /// - Parameter separator: between the keys of a path. "." is usual in safetensors, "/" in npz.
    /// - Throws: `SerializationError` (structure) where a key contains the separator: the tree could not be made again.
    public init(_ tree: Tree, separator: String = ".") throws {
        try self.init(try toStateDict(tree), separator: separator)
    }

    /// The arrays of a state dict, named by their paths. Numbers become arrays without dimensions; what has no value is left out.
    public init(_ state: StateDict, separator: String = ".") throws {
        self.init()
        try append(try state.proper(), "", separator)
    }

    private mutating func append(_ state: StateDict, _ path: String, _ separator: String) throws {
        switch state {
        case .dictionary(let entries):
            for entry in entries {
                let key = entry.key.description
                guard separator.isEmpty || !key.contains(separator), !key.isEmpty else {
                    throw SerializationError(
                        .structure, "NamedArrays", path: path,
                        expected: "keys that are not empty and do not contain the separator '\(separator)'",
                        got: "'\(key)'", fix: "Use another separator.")
                }
                try append(entry.value, path.isEmpty ? key : path + separator + key, separator)
            }
        case .array(let array), .scalar(let array): self[path] = array
        case .none: break
        default:
            guard let tensor = try Tree(state).tensor else {
                throw SerializationError(
                    .unsupported, "NamedArrays", path: path, expected: "arrays and numbers",
                    got: state.kindName)
            }
            self[path] = .tensor(tensor)
        }
    }

    /// The arrays as a state dict of nested dictionaries, whose names are split at the separator.
    ///
    /// - Throws: `SerializationError` (structure) where one name is both an array and a prefix of another.
    public func stateDict(separator: String = ".") throws -> StateDict {
        let root = Node()
        for (name, array) in entries {
            var node = root
            let keys = separator.isEmpty ? [name] : split(name, separator)
            guard keys.count <= maximumStateDepth else {
                throw SerializationError(
                    .limit, "NamedArrays", path: String(name.prefix(64)),
                    expected: "at most \(maximumStateDepth) parts of a name", got: "\(keys.count)")
            }
            for key in keys {
                guard node.array == nil else { throw clash(name) }
                node = node.child(key)
            }
            guard node.array == nil, node.keys.isEmpty else { throw clash(name) }
            node.array = array
        }
        return root.stateDict
    }

    /// The arrays as a tree of nested dictionaries. See `stateDict`.
    public func tree(separator: String = ".") throws -> Tree { try Tree(try stateDict(separator: separator)) }

    private func clash(_ name: String) -> SerializationError {
        SerializationError(
            .structure, "NamedArrays", path: name, expected: "an array, or a prefix of other names",
            got: "both", fix: "Use another separator.")
    }

    private func split(_ name: String, _ separator: String) -> [String] {
        var (parts, rest) = ([String](), name[...])
        while let place = rest.firstRange(of: separator) {
            parts.append(String(rest[..<place.lowerBound]))
            rest = rest[place.upperBound...]
        }
        return parts + [String(rest)]
    }

    /// A dictionary while it is filled, or one array.
    private final class Node {
        var array: StateArray?
        private(set) var keys: [String] = []
        private var children: [String: Node] = [:]

        func child(_ key: String) -> Node {
            if let child = children[key] { return child }
            let child = Node()
            children[key] = child
            keys.append(key)
            return child
        }

        var stateDict: StateDict {
            if let array { return .array(array) }
            return .dictionary(
                keys.map { StateDict.Entry($0, children[$0]?.stateDict ?? .none) })
        }
    }
}
