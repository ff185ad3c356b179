// Who wants to know that a job changed is told after the commit, in commit order. A signal says only *that*:
// what happened is read from the store after the last sequence one has seen, so a slow listener misses
// nothing.

import Synchronization

package struct ChangeSignal: Sendable, Hashable {
    /// The job; nil in the first signal of a subscription to all of them.
    package let job: String?
    /// Of the job after the commit; 0 once it is deleted.
    package let revision: Int64
    /// The newest event of the server.
    package let sequence: Int64
}

package final class ChangeFeed: Sendable {
    private struct State: Sendable {
        var nextToken = 0
        var sequence: Int64 = 0
        var byJob: [String: [Int: AsyncStream<ChangeSignal>.Continuation]] = [:]
        var all: [Int: AsyncStream<ChangeSignal>.Continuation] = [:]
    }

    private let state = Mutex(State())

    /// The sequence of the newest committed event.
    package var sequence: Int64 { state.withLock { $0.sequence } }

    package var subscriberCount: Int {
        state.withLock { $0.all.count + $0.byJob.values.reduce(0) { $0 + $1.count } }
    }

    /// Signals of one job, or of all. Unread signals are merged into the newest. Subscribe first, then read
    /// the store: a commit in between then shows up in both.
    package func subscribe(job: String? = nil) -> AsyncStream<ChangeSignal> {
        let (stream, continuation) = AsyncStream<ChangeSignal>.makeStream(
            bufferingPolicy: .bufferingNewest(1))
        let token = state.withLock { state in
            state.nextToken += 1
            if let job {
                state.byJob[job, default: [:]][state.nextToken] = continuation
            } else {
                state.all[state.nextToken] = continuation
            }
            return state.nextToken
        }
        continuation.onTermination = { [weak self] _ in self?.unsubscribe(token, job: job) }
        return stream
    }

    private func unsubscribe(_ token: Int, job: String?) {
        // What is removed is released outside the lock: a continuation's end may run code of its owner.
        let removed = state.withLock { state -> AsyncStream<ChangeSignal>.Continuation? in
            guard let job else { return state.all.removeValue(forKey: token) }
            let removed = state.byJob[job]?.removeValue(forKey: token)
            if state.byJob[job]?.isEmpty == true { state.byJob[job] = nil }
            return removed
        }
        _ = removed
    }

    /// Called by the writer, in commit order.
    func publish(_ revisions: [(job: String, revision: Int64)], sequence: Int64) {
        let deliveries = state.withLock { state in
            state.sequence = max(state.sequence, sequence)
            var deliveries: [(AsyncStream<ChangeSignal>.Continuation, ChangeSignal)] = []
            for (job, revision) in revisions {
                let signal = ChangeSignal(job: job, revision: revision, sequence: state.sequence)
                for continuation in (state.byJob[job] ?? [:]).values {
                    deliveries.append((continuation, signal))
                }
                for continuation in state.all.values { deliveries.append((continuation, signal)) }
            }
            return deliveries
        }
        for (continuation, signal) in deliveries { continuation.yield(signal) }
    }

    func finish() {
        let continuations = state.withLock { state in
            let all = Array(state.all.values) + state.byJob.values.flatMap(\.values)
            state.all = [:]
            state.byJob = [:]
            return all
        }
        for continuation in continuations { continuation.finish() }
    }
}
