// The errors that the HTTP server itself answers (malformed requests, unknown paths, limits), in the API's form.
import HTTPServer
import JobSpec

extension ErrorBody {
    /// - RouteParameter templates: The paths that exist, for a suggestion.
    static func problem(_ problem: ServerProblem, templates: [String]) -> ErrorBody {
        var rendered = Problem(code(of: problem.status), problem.detail)
        if problem.status == 404, let path = problem.path {
            rendered.detail =
                "There is nothing at \(path.prefix(200))" + suggestion(for: path, among: templates)
            if !rendered.detail.hasSuffix("?") { rendered.detail += "; /openapi.json lists every route." }
        }
        if let limit = problem.limitBytes {
            rendered = rendered.with("limit_bytes", .int(limit))
        }
        rendered = rendered.with("reason", .string(problem.code))
        return ErrorBody(
            contentType: Problem.mediaType,
            bytes: rendered.json(
                instance: problem.path.map { String($0.prefix(1000)) }, requestID: problem.requestID
            ).serializedBytes())
    }

    private static func code(of status: Int) -> ProblemCode {
        switch status {
        case 404: .notFound
        case 405: .methodNotAllowed
        case 408: .requestTimeout
        case 412: .preconditionFailed
        case 413: .bodyTooLarge
        case 414: .uriTooLong
        case 415: .unsupportedMediaType
        case 416: .rangeNotSatisfiable
        case 431: .headersTooLarge
        case 503: .draining
        case 507: .diskLow
        case 500...: .internal
        default: .malformedRequest
        }
    }
}
