// Metric points: exact values, summaries, and the tail that a resume makes void.

import JobSpec
import Testing

@testable import Store

@Suite struct MetricsTests {
    private func append(_ values: [Double], to id: String, in store: Store, from first: Int64 = 1)
        async throws
    {
        try await store.write(.relaxed) { transaction in
            var job = try transaction.job(id)
            let points = values.enumerated().map {
                MetricPoint(name: "loss", finished: first + Int64($0), step: first + Int64($0) - 1, value: $1)
            }
            try transaction.append(points, to: &job)
            try transaction.save(&job)
        }
    }

    @Test(
        "Values come back bit for bit: NaN with its payload, infinities, negative zero, the smallest number")
    func exactValues() async throws {
        let fixture = try Fixture()
        let job = try await fixture.insert(Fixture.job())
        let values = [
            0.1, -0.0, .infinity, -.infinity, Double.nan, Double(nan: 0x123, signaling: false),
            .leastNonzeroMagnitude, .greatestFiniteMagnitude,
        ]
        try await append(values, to: job.id, in: fixture.store)
        let points = try await fixture.store.metricSeries(of: job, name: "loss")
        #expect(points.map(\.value.bitPattern) == values.map(\.bitPattern))
        #expect(points.map(\.finished) == Array(1...8))
        let summary = try await fixture.store.metricSummaries(of: job).first
        #expect(summary?.count == 8 && summary?.minimum == -.infinity && summary?.maximum == .infinity)
        #expect(try await fixture.store.job(id: job.id).latest["loss"] == .greatestFiniteMagnitude)
        await fixture.remove()
    }

    @Test("Latest values that are not finite survive the row of the job")
    func latestSurvives() async throws {
        let fixture = try Fixture()
        let job = try await fixture.insert(Fixture.job())
        try await append([.nan], to: job.id, in: fixture.store)
        await fixture.store.close()
        let store = try Store(folder: fixture.folder)
        #expect(try await store.job(id: job.id).latest["loss"]?.isNaN == true)
        await store.close()
    }

    @Test("Discarding a tail and computing it again leaves the series of an undisturbed run (I6)")
    func discardedTail() async throws {
        let fixture = try Fixture()
        let undisturbed = try await fixture.insert(Fixture.job())
        let resumed = try await fixture.insert(Fixture.job())
        let values: [Double] = [9, 8, 7, 6, 5, 4]
        try await append(values, to: undisturbed.id, in: fixture.store)
        try await append(Array(values.prefix(5)), to: resumed.id, in: fixture.store)
        try await fixture.store.write { transaction in
            var job = try transaction.job(resumed.id)
            try transaction.discardMetrics(of: &job, after: 2)
            #expect(job.latest["loss"] == 8)
            try transaction.save(&job)
        }
        let kept = try await fixture.store.metricSeries(of: resumed, name: "loss")
        #expect(kept.map(\.finished) == [1, 2])
        try await append(Array(values.dropFirst(2)), to: resumed.id, in: fixture.store, from: 3)
        let one = try await fixture.store.metricSeries(of: undisturbed, name: "loss")
        let other = try await fixture.store.metricSeries(of: resumed, name: "loss")
        #expect(one == other)
        #expect(
            try await fixture.store.metricSummaries(of: undisturbed)
                == fixture.store.metricSummaries(of: resumed))
        let events = try await fixture.store.events(of: resumed, afterNumber: 0, limit: 100)
        #expect(events.last?.data == ["after_step": 2, "points": 3])
        await fixture.remove()
    }

    @Test("A point that repeats a place replaces it, and the summary says so")
    func replacedPoint() async throws {
        let fixture = try Fixture()
        let job = try await fixture.insert(Fixture.job())
        try await append([1, 2, 3], to: job.id, in: fixture.store)
        try await append([5], to: job.id, in: fixture.store, from: 3)
        let summary = try await fixture.store.metricSummaries(of: job).first
        #expect(summary?.count == 3 && summary?.last.value == 5 && summary?.maximum == 5)
        await fixture.remove()
    }

    @Test("A listener asks for what is new, series by series")
    func newPoints() async throws {
        let fixture = try Fixture()
        let job = try await fixture.insert(Fixture.job())
        try await append([1, 2, 3], to: job.id, in: fixture.store)
        let fresh = try await fixture.store.metricPoints(of: job, after: ["loss": 2])
        #expect(fresh.map(\.finished) == [3])
        #expect(try await fixture.store.metricPoints(of: job, after: ["loss": 3]).isEmpty)
        await fixture.remove()
    }
}
