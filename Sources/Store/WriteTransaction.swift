// What an intent may do inside its savepoint: read and write jobs, move them through the transition table,
// append events. Attempts, metrics, checkpoints and datasets are in the extensions beside this file.

import Foundation
import GRDB
import Hashing
import JobSpec

/// Lives on the writer's queue, for the length of one intent.
package final class WriteTransaction {
    let database: Database
    let folder: DataFolder
    private let cache: JobCache
    var effects: CommitEffects
    private var undoing: [() -> Void] = []
    package let now = Timestamp.now

    init(database: Database, cache: JobCache, folder: DataFolder, effects: CommitEffects) {
        self.database = database
        self.cache = cache
        self.folder = folder
        self.effects = effects
    }

    func execute(_ sql: String, _ arguments: StatementArguments = []) throws {
        try database.cachedStatement(sql: sql).execute(arguments: arguments)
    }

    func row(_ sql: String, _ arguments: StatementArguments) throws -> Row? {
        try Row.fetchOne(database.cachedStatement(sql: sql), arguments: arguments)
    }

    func rows(_ sql: String, _ arguments: StatementArguments = []) throws -> [Row] {
        try Row.fetchAll(database.cachedStatement(sql: sql), arguments: arguments)
    }

    /// Something outside the database that must not outlive a refused intent.
    func onUndo(_ action: @escaping () -> Void) { undoing.append(action) }
    func undo() { for action in undoing.reversed() { action() } }

    /// Runs once the commit is durable, on the writer's queue and before its next transaction.
    package func afterCommit(_ action: @escaping @Sendable () -> Void) { effects.afterCommit.append(action) }
}

// MARK: Jobs

/// What a submission brings, with everything that the server decides about it already decided.
package struct NewJob: Sendable {
    package var id: String
    package var name: String
    package var labels: [String: String]
    package var queue: String
    package var priority: Int
    /// As sent.
    package var spec: [UInt8]
    /// Canonical bytes.
    package var effectiveSpec: [UInt8]
    package var plan: JSONValue
    package var attemptsMax: Int
    package var backoffSeconds: Double
    package var datasets: [Digest]
    /// The checkpoint of another job that it starts from; nil for none.
    package var startingCheckpoint: String?

    package init(
        id: String, name: String, labels: [String: String], queue: String, priority: Int, spec: [UInt8],
        effectiveSpec: [UInt8], plan: JSONValue, attemptsMax: Int, backoffSeconds: Double,
        datasets: [Digest], startingCheckpoint: String? = nil
    ) {
        self.id = id
        self.name = name
        self.labels = labels
        self.queue = queue
        self.priority = priority
        self.spec = spec
        self.effectiveSpec = effectiveSpec
        self.plan = plan
        self.attemptsMax = attemptsMax
        self.backoffSeconds = backoffSeconds
        self.datasets = datasets
        self.startingCheckpoint = startingCheckpoint
    }
}

extension WriteTransaction {
    /// Throws `.notFound`, or `.gone` while the tombstone lives.
    package func job(_ id: String) throws -> JobRecord {
        if let change = effects.jobs[id] {
            if let job = change.after { return job }
        } else if let job = cache.job(id) {
            return job
        }
        if let row = try row("SELECT * FROM jobs WHERE id = ? AND deleted_at IS NULL", [id]) {
            let job = try JobRow.decode(row)
            effects.loaded[id] = job.state
            return job
        }
        throw try missing(kind: "job", id: id)
    }

    func missing(kind: String, id: String) throws -> StoreError {
        guard let row = try row("SELECT * FROM tombstones WHERE kind = ? AND id = ?", [kind, id]) else {
            return .notFound(kind: kind, id: id)
        }
        return .gone(kind: kind, id: id, at: Columns.time(row["deleted_at"]), reason: row["reason"])
    }

    package func insert(_ new: NewJob) throws -> JobRecord {
        for digest in Set(new.datasets) {
            guard try row("SELECT 1 FROM datasets WHERE digest = ?", [Columns.data(digest)]) != nil else {
                throw StoreError.notFound(kind: "dataset", id: "sha256:\(digest.hex)")
            }
        }
        let specDigest = try putDocument(new.spec)
        let effectiveDigest = try putDocument(new.effectiveSpec)
        let last = try row("SELECT seq FROM sqlite_sequence WHERE name = 'jobs'", [])
        var job = JobRecord(
            id: new.id, ordinal: (last?["seq"] ?? 0) + 1, name: new.name, labels: new.labels,
            queue: new.queue,
            priority: min(max(new.priority, 0), 100), createdAt: now, specDigest: specDigest,
            effectiveSpecDigest: effectiveDigest, attemptsMax: max(1, new.attemptsMax),
            backoffSeconds: new.backoffSeconds)
        job.progress.stepsTotal = new.plan["steps_total"]?.intValue.map(Int64.init)
        job.revision = 0
        try execute(
            JobRow.insertSQL,
            JobRow.mutableArguments(of: job) + JobRow.fixedArguments(of: job, plan: new.plan))
        try putLabels(of: job)
        for digest in Set(new.datasets) {
            try execute(
                "INSERT INTO job_datasets (digest, job) VALUES (?, ?)", [Columns.data(digest), job.ordinal])
        }
        if let checkpoint = new.startingCheckpoint { try addUser(job, ofCheckpoint: checkpoint) }
        effects.jobs[job.id] = CommitEffects.JobChange(before: nil, after: job)
        try addEvent(
            .created, to: &job,
            ["name": .string(job.name), "priority": JSONValue(job.priority), "queue": .string(job.queue)])
        try save(&job)
        return job
    }

    /// Writes the job as it is now; its revision grows by one.
    package func save(_ job: inout JobRecord) throws {
        job.revision += 1
        try execute(JobRow.updateSQL, JobRow.mutableArguments(of: job) + [job.ordinal])
        note(job)
    }

    private func note(_ job: JobRecord) {
        if effects.jobs[job.id] != nil {
            effects.jobs[job.id]?.after = job
        } else {
            let before = cache.job(job.id)?.state ?? effects.loaded[job.id]
            effects.jobs[job.id] = CommitEffects.JobChange(before: before, after: job)
        }
    }

    package func putLabels(of job: JobRecord) throws {
        try execute("DELETE FROM job_labels WHERE job = ?", [job.ordinal])
        for (key, value) in job.labels {
            try execute(
                "INSERT INTO job_labels (key, value, job) VALUES (?, ?, ?)", [key, value, job.ordinal])
        }
    }

    private func putDocument(_ bytes: [UInt8]) throws -> Digest {
        let digest = SHA256.hash(bytes)
        try execute(
            "INSERT INTO documents (digest, bytes) VALUES (?, ?) ON CONFLICT DO NOTHING",
            [Columns.data(digest), Data(bytes)])
        return digest
    }

    /// Moves the job by the transition table and appends the event that says so. The caller saves the job.
    /// Throws `.conflict` where the table has no rule.
    package func transition(
        _ job: inout JobRecord, _ trigger: TransitionTrigger, reason: JobReason? = nil,
        details: KeyValuePairs<String, JSONValue> = [:]
    ) throws {
        let from = job.state
        guard let to = TransitionTable.standard.destination(from: from, on: trigger) else {
            throw StoreError.conflict(job: job.id, state: from, trigger: trigger.rawValue)
        }
        job.state = to
        effects.transitions[TransitionCount(from: from, to: to), default: 0] += 1
        job.reason = reason
        job.stateSince = now
        if to == .running, job.startedAt == nil { job.startedAt = now }
        job.finishedAt = to.isTerminal ? now : nil
        if to != .queued { job.notBefore = nil }
        var data: [(String, JSONValue)] = [
            ("from", .string(from.rawValue)), ("to", .string(to.rawValue)),
            ("trigger", .string(trigger.rawValue)),
        ]
        if let reason { data.append(("reason", .string(reason.rawValue))) }
        if job.attempt > 0 { data.append(("attempt", JSONValue(job.attempt))) }
        data += details.map { ($0.key, $0.value) }
        let level: EventLevel = to == .failed ? .error : (trigger == .attemptLost ? .warning : .info)
        try addEvent(.state, to: &job, JSONValue(members: data), level: level)
    }

    /// Appends an event. The caller saves the job, whose counters it advances.
    package func addEvent(
        _ kind: EventKind, to job: inout JobRecord, _ data: JSONValue, level: EventLevel = .info
    ) throws {
        job.eventCount += 1
        try execute(
            "INSERT INTO events (job, number, at, kind, level, data) VALUES (?, ?, ?, ?, ?, ?)",
            [job.ordinal, job.eventCount, now.milliseconds, kind.rawValue, level.rawValue, data.serialized()])
        job.lastSequence = database.lastInsertedRowID
        effects.lastSequence = max(effects.lastSequence, job.lastSequence)
        effects.events += 1
    }
}
