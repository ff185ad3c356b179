// Values to state dicts and back through a template: flax.serialization.to_state_dict and from_state_dict.

extension StateDict {
    /// The state dict of a value: lists and tuples become dictionaries with the keys "0", "1", …, records dictionaries of their
    /// fields, integer keys text; leaves stay.
    func proper(depth: Int = 0) throws -> StateDict {
        guard depth <= maximumStateDepth else { throw tooDeep("toStateDict") }
        switch self {
        case .dictionary(let entries), .frozenDictionary(let entries), .record(_, let entries):
            return .dictionary(
                try entries.map { Entry($0.key.description, try $0.value.proper(depth: depth + 1)) })
        case .list(let values), .tuple(let values):
            return .dictionary(
                try values.enumerated().map {
                    Entry(String($0.offset), try $0.element.proper(depth: depth + 1))
                })
        default:
            return self
        }
    }

    /// This template with its leaves replaced by those of `state`, by Flax's rules.
    ///
    /// Keys of a template dictionary must be in the state, more keys there are ignored. Lists and tuples must be of the same
    /// length, records must have the same fields. A leaf is replaced by whatever the state has in its place: shapes and types
    /// are not compared.
    ///
    /// - Throws: `SerializationError` (structure) with the path.
    func restored(from state: StateDict, path: String = "") throws -> StateDict {
        guard path.utf8.count <= 1 << 14 else { throw tooDeep("fromStateDict") }
        switch self {
        case .dictionary(let template):
            return .dictionary(try Self.entries(template, from: state, path: path, exactly: nil))
        case .frozenDictionary(let template):
            return .frozenDictionary(try Self.entries(template, from: state, path: path, exactly: nil))
        case .record(let name, let template):
            return .record(
                name: name, fields: try Self.entries(template, from: state, path: path, exactly: name))
        case .list(let template):
            return .list(try Self.elements(template, from: state, path: path, kind: "list"))
        case .tuple(let template):
            return .tuple(try Self.elements(template, from: state, path: path, kind: "tuple"))
        default:
            return state
        }
    }

    /// - Parameter exactly: the name of a record, whose fields must be the state's keys, neither more nor fewer.
    private static func entries(
        _ template: [Entry], from state: StateDict, path: String, exactly recordName: String?
    ) throws -> [Entry] {
        let values = try state.values(at: path, for: recordName.map { "a \($0)" } ?? "a dictionary")
        let wanted = template.map(\.key.description)
        let missing = wanted.filter { values[$0] == nil }.sorted()
        let unknown = recordName == nil ? [] : Set(values.keys).subtracting(wanted).sorted()
        guard missing.isEmpty, unknown.isEmpty else {
            let kind = recordName.map { "the fields of \($0)" } ?? "the keys"
            var got = "a state dict"
            if !missing.isEmpty { got += " without \(quoted(missing))" }
            if !unknown.isEmpty {
                got += (missing.isEmpty ? " with" : " and with") + " unknown \(quoted(unknown))"
            }
            throw SerializationError(
                .structure, "fromStateDict", path: path.isEmpty ? "/" : path,
                expected: "\(kind) \(quoted(wanted))", got: got,
                fix: "The template must be made by the same model and optimizer as the saved state.")
        }
        return try template.map { entry in
            let key = entry.key.description
            return Entry(
                entry.key, try entry.value.restored(from: values[key] ?? .none, path: path + "/" + key))
        }
    }

    private static func elements(
        _ template: [StateDict], from state: StateDict, path: String, kind: String
    ) throws -> [StateDict] {
        let values = try state.values(at: path, for: "a \(kind)")
        guard values.count == template.count else {
            throw SerializationError(
                .structure, "fromStateDict", path: path.isEmpty ? "/" : path,
                expected: "a \(kind) of \(template.count) elements", got: "a state dict of \(values.count)",
                fix: "The template must be made by the same model and optimizer as the saved state.")
        }
        return try template.enumerated().map { index, element in
            let key = String(index)
            guard let value = values[key] else {
                throw SerializationError(
                    .structure, "fromStateDict", path: path.isEmpty ? "/" : path,
                    expected: "the keys \"0\" to \"\(template.count - 1)\"",
                    got: "a state dict without \"\(key)\"")
            }
            return try element.restored(from: value, path: path + "/" + key)
        }
    }

    /// The entries of a state dict by their keys as text.
    private func values(at path: String, for kind: String) throws -> [String: StateDict] {
        guard case .dictionary(let entries) = self else {
            throw SerializationError(
                .structure, "fromStateDict", path: path.isEmpty ? "/" : path,
                expected: "a dictionary, the state of \(kind)", got: kindName)
        }
        return Dictionary(entries.map { ($0.key.description, $0.value) }) { _, last in last }
    }
}

/// Names for an error message, at most 20 of them.
func quoted(_ names: [String]) -> String {
    let shown = names.prefix(20).map { "'\($0)'" }.joined(separator: ", ")
    return names.count > 20 ? "\(shown) and \(names.count - 20) more" : shown
}
