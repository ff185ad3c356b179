// What belongs to one job: its specs, attempts, logs, events, metrics and checkpoints.
import HTTPServer
import JobSpec
import Store

package enum JobDetailRoutes {
    package static let all = [
        spec, effectiveSpec, plan, attempts, logs, events, allEvents, metrics, series, tensorBoard,
        checkpoints,
    ]

    static let spec = document("spec", "getJobSpec", "The spec as it was submitted, byte for byte") {
        try await $0.submittedSpec(of: $1)
    }

    static let effectiveSpec = document(
        "effective-spec", "getEffectiveSpec", "The spec with every default filled in and every dataset pinned"
    ) {
        try await $0.effectiveSpec(of: $1)
    }

    private static func document(
        _ name: String, _ operation: String, _ summary: String,
        _ bytes: @escaping @Sendable (Store, JobRecord) async throws -> [UInt8]
    ) -> APIRoute {
        APIRoute(
            "GET", "/v1/jobs/{id}/\(name)", operation, tag: "jobs", scope: .read, summary,
            parameters: [.jobID, .ifNoneMatch],
            answers: [.json(200, .map(.any), "the spec", headers: ["ETag"]), .empty(304, "unchanged")],
            errors: [410],
            handler: .asynchronous { call in
                let job = try await call.context.store.job(id: call.path("id"))
                let digest = name == "spec" ? job.specDigest : job.effectiveSpecDigest
                return .immutable(
                    try await bytes(call.context.store, job), tag: EntityTag.quoted("sha256:" + digest.hex),
                    request: call.request)
            })
    }

    static let plan = APIRoute(
        "GET", "/v1/jobs/{id}/plan", "getJobPlan", tag: "jobs", scope: .read,
        "What planning found at submission: sizes, steps and every module's shape",
        parameters: [.jobID, .ifNoneMatch],
        answers: [.json(200, .reference("Plan"), "the plan", headers: ["ETag"]), .empty(304, "unchanged")],
        errors: [410],
        handler: .asynchronous { call in
            let job = try await call.context.store.job(id: call.path("id"))
            return .digested(try await call.context.store.plan(of: job), request: call.request)
        })

    static let attempts = APIRoute(
        "GET", "/v1/jobs/{id}/attempts", "listAttempts", tag: "jobs", scope: .read,
        "The attempts of a job: one worker process each",
        parameters: [.jobID], answers: [.json(200, .list(of: .reference("Attempt")), "all attempts")],
        errors: [410],
        handler: .asynchronous { call in
            let job = try await call.context.store.job(id: call.path("id"))
            let rows = try await call.context.store.attempts(of: job)
            return .json(
                ListPage.json(rows.map(\.json), ids: rows.map { String($0.number) }, next: nil))
        })

    static let logs = APIRoute(
        "GET", "/v1/jobs/{id}/logs", "getLogs", tag: "jobs", scope: .read,
        "What the worker of an attempt wrote to its standard error",
        parameters: [
            .jobID,
            .query(
                "attempt", .integer(minimum: 1, maximum: 1_000_000), "which attempt; the last one by default"),
            .query(
                "tail", .integer(minimum: 1, maximum: 100_000), "only the last lines, of the last MiB at most"
            ),
        ],
        answers: [
            .media(200, [("text/plain", Schema.string())], "the log"),
            .media(206, [("text/plain", Schema.string())], "a range of the log"),
        ], errors: [410, 416],
        handler: .asynchronous { call in
            let job = try await call.context.store.job(id: call.path("id"))
            let attempt = try call.query.integer("attempt", in: 1...1_000_000) ?? job.attempt
            let tail = try call.query.integer("tail", in: 1...100_000)
            guard attempt <= job.attempt else {
                throw Problem(
                    .notFound, "Job \(job.id) has had \(job.attempt) attempts so far, not \(attempt).")
            }
            let path = call.context.folder.log(job: job.id, attempt: attempt)
            return try LogFile.response(path: path, tailLines: tail)
        })

    static let events = APIRoute(
        "GET", "/v1/jobs/{id}/events", "listJobEvents", tag: "events", scope: .read,
        "What happened to a job, oldest first; as text/event-stream it goes on live until the job has ended",
        parameters: [
            .jobID, .limit,
            .query("after", .integer(minimum: 0), "only events after this `id`; overrides Last-Event-ID"),
            .query("order", .choice(["asc"]), "events are only listed oldest first"), eventTypes,
            .header("Last-Event-ID", .string(), "the last event that a reconnecting client has"),
            .header("Accept", .string(example: "text/event-stream"), "JSON or text/event-stream"),
        ],
        answers: [eventsAnswer], errors: [406, 410],
        handler: .asynchronous { call in
            let job = try await call.context.store.job(id: call.path("id"))
            return try await EventRoutes.response(call, job: job)
        })

    static let allEvents = APIRoute(
        "GET", "/v1/events", "listEvents", tag: "events", scope: .read,
        "What happened to all jobs, oldest first; as text/event-stream it goes on live",
        parameters: [
            .limit,
            .query("after", .integer(minimum: 0), "only events after this `id`; overrides Last-Event-ID"),
            .query("order", .choice(["asc"]), "events are only listed oldest first"), eventTypes,
            .header("Last-Event-ID", .string(), "the last event that a reconnecting client has"),
            .header("Accept", .string(example: "text/event-stream"), "JSON or text/event-stream"),
        ],
        answers: [eventsAnswer], errors: [406],
        handler: .asynchronous { call in try await EventRoutes.response(call, job: nil) })

    private static let eventTypes = RouteParameter.query(
        "types", .string(maxLength: 200, example: "state,progress"),
        "only events of these types, separated by commas; a stream also has progress and metric")
    private static let eventsAnswer = APIRoute.Answer.media(
        200,
        [
            ("application/json", Schema.list(of: .reference("Event"))),
            ("text/event-stream", Schema.string()),
        ], "the events")

    static let metrics = APIRoute(
        "GET", "/v1/jobs/{id}/metrics", "listMetrics", tag: "metrics", scope: .read,
        "The names of a job's metrics, with their last, smallest and largest value",
        parameters: [.jobID], answers: [.json(200, .list(of: .reference("MetricSummary")), "all metrics")],
        errors: [410],
        handler: .asynchronous { call in
            let job = try await call.context.store.job(id: call.path("id"))
            let rows = try await call.context.store.metricSummaries(of: job)
            return .json(ListPage.json(rows.map(\.json), ids: rows.map(\.name), next: nil))
        })

    static let series = APIRoute(
        "GET", "/v1/jobs/{id}/metrics/series", "getMetricSeries", tag: "metrics", scope: .read,
        "The points of metrics; with more than max_points, the minimum and maximum of each bucket of steps",
        parameters: [
            .jobID,
            .query(
                "name", .string(minLength: 1, maxLength: 200), required: true, repeated: true,
                "which metrics, at most 50"),
            .query(
                "max_points", .integer(minimum: 2, maximum: 1_000_000, default: 1000),
                "points per metric at most"),
            .query(
                "agg", .choice(["minmax", "none"]), "minmax (the default) downsamples, none gives every point"
            ),
            .query("from", .integer(minimum: 0), "the first step"),
            .query("to", .integer(minimum: 0), "the last step"),
            .header("Accept", .string(example: "text/csv"), "JSON, text/csv or application/x-ndjson"),
        ],
        answers: [
            .media(
                200,
                [
                    (
                        SeriesFormat.json.rawValue,
                        Schema.object([
                            .init("object", .choice(["list"])),
                            .init("data", .array(.reference("MetricSeries"))),
                        ])
                    ), (SeriesFormat.csv.rawValue, Schema.string()),
                    (SeriesFormat.ndjson.rawValue, Schema.string()),
                ], "the series")
        ], errors: [406, 410],
        handler: .asynchronous { call in try await SeriesAnswer.response(call) })

    static let tensorBoard = APIRoute(
        "GET", "/v1/jobs/{id}/tensorboard", "getTensorBoardEvents", tag: "metrics", scope: .read,
        "Every point of every metric as a TensorBoard event file; tensorboard --logdir shows the folder that it is saved to",
        parameters: [.jobID],
        answers: [
            .media(
                200, [("application/octet-stream", Schema.string())], "the file",
                headers: ["Content-Disposition"])
        ], errors: [410],
        handler: .asynchronous { call in try await TensorBoardStream.response(call) })

    static let checkpoints = APIRoute(
        "GET", "/v1/jobs/{id}/checkpoints", "listCheckpoints", tag: "checkpoints", scope: .read,
        "The checkpoints of a job that are on disk, newest first",
        parameters: [.jobID, .limit, .after],
        answers: [.json(200, .list(of: .reference("Checkpoint")), "a page", headers: ["Link"])],
        errors: [410],
        handler: .asynchronous { call in
            let job = try await call.context.store.job(id: call.path("id"))
            let limit = try call.query.integer("limit", in: 1...200) ?? 50
            let question = "{\"list\":\"checkpoints\",\"job\":\"\(job.id)\"}"
            let after = try call.query.value("after").map {
                try call.context.cursors.cursor($0, question: question).orderKey
            }
            let rows = try await call.context.store.checkpoints(
                of: job, before: after ?? .max, limit: limit + 1)
            let page = Array(rows.prefix(limit))
            let next = rows.count > limit ? page.last.map { Cursor(orderKey: $0.ordinal, id: $0.id) } : nil
            return ListPage.response(
                page.map(\.json), ids: page.map(\.id),
                next: next.map { call.context.cursors.text($0, question: question) }, call)
        })
}
