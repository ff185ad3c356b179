// Which parameters something applies to: masks and labels, as trees that may stop above the leaves, or by path.
import TensorEngine

/// A value for every parameter, given for whole subtrees or single leaves.
public indirect enum PrefixTree<Value: Sendable>: Sendable {
    /// For everything below this place.
    case all(Value)
    case dictionary([String: PrefixTree])
    case sequence([PrefixTree])

    /// The value of each leaf of `tree`, in its order. Throws unless this is a prefix of `tree`.
    func values(for tree: Tree, operation: String, path: String = "") throws -> [Value] {
        switch (self, tree) {
        case (.all(let value), _):
            return tree.leaves.map { _ in value }
        case (_, .record(name: MaskedNode.name, _)), (_, .none):
            return []
        case (.dictionary(let children), .dictionary(let dictionary)):
            guard Set(children.keys) == Set(dictionary.keys) else {
                throw mismatch(
                    operation, path, expected: "the keys \(dictionary.keys.sorted())",
                    got: "\(children.keys.sorted())")
            }
            return try dictionary.sortedEntries.flatMap { key, value in
                try children[key]?.values(for: value, operation: operation, path: path + "/" + key) ?? []
            }
        case (.sequence(let children), .tuple(let elements)):
            guard children.count == elements.count else {
                throw mismatch(
                    operation, path, expected: "\(elements.count) elements", got: "\(children.count)")
            }
            return try zip(children, elements).enumerated().flatMap { index, pair in
                try pair.0.values(for: pair.1, operation: operation, path: path + "/\(index)")
            }
        default:
            throw mismatch(operation, path, expected: "the structure of the parameters", got: "another")
        }
    }

    private func mismatch(_ operation: String, _ path: String, expected: String, got: String) -> TensorError {
        TensorError(
            .structure, operation, expected: "a mask or labels with " + expected, got: got,
            fix: "It must have the parameters' structure, or be a prefix of it.",
            path: path.isEmpty ? "/" : path)
    }
}

extension PrefixTree: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, PrefixTree)...) {
        self = .dictionary(Dictionary(elements) { _, last in last })
    }
}

extension PrefixTree: ExpressibleByBooleanLiteral where Value == Bool {
    public init(booleanLiteral value: Bool) { self = .all(value) }
}

extension PrefixTree: ExpressibleByUnicodeScalarLiteral, ExpressibleByExtendedGraphemeClusterLiteral,
    ExpressibleByStringLiteral
where Value == String {
    public init(stringLiteral value: String) { self = .all(value) }
}

/// A value for every parameter: by a tree, or by a rule.
public enum ParameterSelection<Value: Sendable>: Sendable {
    case tree(PrefixTree<Value>)
    /// By a parameter's path, such as `Dense_0/kernel`, and its type.
    case rule(@Sendable (_ path: String, _ type: TensorType) -> Value)

    func values(for tree: Tree, operation: String) throws -> [Value] {
        switch self {
        case .tree(let prefix): try prefix.values(for: tree, operation: operation)
        case .rule(let rule): tree.leavesWithPaths().map { rule($0.path, $0.tensor.type) }
        }
    }

    /// The selection of what `transform` makes of the values.
    func mapped<Other>(_ transform: @escaping @Sendable (Value) -> Other) -> ParameterSelection<Other> {
        switch self {
        case .tree(let prefix): .tree(prefix.mapped(transform))
        case .rule(let rule): .rule { transform(rule($0, $1)) }
        }
    }
}

extension PrefixTree {
    func mapped<Other>(_ transform: (Value) -> Other) -> PrefixTree<Other> {
        switch self {
        case .all(let value): .all(transform(value))
        case .dictionary(let children): .dictionary(children.mapValues { $0.mapped(transform) })
        case .sequence(let children): .sequence(children.map { $0.mapped(transform) })
        }
    }
}

/// True for the parameters that something applies to.
public typealias ParameterMask = ParameterSelection<Bool>

extension ParameterSelection where Value == Bool {
    /// Weight matrices and convolution kernels, but not biases and scales: the usual choice for weight decay.
    public static var rankAboveOne: ParameterMask { .rule { _, type in type.shape.rank > 1 } }
}

/// What stands for a leaf that a mask leaves out: an empty record, as in Optax.
enum MaskedNode {
    static let name = "MaskedNode"
    static let tree = Tree.record(name: name, fields: [])
}
