// JSON for tests: parsing that fails the test, and changing a document in one place.

import JobSpec

/// Parses JSON written in a test.
package func json(_ text: String) throws -> JSONValue {
    try JSONValue(parsing: text)
}

extension JSONValue {
    /// With the value at a pointer such as "/data/batch_size" replaced, added, or (nil) removed.
    package func setting(_ pointer: String, to value: JSONValue?) -> JSONValue {
        setting(JSONPointer(pointer)?.tokens ?? [], to: value)
    }

    private func setting(_ tokens: [String], to value: JSONValue?) -> JSONValue {
        guard let first = tokens.first else { return value ?? .null }
        let rest = Array(tokens.dropFirst())
        switch self {
        case .array(var elements):
            guard let index = Int(first), elements.indices.contains(index) else { return self }
            if rest.isEmpty, value == nil {
                elements.remove(at: index)
            } else {
                elements[index] = elements[index].setting(rest, to: value)
            }
            return .array(elements)
        case .object(var members):
            if rest.isEmpty {
                members[first] = value
            } else {
                members[first] = (members[first] ?? [:]).setting(rest, to: value)
            }
            return .object(members)
        default: return self
        }
    }
}
