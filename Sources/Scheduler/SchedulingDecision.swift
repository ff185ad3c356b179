// Which queued jobs start now: a pure function of a snapshot, so that it can be explained, replayed and
// simulated.

import Store

package struct QueuedJob: Sendable, Hashable {
    package var id: String
    package var priority: Int
    package var ordinal: Int64
    package var notBefore: Timestamp?

    package init(id: String, priority: Int, ordinal: Int64, notBefore: Timestamp? = nil) {
        self.id = id
        self.priority = priority
        self.ordinal = ordinal
        self.notBefore = notBefore
    }

    init(_ job: JobRecord) {
        self.init(id: job.id, priority: job.priority, ordinal: job.ordinal, notBefore: job.notBefore)
    }

    /// Higher priority first, then order of arrival.
    static func precedes(_ left: QueuedJob, _ right: QueuedJob) -> Bool {
        left.priority != right.priority ? left.priority > right.priority : left.ordinal < right.ordinal
    }
}

package struct QueueSnapshot: Sendable, Hashable {
    package var jobs: [QueuedJob]
    package var freeSlots: [Int]
    package var readyWorkers: Int
    package var now: Timestamp
    /// No delay is longer: one that seems to be comes from a clock that was set back, and is over.
    package var longestDelaySeconds: Double

    package init(
        jobs: [QueuedJob], freeSlots: [Int], readyWorkers: Int, now: Timestamp, longestDelaySeconds: Double
    ) {
        self.jobs = jobs
        self.freeSlots = freeSlots
        self.readyWorkers = readyWorkers
        self.now = now
        self.longestDelaySeconds = longestDelaySeconds
    }
}

package struct SchedulingDecision: Sendable, Hashable {
    package struct Start: Sendable, Hashable {
        package var job: String
        package var slot: Int
    }

    package var starts: [Start]
    /// Jobs that a slot is free for, but no worker is ready.
    package var waitingForWorkers: Int
    /// When to decide again, if nothing else happens before: the end of the next delay.
    package var wakeAt: Timestamp?

    package init(_ snapshot: QueueSnapshot) {
        let latest = snapshot.now.advanced(bySeconds: snapshot.longestDelaySeconds)
        var eligible: [QueuedJob] = []
        for job in snapshot.jobs {
            if let notBefore = job.notBefore, notBefore > snapshot.now, notBefore <= latest {
                wakeAt = wakeAt.map { min($0, notBefore) } ?? notBefore
            } else {
                eligible.append(job)
            }
        }
        let startable = min(snapshot.freeSlots.count, eligible.count)
        let count = min(startable, snapshot.readyWorkers)
        let first = Self.first(count, of: eligible)
        starts = zip(first, snapshot.freeSlots.sorted()).map { Start(job: $0.id, slot: $1) }
        waitingForWorkers = startable - count
    }

    /// The first few in order, without sorting a long queue.
    private static func first(_ count: Int, of jobs: [QueuedJob]) -> [QueuedJob] {
        guard count < 4 else { return Array(jobs.sorted(by: QueuedJob.precedes).prefix(count)) }
        var remaining = jobs
        var first: [QueuedJob] = []
        for _ in 0..<count {
            guard let index = remaining.indices.min(by: { QueuedJob.precedes(remaining[$0], remaining[$1]) })
            else {
                break
            }
            first.append(remaining.remove(at: index))
        }
        return first
    }
}
