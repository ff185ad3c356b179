// Counters of the scheduler; a snapshot costs one short lock and never waits for the scheduler itself.

import Store
import Synchronization

package enum WorkerExitCause: String, Sendable, Hashable, CaseIterable {
    case finished, failed, crashed, stopped, cancelled, idle
}

package struct SchedulerMetrics: Sendable, Hashable {
    package var slots = 0
    package var busySlots = 0
    package var queueDepth = 0
    package var isReady = false
    package var isDraining = false
    /// Workers that wait for a job, ready to take one.
    package var warmWorkers = 0
    package var jobsSubmitted: Int64 = 0
    package var idempotentReplays: Int64 = 0
    package var workersStarted: Int64 = 0
    package var workerExits: [WorkerExitCause: Int64] = [:]
    package var decisions: Int64 = 0
    package var plans: Int64 = 0
    package var planFailures: Int64 = 0
    package var steps: Int64 = 0
    package var examples: Int64 = 0
    package var checkpointWrites: [CheckpointCause: Int64] = [:]
    package var checkpointBytes: Int64 = 0
    package var checkpointVerifyFailures: Int64 = 0
    package var checkpointsDeleted: Int64 = 0
    package var lastCheckpoint: Timestamp?
    package var recovery: RecoveryReport?
}

/// The counters while they count.
final class SchedulerCounters: Sendable {
    private let metrics = Mutex(SchedulerMetrics())

    var snapshot: SchedulerMetrics { metrics.withLock { $0 } }

    func update(_ change: (inout sending SchedulerMetrics) -> Void) {
        metrics.withLock { change(&$0) }
    }
}
