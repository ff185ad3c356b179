// A JSON document as a value. Objects keep the order of their members; numbers keep the difference between
// integers (Int64) and everything else (Double).

import OrderedCollections

package enum JSONValue: Sendable, Hashable {
    case null
    case bool(Bool)
    case int(Int64)
    case double(Double)
    case string(String)
    case array([JSONValue])
    case object(OrderedDictionary<String, JSONValue>)
}

extension JSONValue {
    /// The member of an object; nil when there is none, or when this is no object.
    package subscript(key: String) -> JSONValue? {
        if case .object(let members) = self { members[key] } else { nil }
    }

    /// The element of an array; nil outside its bounds, or when this is no array.
    package subscript(index: Int) -> JSONValue? {
        if case .array(let elements) = self, elements.indices.contains(index) { elements[index] } else { nil }
    }

    package var isNull: Bool { self == .null }

    package var boolValue: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    package var stringValue: String? {
        if case .string(let value) = self { value } else { nil }
    }

    /// An integer, also one that was written with a fraction of zero (`20.0`, `2e3`), as long as it is exact.
    package var intValue: Int? {
        switch self {
        case .int(let value): Int(exactly: value)
        case .double(let value): value.magnitude <= 0x1p53 ? Int(exactly: value) : nil
        default: nil
        }
    }

    /// Any number; integers are rounded to the nearest double.
    package var doubleValue: Double? {
        switch self {
        case .int(let value): Double(value)
        case .double(let value): value
        default: nil
        }
    }

    /// Any number, and the strings that stand for numbers that JSON cannot write: "NaN", "Infinity", "-Infinity".
    package var extendedDoubleValue: Double? {
        guard case .string(let name) = self else { return doubleValue }
        return switch name {
        case "NaN": .nan
        case "Infinity": .infinity
        case "-Infinity": -.infinity
        default: nil
        }
    }

    package var arrayValue: [JSONValue]? {
        if case .array(let elements) = self { elements } else { nil }
    }

    package var objectValue: OrderedDictionary<String, JSONValue>? {
        if case .object(let members) = self { members } else { nil }
    }

    /// "a string", "an object", ... for messages.
    package var kindDescription: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .int, .double: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

extension JSONValue: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByStringLiteral, ExpressibleByArrayLiteral,
    ExpressibleByDictionaryLiteral
{
    package init(nilLiteral: ()) { self = .null }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(integerLiteral value: Int64) { self = .int(value) }
    package init(floatLiteral value: Double) { self = .double(value) }
    package init(stringLiteral value: String) { self = .string(value) }
    package init(arrayLiteral elements: JSONValue...) { self = .array(elements) }

    package init(dictionaryLiteral elements: (String, JSONValue)...) {
        self.init(members: elements)
    }
}

extension JSONValue {
    /// An object with the members in this order; of equal keys the last wins.
    package init(members: [(String, JSONValue)]) {
        var object = OrderedDictionary<String, JSONValue>(minimumCapacity: members.count)
        for (key, value) in members { object[key] = value }
        self = .object(object)
    }

    package init(_ value: Int) { self = .int(Int64(value)) }
    package init(_ value: Double) { self = .double(value) }
    package init(_ value: String) { self = .string(value) }
    package init(_ value: Bool) { self = .bool(value) }
    package init(_ values: [String]) { self = .array(values.map(JSONValue.string)) }
    package init(_ values: [Int]) { self = .array(values.map { .int(Int64($0)) }) }
}
