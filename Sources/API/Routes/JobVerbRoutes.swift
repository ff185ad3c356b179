// What can be done to a job beyond changing its fields: cancel, pause, resume, retry.
import HTTPServer
import JobSpec
import Store

package enum JobVerbRoutes {
    package static let all = [cancel, pause, resume, retry]

    static let cancel = APIRoute(
        "POST", "/v1/jobs/{id}/cancel", "cancelJob", tag: "jobs", scope: .write,
        "Cancel a job that has not ended; a second call with `grace_seconds` 0 does not wait for its worker",
        parameters: [.jobID],
        body: .json(
            Schema.object(
                [
                    .init("grace_seconds", .number(minimum: 0, maximum: 3600), required: false),
                    .init("reason", .string(maxLength: 500), required: false),
                ], closed: true), required: false, example: JSONText("{\"grace_seconds\": 5}")),
        answers: accepted + [.json(200, .reference("Job"), "it was cancelled before", headers: ["ETag"])],
        errors: conflicts,
        handler: .asynchronous { call in
            let options = try call.options(["grace_seconds", "reason"])
            let grace = try number(options, "grace_seconds", in: 0...3600)
            let reason = try text(options, "reason", maxLength: 500)
            let id = call.path("id")
            let before = try await call.context.store.job(id: id)
            if before.state == .cancelled { return answer(before, call, status: 200) }
            return answer(
                try await call.context.scheduler.cancel(id: id, graceSeconds: grace, reason: reason), call)
        })

    static let pause = verb("pause", "Pause: the job writes a checkpoint at the next step and frees its slot") {
        try await $0.context.scheduler.pause(id: $0.path("id"))
    }

    static let resume = verb("resume", "Queue a paused job again; it goes on from its newest checkpoint") {
        try await $0.context.scheduler.resume(id: $0.path("id"))
    }

    static let retry = verb("retry", "Run a failed or cancelled job again, from its newest checkpoint") {
        try await $0.context.scheduler.retry(id: $0.path("id"))
    }

    private static let accepted: [APIRoute.Answer] = [
        .json(202, .reference("Job"), "the intent is durable; poll Location", headers: ["Location", "ETag"])
    ]
    private static let conflicts = [409, 410, 422]

    private static func verb(
        _ name: String, _ summary: String, _ action: @escaping @Sendable (APICall) async throws -> JobRecord
    ) -> APIRoute {
        APIRoute(
            "POST", "/v1/jobs/{id}/\(name)", "\(name)Job", tag: "jobs", scope: .write, summary,
            parameters: [.jobID],
            body: .json(Schema.object([], closed: true), required: false, example: nil),
            answers: accepted, errors: conflicts,
            handler: .asynchronous { call in
                _ = try call.options([])
                return answer(try await action(call), call)
            })
    }

    private static func answer(_ job: JobRecord, _ call: APICall, status: Int = 202) -> HTTPResponse {
        let entry = call.context.jobCache.entry(for: job)
        return .resource(
            entry.bytes, tag: entry.tag, status: status, headers: [HTTPField("Location", "/v1/jobs/\(job.id)")])
    }

    private static func number(
        _ options: JSONValue, _ name: String, in range: ClosedRange<Double>
    ) throws -> Double? {
        guard let value = options[name], !value.isNull else { return nil }
        guard let number = value.doubleValue, range.contains(number) else {
            throw invalid(
                name, "expected a number from \(Int(range.lowerBound)) to \(Int(range.upperBound)), got \(value.excerpt)")
        }
        return number
    }

    private static func text(_ options: JSONValue, _ name: String, maxLength: Int) throws -> String? {
        guard let value = options[name], !value.isNull else { return nil }
        guard let text = value.stringValue, text.count <= maxLength else {
            throw invalid(name, "expected a string of at most \(maxLength) characters, got \(value.excerpt)")
        }
        return text
    }

    private static func invalid(_ name: String, _ detail: String) -> Problem {
        Problem(
            .invalidPatch, "\(name): \(detail)",
            errors: [SpecProblem(code: "invalid_value", pointer: "#/\(name)", detail: detail)])
    }
}
