// Events over HTTP: the stream and the table tell the same story, without a gap and without a duplicate.
import Foundation
import JobSpec
import Testing

@testable import API

@Suite(.serialized) struct EventStreamTests {
    private struct Event {
        var type = ""
        var id: Int?
        var data: JSONValue = .null
    }

    /// Reads a stream until `isEnough` or its end. `cutAfterBytes` drops the connection early.
    private func read(
        _ server: TestServer, _ target: String, _ headers: [String: String] = [:], cutAfterBytes: Int = .max,
        until isEnough: @escaping @Sendable ([UInt8]) -> Bool = { _ in false }
    ) async throws -> [UInt8] {
        var all = headers
        all["Accept"] = "text/event-stream"
        let request = server.client.head("GET", target, all)
        let port = server.client.port
        return try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(
                    with: Result {
                        let socket = try TestSocket(port: port)
                        try socket.write(request)
                        var bytes = [UInt8]()
                        while bytes.count < cutAfterBytes, let some = try socket.readSome() {
                            bytes += some
                            if isEnough(bytes) { break }
                        }
                        let reply = try TestClient.parse(Array(bytes.prefix(cutAfterBytes)), isHead: true)
                        #expect(reply.status == 200 && reply.headers["content-type"] == "text/event-stream")
                        return reply.body
                    })
            }
        }
    }

    /// Complete blocks only, as a client sees them.
    private func events(_ bytes: [UInt8]) throws -> [Event] {
        let blocks = String(decoding: bytes, as: UTF8.self).components(separatedBy: "\n\n").dropLast()
        return try blocks.compactMap { block in
            var event = Event()
            for line in block.split(separator: "\n") {
                if line.hasPrefix("event: ") { event.type = String(line.dropFirst(7)) }
                if line.hasPrefix("id: ") { event.id = Int(line.dropFirst(4)) }
                if line.hasPrefix("data: ") {
                    event.data = try JSONValue(parsing: Array(line.dropFirst(6).utf8))
                }
            }
            return event.type.isEmpty ? nil : event
        }
    }

    private func submit(_ server: TestServer, _ name: String, _ query: String = "") async throws -> String {
        let job = try await server.client.post("/v1/jobs" + query, spec(name)).json()
        return try #require(job["id"]?.stringValue)
    }

    @Test("The stream of a job replays its events, ends with its state, and equals the list")
    func wholeStream() async throws {
        try await TestServer.run(withWorkers: true) { server in
            let job = try await submit(server, "quick")
            let stream = try events(try await read(server, "/v1/jobs/\(job)/events"))
            #expect(stream.last?.type == "end" && stream.last?.data["state"] == "succeeded")
            #expect(stream.filter { $0.type == "end" }.count == 1)
            let kept = stream.filter { $0.id != nil }
            #expect(
                kept.compactMap { $0.data["seq"]?.intValue } == Array(1...kept.count),
                "gapless within the job")
            let list = try await server.client.get("/v1/jobs/\(job)/events?limit=200").json()
            #expect(list["data"]?.arrayValue == kept.map(\.data))
            #expect(kept.allSatisfy { $0.data["id"]?.intValue == $0.id })
        }
    }

    @Test("A client that is cut off anywhere goes on by Last-Event-ID, without a gap and without a duplicate")
    func resume() async throws {
        try await TestServer.run(withWorkers: true) { server in
            let job = try await submit(server, "quick", "?wait=20")
            let whole = try await read(server, "/v1/jobs/\(job)/events")
            let expected = try events(whole).filter { $0.id != nil }.map(\.data)
            // Head and chunk sizes come on top: the cuts go through everything.
            for cut in stride(from: 300, to: whole.count + 400, by: 97) {
                let before = try events(try await read(server, "/v1/jobs/\(job)/events", cutAfterBytes: cut))
                    .filter { $0.id != nil }
                var headers = [String: String]()
                if let last = before.last?.id { headers["Last-Event-ID"] = "\(last)" }
                let after = try events(try await read(server, "/v1/jobs/\(job)/events", headers))
                #expect(
                    before.map(\.data) + after.filter { $0.id != nil }.map(\.data) == expected,
                    "cut at \(cut)")
                #expect(after.last?.type == "end")
            }
        }
    }

    @Test("The stream of all jobs is live, and `types` chooses")
    func allJobs() async throws {
        try await TestServer.run(withWorkers: true) { server in
            async let bytes = read(server, "/v1/events?after=0&types=state") { bytes in
                String(decoding: bytes, as: UTF8.self).components(separatedBy: "\"to\":\"succeeded\"").count
                    > 2
            }
            let jobs = [try await submit(server, "quick"), try await submit(server, "quick")]
            let seen = try events(try await bytes)
            #expect(seen.allSatisfy { $0.type == "state" })
            #expect(Set(seen.compactMap { $0.data["job"]?.stringValue }) == Set(jobs))
            let ids = seen.compactMap(\.id)
            #expect(ids == ids.sorted() && Set(ids).count == ids.count)
        }
    }

    @Test("A running job tells its progress, and an id of another database gets a reset")
    func progressAndReset() async throws {
        try await TestServer.run(withWorkers: true) { server in
            let job = try await submit(server, "endless")
            _ = try await server.client.get("/v1/jobs/\(job)?wait=20&until=running")
            let live = try events(
                try await read(server, "/v1/jobs/\(job)/events", ["Last-Event-ID": "999999"]) { bytes in
                    let text = String(decoding: bytes, as: UTF8.self)
                    return text.contains("event: progress") && text.contains("event: reset")
                })
            #expect(live.first?.type == "reset" && live.first?.data["job"]?["id"]?.stringValue == job)
            #expect(live.contains { $0.type == "progress" && $0.data["progress"]?["step"] != nil })
            _ = try await server.client.post("/v1/jobs/\(job)/cancel", ["grace_seconds": 0])
        }
    }

    @Test("What is neither JSON nor a stream is 406; a wrong id is 400")
    func refusals() async throws {
        try await TestServer.run { server in
            try expectProblem(
                try await server.client.get("/v1/events", ["Accept": "image/png"]), 406, .notAcceptable)
            try expectProblem(
                try await server.client.get(
                    "/v1/events", ["Accept": "text/event-stream", "Last-Event-ID": "x"]), 400,
                .invalidParameter)
            try expectProblem(try await server.client.get("/v1/events?types=stat"), 400, .invalidParameter)
        }
    }
}
