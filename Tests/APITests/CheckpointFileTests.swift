// Checkpoints in other formats and from outside, with a worker that only speaks the protocol.
import Foundation
import Hashing
import JobSpec
import Store
import TestSupport
import Testing

@testable import API
@testable import Scheduler

@Suite(.serialized) struct CheckpointFileTests {
    /// Runs a job to its end and gives it and its checkpoint.
    private func checkpoint(
        _ server: TestServer, _ name: String = "quick"
    ) async throws -> (job: String, id: String) {
        let job = try #require(
            try await server.client.post("/v1/jobs", spec(name)).json()["id"]?.stringValue)
        let ended = try await server.client.get("/v1/jobs/\(job)?wait=20&until=terminal").json()
        return (job, try #require(ended["checkpoint"]?["id"]?.stringValue))
    }

    @Test("A format is made once, and then sent from the cache with digest, ranges and conditions")
    func madeOnce() async throws {
        try await TestServer.run(withWorkers: true) { server in
            let (client, (job, id)) = (server.client, try await checkpoint(server))
            let path = "/v1/checkpoints/\(id)/content?format=safetensors"
            let first = try await client.get(path)
            #expect(first.status == 200, "\(first.text.prefix(300))")
            #expect(first.text == "safetensors\nstate of step 3")
            #expect(first.headers["content-type"] == "application/vnd.safetensors")
            #expect(
                first.headers["content-disposition"] == "attachment; filename=\"\(job)-step-3.safetensors\"")
            #expect(first.headers["etag"] == "\"sha256:\(SHA256.hash(first.body).hex)\"")
            let digest = Data(SHA256.hash(first.body).bytes).base64EncodedString()
            #expect(first.headers["repr-digest"] == "sha-256=:\(digest):")

            #expect(try await client.get(path).body == first.body)
            #expect(
                try await client.get(path, ["If-None-Match": first.headers["etag"] ?? ""]).status == 304)
            let part = try await client.get(path, ["Range": "bytes=0-3"])
            #expect(part.status == 206 && part.text == "safe")
            #expect(await server.scheduler.fileWorkers.started == 1)

            // Another choice is another file.
            let other = try await client.get("/v1/checkpoints/\(id)/content?format=saved_model&ops=native")
            #expect(other.headers["content-type"] == "application/x-tar")
            #expect(other.headers["content-disposition"]?.hasSuffix(".saved_model.tar\"") == true)
            #expect(await server.scheduler.fileWorkers.started == 2)

            // The run's own file needs no worker.
            let own = try await client.get("/v1/checkpoints/\(id)/content?format=flax-msgpack")
            #expect(own.text == "state of step 3")
            #expect(await server.scheduler.fileWorkers.started == 2)
        }
    }

    @Test("Many who ask at once get the same file of one worker")
    func together() async throws {
        try await TestServer.run(withWorkers: true) { server in
            let id = try await checkpoint(server).id
            let bodies = try await withThrowingTaskGroup(of: [UInt8].self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        try await server.client.get("/v1/checkpoints/\(id)/content?format=npz").body
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(Set(bodies) == [Array("npz\nstate of step 3".utf8)])
            #expect(await server.scheduler.fileWorkers.started == 1)
        }
    }

    @Test(
        "A format that does not exist and choices that it does not have are told with their place",
        arguments: [
            ("format=safetensor", "?format", "did you mean safetensors?"),
            ("format=npz&ops=native", "?ops", "only a saved_model"),
            ("format=saved_model&ops=nativ", "?ops", "did you mean native?"),
            ("format=npz&bake_transforms=true", "?bake_transforms", "has no model"),
            ("formt=npz", "?formt", "did you mean format?"),
        ])
    func wrongChoices(query: String, pointer: String, detail: String) async throws {
        try await TestServer.run(withWorkers: true) { server in
            let id = try await checkpoint(server).id
            let reply = try await server.client.get("/v1/checkpoints/\(id)/content?\(query)")
            let problem = try expectProblem(reply, 400, .invalidParameter)
            #expect(problem["errors"]?[0]?["pointer"]?.stringValue == pointer)
            #expect(problem["detail"]?.stringValue?.contains(detail) == true)
            #expect(await server.scheduler.fileWorkers.started == 0)
        }
    }

    @Test(
        "A model that a format cannot express is 422 with its place, a worker that dies is 500, and the server lives"
    )
    func refused() async throws {
        try await TestServer.run(withWorkers: true) { server in
            let refused = try await checkpoint(server, "quickrefused").id
            let reply = try await server.client.get("/v1/checkpoints/\(refused)/content?format=onnx")
            let problem = try expectProblem(reply, 422, .notExportable)
            #expect(problem["errors"]?[0]?["pointer"]?.stringValue == "#/params/Dense_0")

            let dying = try await checkpoint(server, "quickdying").id
            let death = try await server.client.get("/v1/checkpoints/\(dying)/content?format=npz")
            let worker = try expectProblem(death, 500, .workerFailed)
            #expect(worker["detail"]?.stringValue?.contains("signal 9") == true)
            #expect(worker["detail"]?.stringValue?.contains("out of luck") == true)

            let temporary = try FileManager.default.contentsOfDirectory(atPath: server.store.folder.temporary)
            #expect(temporary.isEmpty, "\(temporary)")
            let fine = try await checkpoint(server).id
            #expect(try await server.client.get("/v1/checkpoints/\(fine)/content?format=npz").status == 200)
        }
    }

    @Test("With a job go its checkpoints and all that was made of them")
    func deletion() async throws {
        try await TestServer.run(withWorkers: true) { server in
            let (job, id) = try await checkpoint(server)
            _ = try await server.client.get("/v1/checkpoints/\(id)/content?format=npz")
            let folder = server.store.folder.exports(of: id)
            #expect(FileManager.default.fileExists(atPath: folder))
            #expect(try await server.client.send("DELETE", "/v1/jobs/\(job)").status == 204)
            for _ in 0..<200 where FileManager.default.fileExists(atPath: folder) {
                try await Task.sleep(for: .milliseconds(10))
            }
            #expect(!FileManager.default.fileExists(atPath: folder))
            #expect(await server.scheduler.exports.totalBytes == 0)
            try expectProblem(
                try await server.client.get("/v1/checkpoints/\(id)/content?format=npz"), 410, .gone)
        }
    }

    @Test("An uploaded file becomes a checkpoint that can be read, listed and deleted")
    func importing() async throws {
        try await TestServer.run(withWorkers: true) { server in
            let client = server.client
            let created = try await client.send(
                "POST", "/v1/checkpoints?name=mine", [:], Array("weights".utf8))
            #expect(created.status == 201, "\(created.text.prefix(300))")
            let checkpoint = try created.json()
            let id = try #require(checkpoint["id"]?.stringValue)
            #expect(created.headers["location"] == "/v1/checkpoints/\(id)")
            #expect(checkpoint["job"] == .null && checkpoint["name"]?.stringValue == "mine")
            #expect(checkpoint["contents"]?["arrays"]?.intValue == 1)

            let content = try await client.get("/v1/checkpoints/\(id)/content")
            #expect(content.text == "weights")
            #expect(content.headers["content-disposition"]?.contains(id) == true)
            #expect(
                try await client.get("/v1/checkpoints/\(id)/content?format=npz").text == "npz\nweights")

            let again = try await client.send("POST", "/v1/checkpoints", [:], Array("weights".utf8))
            #expect(again.status == 200)
            #expect(try again.json()["id"]?.stringValue == id)
            let list = try await client.get("/v1/checkpoints").json()
            #expect(list["data"]?.arrayValue?.map { $0["id"]?.stringValue } == [id])

            let export = server.store.folder.exports(of: id)
            #expect(FileManager.default.fileExists(atPath: export))
            #expect(try await client.send("DELETE", "/v1/checkpoints/\(id)").status == 204)
            try expectProblem(try await client.get("/v1/checkpoints/\(id)"), 410, .gone)
            #expect(!FileManager.default.fileExists(atPath: export))
            #expect(!FileManager.default.fileExists(atPath: server.store.folder.importedState(id)))
            let left = try FileManager.default.contentsOfDirectory(atPath: server.store.folder.temporary)
            #expect(left.isEmpty, "\(left)")
        }
    }

    @Test(
        "A file that is none is 422 with the place, an empty one too; a job's checkpoint is not deleted alone"
    )
    func importRefused() async throws {
        try await TestServer.run(withWorkers: true) { server in
            let bad = try await server.client.send("POST", "/v1/checkpoints", [:], Array("bad bytes".utf8))
            let problem = try expectProblem(bad, 422, .invalidCheckpoint)
            #expect(problem["errors"]?[0]?["pointer"]?.stringValue == "#byte=0")
            try expectProblem(
                try await server.client.send("POST", "/v1/checkpoints"), 422, .invalidCheckpoint)
            let long = try await server.client.send(
                "POST", "/v1/checkpoints?name=\(String(repeating: "n", count: 101))", [:], [1])
            try expectProblem(long, 400, .invalidParameter)
            let left = try FileManager.default.contentsOfDirectory(atPath: server.store.folder.temporary)
            #expect(left.isEmpty, "\(left)")
            #expect(try await server.client.get("/v1/checkpoints").json()["data"] == [])
            let id = try await checkpoint(server).id
            try expectProblem(
                try await server.client.send("DELETE", "/v1/checkpoints/\(id)"), 409, .stateConflict)
        }
    }

    @Test("A job starts from an imported checkpoint, which stays as long as it may; then a job is refused")
    func startingFromImport() async throws {
        try await TestServer.run(withWorkers: true) { server in
            let imported = try await server.client.send("POST", "/v1/checkpoints", [:], Array("weights".utf8))
            let id = try #require(try imported.json()["id"]?.stringValue)
            let job = spec("quick").setting("/init", to: ["checkpoint": .string(id)])
            let submitted = try await server.client.post("/v1/jobs?wait=20", job)
            #expect(submitted.status == 201)
            #expect(try submitted.json()["state"]?.stringValue == "succeeded")
            #expect(try await server.client.send("DELETE", "/v1/checkpoints/\(id)").status == 204)
            let refused = try await server.client.post("/v1/jobs", job)
            #expect(refused.status == 422)
            #expect(refused.text.contains("there is no checkpoint \(id)"), "\(refused.text)")
        }
    }

    @Test("At start the cache is empty, and files that no row knows are gone")
    func start() async throws {
        try await TestServer.run { server in
            let folder = server.store.folder
            let strays = [
                folder.exports(of: "ckpt_x") + "/1-ab", folder.temporary + "/export-1",
                folder.importedState("ckpt_y"),
            ]
            try FileManager.default.createDirectory(
                atPath: folder.exports(of: "ckpt_x"), withIntermediateDirectories: true)
            for stray in strays { try Data("stray".utf8).write(to: URL(filePath: stray)) }
            _ = try await server.scheduler.start()
            for stray in strays { #expect(!FileManager.default.fileExists(atPath: stray), "\(stray)") }
            await server.scheduler.shutdown(graceSeconds: 1)
        }
    }
}
