// The recovery pass: after a crash the rows say what was, and the machine what is. One pass makes them agree;
// running it again changes nothing.

import Foundation
import Glibc
import Hashing
import JobSpec
import Store

extension Scheduler {
    func recover() async throws -> RecoveryReport {
        let start = ContinuousClock.now
        var report = RecoveryReport()
        report.wasUnclean = store.wasUnclean
        let open = try await store.write { try $0.openAttempts() }
        for attempt in open where try await endLeftover(attempt.process) { report.leftoverWorkersKilled += 1 }
        report.attemptsClosed = open.count
        for job in store.liveJobs where job.state.holdsWorker { try await recover(job, &report) }
        try await finishDeletions(&report)
        report.temporaryFilesRemoved = try await removeStrayFiles()
        try await store.write { try $0.dropExpired() }
        let elapsed = start.duration(to: .now).components
        report.seconds = Double(elapsed.seconds) + Double(elapsed.attoseconds) / 1e18
        logger.info("recovered", metadata: ["report": "\(report)"])
        return report
    }

    /// Kills the worker of a server that is gone, and waits until it is gone too: two workers in one folder
    /// would write over each other. Never touches a process that only has its number.
    private func endLeftover(_ process: ProcessIdentity) async throws -> Bool {
        guard ProcessTable.isAlive(process) else { return false }
        logger.warning("ending a worker that outlived its server", metadata: ["pid": "\(process.pid)"])
        if kill(-process.pid, SIGKILL) != 0 { kill(process.pid, SIGKILL) }
        let deadline = ContinuousClock.now.advanced(by: .seconds(10))
        while ProcessTable.isAlive(process) {
            guard ContinuousClock.now < deadline else {
                throw SchedulerError.unavailable(
                    detail:
                        "the worker \(process.pid) of an earlier server does not end, not even by SIGKILL; "
                        + "its job cannot be resumed while it may still write")
            }
            try await Task.sleep(for: .milliseconds(2))
        }
        return true
    }

    /// A job whose attempt died with its server: honours what was asked of it, or puts it back into the
    /// queue, to go on from the newest checkpoint that verifies. Costs none of its attempts.
    private func recover(_ job: JobRecord, _ report: inout RecoveryReport) async throws {
        let (resume, corrupt) = try await newestVerified(of: job)
        let id = job.id
        let recovered = try await store.write { transaction -> JobRecord in
            var job = try transaction.job(id)
            guard job.state.holdsWorker else { return job }
            for (checkpoint, detail) in corrupt {
                try transaction.quarantine(checkpoint, job: &job, detail: detail)
            }
            try transaction.closeAttempt(
                of: &job, outcome: .serverRestart, end: nil, detail: "the server restarted")
            let isAsked = job.state == .pausing || job.state == .cancelling
            try transaction.transition(&job, .interrupted, reason: isAsked ? .user : .serverRestart)
            if job.state != .cancelled { try transaction.discardMetrics(of: &job, after: resume?.step ?? 0) }
            try transaction.save(&job)
            return job
        }
        report.checkpointsVerified += resume == nil ? 0 : 1
        report.checkpointsCorrupt += corrupt.count
        switch recovered.state {
        case .queued: report.requeued.append(id)
        case .paused: report.paused.append(id)
        case .cancelled: report.cancelled.append(id)
        default: break
        }
    }

    // MARK: Deletions

    private func finishDeletions(_ report: inout RecoveryReport) async throws {
        let (jobs, checkpoints) = try await store.write { transaction in
            (
                try transaction.deletedJobs().map {
                    DeletedJob(id: $0.id, keepsArtifacts: $0.keepsArtifacts)
                },
                try transaction.unfinishedDeletions()
            )
        }
        for checkpoint in checkpoints { await finishDeletion(of: checkpoint) }
        for job in jobs { await finishDeletion(of: job.id, keepsArtifacts: job.keepsArtifacts) }
        report.deletionsFinished = jobs.count + checkpoints.count
    }

    private struct DeletedJob: Sendable {
        let id: String
        let keepsArtifacts: Bool
    }

    /// Files first, then rows, in pieces that let other writes through. What fails is tried again at the next
    /// start.
    func finishDeletion(of id: String, keepsArtifacts: Bool) async {
        do {
            let folder = store.folder.job(id)
            if !keepsArtifacts { try await offThread { try CheckpointFiles.remove(folder) } }
            await exports.remove(job: id)
            var isMoreLeft = true
            while isMoreLeft { isMoreLeft = try await store.write { try $0.dropDeletedRows(of: id) } }
        } catch {
            logger.error("a deletion was not finished", metadata: ["job": "\(id)", "error": "\(error)"])
        }
    }

    /// Second phase for the checkpoints of a job that are marked, without making anyone wait.
    func finishCheckpointDeletions(of job: String) {
        cleanups += 1
        Task {
            do {
                let marked = try await self.store.checkpointsBeingDeleted(of: job)
                for checkpoint in marked { await self.finishDeletion(of: checkpoint) }
            } catch {
                self.logger.error(
                    "deletions were not finished", metadata: ["job": "\(job)", "error": "\(error)"])
            }
            self.cleanups -= 1
            self.noteIdle()
        }
    }

    private func finishDeletion(of checkpoint: CheckpointRecord) async {
        do {
            let path = "\(store.folder.checkpoints(job: checkpoint.job))/\(checkpoint.folder)"
            let away = "\(store.folder.temporary)/\(checkpoint.id)"
            // Moved away in the transaction: an attempt that begins meanwhile marks what it clears (`open`),
            // and may write a folder of the same name after it.
            try await store.write(.relaxed) { transaction in
                guard try transaction.checkpoint(checkpoint.id).status == .deleting else { return }
                if rename(path, away) != 0, errno != ENOENT {
                    throw StoreError.folder(
                        path: path, operation: "move away", detail: String(cString: strerror(errno)))
                }
                try transaction.mark(checkpoint, .deleted, reason: nil)
            }
            try await offThread { try CheckpointFiles.remove(away) }
            await exports.remove(checkpoint: checkpoint.id)
            counters.update { $0.checkpointsDeleted += 1 }
        } catch {
            logger.error(
                "a checkpoint was not deleted", metadata: ["id": "\(checkpoint.id)", "error": "\(error)"])
        }
    }

    // MARK: Files that no row knows

    private func removeStrayFiles() async throws -> Int {
        let (digests, imports) = try await store.write { (try $0.datasetDigests(), try $0.importIDs()) }
        let folder = store.folder
        let kept = Set(imports.map(folder.importedState))
        return try await offThread {
            var count = 0
            for name in CheckpointFiles.names(in: folder.temporary) {
                try CheckpointFiles.remove("\(folder.temporary)/\(name)")
                count += 1
            }
            for name in CheckpointFiles.names(in: folder.exports) {
                try CheckpointFiles.remove("\(folder.exports)/\(name)")
            }
            for name in CheckpointFiles.names(in: folder.imports)
            where !kept.contains("\(folder.imports)/\(name)") {
                try CheckpointFiles.remove("\(folder.imports)/\(name)")
                count += 1
            }
            for name in CheckpointFiles.names(in: folder.datasets) {
                guard let digest = Digest(hex: name), !digests.contains(digest) else { continue }
                try CheckpointFiles.remove("\(folder.datasets)/\(name)")
                count += 1
            }
            return count
        }
    }
}
