// One error answer: RFC 9457 problem details. Thrown by handlers; the dispatcher renders it.
import HTTPServer
import JobSpec

package struct Problem: Error, Sendable {
    package static let mediaType = "application/problem+json"

    package var code: ProblemCode
    package var detail: String
    /// Where exactly, each with a JSON pointer (`#/model/features/0`); empty when the problem has one place only.
    package var errors: [SpecProblem]
    /// Extension members (RFC 9457 §3.2), such as `state` and `allowed_actions` of a conflict.
    package var members: [(name: String, value: JSONValue)] = []
    /// Header fields that belong to the answer, such as `Retry-After` or `WWW-Authenticate`.
    package var headers: [HTTPField] = []

    package init(_ code: ProblemCode, _ detail: String, errors: [SpecProblem] = []) {
        self.code = code
        self.detail = detail
        self.errors = errors
    }

    package func with(_ name: String, _ value: JSONValue) -> Problem {
        var copy = self
        copy.members.append((name, value))
        return copy
    }

    package func with(header name: String, _ value: String) -> Problem {
        var copy = self
        copy.headers.append(HTTPField(name, value))
        return copy
    }

    /// - RouteParameter instance: The path that was asked for, without the query (it may hold what should not be echoed).
    package func json(instance: String?, requestID: String) -> JSONValue {
        var fields: [(String, JSONValue)] = [
            ("type", .string(code.typeReference)), ("title", .string(code.title)),
            ("status", .int(Int64(code.status))), ("detail", .string(detail)),
        ]
        if let instance { fields.append(("instance", .string(instance))) }
        fields += [("request_id", .string(requestID)), ("code", .string(code.rawValue))]
        if !errors.isEmpty { fields.append(("errors", .array(errors.map(\.json)))) }
        fields += members.map { ($0.name, $0.value) }
        return JSONValue(members: fields)
    }

    package func response(instance: String?, requestID: String) -> HTTPResponse {
        .bytes(
            json(instance: instance, requestID: requestID).serializedBytes(), contentType: Self.mediaType,
            status: code.status, headers: [HTTPField("Cache-Control", "no-store")] + headers)
    }
}
