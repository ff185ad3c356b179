// The named schemas of the API: what `#/components/schemas` holds.
import JobSpec

package enum SchemaCatalog {
    package struct Entry: Sendable {
        package var name: String
        package var schema: Schema
    }

    package static let jobStates = [
        "queued", "preparing", "running", "pausing", "paused", "cancelling", "succeeded", "failed",
        "cancelled",
    ]

    package static let all: [Entry] = [
        Entry(name: "Problem", schema: problem),
        Entry(name: "ProblemPlace", schema: problemPlace),
        Entry(name: "JobSpec", schema: jobSpec),
        Entry(name: "Job", schema: job),
        Entry(name: "JobError", schema: jobError),
        Entry(name: "Plan", schema: plan),
        Entry(name: "Attempt", schema: attempt),
        Entry(name: "Event", schema: event),
        Entry(name: "MetricSummary", schema: metricSummary),
        Entry(name: "MetricSeries", schema: metricSeries),
        Entry(name: "Checkpoint", schema: checkpoint),
        Entry(name: "Dataset", schema: dataset),
        Entry(name: "Validation", schema: validation),
    ]

    private typealias P = Schema.Property

    private static let problemPlace = Schema.object([
        P("code", .string()),
        P("pointer", .string(), "a JSON pointer into the body (`#/…`), or `?name` for a query parameter"),
        P("detail", .string()),
    ])

    private static let problem = Schema.object([
        P("type", .string()), P("title", .string()), P("status", .integer(minimum: 400, maximum: 599)),
        P("detail", .string()), P("instance", .string(), required: false), P("request_id", .string()),
        P("code", .choice(ProblemCode.allCases.map(\.rawValue))),
        P("errors", .array(.reference("ProblemPlace")), required: false),
        P(
            "state", .choice(jobStates), required: false,
            "of a conflict: the state that does not allow the action"),
        P("allowed_actions", .array(.string()), required: false),
        P("limit_bytes", .integer(), required: false),
    ])

    /// The blocks only: the form of each is checked by the decoder and described by `/v1/catalog`.
    private static let jobSpec = Schema.object(
        [
            P("spec_version", .integer(minimum: 1, maximum: 1), required: false),
            P("name", .string(), required: false),
            P("labels", .map(.string()), required: false),
            P("seed", .integer(minimum: 0), required: false),
            P("priority", .integer(minimum: 0, maximum: 100, default: 50), required: false),
            P("queue", .string(), required: false),
            P(
                "model", .map(.any),
                "a module: `{\"type\": \"MLP\", \"features\": [64, 10]}`; see /v1/catalog"),
            P("data", .map(.any)),
            P("loss", .oneOf([.string(), .map(.any)])),
            P("metrics", .array(.oneOf([.string(), .map(.any)])), required: false),
            P("optimizer", .map(.any)),
            P("budget", .map(.any)),
            P("evaluation", .map(.any), required: false),
            P("checkpoint", .map(.any), required: false),
            P("callbacks", .array(.oneOf([.string(), .map(.any)])), required: false),
            P("retry", .map(.any), required: false),
            P("init", .map(.any), required: false),
        ], closed: true)

    private static let jobError = Schema.object([
        P(
            "code", .string(),
            "nonfinite_loss, out_of_memory, worker_crashed, data_error, retries_exhausted, …"),
        P("detail", .string()),
        P("step", .nullable(.integer()), required: false),
        P("attempt", .nullable(.integer()), required: false),
        P("retryable", .boolean, required: false),
    ])

    private static let job = Schema.object([
        P("id", .string()), P("object", .choice(["job"])), P("name", .nullable(.string())),
        P("labels", .map(.string())), P("state", .choice(jobStates)), P("reason", .nullable(.string())),
        P("state_since", .time), P("revision", .integer(), "the ETag; grows with every change"),
        P("spec_digest", .string()), P("effective_spec_digest", .string()),
        P("queue", .string()), P("priority", .integer()),
        P("attempt", .integer()), P("attempts_max", .nullable(.integer())),
        P(
            "progress",
            .object([
                P("step", .integer()), P("steps_total", .nullable(.integer())),
                P("epoch", .nullable(.number())),
                P("examples", .nullable(.integer())), P("ratio", .nullable(.number(minimum: 0, maximum: 1))),
                P("steps_per_second", .nullable(.number())), P("eta", .nullable(.time)),
            ])),
        P("latest", .map(.extendedNumber)),
        P("checkpoint", .nullable(.map(.any)), "the newest checkpoint"),
        P("error", .nullable(.reference("JobError"))),
        P("created_at", .time), P("started_at", .nullable(.time)), P("finished_at", .nullable(.time)),
        P("allowed_actions", .array(.string())), P("links", .map(.string())),
    ])

    private static let plan = Schema.object([
        P("parameter_count", .integer()), P("parameter_bytes", .integer()), P("checkpoint_bytes", .integer()),
        P("memory_bytes", .integer()), P("steps_total", .integer()),
        P("steps_per_epoch", .nullable(.integer())),
        P("modules", .array(.map(.any))),
    ])

    private static let attempt = Schema.object([
        P("attempt", .integer()), P("job", .string()), P("slot", .integer()),
        P("outcome", .nullable(.string()), "null while it runs"), P("detail", .nullable(.string())),
        P("counted", .boolean, "whether it used up one of attempts_max"),
        P("resumed_from", .nullable(.string()), "a checkpoint"), P("pid", .integer()),
        P("exit_code", .nullable(.integer())), P("signal", .nullable(.integer())),
        P("from_step", .nullable(.integer())), P("to_step", .nullable(.integer())),
        P("started_at", .time), P("finished_at", .nullable(.time)),
    ])

    private static let event = Schema.object([
        P("id", .integer(), "the server's commit sequence: what Last-Event-ID resumes from"),
        P("seq", .integer(), "the job's own sequence, without gaps"), P("job", .string()),
        P("type", .string()), P("at", .time), P("data", .any),
    ])

    private static let metricSummary = Schema.object([
        P("name", .string()), P("count", .integer()), P("last", .extendedNumber), P("last_step", .integer()),
        P("min", .nullable(.extendedNumber)), P("max", .nullable(.extendedNumber)),
    ])

    private static let metricSeries = Schema.object([
        P("name", .string()), P("downsampled", .boolean), P("source_points", .integer()),
        P("steps", .array(.integer())), P("values", .array(.extendedNumber)),
    ])

    private static let checkpoint = Schema.object([
        P("id", .string()), P("object", .choice(["checkpoint"])),
        P("job", .nullable(.string()), "null for an imported one"), P("step", .nullable(.integer())),
        P("cause", .string()), P("name", .string(), required: false, "of an imported one"),
        P("contents", .map(.any), required: false, "of an imported one: format, parts, arrays and elements"),
        P("digest", .string()), P("digest_hex", .string()),
        P("size_bytes", .integer()),
        P("metrics", .map(.extendedNumber)), P("created_at", .time), P("links", .map(.string())),
    ])

    private static let dataset = Schema.object([
        P("name", .string()), P("object", .choice(["dataset"])), P("digest", .string()),
        P("reference", .string(), "`name@sha256:…`, what a spec may pin"),
        P("format", .string()), P("size_bytes", .integer()), P("rows", .integer()),
        P("columns", .array(.object([P("name", .string()), P("type", .string())]))),
        P("arrays", .array(.object([P("shape", .array(.integer())), P("type", .string())]))),
        P("created_at", .time), P("links", .map(.string())),
    ])

    private static let validation = Schema.object([
        P("valid", .boolean), P("errors", .array(.reference("ProblemPlace"))),
        P("plan", .nullable(.reference("Plan")), required: false),
        P("effective_spec", .nullable(.map(.any)), required: false),
    ])
}
