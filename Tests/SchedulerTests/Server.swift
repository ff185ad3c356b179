// A store and a scheduler on a folder of their own, whose workers are shell scripts.

import Foundation
import Hashing
import JobSpec
import Logging
import Testing

@testable import Scheduler
@testable import Store

struct TimedOut: Error, CustomStringConvertible {
    let description: String
}

struct Server {
    let folder: DataFolder
    let store: Store
    let scheduler: Scheduler

    static let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent()
        .appendingPathComponent("Fixtures/workers/fake-worker.sh").path

    init(
        _ folder: DataFolder? = nil, start: Bool = true,
        _ change: (inout SchedulerConfiguration) -> Void = { _ in }
    ) async throws {
        let folder = folder ?? DataFolder(path: NSTemporaryDirectory() + "spindle-sched-\(UUID().uuidString)")
        self.folder = folder
        store = try Store(folder: folder)
        var configuration = SchedulerConfiguration(
            worker: WorkerLaunch(path: "/bin/sh", arguments: [Self.script]))
        configuration.killAfterSeconds = 0.3
        change(&configuration)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        scheduler = Scheduler(store: store, configuration: configuration, logger: logger)
        if start { _ = try await scheduler.start() }
    }

    func remove() async {
        await scheduler.shutdown(graceSeconds: 0)
        await store.close()
        try? FileManager.default.removeItem(atPath: folder.path)
    }

    /// As kill -9 does: nothing is said, nothing is finished. The workers stay, unless they die with their
    /// pipes.
    func crash() {
        store.abandon()
    }

    static func spec(
        _ scenario: String, priority: Int = 50, attempts: Int = 3, keep: JSONValue = ["last": 5]
    ) -> JSONValue {
        [
            "name": .string(scenario), "labels": ["scenario": .string(scenario)],
            "priority": JSONValue(priority),
            "retry": ["max_attempts": JSONValue(attempts), "backoff_seconds": 0.01],
            "checkpoint": ["keep": keep],
        ]
    }

    func submit(_ spec: JSONValue) async throws -> JobRecord {
        let outcome = try await scheduler.submit(
            JobSubmission(submittedSpec: spec.serializedBytes(), effectiveSpec: spec, plan: nil))
        guard case .created(let job, _) = outcome else { throw TimedOut(description: "replayed") }
        return job
    }

    func submit(_ scenario: String) async throws -> JobRecord { try await submit(Self.spec(scenario)) }

    /// The job as soon as it is as asked for; fails after 20 s.
    func wait(
        _ id: String, _ what: String = "", until condition: @escaping @Sendable (JobRecord) -> Bool
    ) async throws -> JobRecord {
        let store = store
        return try await withThrowingTaskGroup(of: JobRecord?.self) { group in
            group.addTask {
                let signals = store.changes.subscribe(job: id)
                let job = try await store.job(id: id)
                if condition(job) { return job }
                for await _ in signals {
                    let job = try await store.job(id: id)
                    if condition(job) { return job }
                }
                return nil
            }
            group.addTask {
                try await Task.sleep(for: .seconds(20))
                return nil
            }
            let first = try await group.next() ?? nil
            group.cancelAll()
            guard let first else {
                throw TimedOut(description: "\(what): \(String(describing: try? await store.job(id: id)))")
            }
            return first
        }
    }

    func wait(_ id: String, _ state: JobState) async throws -> JobRecord {
        try await wait(id, "waiting for \(state)") { $0.state == state }
    }

    func states(_ job: JobRecord) async throws -> [String] {
        try await store.events(of: job, afterNumber: 0, limit: 1000).filter { $0.kind == .state }
            .compactMap { $0.data["to"]?.stringValue }
    }

    func losses(_ job: JobRecord) async throws -> [Double] {
        try await store.metricSeries(of: job, name: "train/loss").map(\.value)
    }
}
