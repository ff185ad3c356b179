// What a list of jobs asks for, and the SQL that answers it: keyset pages on the submission order, always by
// an index.

import GRDB
import Hashing

package struct JobQuery: Sendable, Hashable {
    package enum Order: String, Sendable, Hashable, CaseIterable {
        case ascending = "asc"
        case descending = "desc"
    }

    /// Any of these; empty is every state.
    package var states: [JobState] = []
    /// All of these, sorted by key.
    package var labels: [String: String] = [:]
    package var queue: String?
    package var nameContains: String?
    package var effectiveSpecDigest: Digest?
    package var createdAfter: Timestamp?
    package var createdBefore: Timestamp?
    package var order = Order.descending
    /// Continue behind this ordinal (in the list's order).
    package var after: Int64?
    /// The page that ends right before this ordinal.
    package var before: Int64?
    package var limit = 50

    package init() {}
}

package struct Page<Element: Sendable>: Sendable {
    package let elements: [Element]
    /// Whether there is more in the direction that was asked for.
    package let hasMore: Bool

    package init(elements: [Element], hasMore: Bool) {
        self.elements = elements
        self.hasMore = hasMore
    }
}

struct JobQuerySQL {
    let sql: String
    let arguments: StatementArguments
    /// The rows come in the opposite order, and are turned around after.
    let isReversed: Bool
    let limit: Int

    init(_ query: JobQuery) {
        limit = min(max(query.limit, 1), 1000)
        isReversed = query.before != nil && query.after == nil
        let isAscending = (query.order == .ascending) != isReversed
        var conditions = ["jobs.deleted_at IS NULL"]
        var values: [any DatabaseValueConvertible] = []
        if let bound = query.after ?? query.before {
            conditions.append("jobs.ordinal \(isAscending ? ">" : "<") ?")
            values.append(bound)
        }
        if let queue = query.queue {
            conditions.append("jobs.queue = ?")
            values.append(queue)
        }
        if let digest = query.effectiveSpecDigest {
            conditions.append("jobs.effective_spec_digest = ?")
            values.append(Columns.data(digest))
        }
        if let time = query.createdAfter {
            conditions.append("jobs.created_at > ?")
            values.append(time.milliseconds)
        }
        if let time = query.createdBefore {
            conditions.append("jobs.created_at < ?")
            values.append(time.milliseconds)
        }
        if let text = query.nameContains {
            conditions.append("instr(lower(jobs.name), lower(?)) > 0")
            values.append(text)
        }
        for (key, value) in query.labels.sorted(by: { $0.key < $1.key }) {
            conditions.append(
                "EXISTS (SELECT 1 FROM job_labels WHERE key = ? AND value = ? AND job = jobs.ordinal)")
            values += [key, value]
        }
        let tail = "ORDER BY jobs.ordinal \(isAscending ? "ASC" : "DESC") LIMIT \(limit + 1)"
        let rest = conditions.joined(separator: " AND ")
        // One index walk for each state, merged: a single IN would read and sort every job of these states.
        let states = Array(Set(query.states)).sorted { $0.rawValue < $1.rawValue }
        if states.isEmpty || states.count == JobState.allCases.count {
            sql = "SELECT jobs.* FROM jobs WHERE \(rest) \(tail)"
            arguments = StatementArguments(values)
        } else {
            let parts = states.map { _ in
                "SELECT * FROM (SELECT jobs.* FROM jobs WHERE jobs.state = ? AND \(rest) \(tail))"
            }
            sql =
                states.count == 1
                ? "SELECT jobs.* FROM jobs WHERE jobs.state = ? AND \(rest) \(tail)"
                : "SELECT * FROM (\(parts.joined(separator: " UNION ALL "))) AS jobs \(tail)"
            arguments = StatementArguments(
                states.flatMap { [$0.rawValue as any DatabaseValueConvertible] + values })
        }
    }
}
