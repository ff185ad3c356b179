// Opening, writing in groups, refusing, and being found again.

import Foundation
import GRDB
import Hashing
import JobSpec
import Testing

@testable import Store

@Suite struct StoreTests {
    @Test("What was written is found by the next store on the folder, with the same counts")
    func reopening() async throws {
        let fixture = try Fixture()
        let job = try await fixture.insert(Fixture.job("first", labels: ["team": "a"]))
        _ = try await fixture.move(job.id, .schedule, .started)
        let before = try await fixture.store.job(id: job.id)
        await fixture.store.close()
        let store = try Store(folder: fixture.folder)
        #expect(try await store.job(id: job.id) == before)
        #expect(store.cachedJob(id: job.id) == before)
        #expect(store.jobsByState[.running] == 1)
        #expect(store.changes.sequence == before.lastSequence)
        #expect(!store.wasUnclean)
        #expect(try await store.submittedSpec(of: before) == Array("{\"name\":\"first\"}".utf8))
        await store.close()
    }

    @Test("A second store on the same folder is refused, and says whose it is")
    func lock() async throws {
        let fixture = try Fixture()
        #expect(throws: StoreError.locked(path: fixture.folder.path, pid: getpid())) {
            try Store(folder: fixture.folder)
        }
        fixture.store.abandon()
        let next = try Store(folder: fixture.folder)
        #expect(next.wasUnclean)
        await next.close()
    }

    @Test("A database of a newer version is refused")
    func newerSchema() async throws {
        let fixture = try Fixture()
        try await fixture.store.pool.write {
            try $0.execute(sql: "INSERT INTO grdb_migrations (identifier) VALUES ('99 from the future')")
        }
        await fixture.store.close()
        #expect(throws: StoreError.newerSchema(path: fixture.folder.database)) {
            try Store(folder: fixture.folder)
        }
    }

    @Test("Durable commits are made with synchronous = FULL, batches of points with NORMAL")
    func synchronousIsWhatItSays() async throws {
        let fixture = try Fixture()
        let full = try await fixture.store.write { try Int.fetchOne($0.database, sql: "PRAGMA synchronous") }
        #expect(full == 2)
        let relaxed = try await fixture.store.write(.relaxed) {
            try Int.fetchOne($0.database, sql: "PRAGMA synchronous")
        }
        #expect(relaxed == 1)
        await fixture.remove()
    }

    @Test("Many intents share commits, in the order in which they came, and a refused one harms no other")
    func groupCommit() async throws {
        let fixture = try Fixture()
        let first = try await fixture.insert(Fixture.job())
        let commits = fixture.store.metrics.commits
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for index in 0..<200 {
                group.addTask {
                    do {
                        _ = try await fixture.store.write { transaction -> Int64 in
                            let job = try transaction.insert(Fixture.job("job \(index)"))
                            if index % 10 == 0 {
                                throw StoreError.conflict(job: job.id, state: .queued, trigger: "test")
                            }
                            return job.ordinal
                        }
                        return true
                    } catch StoreError.conflict {
                        return false
                    }
                }
            }
            var succeeded = 0
            for try await result in group where result { succeeded += 1 }
            #expect(succeeded == 180)
        }
        let metrics = fixture.store.metrics
        #expect(metrics.commits - commits < 200)
        #expect(metrics.jobsByState[.queued] == 181)
        #expect(metrics.failedIntents == 20)
        var query = JobQuery()
        query.limit = 1000
        query.order = .ascending
        let jobs = try await fixture.store.jobs(query).elements
        #expect(jobs.map(\.ordinal) == Array(first.ordinal...first.ordinal + 180))
        let events = try await fixture.store.events(after: 0, limit: 1000)
        #expect(events.map(\.sequence) == Array(1...181))
        await fixture.remove()
    }

    @Test("Points wait for company, but a durable intent behind them takes them along")
    func relaxedRidesAlong() async throws {
        var configuration = StoreConfiguration()
        configuration.relaxedDelayMilliseconds = 60_000
        let fixture = try Fixture(configuration)
        let job = try await fixture.insert(Fixture.job())
        let commits = fixture.store.metrics.commits
        fixture.store.enqueue(.relaxed) { transaction in
            var job = try transaction.job(job.id)
            try transaction.append([MetricPoint(name: "a", finished: 1, step: 0, value: 1)], to: &job)
            try transaction.save(&job)
        }
        #expect(try await fixture.store.metricSummaries(of: job).isEmpty)
        try await fixture.store.write { _ in }
        #expect(try await fixture.store.metricSummaries(of: job).count == 1)
        #expect(fixture.store.metrics.commits == commits + 1)
        await fixture.remove()
    }

    @Test("The database itself refuses to change a job that has ended, except by a retry")
    func terminalTrigger() async throws {
        let fixture = try Fixture()
        let job = try await fixture.insert(Fixture.job())
        _ = try await fixture.move(job.id, .schedule, .finished)
        for change in [
            "state = 'queued'", "state = 'queued', retries = retries + 1", "error = '{}'", "step = 7",
        ] {
            await #expect(throws: StoreError.self, "\(change)") {
                try await fixture.store.write { try $0.execute("UPDATE jobs SET \(change)") }
            }
        }
        try await fixture.store.write { try $0.execute("UPDATE jobs SET name = 'renamed'") }
        let other = try await fixture.insert(Fixture.job())
        _ = try await fixture.move(other.id, .schedule, .attemptFailed)
        #expect(try await fixture.move(other.id, .retryRequested).state == .queued)
        await #expect(throws: StoreError.self) {
            try await fixture.store.write { try $0.execute("DELETE FROM jobs") }
        }
        await #expect(throws: StoreError.self) {
            try await fixture.store.write { try $0.execute("UPDATE events SET data = '{}'") }
        }
        await fixture.remove()
    }

    @Test(
        "A full disk is a typed error that leaves nothing half done, until there is room again"
    )
    func diskFull() async throws {
        let fixture = try Fixture()
        let job = try await fixture.insert(Fixture.job())
        let pages = try await fixture.store.write { transaction -> Int in
            let pages = try Int.fetchOne(transaction.database, sql: "PRAGMA page_count") ?? 0
            return pages + 20
        }
        try await fixture.store.pool.writeWithoutTransaction {
            try $0.execute(sql: "PRAGMA max_page_count = \(pages)")
        }
        var big = Fixture.job("big")
        big.spec = Array(repeating: 32, count: 1 << 20)
        await #expect(
            performing: { _ = try await fixture.insert(big) },
            throws: { error in
                if case StoreError.diskFull = error { true } else { false }
            })
        #expect(try await fixture.store.jobs(JobQuery()).elements.map(\.id) == [job.id])
        #expect(fixture.store.jobsByState[.queued] == 1)
        try await fixture.store.pool.writeWithoutTransaction {
            try $0.execute(sql: "PRAGMA max_page_count = 1000000")
        }
        #expect(fixture.store.failure == nil)
        _ = try await fixture.insert(big)
        await fixture.remove()
    }

    @Test("A read-only store refuses writes with the reason, and still reads")
    func readOnly() async throws {
        let fixture = try Fixture()
        let job = try await fixture.insert(Fixture.job())
        fixture.store.enterReadOnly(reason: "the test says so")
        await #expect(throws: StoreError.readOnly(reason: "the test says so")) {
            _ = try await fixture.insert(Fixture.job())
        }
        #expect(try await fixture.store.job(id: job.id).id == job.id)
        #expect(fixture.store.metrics.isReadOnly)
        await fixture.remove()
    }

    @Test("Jobs that ended leave the cache, and are found all the same, with the right counts after a retry")
    func eviction() async throws {
        var configuration = StoreConfiguration()
        configuration.cachedEndedJobs = 2
        let fixture = try Fixture(configuration)
        var ids: [String] = []
        for _ in 0..<6 {
            let id = try await fixture.insert(Fixture.job()).id
            _ = try await fixture.move(id, .schedule, .attemptFailed)
            ids.append(id)
        }
        #expect(fixture.store.cachedJob(id: ids[0]) == nil)
        #expect(fixture.store.cachedJob(id: ids[5]) != nil)
        #expect(try await fixture.store.job(id: ids[0]).state == .failed)
        _ = try await fixture.move(ids[1], .retryRequested)
        #expect(fixture.store.jobsByState[.failed] == 5 && fixture.store.jobsByState[.queued] == 1)
        await fixture.remove()
    }

    @Test("A listener hears of a commit after it, and finds in the store what it is about")
    func changeFeed() async throws {
        let fixture = try Fixture()
        let job = try await fixture.insert(Fixture.job())
        var signals = fixture.store.changes.subscribe(job: job.id).makeAsyncIterator()
        let moved = try await fixture.move(job.id, .schedule)
        let signal = await signals.next()
        #expect(signal == ChangeSignal(job: job.id, revision: moved.revision, sequence: moved.lastSequence))
        #expect(fixture.store.cachedJob(id: job.id) == moved)
        let news = try await fixture.store.events(of: moved, after: job.lastSequence, limit: 10)
        #expect(news.map(\.kind) == [.state])
        await fixture.remove()
    }
}
