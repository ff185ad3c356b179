// The one writer. Intents from anywhere queue up; a batch of them shares one transaction and one fsync. Each
// has its own savepoint, so that a refused one leaves the others alone. Answers are given after the commit,
// in commit order.

import Dispatch
import GRDB
import Synchronization

package enum Durability: Sendable {
    /// Acknowledged only once it is on the disk (`synchronous = FULL`).
    case full
    /// May wait up to the relaxed delay for company, and needs no fsync of its own: metric points, which a
    /// run computes again. It still reaches the disk before any later `full` commit.
    case relaxed
}

/// Unchecked: `pending`, flags and counters are behind the mutex; everything else is touched on `queue`
/// alone.
final class Writer: @unchecked Sendable {
    struct Intent: Sendable {
        let durability: Durability
        /// Runs inside the savepoint, keeps its result for `finish`.
        let perform: @Sendable (WriteTransaction) throws -> Void
        /// Nil: committed. Called once, on the writer's queue.
        let finish: @Sendable ((any Error)?) -> Void
    }

    private struct State: Sendable {
        var pending: [Intent] = []
        var isDraining = false
        var isTimerSet = false
        var failure: StoreError?
        var counters = StoreMetrics()
    }

    static let batchLimit = 64

    private let pool: DatabasePool
    private let cache: JobCache
    private let feed: ChangeFeed
    private let folder: DataFolder
    private let relaxedDelay: DispatchTimeInterval
    private let queue = DispatchQueue(label: "spindle.store.writer", qos: .userInitiated)
    private let state = Mutex(State())
    private var synchronous: Durability?

    init(
        pool: DatabasePool, cache: JobCache, feed: ChangeFeed, folder: DataFolder,
        relaxedDelayMilliseconds: Int
    ) {
        self.pool = pool
        self.cache = cache
        self.feed = feed
        self.folder = folder
        relaxedDelay = .milliseconds(relaxedDelayMilliseconds)
    }

    /// Counters so far; the gauges of other parts are left at zero.
    var counters: StoreMetrics {
        state.withLock { state in
            var counters = state.counters
            counters.writerQueueDepth = state.pending.count
            counters.isReadOnly = state.failure != nil
            return counters
        }
    }

    var failure: StoreError? { state.withLock { $0.failure } }

    /// From now on every intent is refused with `error`; the first reason stays.
    func refuseAll(_ error: StoreError) {
        state.withLock { if $0.failure == nil { $0.failure = error } }
    }

    /// Intents run in the order of this call.
    func enqueue(_ intent: Intent) {
        enum Next { case nothing, drain, timer, refuse(StoreError) }
        let next = state.withLock { state -> Next in
            if let failure = state.failure { return .refuse(failure) }
            state.pending.append(intent)
            if state.isDraining { return .nothing }
            if intent.durability == .full || state.pending.count >= Self.batchLimit {
                state.isDraining = true
                return .drain
            }
            if state.isTimerSet { return .nothing }
            state.isTimerSet = true
            return .timer
        }
        switch next {
        case .nothing: break
        case .drain: queue.async { self.drain() }
        case .timer:
            queue.asyncAfter(deadline: .now() + relaxedDelay) {
                let isMine = self.state.withLock { state in
                    state.isTimerSet = false
                    guard !state.isDraining, !state.pending.isEmpty else { return false }
                    state.isDraining = true
                    return true
                }
                if isMine { self.drain() }
            }
        case .refuse(let failure): queue.async { intent.finish(failure) }
        }
    }

    /// Runs `body` on the writer's queue after everything enqueued before.
    func barrier() async {
        await withCheckedContinuation { continuation in
            enqueue(Intent(durability: .full, perform: { _ in }, finish: { _ in continuation.resume() }))
        }
    }

    private func drain() {
        while true {
            let batch = state.withLock { state -> [Intent] in
                let batch = Array(state.pending.prefix(Self.batchLimit))
                state.pending.removeFirst(batch.count)
                if batch.isEmpty { state.isDraining = false }
                return batch
            }
            if batch.isEmpty { return }
            commit(batch)
        }
    }

    private func commit(_ batch: [Intent]) {
        let start = DispatchTime.now().uptimeNanoseconds
        let durability: Durability = batch.contains { $0.durability == .full } ? .full : .relaxed
        var failures = [(any Error)?](repeating: failure, count: batch.count)
        var effects = CommitEffects()
        if failures.first.flatMap({ $0 }) == nil {
            pool.writeWithoutTransaction { database in
                do {
                    try run(batch, durability, database, &failures, &effects)
                } catch {
                    // The transaction as a whole is gone, whatever its intents said.
                    effects = CommitEffects()
                    let reason = fail(error, during: "commit")
                    failures = failures.map { $0 ?? reason }
                    if database.isInsideTransaction { try? database.rollback() }
                }
            }
        }
        publish(effects)
        let seconds = Double(DispatchTime.now().uptimeNanoseconds &- start) / 1e9
        state.withLock { state in
            state.counters.commits += 1
            if durability == .full { state.counters.durableCommits += 1 }
            state.counters.intents += Int64(batch.count)
            state.counters.failedIntents += Int64(failures.count { $0 != nil })
            state.counters.commitSeconds += seconds
            state.counters.longestCommitSeconds = max(state.counters.longestCommitSeconds, seconds)
            state.counters.metricPoints += effects.metricPoints
            state.counters.events += effects.events
            state.counters.transitions.merge(effects.transitions, uniquingKeysWith: +)
        }
        for (intent, failure) in zip(batch, failures) { intent.finish(failure) }
        for action in effects.afterCommit { action() }
    }

    private func run(
        _ batch: [Intent], _ durability: Durability, _ database: Database, _ failures: inout [(any Error)?],
        _ effects: inout CommitEffects
    ) throws {
        if synchronous != durability {
            // GRDB sets NORMAL when it opens the pool, so this is said before the first transaction too.
            try database.execute(sql: "PRAGMA synchronous = \(durability == .full ? "FULL" : "NORMAL")")
            synchronous = durability
        }
        try database.beginTransaction(.immediate)
        for (index, intent) in batch.enumerated() {
            let transaction = WriteTransaction(
                database: database, cache: cache, folder: folder, effects: effects)
            do {
                try database.inSavepoint {
                    try intent.perform(transaction)
                    return .commit
                }
                effects = transaction.effects
            } catch {
                // SQLite may have rolled back everything (disk full, I/O error): then no intent survives.
                guard database.isInsideTransaction else { throw error }
                failures[index] = Self.typed(error)
                transaction.undo()
            }
        }
        try database.commit()
    }

    private func publish(_ effects: CommitEffects) {
        guard !effects.jobs.isEmpty else { return }
        cache.apply(effects.jobs.map { ($0.key, $0.value.before, $0.value.after) })
        feed.publish(
            effects.jobs.map { ($0.key, $0.value.after?.revision ?? 0) }, sequence: effects.lastSequence)
    }

    /// A full disk is the client's news; anything else that stops a commit means the file can no longer be
    /// trusted to take what we write, and a second fsync might claim success for pages that are lost.
    private func fail(_ error: any Error, during operation: String) -> StoreError {
        let typed = Self.typed(error) as? StoreError ?? .database(detail: "\(error)")
        if case .diskFull = typed { return typed }
        let failure = StoreError.readOnly(reason: "\(operation): \(typed)")
        state.withLock { state in
            state.counters.failedCommits += 1
            if state.failure == nil { state.failure = failure }
        }
        return failure
    }

    /// SQLite's errors in the store's words; others as they are.
    static func typed(_ error: any Error) -> any Error {
        switch error {
        case let error as DatabaseError where error.resultCode == .SQLITE_FULL:
            StoreError.diskFull(detail: error.message ?? "SQLITE_FULL")
        case let error as DatabaseError:
            StoreError.database(detail: "\(error)")
        default: error
        }
    }
}

/// What a batch did, for those who are told after its commit.
struct CommitEffects {
    struct JobChange {
        /// Before the batch; nil for a new job.
        let before: JobState?
        /// Nil when it was deleted.
        var after: JobRecord?
    }

    var jobs: [String: JobChange] = [:]
    /// States of jobs that were read from the database because the cache had let go of them.
    var loaded: [String: JobState] = [:]
    var lastSequence: Int64 = 0
    var metricPoints: Int64 = 0
    var events: Int64 = 0
    var transitions: [TransitionCount: Int64] = [:]
    /// Runs on the writer's queue, before the next batch.
    var afterCommit: [@Sendable () -> Void] = []
}
