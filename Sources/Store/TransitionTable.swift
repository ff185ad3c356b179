// The job state machine as a value: from which state, by which trigger, to which state. The verbs,
// `allowed_actions`, the scheduler and the recovery pass all ask this one table; the store refuses everything
// else.

package struct TransitionTable: Sendable {
    package struct Rule: Sendable, Hashable {
        package let from: JobState
        package let trigger: TransitionTrigger
        package let to: JobState
    }

    package let rules: [Rule]
    private let next: [Key: JobState]

    private struct Key: Hashable {
        let from: JobState
        let trigger: TransitionTrigger
    }

    /// Where `trigger` leads from `state`; nil if it may not happen there.
    package func destination(from state: JobState, on trigger: TransitionTrigger) -> JobState? {
        next[Key(from: state, trigger: trigger)]
    }

    /// What a client may ask of a job in `state`, in the order of `JobAction`.
    package func allowedActions(in state: JobState) -> [JobAction] {
        JobAction.allCases.filter { action in
            guard let trigger = action.trigger else { return state.isTerminal }
            return destination(from: state, on: trigger) != nil
        }
    }

    init(_ rules: [Rule]) {
        self.rules = rules
        next = Dictionary(
            rules.map { (Key(from: $0.from, trigger: $0.trigger), $0.to) },
            uniquingKeysWith: { first, _ in first })
    }

    package static let standard = TransitionTable(
        from(.queued, [.schedule: .preparing, .pauseRequested: .paused, .cancelRequested: .cancelling])
            + from(
                .preparing,
                [
                    .started: .running, .pauseRequested: .pausing, .cancelRequested: .cancelling,
                    .finished: .succeeded, .attemptFailed: .failed, .attemptLost: .queued,
                    .interrupted: .queued,
                    // Stopped without having been asked to by a user: preempted, or the server is going down.
                    .stopped: .queued,
                ])
            + from(
                .running,
                [
                    .pauseRequested: .pausing, .cancelRequested: .cancelling, .finished: .succeeded,
                    .attemptFailed: .failed, .attemptLost: .queued, .interrupted: .queued, .stopped: .queued,
                ])
            // A pause that was asked for is honoured however the attempt ends, unless it ended for good
            // first.
            + from(
                .pausing,
                [
                    .stopped: .paused, .attemptLost: .paused, .interrupted: .paused,
                    .cancelRequested: .cancelling,
                    .finished: .succeeded, .attemptFailed: .failed,
                ])
            + from(.paused, [.resumeRequested: .queued, .cancelRequested: .cancelling])
            // A cancellation may lose the race against the end of the run, and then says so by the state.
            + from(
                .cancelling,
                [
                    .cancelled: .cancelled, .stopped: .cancelled, .attemptLost: .cancelled,
                    .interrupted: .cancelled,
                    .finished: .succeeded, .attemptFailed: .failed,
                ])
            + from(.failed, [.retryRequested: .queued])
            + from(.cancelled, [.retryRequested: .queued]))

    private static func from(_ state: JobState, _ destinations: KeyValuePairs<TransitionTrigger, JobState>)
        -> [Rule]
    {
        destinations.map { Rule(from: state, trigger: $0.key, to: $0.value) }
    }
}

extension JobAction {
    /// The transition that the action asks for; nil for `delete`, which is the end of the row rather than a
    /// state.
    package var trigger: TransitionTrigger? {
        switch self {
        case .pause: .pauseRequested
        case .resume: .resumeRequested
        case .cancel: .cancelRequested
        case .retry: .retryRequested
        case .delete: nil
        }
    }
}
