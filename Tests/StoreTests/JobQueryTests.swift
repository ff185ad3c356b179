// Lists of jobs: every filter, page by page, always by an index.

import GRDB
import Testing

@testable import Store

@Suite struct JobQueryTests {
    private func queries() -> [String: JobQuery] {
        var queries: [String: JobQuery] = ["all": JobQuery()]
        func add(_ name: String, _ change: (inout JobQuery) -> Void) {
            var query = JobQuery()
            change(&query)
            queries[name] = query
        }
        add("ascending") { $0.order = .ascending }
        add("one state") { $0.states = [.failed] }
        add("two states") { $0.states = [.failed, .queued] }
        add("label") { $0.labels = ["even": "yes"] }
        add("queue") { $0.queue = "default" }
        add("name") { $0.nameContains = "JOB 1" }
        add("state, label, ascending") {
            $0.states = [.queued]
            $0.labels = ["even": "yes"]
            $0.order = .ascending
        }
        return queries
    }

    @Test("Pages of any size, forwards and backwards, are the whole list in order")
    func paging() async throws {
        let fixture = try Fixture()
        for index in 0..<25 {
            let job = try await fixture.insert(
                Fixture.job("job \(index)", labels: ["even": index % 2 == 0 ? "yes" : "no"]))
            if index % 3 == 0 { _ = try await fixture.move(job.id, .schedule, .attemptFailed) }
        }
        for (name, query) in queries() {
            var whole = query
            whole.limit = 1000
            let expected = try await fixture.store.jobs(whole).elements.map(\.ordinal)
            #expect(!expected.isEmpty, "\(name)")
            #expect(expected == expected.sorted { query.order == .ascending ? $0 < $1 : $0 > $1 }, "\(name)")
            for limit in [1, 4, 7] {
                var page = query
                page.limit = limit
                var found: [Int64] = []
                while true {
                    let answer = try await fixture.store.jobs(page)
                    found += answer.elements.map(\.ordinal)
                    page.after = answer.elements.last?.ordinal
                    #expect(answer.elements.count <= limit)
                    if !answer.hasMore { break }
                }
                #expect(found == expected, "\(name), pages of \(limit)")
                var back = query
                back.limit = limit
                back.before = found.last
                let last = try await fixture.store.jobs(back)
                #expect(
                    last.elements.map(\.ordinal) == Array(expected.dropLast().suffix(limit)),
                    "\(name) backwards")
            }
        }
        await fixture.remove()
    }

    @Test("Every list is answered by an index: SQLite's plans have no full scan of a table")
    func plans() async throws {
        let fixture = try Fixture()
        for (name, query) in queries() {
            for bound in [nil, Int64(5)] {
                var query = query
                query.after = bound
                let sql = JobQuerySQL(query)
                let stateCount = query.states.count
                try await fixture.store.pool.read { database in
                    for detail in try Row.fetchAll(
                        database, sql: "EXPLAIN QUERY PLAN " + sql.sql, arguments: sql.arguments
                    ).map({ $0["detail"] as String }) {
                        // Walking the submission order is the index of an unfiltered list; the merge of a few
                        // bounded pages is sorted in memory.
                        if detail.hasPrefix("SCAN") {
                            #expect(
                                ["SCAN jobs", "SCAN (subquery"].contains { detail.hasPrefix($0) },
                                "\(name): \(detail)")
                        }
                        if stateCount < 2 { #expect(!detail.contains("TEMP B-TREE"), "\(name): \(detail)") }
                        if stateCount == 1, detail.contains("jobs_by") {
                            #expect(detail.hasPrefix("SEARCH"), "\(name): \(detail)")
                        }
                    }
                }
            }
        }
        let others = [
            "SELECT * FROM events WHERE job = 1 AND number > 2 ORDER BY number LIMIT 3",
            "SELECT number FROM events WHERE job = 1 AND sequence <= 2 ORDER BY number DESC LIMIT 1",
            "SELECT * FROM events WHERE sequence > 1 ORDER BY sequence LIMIT 3",
            "SELECT * FROM checkpoints WHERE job = 1 AND ordinal < 2 ORDER BY ordinal DESC LIMIT 3",
            "SELECT * FROM checkpoints WHERE job = 1 AND status = 'committed' ORDER BY step",
            "SELECT * FROM attempts WHERE job = 1 ORDER BY number",
            "SELECT * FROM attempts WHERE ended_at IS NULL AND job = 1",
            "SELECT value FROM metric_points WHERE series = 1 AND finished > 2 ORDER BY finished LIMIT 3",
            "SELECT * FROM metric_series WHERE job = 1 ORDER BY name",
            "SELECT * FROM datasets WHERE name = 'a' ORDER BY version DESC LIMIT 1",
            "SELECT * FROM jobs WHERE deleted_at IS NOT NULL ORDER BY ordinal",
        ]
        try await fixture.store.pool.read { database in
            for sql in others {
                for row in try Row.fetchAll(database, sql: "EXPLAIN QUERY PLAN " + sql) {
                    let detail: String = row["detail"]
                    let isIndexed = detail.hasPrefix("SEARCH") || detail.contains("USING INDEX")
                    #expect(isIndexed, "\(sql): \(detail)")
                }
            }
        }
        await fixture.remove()
    }
}
