// The current records of live and recently touched jobs in memory, so that a status poll needs no SQLite. The
// writer updates it after each commit, in commit order; readers may add what they found, unless a commit came
// in between.

import Synchronization

final class JobCache: Sendable {
    private struct State: Sendable {
        var jobs: [String: JobRecord] = [:]
        /// Ended jobs in the order they were added; the first goes when there are too many. An entry may be
        /// stale.
        var ended: [String] = []
        var endedStart = 0
        var commits: UInt64 = 0
        var counts: [JobState: Int] = [:]
    }

    private let state = Mutex(State())
    private let endedCapacity: Int

    init(endedCapacity: Int) {
        self.endedCapacity = endedCapacity
    }

    var commits: UInt64 { state.withLock { $0.commits } }

    var countsByState: [JobState: Int] { state.withLock { $0.counts } }

    var live: [JobRecord] {
        state.withLock { $0.jobs.values.filter { !$0.state.isTerminal } }.sorted { $0.ordinal < $1.ordinal }
    }

    func job(_ id: String) -> JobRecord? { state.withLock { $0.jobs[id] } }

    func load(counts: [JobState: Int], live: [JobRecord]) {
        state.withLock { state in
            state.counts = counts
            for job in live { state.jobs[job.id] = job }
        }
    }

    /// `before` is the state that the commit found, nil for a new job; `after` nil for a deleted one.
    func apply(_ changes: [(id: String, before: JobState?, after: JobRecord?)]) {
        state.withLock { state in
            state.commits += 1
            for (id, before, after) in changes {
                if let before { state.counts[before, default: 0] -= 1 }
                if let after { state.counts[after.state, default: 0] += 1 }
                guard let after else {
                    state.jobs[id] = nil
                    continue
                }
                let known = state.jobs.updateValue(after, forKey: id)
                if after.state.isTerminal, known?.state.isTerminal != true { retire(id, in: &state) }
            }
        }
    }

    /// A record that a reader found; `commits` is what it saw before it read.
    func offer(_ job: JobRecord, readAfter commits: UInt64) {
        state.withLock { state in
            guard state.commits == commits, state.jobs[job.id] == nil else { return }
            state.jobs[job.id] = job
            if job.state.isTerminal { retire(job.id, in: &state) }
        }
    }

    private func retire(_ id: String, in state: inout State) {
        state.ended.append(id)
        while state.ended.count - state.endedStart > endedCapacity {
            let oldest = state.ended[state.endedStart]
            state.endedStart += 1
            if state.jobs[oldest]?.state.isTerminal == true { state.jobs[oldest] = nil }
        }
        if state.endedStart > endedCapacity {
            state.ended.removeFirst(state.endedStart)
            state.endedStart = 0
        }
    }
}
