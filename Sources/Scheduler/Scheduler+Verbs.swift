// What clients may ask. Each verb is one transaction: the intent is durable before it is acknowledged, and
// what the processes must do about it follows.

import Glibc
import Hashing
import JobSpec
import Store

extension Scheduler {
    /// Creates the job, or gives back the answer that the same idempotency key got before.
    package func submit(
        _ submission: JobSubmission, idempotency: IdempotencyRecord? = nil
    ) async throws -> SubmitOutcome {
        try requireServing()
        let scheduled = ScheduledSpec(submission.effectiveSpec)
        let initial = submission.effectiveSpec["init"]?["checkpoint"]?.stringValue
        let isCheckpoint = initial.map { Identifier.isWellFormed($0, prefix: "ckpt_") } ?? false
        let new = NewJob(
            id: Identifier.job(), name: scheduled.name, labels: scheduled.labels, queue: scheduled.queue,
            priority: scheduled.priority, spec: submission.submittedSpec,
            effectiveSpec: submission.effectiveSpec.canonicalBytes(), plan: submission.plan?.json ?? .null,
            attemptsMax: scheduled.attemptsMax, backoffSeconds: scheduled.backoffSeconds,
            datasets: DatasetPinning.digests(of: submission.effectiveSpec),
            startingCheckpoint: isCheckpoint ? initial : nil)
        let outcome = try await performing(nil) {
            try await store.write { transaction -> SubmitOutcome in
                if let idempotency {
                    switch try transaction.lookUp(idempotency.key) {
                    case .fresh: break
                    case .replay(let response, let job): return .replayed(response, job: job)
                    case .mismatch: throw StoreError.idempotencyMismatch(key: idempotency.key.key)
                    }
                }
                let job = try transaction.insert(new)
                let response = idempotency?.response(job)
                if let idempotency, let response {
                    try transaction.store(response, for: idempotency.key, job: job.id)
                }
                return .created(job, response)
            }
        }
        switch outcome {
        case .created(let job, _):
            counters.update { $0.jobsSubmitted += 1 }
            refresh(job.id)
            schedule()
        case .replayed:
            counters.update { $0.idempotentReplays += 1 }
        }
        return outcome
    }

    /// Cancelling what is cancelled changes nothing; cancelling what is being cancelled can only make it
    /// quicker.
    package func cancel(
        id: String, graceSeconds: Double? = nil, checkpoint: Bool = false, reason: String? = nil
    ) async throws -> JobRecord {
        try requireServing()
        let grace = min(max(graceSeconds ?? configuration.cancelGraceSeconds, 0), 86_400)
        let job = try await performing(.cancel) {
            try await store.write { transaction -> JobRecord in
                var job = try transaction.job(id)
                switch job.state {
                case .cancelled: return job
                case .cancelling:
                    job.cancelGraceSeconds = min(grace, job.cancelGraceSeconds ?? grace)
                default:
                    let hasWorker = job.state.holdsWorker
                    try transaction.transition(
                        &job, .cancelRequested, reason: .user,
                        details: [
                            "grace_seconds": .double(grace), "detail": reason.map(JSONValue.string) ?? .null,
                        ])
                    job.cancelRequestedAt = transaction.now
                    job.cancelGraceSeconds = grace
                    job.cancelReason = reason
                    if !hasWorker { try transaction.transition(&job, .cancelled, reason: .user) }
                }
                try transaction.save(&job)
                return job
            }
        }
        refresh(id)
        if job.state == .cancelling, let run = runs[id] {
            let isNew = run.wish != .cancel
            run.wish = .cancel
            run.cancelsWithCheckpoint = checkpoint
            run.graceSeconds = job.cancelGraceSeconds ?? grace
            if run.isActive {
                if isNew { send(.cancel(checkpoint: checkpoint), to: run.worker) }
                arm(run, afterSeconds: run.graceSeconds)
            }
        }
        schedule()
        return job
    }

    /// A running job stops at its next step with a checkpoint; a queued one at once.
    package func pause(id: String) async throws -> JobRecord {
        try requireServing()
        let job = try await performing(.pause) {
            try await store.write { transaction -> JobRecord in
                var job = try transaction.job(id)
                if job.state == .pausing || job.state == .paused { return job }
                try transaction.transition(&job, .pauseRequested, reason: .user)
                job.pauseRequestedAt = transaction.now
                try transaction.save(&job)
                return job
            }
        }
        refresh(id)
        if job.state == .pausing, let run = runs[id], run.wish == .go || run.wish == .drain {
            run.wish = .pause
            if run.isActive {
                send(.pause, to: run.worker)
                arm(run, afterSeconds: configuration.pauseGraceSeconds)
            }
        }
        schedule()
        return job
    }

    package func resume(id: String) async throws -> JobRecord {
        try await change(id, .resume) { transaction, job in
            try transaction.transition(&job, .resumeRequested, reason: .user)
            job.pauseRequestedAt = nil
        }
    }

    /// A new attempt of a job that failed or was cancelled, from its newest checkpoint or from the beginning.
    package func retry(id: String, from start: RetryStart = .latest) async throws -> JobRecord {
        let job = try await change(id, .retry) { transaction, job in
            try transaction.transition(
                &job, .retryRequested, reason: .user, details: ["start": .string(start.rawValue)])
            job.retries += 1
            job.failures = 0
            job.error = .null
            job.cancelRequestedAt = nil
            job.cancelGraceSeconds = nil
            job.cancelReason = nil
            job.pauseRequestedAt = nil
            if start == .scratch {
                for checkpoint in try transaction.committedCheckpoints(of: job) {
                    try transaction.beginDeletion(of: checkpoint, job: &job, reason: "retry from scratch")
                }
                try transaction.discardMetrics(of: &job, after: 0)
                job.progress.step = 0
                job.latest = [:]
                job.best = nil
            }
        }
        if start == .scratch { finishCheckpointDeletions(of: job.id) }
        return job
    }

    package func update(id: String, _ patch: JobPatch) async throws -> JobRecord {
        try await change(id, nil) { transaction, job in
            if let revision = patch.ifRevision, revision != job.revision {
                throw SchedulerError.preconditionFailed(job: id, revision: job.revision)
            }
            var changes: [(String, JSONValue)] = []
            if let name = patch.name, name != job.name {
                job.name = name
                changes.append(("name", .string(name)))
            }
            if let priority = patch.priority.map({ min(max($0, 0), 100) }), priority != job.priority {
                job.priority = priority
                changes.append(("priority", JSONValue(priority)))
            }
            if !patch.labels.isEmpty {
                for (key, value) in patch.labels { job.labels[key] = value }
                try transaction.putLabels(of: job)
                changes.append(
                    (
                        "labels",
                        JSONValue(
                            members: patch.labels.sorted { $0.key < $1.key }.map {
                                ($0.key, $0.value.map(JSONValue.string) ?? .null)
                            })
                    ))
            }
            if !changes.isEmpty { try transaction.addEvent(.updated, to: &job, JSONValue(members: changes)) }
        }
    }

    /// The record as it was last. Its files and rows go after the answer, and if need be after a restart.
    package func delete(id: String, artifacts: ArtifactDisposal = .delete) async throws -> JobRecord {
        try requireServing()
        let job = try await performing(.delete) {
            try await store.write { transaction -> JobRecord in
                let job = try transaction.job(id)
                try transaction.beginDeletion(
                    of: job, keepsArtifacts: artifacts == .keep, reason: "deleted by request")
                return job
            }
        }
        cleanups += 1
        Task {
            await self.finishDeletion(of: id, keepsArtifacts: artifacts == .keep)
            self.cleanups -= 1
            self.noteIdle()
        }
        return job
    }

    // MARK: Pieces

    private func change(
        _ id: String, _ action: JobAction?,
        _ body: @escaping @Sendable (WriteTransaction, inout JobRecord) throws -> Void
    ) async throws -> JobRecord {
        try requireServing()
        let job = try await performing(action) {
            try await store.write { transaction -> JobRecord in
                var job = try transaction.job(id)
                try body(transaction, &job)
                try transaction.save(&job)
                return job
            }
        }
        refresh(id)
        schedule()
        return job
    }

    private func performing<Value: Sendable>(
        _ action: JobAction?, _ body: () async throws -> Value
    ) async throws -> Value {
        do {
            return try await body()
        } catch {
            throw SchedulerError.from(error, action: action)
        }
    }

    /// SIGTERM after the grace, SIGKILL of the group some seconds later. A second call starts the clock
    /// again.
    func arm(_ run: Run, afterSeconds seconds: Double) {
        run.killer?.cancel()
        let killAfter = configuration.killAfterSeconds
        let (job, attempt) = (run.job, run.attempt)
        run.killer = Task {
            guard (try? await Task.sleep(for: .seconds(seconds))) != nil else { return }
            self.kill(job: job, attempt: attempt, SIGTERM)
            guard (try? await Task.sleep(for: .seconds(killAfter))) != nil else { return }
            self.kill(job: job, attempt: attempt, SIGKILL)
        }
    }

    private func kill(job: String, attempt: Int, _ signal: Int32) {
        guard let run = runs[job], run.attempt == attempt, run.worker.end == nil else { return }
        run.wasKilled = true
        run.worker.process.signal(signal)
    }
}
