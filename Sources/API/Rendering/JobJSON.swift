// A job as the API shows it.
import JobSpec
import Store

extension JobRecord {
    /// The strong entity tag: the revision grows with every commit that touches the job.
    package var entityTag: String { EntityTag.quoted(String(revision)) }

    package var json: JSONValue {
        let path = "/v1/jobs/\(id)"
        return JSONValue(members: [
            ("id", .string(id)), ("object", "job"), ("name", .string(name)),
            (
                "labels",
                JSONValue(members: labels.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) })
            ),
            ("state", .string(state.rawValue)), ("reason", reason.map { .string($0.rawValue) } ?? .null),
            ("state_since", .time(stateSince)), ("revision", .int(revision)),
            ("spec_digest", .string("sha256:" + specDigest.hex)),
            ("effective_spec_digest", .string("sha256:" + effectiveSpecDigest.hex)),
            ("queue", .string(queue)), ("priority", JSONValue(priority)),
            ("attempt", JSONValue(attempt)), ("attempts_max", JSONValue(attemptsMax)),
            ("not_before", .time(notBefore)), ("progress", progressJSON),
            ("latest", .metrics(latest)), ("best", best.map(\.json) ?? .null),
            ("checkpoint", checkpoint.map(\.json) ?? .null),
            (
                "usage",
                [
                    "cpu_seconds": .double(usage.cpuSeconds), "peak_rss_bytes": .int(usage.peakResidentBytes),
                    "checkpoint_bytes": .int(usage.checkpointBytes),
                ]
            ),
            ("error", error),
            ("created_at", .time(createdAt)), ("started_at", .time(startedAt)),
            ("finished_at", .time(finishedAt)),
            ("event_count", .int(eventCount)), ("last_event_id", .int(lastSequence)),
            ("allowed_actions", JSONValue(allowedActions.map(\.rawValue))),
            (
                "links",
                [
                    "self": .string(path), "events": .string(path + "/events"),
                    "logs": .string(path + "/logs"),
                    "metrics": .string(path + "/metrics"), "series": .string(path + "/metrics/series"),
                    "checkpoints": .string(path + "/checkpoints"), "attempts": .string(path + "/attempts"),
                    "plan": .string(path + "/plan"), "spec": .string(path + "/spec"),
                    "effective_spec": .string(path + "/effective-spec"),
                ]
            ),
        ])
    }

    var progressJSON: JSONValue {
        [
            "step": .int(progress.step), "steps_total": progress.stepsTotal.map { .int($0) } ?? .null,
            "epoch": progress.epoch.map { .double($0) } ?? .null,
            "examples": progress.examples.map { .int($0) } ?? .null,
            "ratio": progress.ratio.map { .double($0) } ?? .null,
            "steps_per_second": progress.stepsPerSecond.map { .double($0) } ?? .null,
            "eta": .time(estimatedEnd),
        ]
    }

    /// When the remaining steps will be done at the present speed, counted from the last report.
    private var estimatedEnd: Timestamp? {
        guard state == .running, let speed = progress.stepsPerSecond, speed > 0, speed.isFinite,
            let total = progress.stepsTotal
        else { return nil }
        return Timestamp.now.advanced(bySeconds: min(Double(max(0, total - progress.step)) / speed, 3.2e9))
    }
}

extension BestMetric {
    var json: JSONValue {
        [
            "metric": .string(metric), "value": .double(value), "step": .int(step),
            "checkpoint": .string(checkpoint),
        ]
    }
}

extension CheckpointReference {
    var json: JSONValue {
        ["id": .string(id), "step": .int(step), "at": .time(at)]
    }
}

extension JSONValue {
    /// RFC 3339, or null.
    static func time(_ time: Timestamp?) -> JSONValue {
        time.map { .string($0.description) } ?? .null
    }

    /// Sorted by name, so that equal metrics are equal bytes.
    static func metrics(_ values: [String: Double]) -> JSONValue {
        JSONValue(members: values.sorted { $0.key < $1.key }.map { ($0.key, .double($0.value)) })
    }
}
