// Checkpoint rows: added when the files are in place, marked before the files go.

import GRDB
import Hashing
import JobSpec

/// A checkpoint whose files are in place and were read back.
package struct NewCheckpoint: Sendable {
    package var step: Int64
    package var folder: String
    package var stateDigest: Digest
    package var stateBytes: Int64
    package var resumeDigest: Digest
    package var resumeBytes: Int64
    package var metrics: [String: Double]
    package var cause: CheckpointCause

    package init(
        step: Int64, folder: String, stateDigest: Digest, stateBytes: Int64, resumeDigest: Digest,
        resumeBytes: Int64, metrics: [String: Double], cause: CheckpointCause
    ) {
        self.step = step
        self.folder = folder
        self.stateDigest = stateDigest
        self.stateBytes = stateBytes
        self.resumeDigest = resumeDigest
        self.resumeBytes = resumeBytes
        self.metrics = metrics
        self.cause = cause
    }
}

extension WriteTransaction {
    /// Adds the row and its event. The same bytes at the same step again (an attempt that was asked to pause
    /// where it resumed) only update the cause. The caller saves the job.
    package func add(_ new: NewCheckpoint, to job: inout JobRecord) throws -> CheckpointRecord {
        if let known = try committedCheckpoint(of: job, step: new.step) {
            if known.stateDigest == new.stateDigest, known.resumeDigest == new.resumeDigest {
                var known = known
                known.cause = new.cause
                known.attempt = job.attempt
                try execute(
                    "UPDATE checkpoints SET cause = ?, attempt = ? WHERE ordinal = ?",
                    [new.cause.rawValue, job.attempt, known.ordinal])
                job.checkpoint = CheckpointReference(id: known.id, step: known.step, at: now)
                return known
            }
            // Its files were replaced, so its row must not claim them.
            try mark(known, .deleted, reason: "replaced")
        }
        let id = Identifier.checkpoint()
        try execute(
            """
            INSERT INTO checkpoints (id, job, attempt, step, folder, state_digest, state_bytes, resume_digest,
                resume_bytes, metrics, cause, status, pinned, created_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'committed', 0, ?)
            """,
            [
                id, job.ordinal, job.attempt, new.step, new.folder, Columns.data(new.stateDigest),
                new.stateBytes,
                Columns.data(new.resumeDigest), new.resumeBytes, JobRow.encode(metrics: new.metrics),
                new.cause.rawValue, now.milliseconds,
            ])
        job.checkpoint = CheckpointReference(id: id, step: new.step, at: now)
        job.usage.checkpointBytes += new.stateBytes + new.resumeBytes
        try addEvent(
            .checkpoint, to: &job,
            [
                "id": .string(id), "step": .int(new.step), "cause": .string(new.cause.rawValue),
                "state_bytes": .int(new.stateBytes), "state_sha256": .string(new.stateDigest.hex),
                "metrics": JSONValue(
                    members: new.metrics.sorted { $0.key < $1.key }.map { ($0.key, .double($0.value)) }),
            ])
        return try checkpoint(id)
    }

    package func checkpoint(_ id: String) throws -> CheckpointRecord {
        guard
            let row = try row(
                """
                SELECT checkpoints.*, jobs.id AS job_id
                FROM checkpoints JOIN jobs ON jobs.ordinal = checkpoints.job
                WHERE checkpoints.id = ?
                """, [id])
        else { throw try missing(kind: "checkpoint", id: id) }
        return try CheckpointRow.decode(row, job: row["job_id"])
    }

    /// Oldest step first.
    package func committedCheckpoints(of job: JobRecord) throws -> [CheckpointRecord] {
        try rows(
            "SELECT * FROM checkpoints WHERE job = ? AND status = 'committed' ORDER BY step", [job.ordinal]
        )
        .map { try CheckpointRow.decode($0, job: job.id) }
    }

    /// Of all jobs: those whose files may still be there.
    package func unfinishedDeletions() throws -> [CheckpointRecord] {
        try rows(
            """
            SELECT checkpoints.*, jobs.id AS job_id
            FROM checkpoints JOIN jobs ON jobs.ordinal = checkpoints.job
            WHERE checkpoints.status = 'deleting' ORDER BY checkpoints.ordinal
            """
        ).map { try CheckpointRow.decode($0, job: $0["job_id"]) }
    }

    private func committedCheckpoint(of job: JobRecord, step: Int64) throws -> CheckpointRecord? {
        try row(
            "SELECT * FROM checkpoints WHERE job = ? AND step = ? AND status = 'committed'",
            [job.ordinal, step]
        )
        .map { try CheckpointRow.decode($0, job: job.id) }
    }

    package func mark(_ checkpoint: CheckpointRecord, _ status: CheckpointStatus, reason: String?) throws {
        try execute(
            """
            UPDATE checkpoints SET status = ?, deleted_at = COALESCE(deleted_at, ?),
                deletion_reason = COALESCE(deletion_reason, ?) WHERE ordinal = ?
            """,
            [status.rawValue, status == .committed ? nil : now.milliseconds, reason, checkpoint.ordinal])
    }

    /// First phase of a deletion: from here on it is gone for readers, and its files may go. The caller saves
    /// the job.
    package func beginDeletion(of checkpoint: CheckpointRecord, job: inout JobRecord, reason: String) throws {
        guard checkpoint.status == .committed else { return }
        try mark(checkpoint, .deleting, reason: reason)
        job.usage.checkpointBytes -= checkpoint.totalBytes
        try addEvent(
            .checkpointDeleted, to: &job,
            ["id": .string(checkpoint.id), "step": .int(checkpoint.step), "reason": .string(reason)])
        try chooseNewest(of: &job)
    }

    /// Its bytes are not what was written: it is never used again. The caller saves the job.
    package func quarantine(_ checkpoint: CheckpointRecord, job: inout JobRecord, detail: String) throws {
        guard checkpoint.status == .committed else { return }
        try mark(checkpoint, .corrupt, reason: detail)
        job.usage.checkpointBytes -= checkpoint.totalBytes
        try addEvent(
            .checkpointCorrupt, to: &job,
            ["id": .string(checkpoint.id), "step": .int(checkpoint.step), "detail": .string(detail)],
            level: .warning)
        try chooseNewest(of: &job)
    }

    private func chooseNewest(of job: inout JobRecord) throws {
        job.checkpoint = try committedCheckpoints(of: job).last.map {
            CheckpointReference(id: $0.id, step: $0.step, at: $0.createdAt)
        }
        if let best = job.best, try checkpoint(best.checkpoint).status != .committed { job.best = nil }
    }
}

// MARK: - Checkpoints that other jobs start from

extension WriteTransaction {
    /// Notes that a job starts from a checkpoint. Throws `.notFound` or `.gone` where there is none any more.
    func addUser(_ job: JobRecord, ofCheckpoint id: String) throws {
        let found = try row(
            """
            SELECT 1 FROM checkpoints WHERE id = ?1 AND status = 'committed'
            UNION ALL SELECT 1 FROM imported_checkpoints WHERE id = ?1
            """, [id])
        guard found != nil else { throw try missing(kind: "checkpoint", id: id) }
        try execute("INSERT INTO job_checkpoints (checkpoint, job) VALUES (?, ?)", [id, job.ordinal])
    }

    /// Jobs that start from a checkpoint and have not ended, oldest first and at most 20: until then, each attempt may need it.
    package func users(ofCheckpoint id: String) throws -> [String] {
        try rows(
            """
            SELECT jobs.id FROM job_checkpoints JOIN jobs ON jobs.ordinal = job_checkpoints.job
            WHERE job_checkpoints.checkpoint = ? AND jobs.deleted_at IS NULL
            AND jobs.state NOT IN ('succeeded', 'failed', 'cancelled') ORDER BY jobs.ordinal LIMIT 20
            """, [id]
        ).map { $0["id"] }
    }
}
