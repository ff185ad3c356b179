// Finding and replacing values in a state by their names.
import TensorEngine

extension Tree {
    /// Everything in `tree` that has the name `key`, with its path: fields of records, entries of dictionaries, and records of that
    /// name, such as `ScaleByAdamState`. Also what lies inside of what was found.
    public static func getAll(_ tree: Tree, _ key: String) -> [(path: String, value: Tree)] {
        var found: [(path: String, value: Tree)] = []
        func search(_ node: Tree, _ path: String, _ name: String) {
            if name == key {
                found.append((path, node))
            } else if node.recordName == key {
                found.append((path, node))
            }
            for (child, value) in node.named {
                // Positions in a tuple are no names.
                let isNamed = if case .tuple = node { false } else { true }
                search(value, path.isEmpty ? child : path + "/" + child, isNamed ? child : "")
            }
        }
        search(tree, "", "")
        return found
    }

    /// The one value of the name `key` in a state, such as `Tree.get(state, "learning_rate")`; nil where there is none.
    ///
    /// - Throws: `TensorError` (structure) where there are several; `getAll` gives them with their paths.
    public static func get(_ tree: Tree, _ key: String) throws -> Tree? {
        let found = getAll(tree, key)
        guard found.count < 2 else {
            throw TensorError(
                .structure, "Tree.get", expected: "one value named '\(key)'",
                got: "\(found.count), at \(found.map(\.path).joined(separator: ", "))",
                fix: "Take the one that you mean from Tree.getAll, by its path.")
        }
        return found.first?.value
    }

    /// The tree with every value of the given names replaced, such as `Tree.set(state, ["learning_rate": .tensor(rate)])`.
    ///
    /// - Parameter filter: which of the values of those names are replaced, by their paths; all by default.
    /// - Throws: `TensorError` (structure) for a name of which no value is found, so that a misspelt one does not go unnoticed.
    public static func set(
        _ tree: Tree, _ values: [String: Tree],
        where filter: (_ path: String, _ value: Tree) -> Bool = { _, _ in true }
    ) throws -> Tree {
        var missing = Set(values.keys)
        func replace(_ node: Tree, _ path: String, _ name: String) -> Tree {
            for key in [name, node.recordName] {
                if let key, let value = values[key], filter(path, node) {
                    missing.remove(key)
                    return value
                }
            }
            func child(_ name: String, _ value: Tree, isNamed: Bool = true) -> Tree {
                replace(value, path.isEmpty ? name : path + "/" + name, isNamed ? name : "")
            }
            switch node {
            case .tensor, .none: return node
            case .dictionary(let dictionary):
                return .dictionary(FrozenDict(dictionary.entries.map { ($0.key, child($0.key, $0.value)) }))
            case .tuple(let children):
                return .tuple(children.enumerated().map { child("\($0.offset)", $0.element, isNamed: false) })
            case .record(let name, let fields):
                return .record(name: name, fields: fields.map { Field($0.name, child($0.name, $0.value)) })
            }
        }
        let result = replace(tree, "", "")
        guard missing.isEmpty else {
            throw TensorError(
                .structure, "Tree.set",
                expected: "values named \(values.keys.sorted().joined(separator: ", "))",
                got: "none named \(missing.sorted().joined(separator: ", "))")
        }
        return result
    }

    private var recordName: String? {
        if case .record(let name, _) = self { name } else { nil }
    }

    /// The children with their names or positions.
    private var named: [(String, Tree)] {
        switch self {
        case .tensor, .none: []
        case .dictionary(let dictionary): dictionary.sortedEntries.map { ($0.key, $0.value) }
        case .tuple(let children): children.enumerated().map { ("\($0.offset)", $0.element) }
        case .record(_, let fields): fields.map { ($0.name, $0.value) }
        }
    }
}
