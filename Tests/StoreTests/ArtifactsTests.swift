// Checkpoints, datasets, deletion and idempotent answers as rows.

import Foundation
import Hashing
import JobSpec
import Testing

@testable import Store

@Suite struct ArtifactsTests {
    private func checkpoint(_ step: Int64, _ text: String = "x") -> NewCheckpoint {
        NewCheckpoint(
            step: step, folder: "step-00000\(step)", stateDigest: SHA256.hash(Array("\(text)\(step)".utf8)),
            stateBytes: 10,
            resumeDigest: SHA256.hash([]), resumeBytes: 0, metrics: ["a": .infinity], cause: .periodic)
    }

    private func upload(_ name: String, _ text: String, _ fixture: Fixture) async throws -> (
        record: DatasetRecord, isNew: Bool
    ) {
        let path = fixture.folder.temporary + "/" + UUID().uuidString
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        return try await fixture.store.put(
            NewDataset(
                name: name, digest: SHA256.hash(Array(text.utf8)), format: "csv",
                bytes: Int64(text.utf8.count), rows: 1,
                schema: ["columns": []], uploadedFile: path))
    }

    @Test("A checkpoint is found, reported again without a second row, quarantined, and then gone")
    func checkpoints() async throws {
        let fixture = try Fixture()
        let id = try await fixture.insert(Fixture.job()).id
        let (first, second) = (checkpoint(2), checkpoint(4))
        let job = try await fixture.store.write { transaction -> JobRecord in
            var job = try transaction.job(id)
            let one = try transaction.add(first, to: &job)
            let again = try transaction.add(first, to: &job)
            #expect(one.id == again.id)
            _ = try transaction.add(second, to: &job)
            try transaction.save(&job)
            return job
        }
        #expect(job.checkpoint?.step == 4 && job.usage.checkpointBytes == 20)
        let records = try await fixture.store.checkpoints(of: job)
        #expect(records.map(\.step) == [4, 2] && records[0].metrics == ["a": .infinity])
        let after = try await fixture.store.write { transaction -> JobRecord in
            var job = try transaction.job(id)
            try transaction.quarantine(records[0], job: &job, detail: "flipped")
            try transaction.save(&job)
            return job
        }
        #expect(after.checkpoint?.step == 2 && after.usage.checkpointBytes == 10)
        await #expect(
            performing: { _ = try await fixture.store.checkpoint(id: records[0].id) },
            throws: { if case StoreError.gone(_, _, _, "flipped") = $0 { true } else { false } })
        #expect(try await fixture.store.checkpoint(id: records[1].id).step == 2)
        await fixture.remove()
    }

    @Test("A dataset has versions by digest; the bare name is the newest, and equal bytes are no new version")
    func datasets() async throws {
        let fixture = try Fixture()
        let first = try await upload("digits", "a,b\n1,2\n", fixture)
        let second = try await upload("digits", "a,b\n3,4\n", fixture)
        #expect(first.isNew && second.isNew && second.record.version == 2)
        #expect(try await !upload("digits", "a,b\n3,4\n", fixture).isNew)
        #expect(try await fixture.store.dataset(.latest(name: "digits")).id == second.record.id)
        let reference = try #require(DatasetSelector(first.record.reference))
        #expect(try await fixture.store.dataset(reference).id == first.record.id)
        // The older bytes once more: now they are what the name means.
        let back = try await upload("digits", "a,b\n1,2\n", fixture)
        #expect(!back.isNew && back.record.version == 3)
        #expect(try await fixture.store.dataset(.latest(name: "digits")).id == first.record.id)
        #expect(FileManager.default.fileExists(atPath: fixture.folder.dataset(first.record.digest)))
        await fixture.remove()
    }

    @Test("A dataset that a job refers to is not deleted; without the job it goes, with its file")
    func referencedDataset() async throws {
        let fixture = try Fixture()
        let dataset = try await upload("digits", "a\n1\n", fixture).record
        let job = try await fixture.insert(Fixture.job(datasets: [dataset.digest]))
        await #expect(throws: StoreError.referenced(kind: "dataset", id: dataset.reference, by: [job.id])) {
            try await fixture.store.delete(dataset)
        }
        _ = try await fixture.move(job.id, .cancelRequested, .cancelled)
        try await fixture.store.write {
            try $0.beginDeletion(of: $0.job(job.id), keepsArtifacts: false, reason: "test")
        }
        try await fixture.store.delete(dataset)
        await fixture.store.flush()
        #expect(!FileManager.default.fileExists(atPath: fixture.folder.dataset(dataset.digest)))
        await #expect(throws: StoreError.notFound(kind: "dataset", id: "digits")) {
            _ = try await fixture.store.dataset(.latest(name: "digits"))
        }
        await #expect(throws: StoreError.self) {
            _ = try await fixture.insert(Fixture.job(datasets: [dataset.digest]))
        }
        await fixture.remove()
    }

    @Test("A checkpoint that a job starts from keeps its own job from deletion until the other has ended")
    func startingCheckpoint() async throws {
        let fixture = try Fixture()
        let first = try await fixture.insert(Fixture.job("first"))
        let new = checkpoint(2)
        let start = try await fixture.store.write { transaction -> CheckpointRecord in
            var job = try transaction.job(first.id)
            let record = try transaction.add(new, to: &job)
            try transaction.save(&job)
            return record
        }
        _ = try await fixture.move(first.id, .cancelRequested, .cancelled)
        var later = Fixture.job("later")
        later.startingCheckpoint = start.id
        let second = try await fixture.insert(later)
        func delete(_ id: String) async throws {
            try await fixture.store.write {
                try $0.beginDeletion(of: $0.job(id), keepsArtifacts: false, reason: "test")
            }
        }
        #expect(try await fixture.store.write { try $0.users(ofCheckpoint: start.id) } == [second.id])
        await #expect(throws: StoreError.referenced(kind: "checkpoint", id: start.id, by: [second.id])) {
            try await delete(first.id)
        }
        _ = try await fixture.move(second.id, .cancelRequested, .cancelled)
        try await delete(first.id)
        // Too late for a third.
        var third = Fixture.job("third")
        third.startingCheckpoint = "ckpt_unknown"
        let unknown = third
        await #expect(throws: StoreError.notFound(kind: "checkpoint", id: "ckpt_unknown")) {
            _ = try await fixture.insert(unknown)
        }
        await fixture.remove()
    }

    @Test("A deleted job is gone at once, its rows go in pieces, and its tombstone stays")
    func deletion() async throws {
        let fixture = try Fixture()
        let job = try await fixture.insert(Fixture.job("doomed", labels: ["a": "b"]))
        try await fixture.store.write { transaction in
            var job = try transaction.job(job.id)
            let points = (1...100).map { MetricPoint(name: "a", finished: $0, step: $0, value: 0) }
            try transaction.append(points, to: &job)
            try transaction.save(&job)
        }
        await #expect(throws: StoreError.conflict(job: job.id, state: .queued, trigger: "delete")) {
            try await fixture.store.write {
                try $0.beginDeletion(of: $0.job(job.id), keepsArtifacts: false, reason: "test")
            }
        }
        _ = try await fixture.move(job.id, .cancelRequested, .cancelled)
        try await fixture.store.write {
            try $0.beginDeletion(of: $0.job(job.id), keepsArtifacts: false, reason: "test")
        }
        await #expect(
            performing: { _ = try await fixture.store.job(id: job.id) },
            throws: { if case StoreError.gone("job", job.id, _, "test") = $0 { true } else { false } })
        #expect(try await fixture.store.jobs(JobQuery()).elements.isEmpty)
        #expect(fixture.store.jobsByState[.cancelled] == 0)
        #expect(try await fixture.store.write { try $0.dropDeletedRows(of: job.id, limit: 60) })
        #expect(try await fixture.store.write { try $0.dropDeletedRows(of: job.id, limit: 60) } == false)
        for table in ["jobs", "documents", "job_labels", "events", "metric_series", "metric_points"] {
            let count = try await fixture.store.write {
                try $0.row("SELECT COUNT(*) AS n FROM \(table)", [])?["n"] ?? -1
            }
            #expect(count == 0, "\(table)")
        }
        await fixture.remove()
    }

    @Test("An answer is replayed to its key, refused to another body, and not known under another scope")
    func idempotency() async throws {
        let fixture = try Fixture()
        let key = IdempotencyKey(key: "k", scope: "POST /v1/jobs", fingerprint: SHA256.hash([1]))
        let response = StoredResponse(status: 201, headers: ["Location": "/v1/jobs/1"], body: [1, 2, 3])
        try await fixture.store.write { try $0.store(response, for: key, job: "job_1") }
        #expect(try await fixture.store.lookUp(key) == .replay(response, job: "job_1"))
        let other = IdempotencyKey(key: "k", scope: key.scope, fingerprint: SHA256.hash([2]))
        #expect(try await fixture.store.lookUp(other) == .mismatch)
        let elsewhere = IdempotencyKey(key: "k", scope: "other", fingerprint: key.fingerprint)
        #expect(try await fixture.store.lookUp(elsewhere) == .fresh)
        await fixture.remove()
    }
}
