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

extension ParameterSelection {
    /// By patterns of paths: the value of the first pattern that matches a parameter's path, or `fallback`.
    ///
    ///     .patterns([("encoder/*", "frozen"), ("*/bias", "small")], otherwise: "train")
    ///
    /// `*` matches any run of characters, slashes included, and `?` a single one; a pattern matches whole paths. A leading `*/`
    /// also matches nothing, so that `*/bias` means every bias, that of a model of one layer too.
    public static func patterns(
        _ patterns: [(pattern: String, value: Value)], otherwise fallback: Value
    ) -> ParameterSelection {
        .rule { path, _ in
            patterns.first { PathPattern.matches(path, $0.pattern) }?.value ?? fallback
        }
    }
}

extension ParameterSelection where Value == Bool {
    /// The parameters whose paths match one of the patterns, such as `"*/bias"`. See `patterns(_:otherwise:)`.
    public static func matching(_ patterns: String...) -> ParameterMask {
        .patterns(patterns.map { ($0, true) }, otherwise: false)
    }

    /// The parameters whose paths match none of the patterns: `.notMatching("*/bias", "*/scale")` for weight decay.
    public static func notMatching(_ patterns: String...) -> ParameterMask {
        .patterns(patterns.map { ($0, false) }, otherwise: true)
    }
}

/// Patterns of paths with `*` and `?`.
enum PathPattern {
    static func matches(_ path: String, _ pattern: String) -> Bool {
        let (path, pattern) = (Array(path.unicodeScalars), Array(pattern.unicodeScalars))
        if matches(path[...], pattern[...]) { return true }
        return pattern.starts(with: "*/".unicodeScalars) && matches(path[...], pattern[2...])
    }

    /// Goes back to the last star only, so that the time is at most the product of the lengths.
    private static func matches(
        _ path: ArraySlice<Unicode.Scalar>, _ pattern: ArraySlice<Unicode.Scalar>
    ) -> Bool {
        var (place, position) = (path.startIndex, pattern.startIndex)
        var retry: (place: Int, position: Int)?
        while place < path.endIndex {
            if position < pattern.endIndex, pattern[position] == "*" {
                position += 1
                retry = (place, position)
            } else if position < pattern.endIndex,
                pattern[position] == "?" || pattern[position] == path[place]
            {
                (place, position) = (place + 1, position + 1)
            } else if let last = retry {
                (place, position) = (last.place + 1, last.position)
                retry = (place, position)
            } else {
                return false
            }
        }
        return pattern[position...].allSatisfy { $0 == "*" }
    }
}

/// What stands for a leaf that a mask leaves out: an empty record, as in Optax.
enum MaskedNode {
    static let name = "MaskedNode"
    static let tree = Tree.record(name: name, fields: [])
}
