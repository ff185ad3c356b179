// The OpenAPI 3.1 document, generated from the route table.
import HTTPServer
import JobSpec

package enum OpenAPIDocument {
    package static func json(routes: [APIRoute], version: String) -> JSONValue {
        var paths: [(String, [(String, JSONValue)])] = []
        for route in routes {
            let entry = (route.method.lowercased(), operation(route))
            if let index = paths.firstIndex(where: { $0.0 == route.template }) {
                paths[index].1.append(entry)
            } else {
                paths.append((route.template, [entry]))
            }
        }
        return JSONValue(members: [
            ("openapi", "3.1.0"),
            (
                "info",
                JSONValue(members: [
                    ("title", "Spindle"), ("version", .string(version)),
                    (
                        "description",
                        .string(
                            "Train models over plain HTTP. Answers may gain members and enumerations may gain values "
                                + "within v1; clients tolerate both.")
                    ), ("license", ["name": "Apache-2.0", "identifier": "Apache-2.0"]),
                ])
            ),
            ("jsonSchemaDialect", "https://json-schema.org/draft/2020-12/schema"),
            ("servers", [["url": "/"]]),
            ("paths", JSONValue(members: paths.map { ($0.0, JSONValue(members: $0.1)) })),
            (
                "components",
                JSONValue(members: [
                    ("schemas", JSONValue(members: SchemaCatalog.all.map { ($0.name, $0.schema.json) })),
                    (
                        "responses",
                        [
                            "Problem": [
                                "description": "what is wrong, where, and how to put it right (RFC 9457)",
                                "content": problemContent,
                            ]
                        ]
                    ),
                    ("securitySchemes", ["bearer": ["type": "http", "scheme": "bearer"]]),
                ])
            ),
        ])
    }

    private static let problemContent: JSONValue = [
        "application/problem+json": ["schema": ["$ref": "#/components/schemas/Problem"]]
    ]

    private static func operation(_ route: APIRoute) -> JSONValue {
        var fields: [(String, JSONValue)] = [
            ("operationId", .string(route.operationID)), ("tags", [.string(route.tag)]),
            ("summary", .string(route.summary)),
        ]
        if !route.parameters.isEmpty {
            fields.append(("parameters", .array(route.parameters.map(parameter))))
        }
        if let body = requestBody(route.body) {
            fields.append(("requestBody", body))
        }
        fields.append(("responses", responses(route)))
        // An empty requirement says that a loopback server without a token asks for none.
        fields.append(("security", route.scope == .open ? [] : [["bearer": []], [:]]))
        return JSONValue(members: fields)
    }

    private static func parameter(_ parameter: RouteParameter) -> JSONValue {
        var fields: [(String, JSONValue)] = [
            ("name", .string(parameter.name)), ("in", .string(parameter.location.rawValue)),
            ("required", .bool(parameter.required)), ("description", .string(parameter.doc)),
        ]
        if parameter.deepObject {
            fields += [("style", "deepObject"), ("explode", true)]
        } else if parameter.repeated {
            fields += [("style", "form"), ("explode", true)]
        }
        let schema = parameter.repeated ? Schema.array(parameter.schema) : parameter.schema
        fields.append(("schema", schema.json))
        return JSONValue(members: fields)
    }

    private static func requestBody(_ body: APIRoute.RequestBody) -> JSONValue? {
        switch body {
        case .none:
            return nil
        case .json(let schema, let required, let example):
            var media: [(String, JSONValue)] = [("schema", schema.json)]
            if let example, let value = try? JSONValue(parsing: Array(example.text.utf8)) {
                media.append(("example", value))
            }
            return JSONValue(members: [
                ("required", .bool(required)), ("content", ["application/json": JSONValue(members: media)]),
            ])
        case .file(let mediaTypes, _):
            let content = mediaTypes.map {
                ($0, ["schema": ["type": "string", "format": "binary"]] as JSONValue)
            }
            return JSONValue(members: [("required", true), ("content", JSONValue(members: content))])
        }
    }

    private static func responses(_ route: APIRoute) -> JSONValue {
        var fields: [(String, JSONValue)] = []
        for status in route.statuses {
            let answers = route.answers.filter { $0.status == status }
            guard !answers.isEmpty else {
                fields.append((String(status), ["$ref": "#/components/responses/Problem"]))
                continue
            }
            var response: [(String, JSONValue)] = [
                ("description", .string(answers.map(\.doc).joined(separator: "; ")))
            ]
            let headers = answers.flatMap(\.headers)
            if !headers.isEmpty {
                response.append(
                    ("headers", JSONValue(members: headers.map { ($0, ["schema": ["type": "string"]]) })))
            }
            let content = answers.flatMap(\.content)
            if !content.isEmpty {
                response.append(
                    (
                        "content",
                        JSONValue(members: content.map { ($0.mediaType, ["schema": $0.schema.json]) })
                    ))
            }
            fields.append((String(status), JSONValue(members: response)))
        }
        fields.append(("default", ["$ref": "#/components/responses/Problem"]))
        return JSONValue(members: fields)
    }
}
