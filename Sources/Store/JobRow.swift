// Jobs to and from rows of the table `jobs`.

import GRDB
import Hashing
import JobSpec

enum JobRow {
    /// In the order of `arguments(of:)`; `ordinal` is the key and comes last there.
    static let mutableColumns = [
        "revision", "name", "labels", "queue", "priority", "state", "reason", "state_since", "started_at",
        "finished_at", "attempt", "failures", "retries", "not_before", "step", "steps_total", "epoch",
        "examples",
        "steps_per_second", "latest", "best", "checkpoint", "cpu_seconds", "peak_resident_bytes",
        "checkpoint_bytes", "error", "cancel_requested_at", "cancel_grace_seconds", "cancel_reason",
        "pause_requested_at", "event_count", "last_sequence",
    ]
    static let fixedColumns = [
        "id", "created_at", "spec_digest", "effective_spec_digest", "attempts_max", "backoff_seconds",
        "ordinal",
        "plan",
    ]

    static let updateSQL =
        "UPDATE jobs SET " + mutableColumns.map { "\($0) = ?" }.joined(separator: ", ") + " WHERE ordinal = ?"
    static let insertSQL: String = {
        let columns = mutableColumns + fixedColumns
        let marks = columns.map { _ in "?" }.joined(separator: ", ")
        return "INSERT INTO jobs (\(columns.joined(separator: ", "))) VALUES (\(marks))"
    }()

    static func mutableArguments(of job: JobRecord) -> StatementArguments {
        [
            job.revision, job.name, encode(labels: job.labels), job.queue, job.priority, job.state.rawValue,
            job.reason?.rawValue, job.stateSince.milliseconds, job.startedAt?.milliseconds,
            job.finishedAt?.milliseconds, job.attempt, job.failures, job.retries, job.notBefore?.milliseconds,
            job.progress.step, job.progress.stepsTotal, job.progress.epoch, job.progress.examples,
            job.progress.stepsPerSecond, encode(metrics: job.latest), encode(best: job.best),
            encode(checkpoint: job.checkpoint), job.usage.cpuSeconds, job.usage.peakResidentBytes,
            job.usage.checkpointBytes, job.error.serialized(), job.cancelRequestedAt?.milliseconds,
            job.cancelGraceSeconds, job.cancelReason, job.pauseRequestedAt?.milliseconds, job.eventCount,
            job.lastSequence,
        ]
    }

    static func fixedArguments(of job: JobRecord, plan: JSONValue) -> StatementArguments {
        [
            job.id, job.createdAt.milliseconds, Columns.data(job.specDigest),
            Columns.data(job.effectiveSpecDigest), job.attemptsMax,
            job.backoffSeconds, job.ordinal, plan.serialized(),
        ]
    }

    static func decode(_ row: Row) throws -> JobRecord {
        var job = JobRecord(
            id: row["id"], ordinal: row["ordinal"], name: row["name"],
            labels: try Columns.labels(row["labels"]), queue: row["queue"], priority: row["priority"],
            createdAt: Columns.time(row["created_at"]), specDigest: try Columns.digest(row["spec_digest"]),
            effectiveSpecDigest: try Columns.digest(row["effective_spec_digest"]),
            attemptsMax: row["attempts_max"],
            backoffSeconds: row["backoff_seconds"])
        job.revision = row["revision"]
        job.state = try Columns.named(row["state"])
        job.reason = try Columns.named(row["reason"] as String?)
        job.stateSince = Columns.time(row["state_since"])
        job.startedAt = Columns.time(row["started_at"])
        job.finishedAt = Columns.time(row["finished_at"])
        job.attempt = row["attempt"]
        job.failures = row["failures"]
        job.retries = row["retries"]
        job.notBefore = Columns.time(row["not_before"])
        job.progress.step = row["step"]
        job.progress.stepsTotal = row["steps_total"]
        job.progress.epoch = row["epoch"]
        job.progress.examples = row["examples"]
        job.progress.stepsPerSecond = row["steps_per_second"]
        job.latest = try Columns.metrics(row["latest"])
        job.best = try decodeBest(row["best"])
        job.checkpoint = try decodeCheckpoint(row["checkpoint"])
        job.usage.cpuSeconds = row["cpu_seconds"]
        job.usage.peakResidentBytes = row["peak_resident_bytes"]
        job.usage.checkpointBytes = row["checkpoint_bytes"]
        job.error = try Columns.json(row["error"])
        job.cancelRequestedAt = Columns.time(row["cancel_requested_at"])
        job.cancelGraceSeconds = row["cancel_grace_seconds"]
        job.cancelReason = row["cancel_reason"]
        job.pauseRequestedAt = Columns.time(row["pause_requested_at"])
        job.eventCount = row["event_count"]
        job.lastSequence = row["last_sequence"]
        return job
    }

    private static func encode(labels: [String: String]) -> String {
        JSONValue(members: labels.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) }).serialized()
    }

    static func encode(metrics: [String: Double]) -> String {
        JSONValue(members: metrics.sorted { $0.key < $1.key }.map { ($0.key, .double($0.value)) })
            .serialized()
    }

    private static func encode(best: BestMetric?) -> String {
        guard let best else { return "null" }
        let json: JSONValue = [
            "metric": .string(best.metric), "value": .double(best.value), "step": .int(best.step),
            "checkpoint": .string(best.checkpoint),
        ]
        return json.serialized()
    }

    private static func encode(checkpoint: CheckpointReference?) -> String {
        guard let checkpoint else { return "null" }
        let json: JSONValue = [
            "id": .string(checkpoint.id), "step": .int(checkpoint.step),
            "at": .int(checkpoint.at.milliseconds),
        ]
        return json.serialized()
    }

    private static func decodeBest(_ text: String) throws -> BestMetric? {
        let json = try Columns.json(text)
        guard let metric = json["metric"]?.stringValue, let value = json["value"]?.extendedDoubleValue,
            let step = json["step"]?.intValue, let checkpoint = json["checkpoint"]?.stringValue
        else { return nil }
        return BestMetric(metric: metric, value: value, step: Int64(step), checkpoint: checkpoint)
    }

    private static func decodeCheckpoint(_ text: String) throws -> CheckpointReference? {
        let json = try Columns.json(text)
        guard let id = json["id"]?.stringValue, let step = json["step"]?.intValue,
            let at = json["at"]?.intValue
        else { return nil }
        return CheckpointReference(id: id, step: Int64(step), at: Timestamp(milliseconds: Int64(at)))
    }
}
