// The end of an attempt: what the worker said last, how its process ended, and what was asked decide
// together.

import Glibc
import JobSpec
import Logging
import Store

/// What an ended attempt was, before the job's state and its remaining attempts are looked at.
enum Ending: Sendable {
    /// `reason` says why training ended before its budget was used up.
    case succeeded(step: Int, metrics: [String: Double], reason: String?)
    case failed(FailureReport)
    /// Stopped at a step boundary with a checkpoint, as it was asked to.
    case stopped
    case cancelled
    /// Ended by us: the grace was over, or the server is going down, or it never got its command.
    case killed
    case crashed(detail: String)
}

extension Scheduler {
    /// The process is gone and reaped: closes the attempt, moves the job on, frees the slot.
    func finish(_ run: Run, _ end: ProcessEnd) async {
        run.killer?.cancel()
        let ending = ending(of: run, end)
        let lines: [String] =
            switch ending {
            case .failed, .crashed: await run.worker.process.lastLogLines(20)
            default: []
            }
        let closing = Closing(
            ending: ending, end: end, attempt: run.attempt, lastLogLines: lines,
            resumedFrom: run.resumedFrom, isDraining: run.wish == .drain,
            backoffLimitSeconds: configuration.backoffLimitSeconds)
        let id = run.job
        let unstored = run.unstored
        _ = await storing("the end of an attempt", of: id) { transaction in
            var job = try transaction.job(id)
            for report in unstored.all where job.state.holdsWorker {
                try transaction.append(report, to: &job)
            }
            try closing.apply(to: &job, in: transaction)
        }
        logger.info(
            "an attempt ended",
            metadata: [
                "job": "\(id)", "attempt": "\(run.attempt)", "end": "\(end)",
                "state": "\(store.cachedJob(id: id)?.state.rawValue ?? "?")",
            ])
        let cause = ending.cause
        counters.update { $0.workerExits[cause, default: 0] += 1 }
        runs[id] = nil
        refresh(id)
        schedule()
        noteIdle()
    }

    /// Stores what must not be lost while the attempt's row is open: tried again for as long as the store may
    /// recover (a full disk). False if it was not; then the next start of the server makes the rows true.
    func storing(
        _ what: String, of job: String, _ body: @escaping @Sendable (WriteTransaction) throws -> Void
    ) async -> Bool {
        while true {
            do {
                try await store.write(.full, body)
                return true
            } catch {
                logger.error("\(what) was not stored", metadata: ["job": "\(job)", "error": "\(error)"])
                guard case StoreError.diskFull = error, phase == .serving else { return false }
                try? await Task.sleep(for: .seconds(1))
            }
        }
    }

    private func ending(of run: Run, _ end: ProcessEnd) -> Ending {
        if let detail = run.worker.protocolError {
            return .crashed(detail: "the worker broke the protocol: \(detail)")
        }
        // A worker that said its last word and then had to be ended is as good as one that ended by itself.
        let endedWell = end.exitCode == 0 || run.wasKilled
        switch run.lastWord {
        case .failed(let failure): return .failed(failure)
        case .done(let step, let metrics, let reason) where endedWell:
            guard run.checkpointStep == step || run.resumedFrom.map({ Int($0.step) }) == step else {
                return .crashed(
                    detail: "the worker said done at step \(step) without a checkpoint of that step")
            }
            return .succeeded(
                step: step, metrics: Dictionary(metrics.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 }),
                reason: reason)
        case .stopped where endedWell && run.wish != .go: return .stopped
        case .cancelled where endedWell && run.wish == .cancel: return .cancelled
        default: break
        }
        if run.wasKilled { return .killed }
        if run.lastWord == nil, end.exitCode == 0 {
            return .crashed(detail: "the worker ended without a word (exit code 0)")
        }
        return .crashed(detail: "the worker \(end.explanation)")
    }
}

extension Ending {
    var cause: WorkerExitCause {
        switch self {
        case .succeeded: .finished
        case .failed: .failed
        case .stopped: .stopped
        case .cancelled, .killed: .cancelled
        case .crashed: .crashed
        }
    }
}

/// Everything that the transaction needs to close an attempt.
struct Closing: Sendable {
    let ending: Ending
    let end: ProcessEnd
    let attempt: Int
    let lastLogLines: [String]
    let resumedFrom: CheckpointRecord?
    let isDraining: Bool
    let backoffLimitSeconds: Double

    func apply(to job: inout JobRecord, in transaction: WriteTransaction) throws {
        guard job.attempt == attempt, job.state.holdsWorker else { return }
        switch ending {
        case .succeeded(let step, let metrics, let reason):
            job.progress.step = Int64(step)
            job.latest.merge(metrics) { $1 }
            try transaction.closeAttempt(of: &job, outcome: .succeeded, end: end)
            try transaction.transition(
                &job, .finished,
                details: ["step": JSONValue(step), "stopped_by": reason.map(JSONValue.string) ?? .null])
        case .failed(let failure): try fail(failure, &job, transaction)
        case .stopped:
            let reason: JobReason = job.state == .running || job.state == .preparing ? .serverRestart : .user
            try transaction.closeAttempt(of: &job, outcome: .stopped, end: end)
            try transaction.transition(&job, .stopped, reason: reason)
        case .cancelled:
            try transaction.closeAttempt(of: &job, outcome: .cancelled, end: end)
            try transaction.transition(&job, .cancelled, reason: .user)
        case .killed:
            let reason: JobReason = job.state == .running || job.state == .preparing ? .serverRestart : .user
            let outcome: AttemptOutcome =
                job.state == .cancelling ? .cancelled : (reason == .serverRestart ? .serverRestart : .stopped)
            try transaction.closeAttempt(
                of: &job, outcome: outcome, end: end, detail: "ended by the server: it \(end.explanation)")
            try transaction.transition(&job, .interrupted, reason: reason)
        case .crashed(let detail): try crash(detail, &job, transaction)
        }
        // What comes after the newest checkpoint will be computed again.
        if job.state == .queued || job.state == .paused {
            try transaction.discardMetrics(of: &job, after: job.checkpoint?.step ?? 0)
        }
        try transaction.save(&job)
    }

    private func crash(_ detail: String, _ job: inout JobRecord, _ transaction: WriteTransaction) throws {
        // Nobody wants another attempt of a job that is being cancelled, and a death in the midst of it costs
        // none.
        let isCounted = job.state != .cancelling && !isDraining
        try transaction.closeAttempt(
            of: &job, outcome: .crashed, end: end, detail: detail, counted: isCounted)
        if isCounted, job.failures >= job.attemptsMax {
            let isOnly = job.attemptsMax == 1
            let code = isOnly ? "worker_crashed" : "retries_exhausted"
            let sentence =
                isOnly
                ? detail : "\(job.failures) of \(job.attemptsMax) attempts failed; in the last, \(detail)"
            try end(&job, JobProblem(code: code, detail: sentence, attempt: attempt), transaction)
        } else if isDraining {
            try transaction.transition(
                &job, .interrupted, reason: job.state == .pausing ? .user : .serverRestart)
        } else {
            try lose(&job, reason: .workerCrashed, detail: detail, transaction)
        }
    }

    private func fail(_ failure: FailureReport, _ job: inout JobRecord, _ transaction: WriteTransaction)
        throws
    {
        var isRetryable = failure.retryable
        // The worker could not load what we gave it: older checkpoints may still be good.
        if failure.code == "checkpoint_corrupt", let resumedFrom {
            let current = try transaction.checkpoint(resumedFrom.id)
            try transaction.quarantine(current, job: &job, detail: failure.detail)
            isRetryable = true
        }
        let detail = "\(failure.code): \(failure.detail)"
        try transaction.closeAttempt(of: &job, outcome: .failed, end: end, detail: detail, counted: true)
        let problem = JobProblem(
            code: failure.code, detail: failure.detail, step: failure.step.map(Int64.init), attempt: attempt,
            retryable: failure.retryable, problems: failure.problems)
        if isRetryable, job.failures < job.attemptsMax {
            try lose(&job, reason: .retryBackoff, detail: detail, transaction)
        } else {
            try end(&job, problem, transaction)
        }
    }

    private func end(_ job: inout JobRecord, _ problem: JobProblem, _ transaction: WriteTransaction) throws {
        var problem = problem
        problem.step = problem.step ?? job.progress.step
        problem.lastLogLines = lastLogLines
        job.error = problem.json
        try transaction.transition(&job, .attemptFailed, details: ["error": job.error])
    }

    private func lose(
        _ job: inout JobRecord, reason: JobReason, detail: String, _ transaction: WriteTransaction
    ) throws {
        let delay = Scheduler.backoff(
            base: job.backoffSeconds, failures: job.failures, limit: backoffLimitSeconds)
        let isRequeued = job.state == .running || job.state == .preparing
        try transaction.transition(
            &job, .attemptLost, reason: isRequeued ? reason : .user,
            details: [
                "detail": .string(detail), "signal": end.signal.map { JSONValue(Int($0)) } ?? .null,
                "exit_code": end.exitCode.map { JSONValue(Int($0)) } ?? .null,
                "delay_seconds": .double(isRequeued ? delay : 0),
            ])
        if isRequeued { job.notBefore = transaction.now.advanced(bySeconds: delay) }
    }
}
