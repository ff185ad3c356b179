// What the scheduler answers when it cannot do what was asked. Errors of the store that are not about the
// request (disk full, read-only) come through as `StoreError`.

import JobSpec
import Store

package enum SchedulerError: Error, Sendable, Hashable, CustomStringConvertible {
    case notFound(kind: String, id: String)
    /// It existed, until it was deleted.
    case gone(kind: String, id: String, at: Timestamp, reason: String)
    /// Not possible in this state.
    case conflict(job: String, action: JobAction, state: JobState, allowed: [JobAction])
    /// The job changed since the caller read it.
    case preconditionFailed(job: String, revision: Int64)
    case idempotencyMismatch(key: String)
    /// The worker that plans jobs died over this spec, or cannot be started.
    case plannerFailed(detail: String)
    case plannerTimedOut(seconds: Double)
    /// The worker of an export or import died, or took too long.
    case workerFailed(detail: String)
    /// The server is stopping, or has not started yet.
    case unavailable(detail: String)

    package var description: String {
        switch self {
        case .notFound(let kind, let id):
            "no \(kind) \(id)"
        case .gone(let kind, let id, let at, let reason):
            "\(kind) \(id) was deleted at \(at) (\(reason))"
        case .conflict(let job, let action, let state, let allowed):
            "job \(job) is \(state.rawValue), so it cannot \(action.rawValue); allowed now: "
                + (allowed.isEmpty ? "nothing" : allowed.map(\.rawValue).joined(separator: ", "))
        case .preconditionFailed(let job, let revision):
            "job \(job) has changed: it is at revision \(revision) now; read it again and repeat the change"
        case .idempotencyMismatch(let key):
            "the idempotency key \(key) was used with another request; use a new key"
        case .plannerFailed(let detail):
            "the job could not be planned: \(detail)"
        case .plannerTimedOut(let seconds):
            "the job could not be planned within \(seconds) seconds; is the model much too large?"
        case .workerFailed(let detail):
            "the file could not be made: \(detail)"
        case .unavailable(let detail):
            detail
        }
    }

    /// Errors of the store that answer a request, in the scheduler's words; others as they are.
    static func from(_ error: any Error, action: JobAction? = nil) -> any Error {
        switch error {
        case StoreError.notFound(let kind, let id): SchedulerError.notFound(kind: kind, id: id)
        case StoreError.gone(let kind, let id, let at, let reason):
            SchedulerError.gone(kind: kind, id: id, at: at, reason: reason)
        case StoreError.conflict(let job, let state, _):
            SchedulerError.conflict(
                job: job, action: action ?? .cancel, state: state,
                allowed: TransitionTable.standard.allowedActions(in: state))
        case StoreError.idempotencyMismatch(let key): SchedulerError.idempotencyMismatch(key: key)
        default: error
        }
    }
}
