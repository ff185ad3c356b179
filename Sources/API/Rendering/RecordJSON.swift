// Attempts, events, checkpoints, datasets and metric summaries as the API shows them.
import Hashing
import JobSpec
import Store

extension AttemptRecord {
    package var json: JSONValue {
        JSONValue(members: [
            ("attempt", JSONValue(number)), ("job", .string(job)), ("slot", JSONValue(slot)),
            ("outcome", outcome.map { .string($0.rawValue) } ?? .null),
            ("detail", detail.map { .string($0) } ?? .null),
            ("counted", .bool(counted)), ("exit_code", exitCode.map { .int(Int64($0)) } ?? .null),
            ("signal", signal.map { .int(Int64($0)) } ?? .null),
            ("resumed_from", resumedFrom.map { .string($0) } ?? .null), ("from_step", .int(fromStep)),
            ("to_step", toStep.map { .int($0) } ?? .null), ("pid", .int(Int64(process.pid))),
            ("started_at", .time(startedAt)), ("finished_at", .time(endedAt)),
            ("cpu_seconds", cpuSeconds.map { .double($0) } ?? .null),
            ("peak_rss_bytes", peakResidentBytes.map { .int($0) } ?? .null),
            ("engine_version", engineVersion.map { .string($0) } ?? .null),
            ("kernel_level", kernelLevel.map { .string($0) } ?? .null),
            ("threads", threads.map { JSONValue($0) } ?? .null),
        ])
    }
}

extension EventRecord {
    package var json: JSONValue {
        [
            "id": .int(sequence), "seq": .int(number), "job": .string(job), "type": .string(kind.rawValue),
            "level": .string(level.name), "at": .time(at), "data": data,
        ]
    }
}

extension CheckpointRecord {
    package var json: JSONValue {
        JSONValue(members: [
            ("id", .string(id)), ("object", "checkpoint"), ("job", .string(job)),
            ("attempt", JSONValue(attempt)),
            ("step", .int(step)), ("cause", .string(cause.rawValue)), ("status", .string(status.rawValue)),
            ("pinned", .bool(pinned)), ("digest", .string("sha256:" + stateDigest.hex)),
            ("digest_hex", .string(stateDigest.hex)), ("size_bytes", .int(stateBytes)),
            ("resume_size_bytes", .int(resumeBytes)), ("metrics", .metrics(metrics)),
            ("created_at", .time(createdAt)),
            (
                "links",
                [
                    "self": .string("/v1/checkpoints/\(id)"),
                    "content": .string("/v1/checkpoints/\(id)/content"),
                    "job": .string("/v1/jobs/\(job)"),
                ]
            ),
        ])
    }
}

extension ImportedCheckpoint {
    package var json: JSONValue {
        JSONValue(members: [
            ("id", .string(id)), ("object", "checkpoint"), ("job", .null), ("name", .string(name)),
            ("step", .null), ("cause", "import"), ("status", "committed"),
            ("digest", .string("sha256:" + stateDigest.hex)), ("digest_hex", .string(stateDigest.hex)),
            ("size_bytes", .int(stateBytes)), ("metrics", [:]), ("contents", contents),
            ("created_at", .time(createdAt)),
            (
                "links",
                [
                    "self": .string("/v1/checkpoints/\(id)"),
                    "content": .string("/v1/checkpoints/\(id)/content"),
                ]
            ),
        ])
    }
}

extension StoredCheckpoint {
    package var json: JSONValue {
        switch self {
        case .ofJob(let checkpoint): checkpoint.json
        case .imported(let checkpoint): checkpoint.json
        }
    }

    /// What a download is called, without the ending.
    var fileName: String {
        switch self {
        case .ofJob(let checkpoint): "\(checkpoint.job)-step-\(checkpoint.step)"
        case .imported(let checkpoint): checkpoint.id
        }
    }
}

extension DatasetRecord {
    package var json: JSONValue {
        JSONValue(members: [
            ("name", .string(name)), ("object", "dataset"), ("version", JSONValue(version)),
            ("digest", .string("sha256:" + digest.hex)), ("reference", .string(reference)),
            ("format", .string(format)), ("size_bytes", .int(bytes)),
            ("rows", rows.map { .int($0) } ?? .null),
            ("columns", schema["columns"] ?? []), ("arrays", schema["arrays"] ?? []),
            ("created_at", .time(createdAt)),
            (
                "links",
                [
                    "self": .string("/v1/datasets/\(name)"),
                    "preview": .string("/v1/datasets/\(name)/preview"),
                ]
            ),
        ])
    }
}

extension MetricSummary {
    package var json: JSONValue {
        [
            "name": .string(name), "count": .int(count), "last": .double(last.value),
            "last_step": .int(last.step),
            "min": minimum.map { .double($0) } ?? .null, "max": maximum.map { .double($0) } ?? .null,
        ]
    }
}
