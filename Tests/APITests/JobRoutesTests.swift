// The life of jobs over HTTP, with a worker that only speaks the protocol.
import Foundation
import JobSpec
import TestSupport
import Testing

@testable import API

@Suite(.serialized) struct JobRoutesTests {
    /// Submits and returns the job.
    private func submit(_ server: TestServer, _ name: String, _ query: String = "") async throws -> JSONValue
    {
        let reply = try await server.client.post("/v1/jobs" + query, spec(name))
        #expect(reply.status == 201, "\(reply.text.prefix(300))")
        return try reply.json()
    }

    private func id(_ job: JSONValue) throws -> String { try #require(job["id"]?.stringValue) }

    @Test("A job is submitted, runs, and everything about it can be read")
    func wholeLife() async throws {
        try await TestServer.run(withWorkers: true) { server in
            let client = server.client
            let created = try await client.post("/v1/jobs", spec("quick"))
            #expect(created.status == 201)
            let job = try id(try created.json())
            #expect(created.headers["location"] == "/v1/jobs/\(job)")
            let ended = try await client.get("/v1/jobs/\(job)?wait=20&until=terminal").json()
            #expect(ended["state"]?.stringValue == "succeeded", "\(ended.serialized())")
            #expect(
                ended["progress"]?["step"]?.intValue == 3 && ended["progress"]?["ratio"]?.doubleValue == 1)
            #expect(ended["latest"]?["train/loss"]?.doubleValue == 0.125)
            #expect(ended["allowed_actions"]?.arrayValue?.compactMap(\.stringValue) == ["delete"])
            #expect(ended["error"] == .null)

            let submitted = try await client.get("/v1/jobs/\(job)/spec")
            #expect(submitted.body == spec("quick").serializedBytes())
            #expect(submitted.headers["cache-control"]?.contains("immutable") == true)
            let effective = try await client.get("/v1/jobs/\(job)/effective-spec").json()
            #expect(effective["priority"]?.intValue == 50)

            let plan = try await client.get("/v1/jobs/\(job)/plan").json()
            #expect(plan["parameter_count"]?.intValue == 55)
            let attempts = try await client.get("/v1/jobs/\(job)/attempts").json()
            #expect(attempts["data"]?[0]?["outcome"]?.stringValue == "succeeded")
            let log = try await client.get("/v1/jobs/\(job)/logs?tail=1")
            #expect(
                log.text.contains("a line of the log")
                    && log.headers["content-type"]?.hasPrefix("text/plain") == true)

            let metrics = try await client.get("/v1/jobs/\(job)/metrics").json()
            let summary = metrics["data"]?[0]
            #expect(summary?["name"]?.stringValue == "train/loss" && summary?["count"]?.intValue == 3)
            #expect(summary?["min"]?.doubleValue == 0.125 && summary?["max"]?.doubleValue == 0.5)
            let series = try await client.get("/v1/jobs/\(job)/metrics/series?name=train%2Floss").json()
            #expect(
                series["data"]?[0]?["steps"] == [0, 1, 2]
                    && series["data"]?[0]?["values"] == [0.5, 0.25, 0.125])
            let part = try await client.get(
                "/v1/jobs/\(job)/metrics/series?name=train/loss&from=1&to=1", ["Accept": "text/csv"])
            #expect(part.text == "name,step,value\r\ntrain/loss,1,0.25\r\n")
            let fewer = try await client.get("/v1/jobs/\(job)/metrics/series?name=train/loss&max_points=2")
                .json()
            #expect(fewer["downsampled"]?.boolValue == true && fewer["source_points"]?.intValue == 3)
            let unknown = try await client.get("/v1/jobs/\(job)/metrics/series?name=train/los")
            try expectProblem(unknown, 400, .invalidParameter)

            let list = try await client.get("/v1/jobs/\(job)/checkpoints").json()
            let checkpoint = try id(try #require(list["data"]?[0]))
            let record = try await client.get("/v1/checkpoints/\(checkpoint)").json()
            let content = try await client.get("/v1/checkpoints/\(checkpoint)/content")
            #expect(content.text == "state of step 3")
            #expect(content.headers["etag"] == "\"\(record["digest"]?.stringValue ?? "")\"")
            #expect(content.headers["repr-digest"]?.hasPrefix("sha-256=:") == true)
            #expect(content.headers["content-disposition"]?.contains("step-3.msgpack") == true)
            let part2 = try await client.get("/v1/checkpoints/\(checkpoint)/content", ["Range": "bytes=9-"])
            #expect(part2.status == 206 && part2.text == "step 3")
            let beyond = try await client.get("/v1/checkpoints/\(checkpoint)/content", ["Range": "bytes=99-"])
            #expect(beyond.status == 416 && beyond.headers["content-range"] == "bytes */15")
            let known = try await client.get(
                "/v1/checkpoints/\(checkpoint)/content", ["If-None-Match": content.headers["etag"] ?? ""])
            #expect(known.status == 304 && known.body.isEmpty)

            #expect(try await client.send("DELETE", "/v1/jobs/\(job)").status == 204)
            try expectProblem(try await client.get("/v1/jobs/\(job)"), 410, .gone)
            try expectProblem(try await client.send("DELETE", "/v1/jobs/\(job)"), 410, .gone)
        }
    }

    @Test(
        "An unchanged job is 304 for the client that has it, also from memory, and the ETag is the revision")
    func entityTags() async throws {
        try await TestServer.run(withWorkers: true) { server in
            let job = try id(try await submit(server, "quick", "?wait=20"))
            let first = try await server.client.get("/v1/jobs/\(job)")
            let tag = try #require(first.headers["etag"])
            #expect(tag == "\"\(try first.json()["revision"]?.intValue ?? -1)\"")
            for target in [
                "/v1/jobs/\(job)", "/v1/jobs/\(job)?wait=0", "/v1/jobs/\(job)?wait=0.05&until=change",
            ] {
                let again = try await server.client.get(target, ["If-None-Match": tag])
                #expect(again.status == 304 && again.body.isEmpty, "\(target)")
            }
            #expect(try await server.client.get("/v1/jobs/\(job)", ["If-None-Match": "\"0\""]).status == 200)
        }
    }

    @Test("A job whose checkpoint another one starts from is not deleted: 409 names the other")
    func startingCheckpoint() async throws {
        try await TestServer.run(withWorkers: true) { server in
            let client = server.client
            let first = try id(try await submit(server, "quick", "?wait=20"))
            let list = try await client.get("/v1/jobs/\(first)/checkpoints").json()
            let checkpoint = try id(try #require(list["data"]?[0]))
            let later = spec("endless").setting("/init", to: ["checkpoint": .string(checkpoint)])
            let created = try await client.post("/v1/jobs", later)
            #expect(created.status == 201, "\(created.text.prefix(300))")
            let second = try id(try created.json())
            let refused = try expectProblem(
                try await client.send("DELETE", "/v1/jobs/\(first)"), 409, .stateConflict)
            #expect(refused["referenced_by"] == [.string(second)])
            _ = try await client.post("/v1/jobs/\(second)/cancel", ["grace_seconds": 0])
            try await waitFor("cancelled", second, client)
            #expect(try await client.send("DELETE", "/v1/jobs/\(first)").status == 204)
        }
    }

    @Test("A change needs the ETag: without it 428, with an old one 412; wrong fields are named all at once")
    func patch() async throws {
        try await TestServer.run(withWorkers: true) { server in
            let job = try id(try await submit(server, "endless"))
            func patch(_ body: JSONValue, _ tag: String?) async throws -> Reply {
                var headers = ["Content-Type": "application/merge-patch+json"]
                if let tag { headers["If-Match"] = tag }
                return try await server.client.send(
                    "PATCH", "/v1/jobs/\(job)", headers, body.serializedBytes())
            }
            try expectProblem(try await patch(["priority": 80], nil), 428, .preconditionRequired)
            try expectProblem(try await patch(["priority": 80], "\"0\""), 412, .preconditionFailed)
            let wrong = try await patch(["priorty": 1, "priority": 101, "labels": ["a": 1], "name": ""], "*")
            let problem = try expectProblem(wrong, 422, .invalidPatch)
            let places = Set((problem["errors"]?.arrayValue ?? []).compactMap { $0["pointer"]?.stringValue })
            #expect(places == ["#/priorty", "#/priority", "#/labels/a", "#/name"])
            let changed = try await patch(["priority": 80, "labels": ["team": "a"], "name": "renamed"], "*")
            let value = try changed.json()
            #expect(
                value["priority"]?.intValue == 80 && value["labels"] == ["team": "a"]
                    && value["name"] == "renamed")
            let removed = try await patch(["labels": ["team": nil]], "*").json()
            #expect(removed["labels"] == [:])
            _ = try await server.client.post("/v1/jobs/\(job)/cancel", ["grace_seconds": 1])
        }
    }

    @Test("Pause, resume, cancel and retry are accepted where the state allows, and 409 says what it allows")
    func verbs() async throws {
        try await TestServer.run(withWorkers: true) { server in
            let client = server.client
            let job = try id(try await submit(server, "endless"))
            let running = try await client.get("/v1/jobs/\(job)?wait=20&until=running").json()
            #expect(running["state"]?.stringValue == "running")
            let conflict = try expectProblem(
                try await client.post("/v1/jobs/\(job)/resume"), 409, .stateConflict)
            #expect(conflict["state"]?.stringValue == "running")
            #expect(
                conflict["allowed_actions"]?.arrayValue?.compactMap(\.stringValue) == ["pause", "cancel"])
            try expectProblem(try await client.send("DELETE", "/v1/jobs/\(job)"), 409, .stateConflict)
            try expectProblem(
                try await client.post("/v1/jobs/\(job)/pause", ["now": true]), 422, .unknownField)

            let pausing = try await client.post("/v1/jobs/\(job)/pause")
            #expect(pausing.status == 202 && pausing.headers["location"] == "/v1/jobs/\(job)")
            try await waitFor("paused", job, client)
            #expect(try await client.post("/v1/jobs/\(job)/resume").status == 202)
            _ = try await client.get("/v1/jobs/\(job)?wait=20&until=running")
            #expect(try await client.post("/v1/jobs/\(job)/cancel", ["reason": "enough"]).status == 202)
            try await waitFor("cancelled", job, client)
            #expect(try await client.post("/v1/jobs/\(job)/cancel").status == 200, "cancelled before")
            #expect(try await client.post("/v1/jobs/\(job)/retry", ["from": "scratch"]).status == 202)
            _ = try await client.get("/v1/jobs/\(job)?wait=20&until=running")
            _ = try await client.post("/v1/jobs/\(job)/cancel", ["grace_seconds": 0])
            try await waitFor("cancelled", job, client)
        }
    }

    /// By long polls for any change.
    private func waitFor(_ state: String, _ job: String, _ client: TestClient) async throws {
        var tag = ""
        for _ in 0..<50 {
            let reply = try await client.get("/v1/jobs/\(job)?wait=5&until=change", ["If-None-Match": tag])
            if reply.status == 304 { continue }
            tag = reply.headers["etag"] ?? ""
            if try reply.json()["state"]?.stringValue == state { return }
        }
        Issue.record("\(job) did not become \(state)")
    }

    @Test("A failed job carries the error of its worker")
    func failure() async throws {
        try await TestServer.run(withWorkers: true) { server in
            let job = try await submit(server, "broken", "?wait=20")
            #expect(job["state"]?.stringValue == "failed")
            #expect(job["error"]?["code"]?.stringValue == "nonfinite_loss")
        }
    }

    @Test("What the planner refuses is 422 with the engine's places, for POST, dry run and validate")
    func planning() async throws {
        try await TestServer.run(withWorkers: true) { server in
            for target in ["/v1/jobs", "/v1/jobs?dry_run=plan"] {
                let problem = try expectProblem(
                    try await server.client.post(target, spec("misshapen")), 422, .shapeMismatch)
                #expect(problem["errors"]?[0]?["pointer"]?.stringValue == "#/model/features")
            }
            let invalid = try await server.client.post("/v1/validate", spec("misshapen")).json()
            #expect(invalid["valid"]?.boolValue == false)
            let valid = try await server.client.post("/v1/validate", spec("quick")).json()
            #expect(valid["valid"]?.boolValue == true && valid["plan"]?["parameter_count"]?.intValue == 55)
            let dry = try await server.client.post("/v1/jobs?dry_run=plan", spec("quick"))
            #expect(dry.status == 200)
            #expect(try await server.client.get("/v1/jobs").json()["data"] == [])
        }
    }

    @Test("100 requests with one key at once make one job and get one answer; another body is 422")
    func idempotency() async throws {
        try await TestServer.run(withWorkers: true) { server in
            let client = server.client
            let replies = try await withThrowingTaskGroup(of: Reply.self) { group in
                for _ in 0..<100 {
                    group.addTask {
                        try await client.post("/v1/jobs", spec("quick"), ["Idempotency-Key": "\"k\""])
                    }
                }
                return try await group.reduce(into: [Reply]()) { $0.append($1) }
            }
            #expect(replies.allSatisfy { $0.status == 201 })
            #expect(Set(replies.map(\.text)).count == 1)
            #expect(replies.filter { $0.headers["idempotency-replayed"] == nil }.count == 1)
            #expect(try await client.get("/v1/jobs").json()["data"]?.arrayValue?.count == 1)
            let bare = try await client.post("/v1/jobs", spec("quick"), ["Idempotency-Key": "k"])
            #expect(bare.headers["idempotency-replayed"] == "true", "a bare token is the same key")
            try expectProblem(
                try await client.post("/v1/jobs", spec("quicker"), ["Idempotency-Key": "k"]), 422,
                .idempotencyMismatch)
            try expectProblem(
                try await client.post("/v1/jobs", spec("quick"), ["Idempotency-Key": "\"open"]), 400,
                .invalidParameter)
        }
    }

    @Test("The list has pages, filters and an order; a cursor belongs to its question")
    func list() async throws {
        try await TestServer.run(withWorkers: true) { server in
            var ids = [String]()
            for index in 0..<5 { ids.append(try id(try await submit(server, "quick\(index)", "?wait=20"))) }
            let client = server.client
            func all(_ query: String) async throws -> [String] {
                var found = [String]()
                var cursor: String?
                repeat {
                    let reply = try await client.get(
                        "/v1/jobs?limit=2\(query)" + (cursor.map { "&after=\($0)" } ?? ""))
                    let page = try reply.json()
                    found += (page["data"]?.arrayValue ?? []).compactMap { $0["id"]?.stringValue }
                    cursor = page["next"]?.stringValue
                    #expect(page["has_more"]?.boolValue == (cursor != nil))
                    #expect((reply.headers["link"]?.contains("rel=\"next\"") ?? false) == (cursor != nil))
                } while cursor != nil && found.count < 20
                return found
            }
            #expect(try await all("") == ids.reversed())
            #expect(try await all("&order=asc") == ids)
            #expect(try await all("&state=succeeded&state=failed&order=asc") == ids)
            #expect(try await all("&state=queued") == [])
            #expect(try await all("&q=QUICK3") == [ids[3]])
            let page = try await client.get("/v1/jobs?limit=2").json()
            let cursor = try #require(page["next"]?.stringValue)
            try expectProblem(
                try await client.get("/v1/jobs?limit=2&order=asc&after=\(cursor)"), 400, .invalidCursor)
            try expectProblem(try await client.get("/v1/jobs?state=runing"), 400, .invalidParameter)
        }
    }

    @Test("The metrics page is well-formed after all of this, and a flood of paths adds no series")
    func prometheus() async throws {
        try await TestServer.run(withWorkers: true) { server in
            _ = try await submit(server, "quick", "?wait=20")
            for index in 0..<200 { _ = try await server.client.get("/v1/\(index)/\(UUID().uuidString)") }
            let reply = try await server.client.get("/metrics")
            #expect(reply.headers["content-type"] == PrometheusText.mediaType)
            var types = [String: String]()
            var series = Set<String>()
            for line in reply.text.split(separator: "\n") {
                let words = line.split(separator: " ")
                if line.hasPrefix("# TYPE") {
                    #expect(types.updateValue(String(words[3]), forKey: String(words[2])) == nil, "\(line)")
                } else if !line.hasPrefix("#") {
                    let name = String(line.prefix { $0 != "{" && $0 != " " })
                    let family = ["_bucket", "_sum", "_count"].first {
                        name.hasSuffix($0) && types[String(name.dropLast($0.count))] == "histogram"
                    }
                    #expect(types[family.map { String(name.dropLast($0.count)) } ?? name] != nil, "\(line)")
                    #expect(words.last.flatMap { Double($0) } != nil, "\(line)")
                    #expect(series.insert(words.dropLast().joined(separator: " ")).inserted, "\(line)")
                }
            }
            #expect(series.count < 500)
            #expect(
                reply.text.contains(
                    "spindle_http_requests_total{route=\"unmatched\",method=\"any\",code=\"404\"} 200"))
            #expect(reply.text.contains("spindle_jobs{state=\"succeeded\"} 1"))
            #expect(reply.text.contains("code=\"other\"") == false, "an undocumented status")
        }
    }
}
