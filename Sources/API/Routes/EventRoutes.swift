// The answer of both event routes: a JSON page, or a stream.
import HTTPServer
import JobSpec
import Store

enum EventRoutes {
    private static let stream = "text/event-stream"

    static func response(_ call: APICall, job: JobRecord?) async throws -> HTTPResponse {
        let format = Accept.choose(["application/json", stream], header: call.request.headers["Accept"])
        guard let format else {
            throw Problem(.notAcceptable, "Events come as application/json or text/event-stream.")
        }
        let after = try after(call, isStream: format == stream)
        let types = try types(call)
        _ = try call.query.choice("order", among: ["asc"])
        if format == stream {
            return try EventStream(
                context: call.context, job: job,
                after: after ?? (job == nil ? call.context.store.changes.sequence : 0),
                types: types, resumes: after != nil
            ).response()
        }
        let limit = try call.query.integer("limit", in: 1...200) ?? 50
        let store = call.context.store
        let rows =
            if let job {
                try await store.events(of: job, after: after ?? 0, limit: limit + 1)
            } else {
                try await store.events(after: after ?? 0, limit: limit + 1)
            }
        let page = Array(rows.prefix(limit))
        let shown = page.filter { types?.contains($0.kind.rawValue) ?? true }
        return ListPage.response(
            shown.map(\.json), ids: shown.map { String($0.sequence) },
            next: rows.count > limit ? page.last.map { String($0.sequence) } : nil, call)
    }

    private static func after(_ call: APICall, isStream: Bool) throws -> Int64? {
        if let value = try call.query.integer("after", in: 0...Int.max) { return Int64(value) }
        guard isStream, let header = call.request.headers["Last-Event-ID"], !header.isEmpty else {
            return nil
        }
        guard let value = Int64(header), value >= 0 else {
            throw Problem(.invalidParameter, "Last-Event-ID: expected the `id` of an event, a whole number.")
        }
        return value
    }

    private static func types(_ call: APICall) throws -> Set<String>? {
        guard let text = call.query.value("types") else { return nil }
        let known = EventKind.allCases.map(\.rawValue) + ["progress", "metric"]
        let names = text.split(separator: ",").prefix(16).map(String.init)
        for name in names where !known.contains(name) {
            throw Problem(
                .invalidParameter,
                "types: expected some of \(known.joined(separator: ", ")), got \"\(name.prefix(80))\""
                    + suggestion(for: name, among: known) + ".",
                errors: [
                    SpecProblem(
                        code: "invalid_parameter", pointer: "?types",
                        detail: "unknown type" + suggestion(for: name, among: known))
                ])
        }
        return Set(names)
    }
}
