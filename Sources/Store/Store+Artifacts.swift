// Reads of metrics, checkpoints and datasets.

import GRDB
import Hashing
import JobSpec

extension Store {
    // MARK: Metrics

    /// Every series of the job, by name.
    package func metricSummaries(of job: JobRecord) async throws -> [MetricSummary] {
        try await reading { database in
            try Self.rows(database, "SELECT * FROM metric_series WHERE job = ? ORDER BY name", [job.ordinal])
                .map(MetricSeriesRow.decode)
        }
    }

    /// Points with `after < finished <= through`, in order. At most `limit`.
    package func metricSeries(
        of job: JobRecord, name: String, after: Int64 = -1, through: Int64 = .max, limit: Int = .max
    ) async throws -> [MetricPoint] {
        try await reading { database in
            let series = try Self.row(
                database, "SELECT id FROM metric_series WHERE job = ? AND name = ?", [job.ordinal, name])
            guard let series else { return [] }
            return try Self.points(database, series: series["id"], name: name, after, through, limit)
        }
    }

    /// New points of every series, given what one has seen: the largest `finished` by name.
    package func metricPoints(
        of job: JobRecord, after seen: [String: Int64], limitPerSeries: Int = 10_000
    ) async throws -> [MetricPoint] {
        try await reading { database in
            var points: [MetricPoint] = []
            for row in try Self.rows(
                database, "SELECT id, name, last_finished FROM metric_series WHERE job = ? ORDER BY name",
                [job.ordinal])
            {
                let name: String = row["name"]
                let after = seen[name] ?? -1
                guard after < row["last_finished"] as Int64 else { continue }
                points += try Self.points(
                    database, series: row["id"], name: name, after, .max, limitPerSeries)
            }
            return points
        }
    }

    private static func points(
        _ database: Database, series: Int64, name: String, _ after: Int64, _ through: Int64, _ limit: Int
    ) throws -> [MetricPoint] {
        let statement = try database.cachedStatement(
            sql: """
                SELECT finished, step, value FROM metric_points
                WHERE series = ? AND finished > ? AND finished <= ? ORDER BY finished LIMIT ?
                """)
        var points: [MetricPoint] = []
        let cursor = try Row.fetchCursor(statement, arguments: [series, after, through, limit])
        while let row = try cursor.next() {
            points.append(
                MetricPoint(
                    name: name, finished: row[0], step: row[1], value: Columns.double(row[2] as Int64)))
        }
        return points
    }

    // MARK: Checkpoints

    /// Newest first; only those that exist, unless `includingDeleted`.
    package func checkpoints(
        of job: JobRecord, before ordinal: Int64 = .max, limit: Int = 1000, includingDeleted: Bool = false
    ) async throws -> [CheckpointRecord] {
        try await reading { database in
            try Self.rows(
                database,
                """
                SELECT * FROM checkpoints WHERE job = ? AND ordinal < ? AND (status = 'committed' OR ?)
                ORDER BY ordinal DESC LIMIT ?
                """, [job.ordinal, ordinal, includingDeleted, limit]
            ).map { try CheckpointRow.decode($0, job: job.id) }
        }
    }

    /// Those of the job that are marked, and whose files may still be there.
    package func checkpointsBeingDeleted(of job: String) async throws -> [CheckpointRecord] {
        try await reading { database in
            try Self.rows(
                database,
                """
                SELECT checkpoints.* FROM checkpoints JOIN jobs ON jobs.ordinal = checkpoints.job
                WHERE checkpoints.status = 'deleting' AND jobs.id = ? ORDER BY checkpoints.ordinal
                """, [job]
            ).map { try CheckpointRow.decode($0, job: job) }
        }
    }

    /// Throws `.notFound`, and `.gone` for one that was deleted or found corrupt.
    package func checkpoint(id: String) async throws -> CheckpointRecord {
        try await reading { database in
            let row = try Self.row(
                database,
                """
                SELECT checkpoints.*, jobs.id AS job_id
                FROM checkpoints JOIN jobs ON jobs.ordinal = checkpoints.job
                WHERE checkpoints.id = ? AND jobs.deleted_at IS NULL
                """, [id])
            guard let row else { throw try Self.missing(database, kind: "checkpoint", id: id) }
            let record = try CheckpointRow.decode(row, job: row["job_id"])
            guard record.status == .committed else {
                throw StoreError.gone(
                    kind: "checkpoint", id: id, at: record.deletedAt ?? record.createdAt,
                    reason: record.deletionReason ?? record.status.rawValue)
            }
            return record
        }
    }

    // MARK: Datasets

    /// By name, newest version first.
    package func datasets(named name: String? = nil) async throws -> [DatasetRecord] {
        try await reading { database in
            let rows =
                if let name {
                    try Self.rows(
                        database, "SELECT * FROM datasets WHERE name = ? ORDER BY version DESC LIMIT 1000",
                        [name])
                } else {
                    try Self.rows(
                        database, "SELECT * FROM datasets ORDER BY name, version DESC LIMIT 10000", [])
                }
            return try rows.map(DatasetRow.decode)
        }
    }

    /// Throws `.notFound`.
    package func dataset(_ reference: DatasetSelector) async throws -> DatasetRecord {
        try await reading { database in
            let row: Row?
            let text: String
            switch reference {
            case .latest(let name):
                text = name
                row = try Self.row(
                    database, "SELECT * FROM datasets WHERE name = ? ORDER BY version DESC LIMIT 1", [name])
            case .digest(let name, let digest):
                text = "\(name)@sha256:\(digest.hex)"
                row = try Self.row(
                    database, "SELECT * FROM datasets WHERE name = ? AND digest = ?",
                    [name, Columns.data(digest)])
            case .version(let name, let version):
                text = "\(name)@\(version)"
                row = try Self.row(
                    database, "SELECT * FROM datasets WHERE name = ? AND version = ?", [name, version])
            }
            guard let row else { throw StoreError.notFound(kind: "dataset", id: text) }
            return try DatasetRow.decode(row)
        }
    }

    /// By id ("ds_…"). Throws `.notFound` or `.gone`.
    package func dataset(id: String) async throws -> DatasetRecord {
        try await reading { database in
            guard let row = try Self.row(database, "SELECT * FROM datasets WHERE id = ?", [id]) else {
                throw try Self.missing(database, kind: "dataset", id: id)
            }
            return try DatasetRow.decode(row)
        }
    }

    package func put(_ dataset: NewDataset) async throws -> (record: DatasetRecord, isNew: Bool) {
        try await write { try $0.put(dataset) }
    }

    package func delete(_ dataset: DatasetRecord) async throws {
        try await write { try $0.deleteDataset(dataset) }
    }
}
