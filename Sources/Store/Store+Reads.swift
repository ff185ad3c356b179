// Reads of jobs, attempts, events and specs.

import Foundation
import GRDB
import Hashing
import JobSpec

extension Store {
    func reading<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws
        -> Value
    {
        do {
            return try await pool.read(body)
        } catch {
            throw Writer.typed(error)
        }
    }

    /// Throws `.notFound`, or `.gone` while the tombstone lives.
    package func job(id: String) async throws -> JobRecord {
        if let job = cache.job(id) { return job }
        let commits = cache.commits
        let job = try await reading { database -> JobRecord in
            if let row = try Self.row(
                database, "SELECT * FROM jobs WHERE id = ? AND deleted_at IS NULL", [id])
            {
                return try JobRow.decode(row)
            }
            throw try Self.missing(database, kind: "job", id: id)
        }
        cache.offer(job, readAfter: commits)
        return job
    }

    /// A page of jobs in the order of their submission.
    package func jobs(_ query: JobQuery) async throws -> Page<JobRecord> {
        try await reading { database in
            let plan = JobQuerySQL(query)
            let statement = try database.cachedStatement(sql: plan.sql)
            let jobs = try Row.fetchAll(statement, arguments: plan.arguments).map(JobRow.decode)
            return Self.page(jobs, limit: plan.limit, isReversed: plan.isReversed)
        }
    }

    /// The bytes as they were submitted.
    package func submittedSpec(of job: JobRecord) async throws -> [UInt8] {
        try await document(job.specDigest)
    }

    /// The effective spec, canonical.
    package func effectiveSpec(of job: JobRecord) async throws -> [UInt8] {
        try await document(job.effectiveSpecDigest)
    }

    /// What a worker computed at submission; null if the job was submitted without a plan.
    package func plan(of job: JobRecord) async throws -> JSONValue {
        try await reading { database in
            let row = try Self.row(database, "SELECT plan FROM jobs WHERE ordinal = ?", [job.ordinal])
            return try row.map { try Columns.json($0["plan"]) } ?? .null
        }
    }

    private func document(_ digest: Digest) async throws -> [UInt8] {
        try await reading { database in
            guard
                let row = try Self.row(
                    database, "SELECT bytes FROM documents WHERE digest = ?", [Columns.data(digest)])
            else { throw StoreError.notFound(kind: "document", id: digest.hex) }
            let bytes: Data = row["bytes"]
            return Array(bytes)
        }
    }

    /// Oldest first.
    package func attempts(of job: JobRecord) async throws -> [AttemptRecord] {
        try await reading { database in
            try Self.rows(database, "SELECT * FROM attempts WHERE job = ? ORDER BY number", [job.ordinal])
                .map { try AttemptRow.decode($0, job: job.id) }
        }
    }

    /// Events of one job behind `number`, oldest first.
    package func events(of job: JobRecord, afterNumber number: Int64, limit: Int) async throws
        -> [EventRecord]
    {
        try await reading { database in
            try Self.rows(
                database, "SELECT * FROM events WHERE job = ? AND number > ? ORDER BY number LIMIT ?",
                [job.ordinal, number, limit]
            ).map { try EventRow.decode($0, job: job.id) }
        }
    }

    /// Events of one job behind a commit sequence (the id of a server-sent event), oldest first.
    package func events(of job: JobRecord, after sequence: Int64, limit: Int) async throws -> [EventRecord] {
        try await reading { database in
            // Numbers and sequences of a job grow together: from the newest back, the first old one is where
            // to go on.
            let last = try Self.row(
                database,
                "SELECT number FROM events WHERE job = ? AND sequence <= ? ORDER BY number DESC LIMIT 1",
                [job.ordinal, sequence])
            return try Self.rows(
                database, "SELECT * FROM events WHERE job = ? AND number > ? ORDER BY number LIMIT ?",
                [job.ordinal, last?["number"] ?? 0, limit]
            ).map { try EventRow.decode($0, job: job.id) }
        }
    }

    /// Events of all jobs behind a commit sequence, oldest first.
    package func events(after sequence: Int64, limit: Int) async throws -> [EventRecord] {
        try await reading { database in
            try Self.rows(
                database,
                """
                SELECT events.*, jobs.id AS job_id FROM events JOIN jobs ON jobs.ordinal = events.job
                WHERE events.sequence > ? ORDER BY events.sequence LIMIT ?
                """, [sequence, limit]
            ).map { try EventRow.decode($0, job: $0["job_id"]) }
        }
    }

    /// The stored answer of an earlier request with this key, if it is still kept.
    package func lookUp(_ key: IdempotencyKey) async throws -> IdempotencyLookup {
        try await reading { database in
            let row = try Self.row(
                database, "SELECT * FROM idempotency WHERE scope = ? AND key = ?", [key.scope, key.key])
            guard let row else { return .fresh }
            return try IdempotencyRow.decode(row, for: key, now: .now)
        }
    }

    // MARK: Pieces

    static func row(_ database: Database, _ sql: String, _ arguments: StatementArguments) throws -> Row? {
        try Row.fetchOne(database.cachedStatement(sql: sql), arguments: arguments)
    }

    static func rows(_ database: Database, _ sql: String, _ arguments: StatementArguments) throws -> [Row] {
        try Row.fetchAll(database.cachedStatement(sql: sql), arguments: arguments)
    }

    static func missing(_ database: Database, kind: String, id: String) throws -> StoreError {
        guard let row = try row(database, "SELECT * FROM tombstones WHERE kind = ? AND id = ?", [kind, id])
        else {
            return .notFound(kind: kind, id: id)
        }
        return .gone(kind: kind, id: id, at: Columns.time(row["deleted_at"]), reason: row["reason"])
    }

    /// From one row more than asked for.
    static func page<Element>(_ rows: [Element], limit: Int, isReversed: Bool) -> Page<Element> {
        let kept = Array(rows.prefix(limit))
        return Page(elements: isReversed ? kept.reversed() : kept, hasMore: rows.count > limit)
    }
}
