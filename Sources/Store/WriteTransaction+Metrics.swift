// Metric points: appended with the job's progress, discarded when a resume makes them void.

import GRDB
import JobSpec

extension WriteTransaction {
    /// At most this many series per job; points of further names are dropped.
    package static let seriesLimit = 1000

    /// Appends points and takes over the progress; the caller saves the job. A point that repeats the place
    /// of another replaces it. Returns how many points were stored.
    @discardableResult
    package func append(_ report: MetricsReport, to job: inout JobRecord) throws -> Int {
        job.progress.step = Int64(report.step)
        job.progress.epoch = report.epoch
        job.progress.examples = Int64(report.examples)
        job.progress.stepsPerSecond = report.stepsPerSecond
        return try append(
            report.points.map {
                MetricPoint(
                    name: $0.name, finished: Int64($0.finished), step: Int64($0.step), value: $0.value)
            }, to: &job)
    }

    @discardableResult
    package func append(_ points: [MetricPoint], to job: inout JobRecord) throws -> Int {
        var series: [String: Series] = [:]
        var stored = 0
        let insert = try database.cachedStatement(
            sql: """
                INSERT INTO metric_points (series, finished, step, value) VALUES (?, ?, ?, ?)
                ON CONFLICT (series, finished) DO UPDATE SET step = excluded.step, value = excluded.value
                """)
        for point in points {
            var target: Series
            if let known = series[point.name] {
                target = known
            } else {
                guard let opened = try openSeries(point.name, of: job) else { continue }
                target = opened
            }
            try insert.execute(
                arguments: [target.id, point.finished, point.step, Columns.bits(point.value)])
            stored += 1
            if let last = target.last, point.finished <= last.finished {
                target.isOutOfOrder = true
            } else {
                target.add(point)
            }
            series[point.name] = target
            job.latest[point.name] = point.value
        }
        for target in series.values {
            if target.isOutOfOrder {
                try recompute(target.id, name: target.name, job: &job)
            } else {
                try write(target)
            }
        }
        effects.metricPoints += Int64(stored)
        return stored
    }

    /// Removes the points of more than `finished` finished steps, of every series of the job.
    package func discardMetrics(of job: inout JobRecord, after finished: Int64) throws {
        var count = 0
        for row in try rows(
            "SELECT id, name FROM metric_series WHERE job = ? AND last_finished > ?", [job.ordinal, finished])
        {
            let id: Int64 = row["id"]
            try execute("DELETE FROM metric_points WHERE series = ? AND finished > ?", [id, finished])
            count += database.changesCount
            try recompute(id, name: row["name"], job: &job)
        }
        job.progress.step = min(job.progress.step, finished)
        if count > 0 {
            try addEvent(
                .metricsDiscarded, to: &job, ["after_step": .int(finished), "points": JSONValue(count)])
        }
    }

    private struct Series {
        let id: Int64
        let name: String
        var count: Int64 = 0
        var last: MetricPoint?
        var minimum: Double?
        var maximum: Double?
        var isOutOfOrder = false

        mutating func add(_ point: MetricPoint) {
            count += 1
            last = point
            guard !point.value.isNaN else { return }
            minimum = minimum.map { min($0, point.value) } ?? point.value
            maximum = maximum.map { max($0, point.value) } ?? point.value
        }
    }

    private func openSeries(_ name: String, of job: JobRecord) throws -> Series? {
        if let row = try row("SELECT * FROM metric_series WHERE job = ? AND name = ?", [job.ordinal, name]) {
            let summary = try MetricSeriesRow.decode(row)
            return Series(
                id: row["id"], name: name, count: summary.count, last: summary.last, minimum: summary.minimum,
                maximum: summary.maximum)
        }
        let count = try row("SELECT COUNT(*) AS n FROM metric_series WHERE job = ?", [job.ordinal])
        guard (count?["n"] ?? 0) < Self.seriesLimit else { return nil }
        try execute(
            """
            INSERT INTO metric_series (job, name, count, last_finished, last_step, last_value)
            VALUES (?, ?, 0, -1, -1, 0)
            """, [job.ordinal, name])
        return Series(id: database.lastInsertedRowID, name: name)
    }

    private func write(_ series: Series) throws {
        guard let last = series.last else { return }
        try execute(
            """
            UPDATE metric_series SET count = ?, last_finished = ?, last_step = ?, last_value = ?, minimum = ?,
                maximum = ? WHERE id = ?
            """,
            [
                series.count, last.finished, last.step, Columns.bits(last.value),
                series.minimum.map(Columns.bits),
                series.maximum.map(Columns.bits), series.id,
            ])
    }

    /// From its points, after some were removed or replaced; a series without points goes.
    private func recompute(_ id: Int64, name: String, job: inout JobRecord) throws {
        var series = Series(id: id, name: name)
        let statement = try database.cachedStatement(
            sql: "SELECT finished, step, value FROM metric_points WHERE series = ? ORDER BY finished")
        let cursor = try Row.fetchCursor(statement, arguments: [id])
        while let row = try cursor.next() {
            series.add(
                MetricPoint(
                    name: name, finished: row[0], step: row[1], value: Columns.double(row[2] as Int64)))
        }
        if let last = series.last {
            job.latest[name] = last.value
            try write(series)
        } else {
            job.latest[name] = nil
            try execute("DELETE FROM metric_series WHERE id = ?", [id])
        }
    }
}

enum MetricSeriesRow {
    static func decode(_ row: Row) throws -> MetricSummary {
        let name: String = row["name"]
        return MetricSummary(
            name: name, count: row["count"],
            last: MetricPoint(
                name: name, finished: row["last_finished"], step: row["last_step"],
                value: Columns.double(row["last_value"] as Int64)),
            minimum: Columns.double(row["minimum"] as Int64?),
            maximum: Columns.double(row["maximum"] as Int64?))
    }
}
