// The keeper: the one who moves jobs, starts and ends workers, and makes the rows true after a crash.

import JobSpec
import Logging
import Store

package actor Scheduler {
    package let store: Store
    package let configuration: SchedulerConfiguration
    let logger: Logger
    let counters = SchedulerCounters()

    package init(store: Store, configuration: SchedulerConfiguration, logger: Logger) {
        self.store = store
        self.configuration = configuration
        self.logger = logger
    }

    package nonisolated var metrics: SchedulerMetrics { counters.snapshot }

    package func start() async throws -> RecoveryReport { throw unfinished }
    package func shutdown(graceSeconds: Double) async {}
    package func plan(effectiveSpec: JSONValue) async throws -> JobPlan { throw unfinished }
    package func submit(
        _ submission: JobSubmission, idempotency: IdempotencyRecord? = nil
    ) async throws -> SubmitOutcome { throw unfinished }
    package func cancel(id: String, graceSeconds: Double? = nil, reason: String? = nil) async throws
        -> JobRecord
    {
        throw unfinished
    }
    package func pause(id: String) async throws -> JobRecord { throw unfinished }
    package func resume(id: String) async throws -> JobRecord { throw unfinished }
    package func retry(id: String, from start: RetryStart = .latest) async throws -> JobRecord {
        throw unfinished
    }
    package func update(id: String, _ patch: JobPatch) async throws -> JobRecord { throw unfinished }
    /// The record as it was last.
    package func delete(id: String, artifacts: ArtifactDisposal = .delete) async throws -> JobRecord {
        throw unfinished
    }
    /// Ids of the queued jobs in the order in which they would start.
    package func queueOrder() -> [String] { [] }

    private var unfinished: SchedulerError { .unavailable(detail: "not there yet") }
}
