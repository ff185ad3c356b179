// The beginning and the middle of an attempt: a worker and a slot for a job, its reports into rows.

import Glibc
import Hashing
import JobSpec
import OrderedCollections
import Store

extension Scheduler {
    /// A job that cannot be started, and would not be the next time either.
    private struct Unstartable: Error {
        let code: String
        let detail: String
    }

    // MARK: The beginning

    /// From the decision to the command: finds the checkpoint to resume from, commits the attempt, tells the
    /// worker.
    func begin(_ run: Run) async {
        do {
            let job = try await store.job(id: run.job)
            let preparation: Preparation
            do {
                preparation = try await prepare(job, for: run)
            } catch let error as Unstartable {
                return try await abandon(run, error)
            }
            guard run.worker.end == nil, !run.worker.isCondemned, phase == .serving,
                let opened = try await open(run, preparation)
            else { return release(run) }
            run.attempt = opened.attempt
            run.step = preparation.resume.map { Int($0.step) } ?? 0
            if let end = run.worker.end {
                // It died before it had anything to do with this job.
                run.wasKilled = true
                return await finish(run, end)
            }
            switch run.wish {
            case .go: break
            case .pause, .cancel, .drain: return await closeUnstarted(run)
            }
            run.isActive = true
            run.worker.process.startLog(
                path: store.folder.log(job: run.job, attempt: run.attempt),
                limitBytes: configuration.logLimitBytes)
            send(
                .run(
                    RunCommand(
                        job: run.job, attempt: run.attempt, spec: preparation.spec,
                        datasets: preparation.datasets,
                        folder: store.folder.checkpoints(job: run.job),
                        resume: preparation.resume.map { checkpoint in
                            ResumePoint(
                                folder: "\(store.folder.checkpoints(job: run.job))/\(checkpoint.folder)",
                                stateSHA256: checkpoint.stateDigest.hex,
                                resumeSHA256: checkpoint.resumeDigest.hex)
                        },
                        threads: run.spec.threads > 0 ? run.spec.threads : configuration.threadsPerWorker)),
                to: run.worker)
        } catch {
            logger.error("a job could not be started", metadata: ["job": "\(run.job)", "error": "\(error)"])
            // The store refuses, for now or for good: another try each second costs nothing.
            if store.failure == nil {
                let id = run.job
                Task {
                    try? await Task.sleep(for: .seconds(1))
                    self.refresh(id)
                    self.schedule()
                }
            }
            release(run, requeue: false)
        }
    }

    private struct Preparation: Sendable {
        var spec: JSONValue
        var datasets: OrderedDictionary<String, DatasetLocation>
        var resume: CheckpointRecord?
        var corrupt: [(checkpoint: CheckpointRecord, detail: String)]
    }

    private func prepare(_ job: JobRecord, for run: Run) async throws -> Preparation {
        let spec: JSONValue
        do {
            spec = try JSONValue(parsing: try await store.effectiveSpec(of: job))
        } catch let error as JSONParseError {
            throw Unstartable(code: "engine_error", detail: "the stored spec cannot be read: \(error)")
        }
        run.spec = ScheduledSpec(spec)
        let datasets: OrderedDictionary<String, DatasetLocation>
        do {
            datasets = try await DatasetPinning.locations(of: spec, in: store)
        } catch let error as SpecErrors {
            throw Unstartable(code: "data_error", detail: error.description)
        }
        let (resume, corrupt) = try await newestVerified(of: job)
        if !corrupt.isEmpty {
            let count = Int64(corrupt.count)
            counters.update { $0.checkpointVerifyFailures += count }
        }
        run.resumedFrom = resume
        // What no row knows was written by an attempt that did not live to report it; it would be in the way.
        let bad = Set(corrupt.map(\.checkpoint.folder))
        let known = Set(try await store.checkpoints(of: job).map(\.folder)).subtracting(bad)
        let folder = store.folder.checkpoints(job: job.id)
        try await offThread { try CheckpointFiles.clear(folder, keeping: known) }
        return Preparation(spec: spec, datasets: datasets, resume: resume, corrupt: corrupt)
    }

    /// The newest checkpoint whose files are what was written, and the newer ones that are not.
    func newestVerified(
        of job: JobRecord
    ) async throws -> (CheckpointRecord?, [(checkpoint: CheckpointRecord, detail: String)]) {
        let checkpoints = try await store.checkpoints(of: job).sorted { $0.step > $1.step }
        let folder = store.folder.checkpoints(job: job.id)
        var corrupt: [(checkpoint: CheckpointRecord, detail: String)] = []
        for checkpoint in checkpoints {
            guard let detail = try await offThread({ CheckpointFiles.defect(of: checkpoint, in: folder) })
            else {
                return (checkpoint, corrupt)
            }
            corrupt.append((checkpoint, detail))
        }
        return (nil, corrupt)
    }

    /// The attempt as a row, or nil if the job is not queued any more.
    private func open(_ run: Run, _ preparation: Preparation) async throws -> JobRecord? {
        let (id, slot, identity, ready) = (run.job, run.slot, run.worker.process.identity, run.worker.ready)
        let threads = run.spec.threads > 0 ? run.spec.threads : configuration.threadsPerWorker
        let (resume, corrupt) = (preparation.resume, preparation.corrupt)
        return try await store.write { transaction -> JobRecord? in
            guard var job = try? transaction.job(id), job.state == .queued else { return nil }
            for (checkpoint, detail) in corrupt {
                try transaction.quarantine(checkpoint, job: &job, detail: detail)
            }
            // Their folders were cleared just now.
            for checkpoint in try transaction.unfinishedDeletions() where checkpoint.job == id {
                try transaction.mark(checkpoint, .deleted, reason: nil)
            }
            try transaction.discardMetrics(of: &job, after: resume?.step ?? 0)
            job.progress.step = resume?.step ?? 0
            try transaction.openAttempt(
                of: &job, slot: slot, process: identity, resumedFrom: resume,
                engineVersion: ready?.engineVersion,
                kernelLevel: ready?.kernelLevel, threads: threads)
            try transaction.transition(
                &job, .schedule,
                details: [
                    "slot": JSONValue(slot), "checkpoint": resume.map { .string($0.id) } ?? .null,
                    "from_step": .int(resume?.step ?? 0),
                ])
            try transaction.save(&job)
            return job
        }
    }

    /// Nothing came of it; the worker is as good as before.
    private func release(_ run: Run, requeue: Bool = true) {
        run.worker.run = nil
        runs[run.job] = nil
        if phase == .draining { retire(run.worker) }
        if requeue { refresh(run.job) }
        schedule()
        noteIdle()
    }

    /// Paused, cancelled or drained between the commit of the attempt and the command.
    private func closeUnstarted(_ run: Run) async {
        let id = run.job
        _ = await storing("the end of an attempt", of: id) { transaction in
            var job = try transaction.job(id)
            guard job.state.holdsWorker else { return }
            let isWished = job.state == .pausing || job.state == .cancelling
            try transaction.closeAttempt(
                of: &job, outcome: job.state == .cancelling ? .cancelled : .stopped, end: nil)
            try transaction.transition(&job, .interrupted, reason: isWished ? .user : .serverRestart)
            try transaction.save(&job)
        }
        release(run)
    }

    private func abandon(_ run: Run, _ problem: Unstartable) async throws {
        let (id, slot, identity) = (run.job, run.slot, run.worker.process.identity)
        try await store.write { transaction in
            guard var job = try? transaction.job(id), job.state == .queued else { return }
            try transaction.openAttempt(
                of: &job, slot: slot, process: identity, resumedFrom: nil, engineVersion: nil,
                kernelLevel: nil,
                threads: 0)
            try transaction.transition(&job, .schedule)
            try transaction.closeAttempt(
                of: &job, outcome: .failed, end: nil, detail: problem.detail, counted: true)
            job.error = JobProblem(code: problem.code, detail: problem.detail, attempt: job.attempt).json
            try transaction.transition(&job, .attemptFailed, details: ["error": job.error])
            try transaction.save(&job)
        }
        release(run)
    }

    // MARK: The middle

    func take(_ report: WorkerReport, from run: Run) async {
        switch report {
        case .started(let step, let total): await takeStart(step, total, from: run)
        case .metrics(let metrics): takeMetrics(metrics, from: run)
        case .checkpoint(let checkpoint): await takeCheckpoint(checkpoint, from: run)
        case .stopped, .cancelled, .done, .failed:
            run.lastWord = report
            // It has nothing left to do but to end; a worker that does not is made to.
            run.killer?.cancel()
            arm(run, afterSeconds: configuration.killAfterSeconds)
        case .ready, .planned, .planFailed, .written, .refused: break
        }
    }

    private func takeStart(_ step: Int, _ total: Int, from run: Run) async {
        let (id, attempt) = (run.job, run.attempt)
        let resumed = run.resumedFrom?.id
        _ = await storing("a start", of: id) { transaction in
            var job = try transaction.job(id)
            guard job.attempt == attempt, job.state.holdsWorker else { return }
            job.progress.step = Int64(step)
            job.progress.stepsTotal = Int64(total)
            if job.state == .preparing {
                try transaction.transition(
                    &job, .started,
                    details: ["step": JSONValue(step), "checkpoint": resumed.map(JSONValue.string) ?? .null])
            }
            try transaction.save(&job)
        }
    }

    /// Not awaited: points wait for company, and whatever comes after them commits after them.
    private func takeMetrics(_ report: MetricsReport, from run: Run) {
        let (id, attempt) = (run.job, run.attempt)
        let (steps, examples) = (max(0, report.step - run.step), max(0, report.examples - run.examples))
        run.step = report.step
        run.examples = report.examples
        counters.update {
            $0.steps += Int64(steps)
            $0.examples += Int64(examples)
        }
        let unstored = run.unstored
        store.enqueue(.relaxed) { transaction in
            var job = try transaction.job(id)
            guard job.attempt == attempt, job.state.holdsWorker else { return }
            do {
                try transaction.append(report, to: &job)
                try transaction.save(&job)
            } catch {
                // Before the intents behind this one run: one of them may be the checkpoint.
                unstored.add(report)
                throw error
            }
        } completion: { [logger] error in
            guard let error else { return }
            unstored.add(report)
            logger.error("metric points were not stored", metadata: ["job": "\(id)", "error": "\(error)"])
        }
    }

    private func takeCheckpoint(_ report: CheckpointReport, from run: Run) async {
        let folder = store.folder.checkpoints(job: run.job)
        let name = report.folder.split(separator: "/").last.map(String.init) ?? ""
        guard CheckpointFiles.isFolderName(name), let state = Digest(hex: report.stateSHA256),
            let resume = Digest(hex: report.resumeSHA256), report.stateBytes >= 0, report.resumeBytes >= 0
        else {
            run.worker.protocolError = "a checkpoint report with the folder \(name) or digests that are none"
            condemn(run.worker)
            return
        }
        let new = NewCheckpoint(
            step: Int64(report.step), folder: name, stateDigest: state, stateBytes: Int64(report.stateBytes),
            resumeDigest: resume, resumeBytes: Int64(report.resumeBytes),
            metrics: Dictionary(report.metrics.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 }),
            cause: report.cause)
        // Read back before the row says that it exists.
        let defect = try? await offThread { CheckpointFiles.defect(of: new, in: folder) }
        if let defect = defect ?? nil {
            counters.update { $0.checkpointVerifyFailures += 1 }
            logger.error(
                "a checkpoint is not what was reported",
                metadata: ["job": "\(run.job)", "defect": "\(defect)"])
            return
        }
        let (id, attempt, retention, unstored) = (run.job, run.attempt, run.spec.retention, run.unstored)
        let late = unstored.all
        let isStored = await storing("a checkpoint", of: id) { transaction in
            var job = try transaction.job(id)
            guard job.attempt == attempt, job.state.holdsWorker else { return }
            for report in unstored.all { try transaction.append(report, to: &job) }
            _ = try transaction.add(new, to: &job)
            let existing = try transaction.committedCheckpoints(of: job)
            job.best = retention.bestMetric(of: existing)
            // One that a job is waiting to start from stays until it has ended, and goes with the next that is superfluous then.
            for checkpoint in retention.superfluous(existing)
            where try transaction.users(ofCheckpoint: checkpoint.id).isEmpty {
                try transaction.beginDeletion(of: checkpoint, job: &job, reason: "retention policy")
            }
            try transaction.save(&job)
        }
        guard isStored else { return }
        unstored.removeFirst(late.count)
        run.checkpointStep = report.step
        counters.update {
            $0.checkpointWrites[report.cause, default: 0] += 1
            $0.checkpointBytes += new.stateBytes + new.resumeBytes
            $0.lastCheckpoint = .now
        }
        if retention.last != nil { finishCheckpointDeletions(of: run.job) }
    }
}
