// The end of a job's rows, in two phases, and the housekeeping of answers and tombstones.

import Foundation
import GRDB
import Hashing
import JobSpec

extension WriteTransaction {
    /// First phase: gone for every reader, with a tombstone that says when and why. Throws `.conflict` unless
    /// it ended, and `.referenced` while another job is to start from one of its checkpoints.
    package func beginDeletion(of job: JobRecord, keepsArtifacts: Bool, reason: String) throws {
        guard job.state.isTerminal else {
            throw StoreError.conflict(job: job.id, state: job.state, trigger: JobAction.delete.rawValue)
        }
        let pinned = try row(
            "SELECT id FROM checkpoints WHERE job = ? AND pinned = 1 AND status = 'committed'", [job.ordinal])
        if let pinned { throw StoreError.pinned(checkpoint: pinned["id"]) }
        for checkpoint in try committedCheckpoints(of: job) {
            let users = try users(ofCheckpoint: checkpoint.id)
            guard users.isEmpty else {
                throw StoreError.referenced(kind: "checkpoint", id: checkpoint.id, by: users)
            }
        }
        try execute(
            "UPDATE jobs SET deleted_at = ?, keeps_artifacts = ? WHERE ordinal = ?",
            [now.milliseconds, keepsArtifacts, job.ordinal])
        try addTombstone(kind: "job", id: job.id, reason: reason)
        for checkpoint in try rows("SELECT id FROM checkpoints WHERE job = ?", [job.ordinal]) {
            try addTombstone(kind: "checkpoint", id: checkpoint["id"], reason: "its job was deleted")
        }
        if effects.jobs[job.id] != nil {
            effects.jobs[job.id]?.after = nil
        } else {
            effects.jobs[job.id] = CommitEffects.JobChange(before: job.state, after: nil)
        }
    }

    func addTombstone(kind: String, id: String, reason: String) throws {
        try execute(
            "INSERT OR IGNORE INTO tombstones (kind, id, deleted_at, reason) VALUES (?, ?, ?, ?)",
            [kind, id, now.milliseconds, reason])
    }

    /// Jobs whose deletion has begun, and whether their files stay.
    package func deletedJobs() throws -> [(id: String, keepsArtifacts: Bool)] {
        try rows("SELECT id, keeps_artifacts FROM jobs WHERE deleted_at IS NOT NULL ORDER BY ordinal")
            .map { ($0["id"], $0["keeps_artifacts"]) }
    }

    /// Last phase, after the files are gone: drops some rows. Returns whether more are left, so that the
    /// writer can serve others in between.
    package func dropDeletedRows(of id: String, limit: Int = 20_000) throws -> Bool {
        guard let job = try row("SELECT * FROM jobs WHERE id = ? AND deleted_at IS NOT NULL", [id]) else {
            return false
        }
        let ordinal: Int64 = job["ordinal"]
        for series in try rows("SELECT id FROM metric_series WHERE job = ?", [ordinal]) {
            let id: Int64 = series["id"]
            try execute(
                """
                DELETE FROM metric_points WHERE series = ?1 AND finished IN
                    (SELECT finished FROM metric_points WHERE series = ?1 ORDER BY finished LIMIT ?2)
                """, [id, limit])
            if database.changesCount >= limit { return true }
            try execute("DELETE FROM metric_series WHERE id = ?", [id])
        }
        try execute("DELETE FROM jobs WHERE ordinal = ?", [ordinal])
        for column in ["spec_digest", "effective_spec_digest"] {
            let digest: Data = job[column]
            try execute(
                """
                DELETE FROM documents WHERE digest = ?1
                    AND NOT EXISTS (SELECT 1 FROM jobs WHERE spec_digest = ?1)
                    AND NOT EXISTS (SELECT 1 FROM jobs WHERE effective_spec_digest = ?1)
                """, [digest])
        }
        return false
    }

    /// Answers older than 24 h and tombstones older than 30 days.
    package func dropExpired() throws {
        let hour: Int64 = 3_600_000
        try execute("DELETE FROM idempotency WHERE created_at < ?", [now.milliseconds - 24 * hour])
        try execute("DELETE FROM tombstones WHERE deleted_at < ?", [now.milliseconds - 30 * 24 * hour])
    }
}

// MARK: Idempotency

extension WriteTransaction {
    package func lookUp(_ key: IdempotencyKey) throws -> IdempotencyLookup {
        guard
            let row = try row("SELECT * FROM idempotency WHERE scope = ? AND key = ?", [key.scope, key.key])
        else { return .fresh }
        return try IdempotencyRow.decode(row, for: key, now: now)
    }

    package func store(_ response: StoredResponse, for key: IdempotencyKey, job: String?) throws {
        let headers = JSONValue(
            members: response.headers.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) })
        try execute(
            """
            INSERT OR REPLACE INTO idempotency
                (scope, key, fingerprint, status, headers, body, job, created_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                key.scope, key.key, Columns.data(key.fingerprint), response.status, headers.serialized(),
                Data(response.body), job, now.milliseconds,
            ])
    }
}

enum IdempotencyRow {
    static let lifetimeSeconds = 86_400.0

    static func decode(_ row: Row, for key: IdempotencyKey, now: Timestamp) throws -> IdempotencyLookup {
        if now.seconds(since: Columns.time(row["created_at"])) > lifetimeSeconds { return .fresh }
        guard try Columns.digest(row["fingerprint"]) == key.fingerprint else { return .mismatch }
        let body: Data = row["body"]
        return .replay(
            StoredResponse(
                status: row["status"], headers: try Columns.labels(row["headers"]), body: Array(body)),
            job: row["job"])
    }
}
