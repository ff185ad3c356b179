// The life of a job with workers that do well, fail, crash, lie and hang.

import Foundation
import Hashing
import JobSpec
import Store
import Testing

@testable import Scheduler

@Suite(.timeLimit(.minutes(2))) struct RunTests {
    @Test("A job runs to its end: states, metrics, checkpoints with their digests, usage, log")
    func success() async throws {
        let server = try await Server()
        let job = try await server.wait(server.submit("success").id, .succeeded)
        #expect(try await server.states(job) == ["preparing", "running", "succeeded"])
        #expect(try await server.losses(job) == [9.5, 8.5, 7.5, 6.5])
        #expect(job.progress.step == 4 && job.progress.ratio == 1 && job.attempt == 1 && job.failures == 0)
        #expect(job.startedAt != nil && job.finishedAt != nil && job.usage.peakResidentBytes > 0)
        let checkpoints = try await server.store.checkpoints(of: job)
        #expect(checkpoints.map(\.step) == [4, 2] && checkpoints.map(\.cause) == [.final, .periodic])
        #expect(checkpoints[0].stateDigest == SHA256.hash(Array("the state after step 4".utf8)))
        let attempt = try #require(try await server.store.attempts(of: job).first)
        #expect(attempt.outcome == .succeeded && attempt.exitCode == 0 && attempt.engineVersion == "fake")
        let log = try String(contentsOfFile: server.folder.log(job: job.id, attempt: 1), encoding: .utf8)
        #expect(log.contains("is ready"))
        await server.remove()
    }

    @Test(
        "After a crash the job goes on from its checkpoint, with the series of an undisturbed run"
    )
    func crashAndRetry() async throws {
        let server = try await Server()
        let job = try await server.wait(server.submit("crash-once").id, .succeeded)
        #expect(
            try await server.states(job) == [
                "preparing", "running", "queued", "preparing", "running", "succeeded",
            ])
        #expect(try await server.losses(job) == [9.5, 8.5, 7.5, 6.5])
        let attempts = try await server.store.attempts(of: job)
        #expect(
            attempts.map(\.outcome) == [.crashed, .succeeded] && attempts.map(\.counted) == [true, false])
        #expect(attempts[0].signal == SIGKILL && attempts[1].fromStep == 2)
        let events = try await server.store.events(of: job, afterNumber: 0, limit: 100)
        #expect(events.contains { $0.kind == .metricsDiscarded && $0.data["after_step"] == 2 })
        let lost = events.first { $0.data["trigger"] == "attempt_lost" }
        #expect(lost?.data["reason"] == "worker_crashed" && lost?.data["signal"] == 9)
        await server.remove()
    }

    @Test("Attempts run out: the job fails with the signal, the attempt and the last lines of the log")
    func retriesExhausted() async throws {
        let server = try await Server()
        let job = try await server.wait(server.submit(Server.spec("crash-always", attempts: 2)).id, .failed)
        #expect(job.error["code"] == "retries_exhausted" && job.error["attempt"] == 2)
        #expect(job.error["detail"]?.stringValue?.contains("signal 9") == true)
        #expect(job.error["last_log_lines"]?[0]?.stringValue?.contains("is ready") == true)
        let other = try await server.wait(server.submit(Server.spec("exit-3", attempts: 1)).id, .failed)
        #expect(other.error["code"] == "worker_crashed")
        #expect(try await server.store.attempts(of: other).first?.exitCode == 3)
        await server.remove()
    }

    @Test("What a worker says is final is final; what it calls passing is tried again")
    func reportedFailures() async throws {
        let server = try await Server()
        let failed = try await server.wait(server.submit("fail").id, .failed)
        #expect(failed.error["code"] == "nonfinite_loss" && failed.error["step"] == 3 && failed.attempt == 1)
        #expect(failed.error["type"] == "/problems/nonfinite-loss")
        let again = try await server.wait(server.submit("fail-once").id, .succeeded)
        #expect(again.attempt == 2 && again.failures == 1)
        await server.remove()
    }

    @Test(
        "A worker that babbles, ends without a word, or says done without a checkpoint has crashed",
        arguments: ["babble", "silent", "lie"])
    func untruthfulWorkers(scenario: String) async throws {
        let server = try await Server()
        let job = try await server.wait(server.submit(Server.spec(scenario, attempts: 1)).id, .failed)
        #expect(job.error["code"] == "worker_crashed")
        await server.remove()
    }

    @Test("A worker that is done but does not end is ended, and the job has succeeded")
    func lingeringWorker() async throws {
        let server = try await Server()
        let job = try await server.wait(server.submit("linger").id, .succeeded)
        #expect(job.attempt == 1)
        await server.remove()
    }

    @Test("Pause keeps a checkpoint and every point before it; resume goes on from there")
    func pauseAndResume() async throws {
        let server = try await Server()
        let id = try await server.submit("wait").id
        _ = try await server.wait(id, "step 3") { $0.progress.step == 3 }
        #expect(try await server.scheduler.pause(id: id).state == .pausing)
        let paused = try await server.wait(id, .paused)
        #expect(paused.checkpoint?.step == 3 && paused.reason == .user && paused.failures == 0)
        #expect(try await server.losses(paused) == [9.5, 8.5, 7.5])
        #expect(try await server.scheduler.pause(id: id).state == .paused)
        _ = try await server.scheduler.resume(id: id)
        let job = try await server.wait(id, .succeeded)
        #expect(try await server.losses(job) == [9.5, 8.5, 7.5, 6.5])
        #expect(
            try await server.states(job) == [
                "preparing", "running", "pausing", "paused", "queued", "preparing", "running", "succeeded",
            ])
        await server.remove()
    }

    @Test("Cancelling a running job asks it first; it is cancelled only when its process is gone")
    func cancelRunning() async throws {
        let server = try await Server()
        let id = try await server.submit("wait").id
        _ = try await server.wait(id, "step 3") { $0.progress.step == 3 }
        let asked = try await server.scheduler.cancel(id: id, reason: "enough")
        #expect(asked.state == .cancelling && asked.cancelReason == "enough")
        let job = try await server.wait(id, .cancelled)
        let attempt = try #require(try await server.store.attempts(of: job).first)
        #expect(attempt.outcome == .cancelled && attempt.exitCode == 0)
        #expect(try await server.scheduler.cancel(id: id) == job)
        await #expect(throws: SchedulerError.self) { _ = try await server.scheduler.pause(id: id) }
        await server.remove()
    }

    @Test("A worker that ignores cancel and SIGTERM is killed with its group when the grace is over")
    func stuckWorker() async throws {
        let server = try await Server()
        let id = try await server.submit("stuck").id
        _ = try await server.wait(id, "step 3") { $0.progress.step == 3 }
        _ = try await server.scheduler.cancel(id: id, graceSeconds: 60)
        // Again, in more of a hurry.
        _ = try await server.scheduler.cancel(id: id, graceSeconds: 0)
        let job = try await server.wait(id, .cancelled)
        #expect(try await server.store.attempts(of: job).first?.signal == SIGKILL)
        await server.remove()
    }

    @Test("A pause that a stuck worker ignores ends in paused all the same, at the checkpoint before")
    func stuckPause() async throws {
        let server = try await Server { $0.pauseGraceSeconds = 0.1 }
        let id = try await server.submit("stuck").id
        _ = try await server.wait(id, "step 3") { $0.progress.step == 3 }
        _ = try await server.scheduler.pause(id: id)
        let job = try await server.wait(id, .paused)
        #expect(job.checkpoint?.step == 2 && job.progress.step == 2)
        #expect(try await server.losses(job) == [9.5, 8.5])
        await server.remove()
    }

    @Test(
        "A cancellation after the end loses, and says so; queued and paused jobs go at once"
    )
    func cancelRaces() async throws {
        let server = try await Server()
        let done = try await server.wait(server.submit("success").id, .succeeded)
        await #expect(
            throws: SchedulerError.conflict(
                job: done.id, action: .cancel, state: .succeeded, allowed: [.delete])
        ) { _ = try await server.scheduler.cancel(id: done.id) }
        let blocker = try await server.submit("wait").id
        _ = try await server.wait(blocker, .running)
        let queued = try await server.submit("success").id
        #expect(try await server.scheduler.cancel(id: queued).state == .cancelled)
        let paused = try await server.submit("success").id
        #expect(try await server.scheduler.pause(id: paused).state == .paused)
        #expect(try await server.scheduler.cancel(id: paused).state == .cancelled)
        await #expect(throws: SchedulerError.notFound(kind: "job", id: "job_x")) {
            _ = try await server.scheduler.cancel(id: "job_x")
        }
        await server.remove()
    }

    @Test("Jobs start by priority, then by arrival, on as many slots as there are")
    func order() async throws {
        let server = try await Server { $0.slots = 2 }
        let blockers = try await [server.submit("hold").id, server.submit("hold").id]
        for id in blockers { _ = try await server.wait(id, .running) }
        let low = try await server.submit(Server.spec("success", priority: 10)).id
        let first = try await server.submit(Server.spec("success", priority: 50)).id
        let second = try await server.submit(Server.spec("success", priority: 50)).id
        let high = try await server.submit(Server.spec("success", priority: 90)).id
        #expect(await server.scheduler.queueOrder() == [high, first, second, low])
        var patch = JobPatch()
        patch.priority = 95
        _ = try await server.scheduler.update(id: low, patch)
        #expect(await server.scheduler.queueOrder() == [low, high, first, second])
        #expect(server.scheduler.metrics.busySlots == 2)
        _ = try await server.scheduler.cancel(id: blockers[0])
        var started: [(String, Int64)] = []
        for id in [low, high, first, second] {
            let job = try await server.wait(id, .succeeded)
            let events = try await server.store.events(of: job, afterNumber: 0, limit: 10)
            started.append((id, events.first { $0.data["to"] == "preparing" }?.sequence ?? 0))
        }
        #expect(started.sorted { $0.1 < $1.1 }.map(\.0) == [low, high, first, second])
        await server.remove()
    }

    @Test("A hundred submissions with one key make one job, and all get its answer")
    func idempotentSubmissions() async throws {
        let server = try await Server()
        let spec = Server.spec("success")
        let key = IdempotencyKey(
            key: "k", scope: "POST /v1/jobs", fingerprint: SHA256.hash(spec.canonicalBytes()))
        let record = IdempotencyRecord(key: key) { job in
            StoredResponse(status: 201, headers: [:], body: Array(job.id.utf8))
        }
        let submission = JobSubmission(submittedSpec: spec.serializedBytes(), effectiveSpec: spec, plan: nil)
        let bodies = try await withThrowingTaskGroup(of: [UInt8].self) { group in
            for _ in 0..<100 {
                group.addTask {
                    switch try await server.scheduler.submit(submission, idempotency: record) {
                    case .created(_, let response): response?.body ?? []
                    case .replayed(let response, _): response.body
                    }
                }
            }
            return try await group.reduce(into: Set<[UInt8]>()) { $0.insert($1) }
        }
        #expect(bodies.count == 1)
        #expect(try await server.store.jobs(JobQuery()).elements.count == 1)
        #expect(server.scheduler.metrics.idempotentReplays == 99)
        let other = IdempotencyRecord(
            key: IdempotencyKey(key: "k", scope: key.scope, fingerprint: SHA256.hash([])),
            response: record.response)
        await #expect(throws: SchedulerError.idempotencyMismatch(key: "k")) {
            _ = try await server.scheduler.submit(submission, idempotency: other)
        }
        await server.remove()
    }

    @Test("Retry starts a failed job again, from its checkpoint or from nothing")
    func retries() async throws {
        let server = try await Server()
        let id = try await server.submit("wait").id
        _ = try await server.wait(id, "step 3") { $0.progress.step == 3 }
        _ = try await server.scheduler.cancel(id: id)
        _ = try await server.wait(id, .cancelled)
        _ = try await server.scheduler.retry(id: id)
        let job = try await server.wait(id, .succeeded)
        #expect(job.attempt == 2 && job.retries == 1)
        #expect(try await server.store.attempts(of: job)[1].fromStep == 2)
        #expect(try await server.losses(job) == [9.5, 8.5, 7.5, 6.5])

        let failing = try await server.submit("fail").id
        _ = try await server.wait(failing, .failed)
        _ = try await server.scheduler.retry(id: failing, from: .scratch)
        let again = try await server.wait(failing, "attempt 2") { $0.state == .failed && $0.attempt == 2 }
        #expect(try await server.store.attempts(of: again)[1].fromStep == 0)
        await server.remove()
    }

    @Test("The retention policy keeps the last and the best, and the files go with the rows")
    func retention() async throws {
        let server = try await Server()
        let keep: JSONValue = ["last": 1]
        let job = try await server.wait(server.submit(Server.spec("success", keep: keep)).id, .succeeded)
        #expect(try await server.store.checkpoints(of: job).map(\.step) == [4])
        let all = try await server.store.checkpoints(of: job, includingDeleted: true)
        #expect(all.map(\.step) == [4, 2])
        let best: JSONValue = ["last": 1, "best": ["metric": "validation/loss", "mode": "max", "count": 1]]
        let other = try await server.wait(server.submit(Server.spec("success", keep: best)).id, .succeeded)
        #expect(try await server.store.checkpoints(of: other).map(\.step) == [4, 2])
        #expect(other.best?.step == 2 && other.best?.value == 3)
        await server.scheduler.shutdown(graceSeconds: 0)
        let folder = server.folder.checkpoints(job: job.id)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["step-000004"])
        await server.remove()
    }

    @Test("Deleting a job that has ended takes its files and rows; another state is a conflict")
    func deletion() async throws {
        let server = try await Server()
        let running = try await server.submit("wait").id
        _ = try await server.wait(running, .running)
        await #expect(
            performing: { _ = try await server.scheduler.delete(id: running) },
            throws: { if case SchedulerError.conflict(running, .delete, _, _) = $0 { true } else { false } })
        _ = try await server.scheduler.cancel(id: running)
        _ = try await server.wait(running, .cancelled)
        _ = try await server.scheduler.delete(id: running)
        await #expect(
            performing: { _ = try await server.scheduler.delete(id: running) },
            throws: { if case SchedulerError.gone("job", running, _, _) = $0 { true } else { false } })
        let kept = try await server.wait(server.submit("success").id, .succeeded).id
        _ = try await server.scheduler.delete(id: kept, artifacts: .keep)
        await server.scheduler.shutdown(graceSeconds: 0)
        #expect(!FileManager.default.fileExists(atPath: server.folder.job(running)))
        #expect(FileManager.default.fileExists(atPath: server.folder.checkpoints(job: kept) + "/step-000004"))
        await server.remove()
    }
}
