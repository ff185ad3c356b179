// One call of a route: the request, its checked query, and everything a handler may use.

import HTTPServer
import Hashing
import JobSpec

package struct APICall: Sendable {
    package let request: HTTPRequest
    package let query: Query
    package let context: APIContext

    /// The value of a `{name}` segment; the dispatcher only calls handlers whose template has it.
    func path(_ name: String) -> String {
        request.pathParameters[name] ?? ""
    }

    /// The body as JSON. An empty body is nil.
    /// - Throws: `invalid_json` with the place, `unsupported_media_type`.
    func json() throws -> JSONValue? {
        let bytes = request.body.bytes
        guard !bytes.isEmpty else { return nil }
        if let type = request.headers["Content-Type"] {
            let media = type.prefix { $0 != ";" }.lowercased()[...].trimmed
            // curl -d sends the form type unless told otherwise; the bytes decide then.
            guard
                media == "application/json" || media.hasSuffix("+json")
                    || media == "application/x-www-form-urlencoded"
            else {
                throw Problem(.unsupportedMediaType, "Expected application/json, got \(media.prefix(100)).")
                    .with(header: "Accept", "application/json")
            }
        }
        do {
            return try JSONValue(parsing: bytes)
        } catch {
            throw Problem(
                .invalidJSON, "\(error)",
                errors: [
                    SpecProblem(
                        code: "invalid_json", pointer: "#",
                        detail: "line \(error.line), column \(error.column): \(error.detail)")
                ]
            ).with("offset", JSONValue(error.offset)).with("line", JSONValue(error.line))
                .with("column", JSONValue(error.column))
        }
    }

    /// An optional JSON object whose members are all known.
    /// - Throws: `unknown_field` with every unknown member.
    func options(_ known: [String]) throws -> JSONValue {
        guard let value = try json() else { return [:] }
        guard let members = value.objectValue else {
            throw Problem(
                .invalidParameter, "Expected a JSON object, got \(value.kindDescription).",
                errors: [SpecProblem(code: "wrong_type", pointer: "#", detail: "expected an object")])
        }
        let problems = members.keys.filter { !known.contains($0) }.map { name in
            SpecProblem(
                code: "unknown_field", pointer: "#" + JSONPointerText.token(name),
                detail: "unknown field" + suggestion(for: name, among: known)
                    + (known.isEmpty ? "; this action takes none" : ""))
        }
        guard problems.isEmpty else {
            throw Problem(.unknownField, "\(problems.count) unknown field(s) in the body.", errors: problems)
        }
        return value
    }

    /// How long to wait for a change, in seconds: `?wait=`, else `Prefer: wait=`; at most 60.
    func waitSeconds() throws -> Double {
        if let seconds = try query.seconds("wait", atMost: 60) { return seconds }
        return min(Preferences.waitSeconds(request.headers["Prefer"]) ?? 0, 60)
    }
}

extension JSONValue {
    /// The value as it stands in a message: its text, cut.
    var cutText: String {
        let text = serialized()
        return text.count <= 60 ? text : text.prefix(57) + "..."
    }
}

enum JSONPointerText {
    /// `/name` with RFC 6901 escapes.
    static func token(_ name: String) -> String {
        "/" + name.replacing("~", with: "~0").replacing("/", with: "~1")
    }
}
