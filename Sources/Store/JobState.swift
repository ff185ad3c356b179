// The nine states of a job, why it is in one, what a client may ask, and what can happen to it. The rules
// that connect them are in TransitionTable.swift.

package enum JobState: String, Sendable, Hashable, CaseIterable {
    case queued, preparing, running, pausing, paused, cancelling, succeeded, failed, cancelled

    package var isTerminal: Bool {
        self == .succeeded || self == .failed || self == .cancelled
    }

    /// Whether a job in this state has a worker process, and so a slot and an open attempt.
    /// (`cancelling` without a worker exists only inside a transaction.)
    package var holdsWorker: Bool {
        switch self {
        case .preparing, .running, .pausing, .cancelling: true
        case .queued, .paused, .succeeded, .failed, .cancelled: false
        }
    }
}

/// Why a job is in its state. The cause lives here, not in more states.
package enum JobReason: String, Sendable, Hashable, CaseIterable {
    case user, preempted, capacity, held, deadline
    case serverRestart = "server_restart"
    case workerCrashed = "worker_crashed"
    case retryBackoff = "retry_backoff"
    case diskLow = "disk_low"
}

/// What a client may ask of a job; `allowed_actions` of the job object.
package enum JobAction: String, Sendable, Hashable, CaseIterable {
    case pause, resume, cancel, retry, delete
}

/// What happened, or was asked: together with the state it decides the next state.
package enum TransitionTrigger: String, Sendable, Hashable, CaseIterable {
    /// The scheduler gave the job a worker.
    case schedule
    /// The worker reported `started`.
    case started
    case pauseRequested = "pause_requested"
    case resumeRequested = "resume_requested"
    case cancelRequested = "cancel_requested"
    case retryRequested = "retry_requested"
    /// The attempt ended because it was asked to pause: a checkpoint is written, the process is gone.
    case stopped
    /// The attempt ended because it was asked to stop (or nothing of it was left to stop).
    case cancelled
    /// The attempt ended with `done`, exit code 0 and its final checkpoint.
    case finished
    /// The attempt ended in an error that another attempt would meet again, or no attempts are left.
    case attemptFailed = "attempt_failed"
    /// The attempt ended by a crash or a passing error, and attempts are left.
    case attemptLost = "attempt_lost"
    /// The server stopped, or found at its start that the attempt's worker is gone.
    case interrupted
}
