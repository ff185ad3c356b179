// The client commands against a real server: data on standard output, exit codes as documented.
import Foundation
import JobSpec
import TestSupport
import Testing

extension EndToEnd {
    @Suite("Command line")
    struct CommandLineClient {
        @Test("upload, submit and wait, list, metrics, download: each prints data and exits with 0")
        func session() throws {
            let server = try ServerHarness()
            func spindle(_ arguments: String...) throws -> CommandOutcome {
                try SpindleBinary.run(arguments, server: server.address)
            }
            let digits = Repository.fixture("data/digits.csv").path
            #expect(try spindle("data", "put", "digits", digits).status == 0)
            let spec = Repository.example("digits.json").path
            #expect(try spindle("validate", spec).output == "valid\n")
            let plan = try spindle("plan", spec, "-o", "json")
            #expect(try plan.json["parameter_count"]?.intValue == 8970)

            let submitted = try spindle("submit", spec, "--wait", "-o", "json")
            #expect(submitted.status == 0, "\(submitted.notes)")
            let id = try #require(try submitted.json["id"]?.stringValue)
            #expect(try spindle("wait", id).status == 0)
            #expect(try spindle("ls", "-o", "ndjson").output.split(separator: "\n").count == 1)
            let csv = try spindle("metrics", id, "--name", "train/loss", "--csv")
            #expect(csv.output.hasPrefix("name,step,value"))

            let file = server.folder.path("best.msgpack")
            let download = try spindle("ckpt", "get", id, "--best", "-f", file)
            #expect(download.status == 0, "\(download.notes)")
            #expect(download.notes.contains("SHA-256 verified"))
            #expect(FileManager.default.fileExists(atPath: file))
            #expect(try spindle("rm", id).status == 0)
            #expect(try spindle("get", id).status == 3)
        }

        @Test("inspect shows a spec's modules, step and plan without a server")
        func inspect() throws {
            let spec = Repository.example("digits.json").path
            let data = "digits=\(Repository.fixture("data/digits.csv").path)"
            let shown = try SpindleBinary.run(
                ["inspect", spec, "--dataset", data, "--program", "--plan"], server: nil)
            #expect(shown.status == 0, "\(shown.notes)")
            for part in ["Dense_2", "8970", "params/Dense_0/kernel", "dotGeneral", "gemm", "arena"] {
                #expect(shown.output.contains(part))
            }
            let refused = try SpindleBinary.run(["inspect", spec], server: nil)
            #expect(refused.status == 1)
            #expect(refused.notes.contains("#/data/train/dataset"))
            #expect(refused.notes.contains("--dataset NAME=FILE"))
        }

        @Test("exit codes tell failures apart")
        func exitCodes() throws {
            let server = try ServerHarness()
            #expect(try SpindleBinary.run(["ls", "--limit", "0"], server: server.address).status == 2)
            #expect(try SpindleBinary.run(["no-such-command"], server: server.address).status == 2)
            #expect(
                try SpindleBinary.run(["get", "job_00000000000000000000000000"], server: server.address)
                    .status == 3)
            #expect(try SpindleBinary.run(["ls"], server: nil).status == 9)

            let bad = try SpindleBinary.run(
                ["submit", "-"], server: server.address, input: #"{"model": {"type": "Dens", "features": 5}}"#
            )
            #expect(bad.status == 1)
            #expect(bad.notes.contains("#/model/type"))
            #expect(bad.notes.contains("Dense"))

            let spec = try ServerHarness.example("flax-basics.json")
                .setting("/optimizer/learning_rate", to: 1e20).serialized()
            let diverged = try SpindleBinary.run(
                ["submit", "-", "--wait"], server: server.address, input: spec)
            #expect(diverged.status == 4 || diverged.status == 0, "\(diverged.notes)")

            let long = try ServerHarness.example("flax-basics.json").setting("/budget/steps", to: 100_000_000)
            let id = try server.submit(long)
            #expect(
                try SpindleBinary.run(["wait", id, "--timeout", "0.5"], server: server.address).status == 6)
            #expect(try SpindleBinary.run(["resume", id], server: server.address).status == 7)
            #expect(try SpindleBinary.run(["cancel", id], server: server.address).status == 0)
            #expect(try SpindleBinary.run(["wait", id], server: server.address).status == 5)
        }
    }
}
