// A store in a folder of its own, and jobs to put into it.

import Foundation
import Hashing
import JobSpec
import Testing

@testable import Store

struct Fixture {
    let folder = DataFolder(path: NSTemporaryDirectory() + "spindle-store-\(UUID().uuidString)")
    let store: Store

    init(_ configuration: StoreConfiguration = StoreConfiguration()) throws {
        store = try Store(folder: folder, configuration: configuration)
    }

    func remove() async {
        await store.close()
        try? FileManager.default.removeItem(atPath: folder.path)
    }

    static func job(_ name: String = "job", labels: [String: String] = [:], datasets: [Digest] = []) -> NewJob
    {
        NewJob(
            id: Identifier.job(), name: name, labels: labels, queue: "default", priority: 50,
            spec: Array("{\"name\":\"\(name)\"}".utf8),
            effectiveSpec: Array("{\"name\":\"\(name)\",\"seed\":0}".utf8),
            plan: ["steps_total": 4], attemptsMax: 3, backoffSeconds: 1, datasets: datasets)
    }

    func insert(_ job: NewJob) async throws -> JobRecord {
        try await store.write { try $0.insert(job) }
    }

    func move(_ id: String, _ triggers: TransitionTrigger...) async throws -> JobRecord {
        try await store.write { transaction in
            var job = try transaction.job(id)
            for trigger in triggers {
                if trigger == .retryRequested { job.retries += 1 }
                try transaction.transition(&job, trigger)
            }
            try transaction.save(&job)
            return job
        }
    }
}
