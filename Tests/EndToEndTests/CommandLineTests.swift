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

        @Test(
            "a model is exported from the server and from files with the same bytes, and comes back as a checkpoint"
        )
        func exports() throws {
            let server = try ServerHarness()
            func spindle(_ arguments: String...) throws -> CommandOutcome {
                try SpindleBinary.run(arguments, server: server.address)
            }
            let digits = Repository.fixture("data/digits.csv").path
            _ = try spindle("data", "put", "digits", digits)
            let file = try server.folder.write(
                "spec.json",
                try ServerHarness.example("digits.json").setting("/budget", to: ["steps": 3]).serialized())
            let id = try spindle("submit", file).output.trimmingCharacters(in: .whitespacesAndNewlines)
            #expect(try spindle("wait", id).status == 0)
            let state = server.folder.path("state.msgpack")
            #expect(try spindle("export", id, "--format", "flax-msgpack", "-o", state).status == 0)
            for format in ["safetensors", "npz", "onnx", "stablehlo"] {
                let (here, there) = (
                    server.folder.path("here." + format), server.folder.path("there." + format)
                )
                let remote = try spindle("export", id, "--format", format, "-o", there)
                #expect(remote.status == 0 && remote.output == there + "\n", "\(remote.notes)")
                let local = try SpindleBinary.run(
                    [
                        "export", "--checkpoint", state, "--spec", file, "--dataset", "digits=" + digits,
                        "--format", format, "-o", here,
                    ], server: nil)
                #expect(local.status == 0, "\(local.notes)")
                #expect(
                    try Repository.bytes(URL(filePath: here)) == Repository.bytes(URL(filePath: there)),
                    "\(format)")
            }
            let model = server.folder.path("model")
            #expect(
                try spindle("export", id, "--format", "saved_model", "--ops", "native", "-o", model).status
                    == 0)
            #expect(FileManager.default.fileExists(atPath: model + "/variables/variables.index"))
            #expect(try spindle("export", id, "--format", "saved_model", "-o", model).status == 1)

            let runs = server.folder.path("runs")
            let events = try spindle("export", id, "--format", "tensorboard", "-o", runs)
            #expect(events.output.contains("\(runs)/\(id)/events.out.tfevents."), "\(events.notes)")

            let imported = try spindle("import", server.folder.path("there.npz"))
            #expect(imported.status == 0 && imported.output.hasPrefix("ckpt_"), "\(imported.notes)")
            #expect(imported.notes.contains("6 arrays"))
            let checkpoint = imported.output.trimmingCharacters(in: .whitespacesAndNewlines)
            let refused = try spindle("export", checkpoint, "--format", "onnx", "-o", model + ".onnx")
            #expect(refused.status == 1 && refused.notes.contains("no job's model"), "\(refused.notes)")
            let other = try spindle("import", file)
            #expect(
                other.status == 1 && other.notes.contains("expected a file of Flax msgpack"), "\(other.notes)"
            )
        }

        @Test("export says what is wrong with its arguments before it does anything")
        func exportArguments() throws {
            func notes(_ arguments: String...) throws -> String {
                let outcome = try SpindleBinary.run(["export"] + arguments, server: nil)
                #expect(outcome.status == 2)
                return outcome.notes
            }
            #expect(try notes("job_1", "--format", "savedmodel").contains("did you mean saved_model?"))
            #expect(try notes("--format", "npz").contains("--checkpoint FILE"))
            #expect(
                try notes("job_1", "--format", "npz", "--ops", "native").contains("--ops is for saved_model"))
            #expect(try notes("--checkpoint", "x", "--format", "onnx").contains("give --spec FILE too"))
            #expect(try notes("ckpt_1", "--format", "tensorboard").contains("a job's id"))
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
