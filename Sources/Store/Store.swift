// The truth: one SQLite file, written by one writer, read by a pool. Opening, writing, and what is known
// without reading; the reads are in the extensions beside this file.

import Foundation
import GRDB
import JobSpec
import Synchronization

package struct StoreConfiguration: Sendable {
    package var readers = 4
    /// How long metric points may wait for company.
    package var relaxedDelayMilliseconds = 100
    /// Ended jobs whose records stay in memory; live ones always do.
    package var cachedEndedJobs = 4096
    /// SQLite refuses to grow beyond this many pages of 4 KiB; nil leaves it to the disk.
    package var maximumPages: Int?

    package init() {}
}

package final class Store: Sendable {
    package let folder: DataFolder
    package let changes = ChangeFeed()
    let pool: DatabasePool
    let cache: JobCache
    private let writer: Writer
    private let lock: DataFolderLock
    /// The last server on this folder did not stop in order.
    package let wasUnclean: Bool

    /// Opens, or makes, the database of the data folder, and locks the folder. Throws `.locked` if another
    /// server has it, `.newerSchema` if a newer version wrote it.
    package init(folder: DataFolder, configuration: StoreConfiguration = StoreConfiguration())
        throws(StoreError)
    {
        self.folder = folder
        try folder.create()
        lock = try DataFolderLock(folder)
        wasUnclean = lock.previousHolderDied
        cache = JobCache(endedCapacity: configuration.cachedEndedJobs)
        do {
            var options = Configuration()
            options.maximumReaderCount = configuration.readers
            options.busyMode = .timeout(5)
            options.label = "spindle.store"
            let pages = configuration.maximumPages
            options.prepareDatabase { database in
                try database.execute(sql: "PRAGMA journal_size_limit = 67108864; PRAGMA temp_store = MEMORY")
                if let pages { try database.execute(sql: "PRAGMA max_page_count = \(pages)") }
            }
            pool = try DatabasePool(path: folder.database, configuration: options)
            writer = Writer(
                pool: pool, cache: cache, feed: changes, folder: folder,
                relaxedDelayMilliseconds: configuration.relaxedDelayMilliseconds)
            // GRDB sets synchronous = NORMAL on opening; migrations are as durable as intents.
            try pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") }
            if try pool.read({ try Schema.migrator.hasBeenSuperseded($0) }) {
                throw StoreError.newerSchema(path: folder.database)
            }
            try Schema.migrator.migrate(pool)
            try loadCache()
        } catch let error as StoreError {
            throw error
        } catch {
            throw Writer.typed(error) as? StoreError ?? .database(detail: "\(error)")
        }
    }

    private func loadCache() throws {
        let (counts, live, sequence) = try pool.read { database in
            var counts: [JobState: Int] = [:]
            for row in try Row.fetchAll(
                database, sql: "SELECT state, COUNT(*) AS n FROM jobs WHERE deleted_at IS NULL GROUP BY state"
            ) {
                counts[try Columns.named(row["state"])] = row["n"]
            }
            let live = try Row.fetchAll(
                database,
                sql: """
                    SELECT * FROM jobs WHERE deleted_at IS NULL
                        AND state IN ('queued', 'preparing', 'running', 'pausing', 'paused', 'cancelling')
                    """
            ).map(JobRow.decode)
            let sequence = try Int64.fetchOne(
                database, sql: "SELECT seq FROM sqlite_sequence WHERE name = 'events'")
            return (counts, live, sequence ?? 0)
        }
        cache.load(counts: counts, live: live)
        changes.publish([], sequence: sequence)
    }

    // MARK: Writing

    /// Runs `body` in a transaction that it may share with others, and returns once the commit is as durable
    /// as asked. What `body` throws undoes what it did and nothing else. Bodies run in the order of these
    /// calls.
    package func write<Value: Sendable>(
        _ durability: Durability = .full, _ body: @escaping @Sendable (WriteTransaction) throws -> Value
    ) async throws -> Value {
        let result = ResultBox<Value>()
        return try await withCheckedThrowingContinuation { continuation in
            writer.enqueue(
                Writer.Intent(
                    durability: durability, perform: { result.value = try body($0) },
                    finish: { error in
                        if let error {
                            continuation.resume(throwing: error)
                        } else if let value = result.value {
                            continuation.resume(returning: value)
                        } else {
                            continuation.resume(
                                throwing: StoreError.database(detail: "an intent did not run"))
                        }
                    }))
        }
    }

    /// The same without waiting: `completion` is called on the writer's queue, in commit order.
    package func enqueue(
        _ durability: Durability, _ body: @escaping @Sendable (WriteTransaction) throws -> Void,
        completion: @escaping @Sendable ((any Error)?) -> Void = { _ in }
    ) {
        writer.enqueue(Writer.Intent(durability: durability, perform: body, finish: completion))
    }

    /// Returns when everything enqueued before is committed.
    package func flush() async { await writer.barrier() }

    /// Why nothing can be written; nil while all is well.
    package var failure: StoreError? { writer.failure }

    /// Refuses every write from now on; reads go on.
    package func enterReadOnly(reason: String) { writer.refuseAll(.readOnly(reason: reason)) }

    /// Commits what is waiting, and ends the subscriptions. Writes are refused afterwards.
    package func close() async {
        await writer.barrier()
        writer.refuseAll(.closed)
        changes.finish()
        try? pool.close()
        lock.release()
    }

    /// For tests of recovery: lets go of the folder the way a killed server does, with nothing said or
    /// finished.
    func abandon() {
        writer.refuseAll(.closed)
        changes.finish()
        lock.drop()
    }

    // MARK: Known without reading

    /// The current record of a live or recently touched job, without SQLite. Nil says nothing: ask
    /// `job(id:)`.
    package func cachedJob(id: String) -> JobRecord? { cache.job(id) }

    /// Every job that has not ended, in the order of submission.
    package var liveJobs: [JobRecord] { cache.live }

    package var jobsByState: [JobState: Int] { cache.countsByState }

    package var metrics: StoreMetrics {
        var metrics = writer.counters
        metrics.jobsByState = cache.countsByState
        metrics.feedSubscribers = changes.subscriberCount
        metrics.databaseBytes = Self.size(of: folder.database)
        metrics.walBytes = Self.size(of: folder.database + "-wal")
        return metrics
    }

    private static func size(of path: String) -> Int64 {
        var status = stat()
        return stat(path, &status) == 0 ? Int64(status.st_size) : 0
    }
}

/// Unchecked: written by the intent on the writer's queue, read by its completion on the same queue.
private final class ResultBox<Value: Sendable>: @unchecked Sendable {
    var value: Value?
}
