// JSON to arguments, driven by the catalog: every problem is collected with its place, none ends the decoding.

import OrderedCollections

/// Lives for one decoding. A problem is reported and the value left out, so what follows must expect any argument
/// to be absent until `problems` is known to be empty.
final class SpecDecoder {
    private(set) var problems: [SpecProblem] = []
    private var entryCount = 0

    static let maximumProblems = 100
    static let maximumEntries = 10_000
    static let maximumEntryDepth = 16
    static let maximumLabels = 64

    /// A hostile spec could have a million problems, and each costs a search for what was meant.
    private var isFull: Bool { problems.count >= Self.maximumProblems }

    func report(_ code: SpecProblem.Code, _ pointer: JSONPointer, _ detail: String) {
        guard !isFull else { return }
        problems.append(SpecProblem(code, at: pointer, detail))
    }

    func arguments(
        _ fields: OrderedDictionary<String, JSONValue>, of block: Block, at pointer: JSONPointer,
        depth: Int = 0
    ) -> Arguments {
        for name in fields.keys where !block.parameters.contains(where: { $0.name == name }) {
            if isFull { break }
            if block.planned.contains(name) {
                report(
                    .unsupported, pointer.appending(name),
                    "\(block.name).\(name) is not in this version; leave it out")
                continue
            }
            let names = block.parameters.map(\.name)
            let hint = suggestion(for: name, among: names)
            let known =
                names.isEmpty
                ? "\(block.name) takes none" : "\(block.name) has \(names.joined(separator: ", "))"
            report(
                .unknownField, pointer.appending(name), "unknown field\(hint.isEmpty ? "; \(known)" : hint)")
        }
        var result = Arguments(owner: block.name)
        for parameter in block.parameters {
            let place = pointer.appending(parameter.name)
            // null means absent, everywhere.
            if let value = fields[parameter.name], !value.isNull {
                result.values[parameter.name] = argument(value, parameter.type, at: place, depth: depth)
            } else if let value = parameter.defaultValue {
                result.values[parameter.name] = argument(value, parameter.type, at: place, depth: depth)
            } else if parameter.isRequired {
                report(
                    .missingField, place,
                    "missing; \(block.name) needs \(parameter.name), \(parameter.type.description)")
            }
        }
        return result
    }

    /// A catalog entry of one of these kinds: its name, or an object with its name as `type`.
    func typed(_ value: JSONValue, _ kinds: [CatalogKind], at pointer: JSONPointer, depth: Int) -> TypedSpec?
    {
        guard depth < Self.maximumEntryDepth else {
            report(.outOfRange, pointer, "nested deeper than \(Self.maximumEntryDepth) levels")
            return nil
        }
        entryCount += 1
        guard entryCount <= Self.maximumEntries else {
            if entryCount == Self.maximumEntries + 1 {
                report(.outOfRange, pointer, "more than \(Self.maximumEntries) modules and other objects")
            }
            return nil
        }
        let name: String
        var fields: OrderedDictionary<String, JSONValue> = [:]
        var namePlace = pointer
        switch value {
        case .string(let text): name = text
        case .object(let members):
            namePlace = pointer.appending("type")
            guard let type = members["type"] else {
                report(.missingField, namePlace, "missing; the type names \(Self.list(kinds))")
                return nil
            }
            guard let text = type.stringValue else {
                report(.wrongType, namePlace, "expected a string, got \(type.kindDescription)")
                return nil
            }
            name = text
            fields = members
            fields.removeValue(forKey: "type")
        default:
            report(
                .wrongType, pointer,
                "expected \(Self.list(kinds)): a name or an object with type, got \(value.kindDescription)")
            return nil
        }
        guard let entry = kinds.lazy.compactMap({ Catalog.entry($0, name) }).first else {
            reportUnknown(name, kinds, at: namePlace)
            return nil
        }
        let problemsBefore = problems.count
        let arguments = arguments(fields, of: entry.arguments, at: pointer, depth: depth + 1)
        if problems.count == problemsBefore { entry.check?(arguments, pointer, self) }
        return TypedSpec(kind: entry.kind, name: entry.name, arguments: arguments, pointer: pointer)
    }

    private func reportUnknown(_ name: String, _ kinds: [CatalogKind], at pointer: JSONPointer) {
        if isFull { return }
        let names = kinds.flatMap { Catalog.entries($0).map(\.name) }
        let available = names.count > 16 ? "" : "; there is \(names.joined(separator: ", "))"
        if let reason = kinds.lazy.compactMap({ Catalog.planned[$0]?[name] }).first {
            report(.unsupported, pointer, "\(name) is not in this version: \(reason)\(available)")
            return
        }
        let hint = suggestion(for: name, among: names)
        if hint.isEmpty, let other = Catalog.entries.first(where: { $0.name == name }) {
            report(
                .unknownName, pointer,
                "\(name) is \(other.kind.indefinite), not \(Self.list(kinds))\(available)")
            return
        }
        report(
            .unknownName, pointer,
            "\"\(excerpt(name))\" is not \(Self.list(kinds))\(hint.isEmpty ? available : hint)")
    }

    private static func list(_ kinds: [CatalogKind]) -> String {
        kinds.map(\.indefinite).joined(separator: " or ")
    }
}

/// Decoding of parts of a spec by themselves.
package enum SpecDecoding {
    /// One entry of the catalog, or its problems.
    package static func entry(_ json: JSONValue, _ kind: CatalogKind) -> Result<TypedSpec, SpecErrors> {
        let decoder = SpecDecoder()
        let entry = decoder.typed(json, [kind], at: .root, depth: 0)
        guard let entry, decoder.problems.isEmpty else {
            return .failure(SpecErrors(problems: decoder.problems))
        }
        return .success(entry)
    }
}
