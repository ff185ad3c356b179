// The catalog as a document, for GET /v1/catalog and for forms that are made from it.

extension Catalog {
    /// Entries by kind, the spec's own blocks, and the names that are reserved for later.
    package static let json: JSONValue = {
        var members: [(String, JSONValue)] = [
            ("spec_version", 1),
            ("spec", SpecBlocks.job.json),
        ]
        for kind in CatalogKind.allCases {
            members.append((kind.plural, .array(entries(kind).map(\.json))))
        }
        members.append(
            (
                "planned",
                JSONValue(
                    members: CatalogKind.allCases.map { kind in
                        (kind.plural, JSONValue((planned[kind] ?? [:]).keys.sorted()))
                    })
            ))
        return JSONValue(members: members)
    }()
}

extension CatalogEntry {
    package var json: JSONValue {
        var members: [(String, JSONValue)] = [
            ("name", .string(name)), ("kind", .string(kind.rawValue)), ("summary", .string(summary)),
        ]
        if let target { members.append(("target", .string(target.rawValue))) }
        members.append(("parameters", .array(parameters.map(\.json))))
        return JSONValue(members: members)
    }
}

extension Block {
    var json: JSONValue {
        [
            "name": .string(name), "parameters": .array(parameters.map(\.json)),
            "planned": JSONValue(planned),
        ]
    }
}

extension Parameter {
    package var json: JSONValue {
        var members: [(String, JSONValue)] = [("name", .string(name))]
        members += type.jsonMembers
        members.append(("required", .bool(isRequired)))
        if let defaultValue { members.append(("default", defaultValue)) }
        members.append(("doc", .string(doc)))
        return JSONValue(members: members)
    }
}

extension ParameterType {
    /// "type", and what bounds it.
    fileprivate var jsonMembers: [(String, JSONValue)] {
        switch self {
        case .boolean: [("type", "boolean")]
        case .integer(let range): [("type", "integer")] + Self.bounds(range)
        case .number(let range): [("type", "number")] + Self.bounds(range)
        case .text(let rule): [("type", "text"), ("rule", .string(rule.rawValue))]
        case .choice(let choices, _): [("type", "choice"), ("choices", JSONValue(choices))]
        case .integers(let count, let each):
            [("type", "integers")] + Self.counts(count) + Self.bounds(each)
        case .column: [("type", "column")]
        case .columns: [("type", "columns")]
        case .labels: [("type", "labels")]
        case .dataset: [("type", "dataset")]
        case .split: [("type", "split")]
        case .stepScales: [("type", "step_scales")]
        case .typed(let kinds): [("type", "entry"), ("kinds", JSONValue(kinds.map(\.rawValue)))]
        case .typedList(let kinds, let count):
            [("type", "entries"), ("kinds", JSONValue(kinds.map(\.rawValue)))] + Self.counts(count)
        case .numbers(let count): [("type", "numbers")] + Self.counts(count)
        case .integerOrAuto(let range): [("type", "integer_or_auto")] + Self.bounds(range)
        case .padding: [("type", "padding")]
        case .target: [("type", "target")]
        case .typedMap(let kinds): [("type", "entries_by_name"), ("kinds", JSONValue(kinds.map(\.rawValue)))]
        case .numberOrSchedule(let range): [("type", "number_or_schedule")] + Self.bounds(range)
        case .integerOrSchedule(let range): [("type", "integer_or_schedule")] + Self.bounds(range)
        case .hyperparameter(let range): [("type", "hyperparameter")] + Self.bounds(range)
        case .patterns: [("type", "path_patterns")]
        case .patternLabels: [("type", "labels_by_path")]
        case .renames: [("type", "renames")]
        case .names: [("type", "names")]
        case .blocks(let block, let count):
            [("type", "objects"), ("parameters", .array(block.parameters.map(\.json)))] + Self.counts(count)
        case .block(let block):
            [("type", "object"), ("parameters", .array(block.parameters.map(\.json)))]
        }
    }

    private static func counts(_ count: ClosedRange<Int>) -> [(String, JSONValue)] {
        [("minimum_count", JSONValue(count.lowerBound)), ("maximum_count", JSONValue(count.upperBound))]
    }

    private static func bounds(_ range: ClosedRange<Int>) -> [(String, JSONValue)] {
        [("minimum", JSONValue(range.lowerBound)), ("maximum", JSONValue(range.upperBound))]
    }

    private static func bounds(_ range: NumberRange) -> [(String, JSONValue)] {
        [
            (range.excludesMinimum ? "exclusive_minimum" : "minimum", .double(range.minimum)),
            ("maximum", .double(range.maximum)),
        ]
    }
}
