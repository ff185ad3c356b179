// What happened to a job, for ever: one row per transition and per other thing worth telling. Never changed
// once written.

import JobSpec

package struct EventRecord: Sendable, Hashable {
    /// The server's commit sequence: gapless over all jobs as assigned, the id of server-sent events.
    package let sequence: Int64
    package let job: String
    /// Gapless from 1 within the job.
    package let number: Int64
    package let at: Timestamp
    package let kind: EventKind
    package let level: EventLevel
    /// Members depend on the kind; see `EventKind`.
    package let data: JSONValue
}

package enum EventKind: String, Sendable, Hashable, CaseIterable {
    /// {name, priority, queue}
    case created
    /// {from, to, trigger, reason?, attempt, error?, detail?}
    case state
    /// {id, step, cause, state_bytes, state_sha256, metrics}
    case checkpoint
    /// {id, step, reason}: it was removed by the retention policy, by a retry from scratch, or by a person.
    case checkpointDeleted = "checkpoint_deleted"
    /// {id, step, detail}: its bytes are not what was written; an older one is used.
    case checkpointCorrupt = "checkpoint_corrupt"
    /// {after_step, points}: metric points of more finished steps than this are void; they will be computed
    /// again.
    case metricsDiscarded = "metrics_discarded"
    /// {name?, priority?, labels?}
    case updated
}

package enum EventLevel: Int, Sendable, Hashable, Comparable, CaseIterable {
    case info = 20
    case warning = 30
    case error = 40

    package static func < (left: EventLevel, right: EventLevel) -> Bool { left.rawValue < right.rawValue }

    package var name: String {
        switch self {
        case .info: "info"
        case .warning: "warning"
        case .error: "error"
        }
    }
}
