// A JSON Schema (2020-12) as a value, with constructors for the few forms that the API uses.
import JobSpec

package struct Schema: Sendable {
    package let json: JSONValue

    private init(_ json: JSONValue) {
        self.json = json
    }

    package struct Property: Sendable {
        package var name: String
        package var schema: Schema
        package var required: Bool
        package var doc: String

        package init(_ name: String, _ schema: Schema, required: Bool = true, _ doc: String = "") {
            self.name = name
            self.schema = schema
            self.required = required
            self.doc = doc
        }
    }

    package static let any = Schema([:])
    package static let boolean = Schema(["type": "boolean"])
    package static let time = Schema(["type": "string", "format": "date-time"])
    /// A number, or one of the three strings that stand for what JSON cannot write.
    package static let extendedNumber = Schema([
        "oneOf": [["type": "number"], ["type": "string", "enum": ["NaN", "Infinity", "-Infinity"]]]
    ])

    package static func string(
        pattern: String? = nil, minLength: Int64? = nil, maxLength: Int64? = nil, example: String? = nil
    ) -> Schema {
        var fields: [(String, JSONValue)] = [("type", "string")]
        if let pattern { fields.append(("pattern", .string(pattern))) }
        if let minLength { fields.append(("minLength", .int(minLength))) }
        if let maxLength { fields.append(("maxLength", .int(maxLength))) }
        if let example { fields.append(("examples", [.string(example)])) }
        return Schema(JSONValue(members: fields))
    }

    package static func choice(_ values: [String]) -> Schema {
        Schema(["type": "string", "enum": .array(values.map { .string($0) })])
    }

    package static func integer(
        minimum: Int64? = nil, maximum: Int64? = nil, default defaultValue: Int64? = nil
    ) -> Schema {
        var fields: [(String, JSONValue)] = [("type", "integer")]
        if let minimum { fields.append(("minimum", .int(minimum))) }
        if let maximum { fields.append(("maximum", .int(maximum))) }
        if let defaultValue { fields.append(("default", .int(defaultValue))) }
        return Schema(JSONValue(members: fields))
    }

    package static func number(minimum: Int64? = nil, maximum: Int64? = nil) -> Schema {
        var fields: [(String, JSONValue)] = [("type", "number")]
        if let minimum { fields.append(("minimum", .int(minimum))) }
        if let maximum { fields.append(("maximum", .int(maximum))) }
        return Schema(JSONValue(members: fields))
    }

    package static func array(_ items: Schema, maxItems: Int64? = nil) -> Schema {
        var fields: [(String, JSONValue)] = [("type", "array"), ("items", items.json)]
        if let maxItems { fields.append(("maxItems", .int(maxItems))) }
        return Schema(JSONValue(members: fields))
    }

    /// An object with these members. `closed`: others are refused (requests); open objects may gain members (answers).
    package static func object(_ properties: [Property], closed: Bool = false) -> Schema {
        var members: [(String, JSONValue)] = []
        for property in properties {
            members.append((property.name, property.schema.documented(property.doc).json))
        }
        var fields: [(String, JSONValue)] = [("type", "object"), ("properties", JSONValue(members: members))]
        let required = properties.filter(\.required).map { JSONValue.string($0.name) }
        if !required.isEmpty { fields.append(("required", .array(required))) }
        if closed { fields.append(("additionalProperties", false)) }
        return Schema(JSONValue(members: fields))
    }

    /// An object from names to values of one kind.
    package static func map(_ values: Schema) -> Schema {
        Schema(["type": "object", "additionalProperties": values.json])
    }

    package static func nullable(_ schema: Schema) -> Schema {
        Schema(["anyOf": [schema.json, ["type": "null"]]])
    }

    package static func oneOf(_ schemas: [Schema]) -> Schema {
        Schema(["oneOf": .array(schemas.map(\.json))])
    }

    /// A schema of `SchemaCatalog`, by its name.
    package static func reference(_ name: String) -> Schema {
        Schema(["$ref": .string("#/components/schemas/\(name)")])
    }

    /// A page of a list.
    package static func list(of item: Schema) -> Schema {
        .object([
            Property("object", .choice(["list"])),
            Property("data", .array(item)),
            Property("has_more", .boolean, "whether a next page exists"),
            Property("next", .nullable(.string()), "the cursor of the next page, for `after`"),
            Property("first_id", .nullable(.string())),
            Property("last_id", .nullable(.string())),
        ])
    }

    /// JSON Schema 2020-12 allows siblings of `$ref`, so the description can always be added.
    package func documented(_ doc: String) -> Schema {
        guard !doc.isEmpty, case .object(var fields) = json else { return self }
        fields["description"] = .string(doc)
        return Schema(.object(fields))
    }
}
