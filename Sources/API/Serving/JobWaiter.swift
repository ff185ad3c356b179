// Long polls: waiting for a job to change, without a thread and without asking the database again and again.
import Store

package struct JobWaiter: Sendable {
    package enum Condition: String, Sendable, CaseIterable {
        /// The job has ended.
        case terminal
        /// A worker runs it, or it is past that.
        case running
        /// The revision is another one than the client has.
        case change
    }

    let context: APIContext

    /// The job as soon as `condition` holds, or as it is when the time is up (or the client or the server goes away).
    /// - RouteParameter revision: An If-None-Match field; for `change`. Without it, the change is counted from now on.
    func wait(id: String, until condition: Condition, seconds: Double, revision: String?) async throws
        -> JobRecord
    {
        // Subscribed before reading: a commit in between shows up in both.
        let signals = context.store.changes.subscribe(job: id)
        let first = try await context.store.job(id: id)
        let known = revision ?? first.entityTag
        @Sendable func isMet(_ job: JobRecord) -> Bool {
            switch condition {
            case .terminal: job.state.isTerminal
            case .running: job.state != .queued && job.state != .preparing
            case .change: !EntityTag.noneMatchHits(known, job.entityTag)
            }
        }
        // Nothing that is waited for can happen to a job that has ended, unless somebody retries it.
        if isMet(first) || (first.state.isTerminal && condition != .change) { return first }
        let met = try await withThrowingTaskGroup(of: JobRecord?.self) { group in
            group.addTask {
                for await _ in signals {
                    let job = try await context.store.job(id: id)
                    if isMet(job) || (job.state.isTerminal && condition != .change) { return job }
                }
                return nil
            }
            group.addTask {
                // A cancelled sleep is as good as one that is over: the caller answers with the job as it is.
                try? await Task.sleep(for: .seconds(seconds))
                return nil
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
        if let met { return met }
        return try await context.store.job(id: id)
    }
}
