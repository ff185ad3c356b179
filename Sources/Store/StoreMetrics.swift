// Counters of the store, kept outside its locks; Prometheus reads a snapshot.

import Synchronization

package struct TransitionCount: Sendable, Hashable {
    package let from: JobState
    package let to: JobState

    package init(from: JobState, to: JobState) {
        self.from = from
        self.to = to
    }
}

package struct StoreMetrics: Sendable, Hashable {
    package var jobsByState: [JobState: Int] = [:]
    /// Since the start of the server.
    package var transitions: [TransitionCount: Int64] = [:]
    package var commits: Int64 = 0
    /// Of those, the ones that waited for the disk.
    package var durableCommits: Int64 = 0
    package var intents: Int64 = 0
    package var failedIntents: Int64 = 0
    package var failedCommits: Int64 = 0
    package var commitSeconds: Double = 0
    package var longestCommitSeconds: Double = 0
    /// Intents waiting for the writer now.
    package var writerQueueDepth = 0
    package var metricPoints: Int64 = 0
    package var events: Int64 = 0
    package var databaseBytes: Int64 = 0
    package var walBytes: Int64 = 0
    package var isReadOnly = false
    package var feedSubscribers = 0
}
