// What can be done to a job beyond changing its fields: cancel, pause, resume, retry.
import HTTPServer
import JobSpec
import Scheduler
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
            try call.context.readiness.requireReady()
            let before = try await call.context.store.job(id: id)
            if before.state == .cancelled { return answer(before, call, status: 200) }
            return answer(
                try await call.context.scheduler.cancel(id: id, graceSeconds: grace, reason: reason), call)
        })

    static let pause = verb("pause", "Pause: the job writes a checkpoint at the next step and frees its slot")
    {
        call, _ in
        try await call.context.scheduler.pause(id: call.path("id"))
    }

    static let resume = verb("resume", "Queue a paused job again; it goes on from its newest checkpoint") {
        call, _ in
        try await call.context.scheduler.resume(id: call.path("id"))
    }

    static let retry = verb(
        "retry", "Run a failed or cancelled job again",
        [
            .init(
                "from", .choice(RetryStart.allCases.map(\.rawValue)), required: false,
                "the newest checkpoint (the default), or scratch")
        ]
    ) { call, options in
        let text = try text(options, "from", maxLength: 20) ?? RetryStart.latest.rawValue
        guard let start = RetryStart(rawValue: text) else {
            throw invalid("from", "expected latest or scratch, got \"\(text)\"")
        }
        return try await call.context.scheduler.retry(id: call.path("id"), from: start)
    }

    private static let accepted: [APIRoute.Answer] = [
        .json(202, .reference("Job"), "the intent is durable; poll Location", headers: ["Location", "ETag"])
    ]
    private static let conflicts = [409, 410, 422]

    private static func verb(
        _ name: String, _ summary: String, _ properties: [Schema.Property] = [],
        _ action: @escaping @Sendable (APICall, JSONValue) async throws -> JobRecord
    ) -> APIRoute {
        let fields = properties.map(\.name)
        return APIRoute(
            "POST", "/v1/jobs/{id}/\(name)", "\(name)Job", tag: "jobs", scope: .write, summary,
            parameters: [.jobID],
            body: .json(Schema.object(properties, closed: true), required: false, example: nil),
            answers: accepted, errors: conflicts,
            handler: .asynchronous { call in
                let options = try call.options(fields)
                try call.context.readiness.requireReady()
                return answer(try await action(call, options), call)
            })
    }

    private static func answer(_ job: JobRecord, _ call: APICall, status: Int = 202) -> HTTPResponse {
        let entry = call.context.jobCache.entry(for: job)
        return .resource(
            entry.bytes, tag: entry.tag, status: status,
            headers: [HTTPField("Location", "/v1/jobs/\(job.id)")])
    }

    private static func number(
        _ options: JSONValue, _ name: String, in range: ClosedRange<Double>
    ) throws -> Double? {
        guard let value = options[name], !value.isNull else { return nil }
        guard let number = value.doubleValue, range.contains(number) else {
            throw invalid(
                name,
                "expected a number from \(Int(range.lowerBound)) to \(Int(range.upperBound)), got \(value.cutText)"
            )
        }
        return number
    }

    private static func text(_ options: JSONValue, _ name: String, maxLength: Int) throws -> String? {
        guard let value = options[name], !value.isNull else { return nil }
        guard let text = value.stringValue, text.count <= maxLength else {
            throw invalid(name, "expected a string of at most \(maxLength) characters, got \(value.cutText)")
        }
        return text
    }

    private static func invalid(_ name: String, _ detail: String) -> Problem {
        Problem(
            .invalidPatch, "\(name): \(detail)",
            errors: [SpecProblem(code: "invalid_value", pointer: "#/\(name)", detail: detail)])
    }
}
