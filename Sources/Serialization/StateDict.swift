// The values that Flax's serialisation knows, as one Swift type: state dicts, and the trees they are made from.

/// A value as Flax serialises it. A *state dict* proper consists of dictionaries with string keys and leaves only
/// (`toStateDict` gives that); lists, tuples, records and frozen dictionaries occur in what is serialised and in templates.
public indirect enum StateDict: Sendable {
    /// A dict, in the order of insertion.
    case dictionary([Entry])
    /// A FrozenDict, in the order of insertion.
    case frozenDictionary([Entry])
    case list([StateDict])
    case tuple([StateDict])
    /// A named tuple or a dataclass, such as Optax's `ScaleByAdamState`.
    case record(name: String, fields: [Entry])
    case array(StateArray)
    /// A NumPy scalar: an array without dimensions that is not an `ndarray`.
    case scalar(StateArray)
    case int(Int64)
    /// Only for integers above `Int64.max`.
    case unsigned(UInt64)
    case float(Double)
    case complex(real: Double, imaginary: Double)
    case string(String)
    case bytes([UInt8])
    case bool(Bool)
    /// Python's None.
    case none
    /// An extension type of MessagePack that Flax does not define.
    case `extension`(code: Int8, data: [UInt8])

    /// A dictionary key: Flax writes the integers of `msgpackSerialize` as integers, and everything else as text.
    public enum Key: Sendable, Hashable, ExpressibleByStringLiteral, CustomStringConvertible {
        case string(String)
        case int(Int64)

        public init(stringLiteral value: String) { self = .string(value) }

        public var description: String {
            switch self {
            case .string(let text): text
            case .int(let number): String(number)
            }
        }
    }

    public struct Entry: Sendable {
        public var key: Key
        public var value: StateDict

        public init(_ key: Key, _ value: StateDict) {
            self.key = key
            self.value = value
        }

        public init(_ key: String, _ value: StateDict) {
            self.init(.string(key), value)
        }
    }

    /// The arrays and numbers, with their paths from here: `Dense_0/kernel`, and an empty one where this is a leaf itself.
    package func leavesWithPaths() -> [(path: String, value: StateDict)] {
        var leaves: [(path: String, value: StateDict)] = []
        func collect(_ state: StateDict, _ path: String?) {
            switch state {
            case .array, .scalar, .int, .float, .bool: leaves.append((path ?? "", state))
            default:
                for entry in state.entries ?? [] {
                    let key = entry.key.description
                    collect(entry.value, path.map { $0 + "/" + key } ?? key)
                }
            }
        }
        collect(self, nil)
        return leaves
    }

    /// The entries of a dictionary or record; nil for anything else.
    public var entries: [Entry]? {
        switch self {
        case .dictionary(let entries), .frozenDictionary(let entries), .record(_, let entries): entries
        default: nil
        }
    }

    /// The value of a dictionary's key or a record's field.
    public subscript(_ key: String) -> StateDict? {
        entries?.first { $0.key.description == key }?.value
    }

    /// What it is, for error messages.
    public var kindName: String {
        switch self {
        case .dictionary, .frozenDictionary: "a dictionary"
        case .list: "a list"
        case .tuple: "a tuple"
        case .record(let name, _): "a \(name)"
        case .array(let array): "an array of \(array.dtypeName) \(array.shape)"
        case .scalar(let array): "a scalar of \(array.dtypeName)"
        case .int, .unsigned: "an integer"
        case .float: "a float"
        case .complex: "a complex number"
        case .string: "a string"
        case .bytes: "a byte string"
        case .bool: "a bool"
        case .none: "none"
        case .extension(let code, _): "an extension value of type \(code)"
        }
    }

    /// The integer, if this is one that fits.
    public var intValue: Int64? {
        if case .int(let value) = self { value } else { nil }
    }

    /// The number, if this is an integer or a float.
    public var doubleValue: Double? {
        switch self {
        case .float(let value): value
        case .int(let value): Double(value)
        default: nil
        }
    }

    public var stringValue: String? {
        if case .string(let value) = self { value } else { nil }
    }

    public var boolValue: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    public var bytesValue: [UInt8]? {
        if case .bytes(let value) = self { value } else { nil }
    }

    public var listValue: [StateDict]? {
        switch self {
        case .list(let values), .tuple(let values): values
        default: nil
        }
    }
}

extension StateDict: ExpressibleByDictionaryLiteral, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByNilLiteral
{
    public init(dictionaryLiteral elements: (Key, StateDict)...) {
        self = .dictionary(elements.map { Entry($0, $1) })
    }
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int64) { self = .int(value) }
    public init(floatLiteral value: Double) { self = .float(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(arrayLiteral elements: StateDict...) { self = .list(elements) }
    public init(nilLiteral: ()) { self = .none }
}
