// SIGKILL at random moments: of the worker, of the server, of both. The result has to be that of an undisturbed run.
import Foundation
import JobSpec
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

extension EndToEnd {
    @Suite("Crashes")
    struct Crashes {
        enum Victim: CaseIterable {
            case worker, server, both
        }

        @Test(
            "killed at random moments, a job ends with the bits of an undisturbed run, and no process is left"
        )
        func randomKills() throws {
            let rounds = Int(ProcessInfo.processInfo.environment["SPINDLE_TEST_KILLS"] ?? "") ?? 6
            let server = try ServerHarness()
            try server.uploadDigits()
            let spec = try ServerHarness.example("digits.json")
                .setting("/budget", to: ["epochs": 40])
                .setting("/checkpoint/every_epochs", to: 2)
                .setting("/retry", to: ["max_attempts": 100, "backoff_seconds": 0])
            let undisturbed = try server.finish(try server.submit(spec))
            #expect(undisturbed["state"] == "succeeded", "\(undisturbed.serialized())")
            let steps = try #require(undisturbed["progress"]?["steps_total"]?.intValue)
            let reference = try server.result(of: undisturbed)

            // The seed is fixed: a failure can be run again. What the operating system does in between is not.
            var random = SeededGenerator(seed: 20_261_122)
            var interrupted = 0
            for round in 0..<rounds {
                let victim = Victim.allCases[round % Victim.allCases.count]
                let job = try server.explaining("round \(round), \(victim)") {
                    let id = try server.submit(spec)
                    for _ in 0..<Int.random(in: 1...2, using: &random) {
                        try waitForStep(
                            of: id, on: server, atLeast: Int.random(in: 0..<steps, using: &random))
                        usleep(UInt32.random(in: 0..<20_000, using: &random))
                        try strike(victim, id, server)
                    }
                    return try server.finish(id)
                }
                #expect(job["state"] == "succeeded", "round \(round), \(victim): \(job.serialized())")
                #expect(try server.result(of: job) == reference, "round \(round), \(victim)")
                if job["attempt"]?.intValue ?? 0 > 1 { interrupted += 1 }
            }
            // Kills that come too late hit nothing; most have to hit.
            #expect(interrupted * 2 >= rounds, "\(interrupted) of \(rounds) runs were interrupted")
            #expect(server.stop())
            #expect(server.leftovers().isEmpty)
        }

        private func strike(_ victim: Victim, _ id: String, _ server: ServerHarness) throws {
            if victim != .server {
                let attempts = try server.client.get("/v1/jobs/\(id)/attempts").json["data"]?.arrayValue
                if let last = attempts?.last, last["finished_at"]?.isNull == true,
                    let pid = last["pid"]?.intValue,
                    SpindleBinary.processes().contains(pid_t(pid))
                {
                    kill(pid_t(pid), SIGKILL)
                }
            }
            if victim != .worker {
                server.crash()
                try server.start()
            }
        }

        @Test("what was acknowledged survives a SIGKILL right after the answer")
        func acknowledgedIsKept() throws {
            let server = try ServerHarness()
            let spec = try ServerHarness.example("flax-basics.json")
            var ids: [String] = []
            for _ in 0..<5 {
                ids.append(try server.submit(spec))
                server.crash()
                try server.start()
            }
            for id in ids { #expect(try server.finish(id)["state"] == "succeeded") }
            let listed = try server.client.get("/v1/jobs?limit=200").json["data"]?.arrayValue ?? []
            #expect(listed.count == ids.count)
            #expect(server.stop())
            #expect(server.leftovers().isEmpty)
        }

        @Test("a submit repeated with its key after a crash is the same job")
        func idempotentAcrossCrash() throws {
            let server = try ServerHarness()
            let body = try ServerHarness.example("flax-basics.json").serializedBytes()
            let headers = ["Content-Type": "application/json", "Idempotency-Key": "\"the-same-key\""]
            let first = try server.client.send("POST", "/v1/jobs", headers: headers, body: body)
            server.crash()
            try server.start()
            let second = try server.client.send("POST", "/v1/jobs", headers: headers, body: body)
            #expect(first.status == 201)
            #expect(try first.json["id"] == second.json["id"])
            #expect(second.headers["idempotency-replayed"] == "true")
        }
    }
}
