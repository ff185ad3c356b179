// Servers that die, in every state of a job, and the next one on the same folder.

import Foundation
import JobSpec
import Store
import Testing

@testable import Scheduler

@Suite(.timeLimit(.minutes(2))) struct RecoveryTests {
    /// Brings a job into a state by hand, as a server that died would have left it.
    private func leave(_ job: String, in state: JobState, of server: Server, process: ProcessIdentity? = nil)
        async throws
    {
        let path: [TransitionTrigger] =
            switch state {
            case .queued: []
            case .preparing: [.schedule]
            case .running: [.schedule, .started]
            case .pausing: [.schedule, .started, .pauseRequested]
            case .paused: [.pauseRequested]
            case .cancelling: [.schedule, .started, .cancelRequested]
            case .succeeded: [.schedule, .started, .finished]
            case .failed: [.schedule, .started, .attemptFailed]
            case .cancelled: [.cancelRequested, .cancelled]
            }
        let identity = process ?? ProcessIdentity(pid: 1_999_999, startTicks: 1, bootID: "another boot")
        try await server.store.write { transaction in
            var job = try transaction.job(job)
            for trigger in path {
                if trigger == .schedule {
                    try transaction.openAttempt(
                        of: &job, slot: 0, process: identity, resumedFrom: nil, engineVersion: nil,
                        kernelLevel: nil,
                        threads: 1)
                }
                if trigger == .finished || trigger == .attemptFailed {
                    try transaction.closeAttempt(of: &job, outcome: .failed, end: nil)
                }
                try transaction.transition(&job, trigger)
            }
            if state.holdsWorker {
                try transaction.append(
                    [MetricPoint(name: "train/loss", finished: 1, step: 0, value: 1)], to: &job)
            }
            try transaction.save(&job)
        }
    }

    @Test(
        "The next server makes every state right: wishes honoured, ends untouched, the rest run on",
        arguments: JobState.allCases)
    func everyState(state: JobState) async throws {
        let first = try await Server(start: false)
        // No scheduler runs yet, so the job is put in by hand.
        let spec = Server.spec("success", attempts: 1)
        let id = try await first.store.write { transaction in
            try transaction.insert(
                NewJob(
                    id: Identifier.job(), name: "left", labels: [:], queue: "default", priority: 50,
                    spec: spec.serializedBytes(), effectiveSpec: spec.canonicalBytes(), plan: .null,
                    attemptsMax: 1,
                    backoffSeconds: 0, datasets: [])
            ).id
        }
        try await leave(id, in: state, of: first)
        let before = try await first.store.job(id: id)
        first.crash()
        let second = try await Server(first.folder, start: false)
        let report = try await second.scheduler.start()
        #expect(report.wasUnclean)
        switch state {
        case .queued, .preparing, .running:
            // With one attempt in all: a restart costs none.
            let job = try await second.wait(id, .succeeded)
            #expect(job.failures == 0)
            #expect(try await second.losses(job) == [9.5, 8.5, 7.5, 6.5])
            #expect(report.requeued == (state == .queued ? [] : [id]))
            if state != .queued {
                let events = try await second.store.events(of: job, afterNumber: 0, limit: 100)
                #expect(events.contains { $0.data["reason"] == "server_restart" })
            }
        case .pausing: #expect(try await second.store.job(id: id).state == .paused && report.paused == [id])
        case .cancelling:
            #expect(try await second.store.job(id: id).state == .cancelled && report.cancelled == [id])
        case .paused, .succeeded, .failed, .cancelled: #expect(try await second.store.job(id: id) == before)
        }
        await second.remove()
    }

    @Test(
        "A worker that outlived its server is killed; a process that only has its number is not"
    )
    func leftoverWorker() async throws {
        let leftover = Process()
        leftover.executableURL = URL(fileURLWithPath: "/bin/sh")
        leftover.arguments = ["-c", "trap '' TERM; while :; do sleep 0.1; done"]
        try leftover.run()
        let innocent = Process()
        innocent.executableURL = URL(fileURLWithPath: "/bin/sh")
        innocent.arguments = ["-c", "while :; do sleep 0.1; done"]
        try innocent.run()
        let first = try await Server(start: false)
        let spec = Server.spec("success")
        var ids: [String] = []
        for (slot, process) in [leftover, innocent].enumerated() {
            let known = try #require(ProcessTable.identity(of: process.processIdentifier))
            let identity =
                slot == 0
                ? known
                : ProcessIdentity(pid: known.pid, startTicks: known.startTicks - 1, bootID: known.bootID)
            let id = try await first.store.write { transaction -> String in
                var job = try transaction.insert(
                    NewJob(
                        id: Identifier.job(), name: "left", labels: [:], queue: "default", priority: 50,
                        spec: spec.serializedBytes(), effectiveSpec: spec.canonicalBytes(), plan: .null,
                        attemptsMax: 1, backoffSeconds: 0, datasets: []))
                try transaction.openAttempt(
                    of: &job, slot: slot, process: identity, resumedFrom: nil, engineVersion: nil,
                    kernelLevel: nil,
                    threads: 1)
                try transaction.transition(&job, .schedule)
                try transaction.save(&job)
                return job.id
            }
            ids.append(id)
        }
        first.crash()
        let second = try await Server(first.folder, start: false)
        let report = try await second.scheduler.start()
        #expect(report.leftoverWorkersKilled == 1 && report.attemptsClosed == 2)
        leftover.waitUntilExit()
        #expect(leftover.terminationReason == .uncaughtSignal && innocent.isRunning)
        for id in ids { _ = try await second.wait(id, .succeeded) }
        innocent.terminate()
        await second.remove()
    }

    @Test(
        "The run of a killed server is ended by the next one, with the same series"
    )
    func killedServer() async throws {
        let first = try await Server()
        let id = try await first.submit("wait").id
        _ = try await first.wait(id, "step 3") { $0.progress.step == 3 }
        let process = try #require(try await first.store.attempts(of: first.store.job(id: id)).first).process
        first.crash()
        #expect(ProcessTable.isAlive(process))
        let second = try await Server(first.folder, start: false)
        let report = try await second.scheduler.start()
        #expect(
            report.leftoverWorkersKilled == 1 && report.requeued == [id] && report.checkpointsVerified == 1)
        #expect(!ProcessTable.isAlive(process))
        let job = try await second.wait(id, .succeeded)
        #expect(try await second.losses(job) == [9.5, 8.5, 7.5, 6.5])
        #expect(job.failures == 0 && job.attempt == 2)
        await first.scheduler.shutdown(graceSeconds: 0)
        await second.remove()
    }

    @Test("A damaged checkpoint is never used: the job goes on from an older one, and an event says so")
    func corruptCheckpoint() async throws {
        let first = try await Server()
        let id = try await first.submit("wait").id
        _ = try await first.wait(id, "step 3") { $0.progress.step == 3 }
        _ = try await first.scheduler.pause(id: id)
        _ = try await first.wait(id, .paused)
        let damaged = first.folder.checkpoints(job: id) + "/step-000003/state.msgpack"
        try Data("the state after step X".utf8).write(to: URL(fileURLWithPath: damaged))
        _ = try await first.scheduler.resume(id: id)
        let job = try await first.wait(id, .succeeded)
        #expect(try await first.store.attempts(of: job)[1].fromStep == 2)
        #expect(try await first.losses(job) == [9.5, 8.5, 7.5, 6.5])
        let events = try await first.store.events(of: job, afterNumber: 0, limit: 100)
        #expect(
            events.contains { $0.kind == .checkpointCorrupt && $0.data["step"] == 3 && $0.level == .warning })
        await first.remove()
    }

    @Test(
        "Folders that no row knows are gone before an attempt starts, and stray uploads when the server does")
    func strayFiles() async throws {
        let first = try await Server(start: false)
        let stray = first.folder.temporary + "/upload"
        try Data().write(to: URL(fileURLWithPath: stray))
        let report = try await first.scheduler.start()
        #expect(report.temporaryFilesRemoved == 1 && !FileManager.default.fileExists(atPath: stray))
        let blocker = try await first.submit("hold").id
        _ = try await first.wait(blocker, .running)
        let job = try await first.submit("success")
        let orphan = first.folder.checkpoints(job: job.id) + "/step-000002"
        try FileManager.default.createDirectory(atPath: orphan, withIntermediateDirectories: true)
        try Data("half".utf8).write(to: URL(fileURLWithPath: orphan + "/state.msgpack"))
        _ = try await first.scheduler.cancel(id: blocker)
        let ended = try await first.wait(job.id, .succeeded)
        let state = try String(contentsOfFile: orphan + "/state.msgpack", encoding: .utf8)
        #expect(state == "the state after step 2" && ended.failures == 0)
        await first.remove()
    }

    @Test("An orderly stop takes a checkpoint and puts the job back; the next server computes no step twice")
    func orderlyStop() async throws {
        let first = try await Server()
        let id = try await first.submit("wait").id
        _ = try await first.wait(id, "step 3") { $0.progress.step == 3 }
        await first.scheduler.shutdown(graceSeconds: 10)
        let stopped = try await first.store.job(id: id)
        #expect(stopped.state == .queued && stopped.reason == .serverRestart && stopped.checkpoint?.step == 3)
        await #expect(throws: SchedulerError.unavailable(detail: "the server is stopping")) {
            _ = try await first.submit("success")
        }
        await first.store.close()
        let second = try await Server(first.folder, start: false)
        let report = try await second.scheduler.start()
        #expect(!report.wasUnclean && report.attemptsClosed == 0)
        let job = try await second.wait(id, .succeeded)
        #expect(try await second.store.attempts(of: job)[1].fromStep == 3)
        #expect(job.failures == 0)
        await second.remove()
    }

    @Test("A stop does not wait for a stuck worker longer than its grace, and leaves no process behind")
    func stuckStop() async throws {
        let first = try await Server()
        let id = try await first.submit("stuck").id
        _ = try await first.wait(id, "step 3") { $0.progress.step == 3 }
        let process = try #require(try await first.store.attempts(of: first.store.job(id: id)).first).process
        await first.scheduler.shutdown(graceSeconds: 0.2)
        #expect(!ProcessTable.isAlive(process))
        let job = try await first.store.job(id: id)
        #expect(job.state == .queued && job.failures == 0 && job.progress.step == 2)
        await first.remove()
    }

    @Test("A deletion that a crash interrupted is finished by the next server")
    func interruptedDeletion() async throws {
        let first = try await Server()
        let job = try await first.wait(first.submit("success").id, .succeeded)
        try await first.store.write {
            try $0.beginDeletion(of: $0.job(job.id), keepsArtifacts: false, reason: "test")
        }
        await first.scheduler.shutdown(graceSeconds: 0)
        first.crash()
        let second = try await Server(first.folder, start: false)
        #expect(try await second.scheduler.start().deletionsFinished == 1)
        #expect(!FileManager.default.fileExists(atPath: first.folder.job(job.id)))
        await second.remove()
    }
}
