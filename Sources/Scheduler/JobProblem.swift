// The error of a failed job, in the shape of every other problem of the interface (RFC 9457, SERVER.md §4.4).

import JobSpec

struct JobProblem {
    var code: String
    var detail: String
    var step: Int64?
    var attempt: Int
    var retryable = false
    var problems: [SpecProblem] = []
    var lastLogLines: [String] = []

    private static let titles = [
        "nonfinite_loss": "The loss is not finite",
        "out_of_memory": "The worker ran out of memory",
        "worker_crashed": "The worker crashed",
        "data_error": "The data could not be used",
        "deadline_exceeded": "The time of the job is used up",
        "checkpoint_write_failed": "A checkpoint could not be written",
        "checkpoint_corrupt": "A checkpoint is damaged",
        "retries_exhausted": "All attempts failed",
        "engine_error": "The engine refused the job",
    ]

    var json: JSONValue {
        [
            "type": .string("/problems/" + code.replacing("_", with: "-")),
            "title": .string(Self.titles[code] ?? "The job failed"), "code": .string(code),
            "detail": .string(detail), "step": step.map(JSONValue.int) ?? .null,
            "attempt": JSONValue(attempt),
            "retryable": .bool(retryable), "errors": .array(problems.map(\.json)),
            "last_log_lines": JSONValue(lastLogLines),
        ]
    }
}
