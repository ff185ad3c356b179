// A job as the rows have it: identity, state, progress, intents. The specs themselves are documents of their
// own (`Store.effectiveSpec`), as is the plan, because most readers of a job do not want them.

import Hashing
import JobSpec

package struct JobRecord: Sendable, Hashable, Identifiable {
    package let id: String
    /// Order of submission; the key of lists, and the tie-breaker of the queue.
    package let ordinal: Int64
    /// Grows by one with every commit that touches the job; its ETag.
    package var revision: Int64 = 1
    package var name: String
    package var labels: [String: String]
    package var queue: String
    /// 0...100, larger first.
    package var priority: Int

    package var state: JobState = .queued
    package var reason: JobReason?
    package var stateSince: Timestamp
    package let createdAt: Timestamp
    package var startedAt: Timestamp?
    package var finishedAt: Timestamp?

    /// SHA-256 of the submitted bytes and of the effective spec's canonical bytes.
    package let specDigest: Digest
    package let effectiveSpecDigest: Digest

    /// Number of the current or last attempt; 0 before the first.
    package var attempt: Int = 0
    /// Attempts that ended in a way that counts against `attemptsMax` since submission or the last explicit
    /// retry.
    package var failures: Int = 0
    package let attemptsMax: Int
    package let backoffSeconds: Double
    /// Explicit retries so far.
    package var retries: Int = 0
    /// A queued job does not start before this.
    package var notBefore: Timestamp?

    package var progress = JobProgress()
    /// The last value of every metric.
    package var latest: [String: Double] = [:]
    package var best: BestMetric?
    /// The newest checkpoint, from which the next attempt resumes.
    package var checkpoint: CheckpointReference?
    package var usage = JobUsage()
    /// The problem object of a failed job (SERVER.md §4.4); null otherwise.
    package var error: JSONValue = .null

    /// Intents, durable before they are acknowledged.
    package var cancelRequestedAt: Timestamp?
    package var cancelGraceSeconds: Double?
    package var cancelReason: String?
    package var pauseRequestedAt: Timestamp?

    /// The job's last event: its number within the job (gapless from 1), and the commit sequence of the
    /// server.
    package var eventCount: Int64 = 0
    package var lastSequence: Int64 = 0

    package var allowedActions: [JobAction] {
        TransitionTable.standard.allowedActions(in: state)
    }

    package init(
        id: String, ordinal: Int64, name: String, labels: [String: String], queue: String, priority: Int,
        createdAt: Timestamp, specDigest: Digest, effectiveSpecDigest: Digest, attemptsMax: Int,
        backoffSeconds: Double
    ) {
        self.id = id
        self.ordinal = ordinal
        self.name = name
        self.labels = labels
        self.queue = queue
        self.priority = priority
        self.createdAt = createdAt
        self.stateSince = createdAt
        self.specDigest = specDigest
        self.effectiveSpecDigest = effectiveSpecDigest
        self.attemptsMax = attemptsMax
        self.backoffSeconds = backoffSeconds
    }
}

package struct JobProgress: Sendable, Hashable {
    /// Finished steps.
    package var step: Int64 = 0
    package var stepsTotal: Int64?
    package var epoch: Double?
    package var examples: Int64?
    package var stepsPerSecond: Double?

    package init() {}

    /// 0...1; nil while the total is unknown.
    package var ratio: Double? {
        guard let stepsTotal, stepsTotal > 0 else { return nil }
        return min(1, Double(step) / Double(stepsTotal))
    }
}

package struct BestMetric: Sendable, Hashable {
    package var metric: String
    package var value: Double
    package var step: Int64
    package var checkpoint: String

    package init(metric: String, value: Double, step: Int64, checkpoint: String) {
        self.metric = metric
        self.value = value
        self.step = step
        self.checkpoint = checkpoint
    }
}

package struct CheckpointReference: Sendable, Hashable {
    package var id: String
    package var step: Int64
    package var at: Timestamp
}

/// Summed over the ended attempts.
package struct JobUsage: Sendable, Hashable {
    package var cpuSeconds: Double = 0
    package var peakResidentBytes: Int64 = 0
    /// Of the checkpoints on disk now.
    package var checkpointBytes: Int64 = 0

    package init() {}
}
