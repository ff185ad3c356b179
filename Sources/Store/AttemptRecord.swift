// One attempt of a job: one worker process, from the slot it got to the way it ended.

import JobSpec

package struct AttemptRecord: Sendable, Hashable {
    package let job: String
    /// From 1, over the whole life of the job.
    package let number: Int
    /// 0..<slots; at most one open attempt holds a slot.
    package var slot: Int
    package var startedAt: Timestamp
    package var endedAt: Timestamp?
    /// The worker process, so that a later server can find it and never mistakes another for it.
    package var process: ProcessIdentity
    /// The checkpoint that it resumed from; nil from scratch.
    package var resumedFrom: String?
    package var fromStep: Int64
    package var toStep: Int64?
    package var outcome: AttemptOutcome?
    package var exitCode: Int32?
    package var signal: Int32?
    package var detail: String?
    /// Whether it used up one of the job's attempts.
    package var counted: Bool
    package var cpuSeconds: Double?
    package var peakResidentBytes: Int64?
    package var engineVersion: String?
    package var kernelLevel: String?
    package var threads: Int?
}

package enum AttemptOutcome: String, Sendable, Hashable, CaseIterable {
    case succeeded, failed, crashed, stopped, cancelled
    /// Closed by the recovery pass, or by the end of the server.
    case serverRestart = "server_restart"
}

/// A process that cannot be confused with a later one of the same number.
package struct ProcessIdentity: Sendable, Hashable {
    package let pid: Int32
    /// Field 22 of /proc/PID/stat: clock ticks after boot.
    package let startTicks: Int64
    /// /proc/sys/kernel/random/boot_id
    package let bootID: String

    package init(pid: Int32, startTicks: Int64, bootID: String) {
        self.pid = pid
        self.startTicks = startTicks
        self.bootID = bootID
    }
}
