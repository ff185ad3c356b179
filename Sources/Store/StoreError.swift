// What can go wrong between a request and its row.

package enum StoreError: Error, Sendable, Hashable, CustomStringConvertible {
    case notFound(kind: String, id: String)
    /// It existed: when it was deleted, and why.
    case gone(kind: String, id: String, at: Timestamp, reason: String)
    /// The transition table has no rule for this.
    case conflict(job: String, state: JobState, trigger: String)
    /// The deletion of something that others refer to; at most 20 of them are named.
    case referenced(kind: String, id: String, by: [String])
    case pinned(checkpoint: String)
    case idempotencyMismatch(key: String)
    /// No space left on the device; nothing of the transaction remains.
    case diskFull(detail: String)
    /// A commit or its fsync failed: what was acknowledged before is safe, nothing more is accepted.
    case readOnly(reason: String)
    /// The database refused: a bug, or a damaged file.
    case database(detail: String)
    case newerSchema(path: String)
    case locked(path: String, pid: Int32?)
    case folder(path: String, operation: String, detail: String)
    case closed

    package var description: String {
        switch self {
        case .notFound(let kind, let id):
            "no \(kind) \(id)"
        case .gone(let kind, let id, let at, let reason):
            "\(kind) \(id) was deleted at \(at) (\(reason))"
        case .conflict(let job, let state, let trigger):
            "job \(job) is \(state.rawValue): \(trigger) is not possible"
        case .referenced(let kind, let id, let by):
            "\(kind) \(id) is used by \(by.joined(separator: ", ")); "
                + (kind == "checkpoint" ? "let those end or cancel them first" : "delete those first")
        case .pinned(let checkpoint):
            "checkpoint \(checkpoint) is pinned; unpin it first"
        case .idempotencyMismatch(let key):
            "the idempotency key \(key) was used with another request; use a new key"
        case .diskFull(let detail):
            "the disk is full: \(detail); free some space and repeat the request"
        case .readOnly(let reason):
            "the store is read-only since a commit failed: \(reason); check the disk and restart the server"
        case .database(let detail):
            "the database refused: \(detail)"
        case .newerSchema(let path):
            "\(path) was written by a newer version of this program; start that version instead"
        case .locked(let path, let pid):
            "\(path) is in use by another server\(pid.map { " (pid \($0))" } ?? ""); "
                + "stop it, or choose another data folder"
        case .folder(let path, let operation, let detail):
            "cannot \(operation) \(path): \(detail)"
        case .closed:
            "the store is closed"
        }
    }
}
