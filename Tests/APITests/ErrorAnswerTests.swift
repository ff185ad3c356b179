// What every route answers to requests that are wrong, over real sockets.
import Foundation
import JobSpec
import Testing

@testable import API

@Suite struct ErrorAnswerTests {
    /// A path that the route's template matches, of something that does not exist.
    private func path(_ route: APIRoute) -> String {
        route.template.replacing(
            "{id}", with: route.template.contains("checkpoints/{id}") ? "ckpt_none" : "job_none"
        )
        .replacing("{name}", with: "nothing")
    }

    @Test("Every route refuses an unknown query parameter with 400, and answers what is missing with 404")
    func unknownParametersAndIdentifiers() async throws {
        try await TestServer.run(withWorkers: true) { server in
            for route in RouteCatalog.all where route.template != "/" {
                var headers = ["If-Match": "\"1\""]
                if route.operationID == "updateJob" { headers["Content-Type"] = "application/json" }
                let body: [UInt8] =
                    route.method == "PUT"
                    ? Array("a\n1\n".utf8)
                    : route.operationID == "updateJob" ? Array("{\"name\":\"x\"}".utf8) : []
                let refused = try await server.client.send(
                    route.method, path(route) + "?lmit=3", headers, body)
                let problem = try expectProblem(refused, 400, .invalidParameter)
                #expect(problem["errors"]?[0]?["pointer"]?.stringValue == "?lmit", "\(route.operationID)")
                guard route.template.contains("{"), route.method != "PUT" else { continue }
                let target = path(route) + (route.operationID == "getMetricSeries" ? "?name=a" : "")
                let missing = try await server.client.send(route.method, target, headers, body)
                try expectProblem(missing, 404, .notFound)
            }
        }
    }

    @Test("Every path answers an unknown method with 405 and the methods that it has")
    func unknownMethods() async throws {
        try await TestServer.run { server in
            for template in Set(RouteCatalog.all.map(\.template)) {
                let routes = RouteCatalog.all.filter { $0.template == template }
                let reply = try await server.client.send("BREW", path(routes[0]))
                try expectProblem(reply, 405, .methodNotAllowed)
                let allowed = Set(
                    (reply.headers["allow"] ?? "").split(separator: ",").map {
                        $0.trimmingCharacters(in: .whitespaces)
                    })
                #expect(allowed.isSuperset(of: routes.map(\.method)), "\(template): \(allowed)")
            }
        }
    }

    @Test(
        "HEAD has the fields of GET and no body",
        arguments: ["/livez", "/version", "/openapi.json", "/v1/catalog", "/v1/jobs"])
    func head(target: String) async throws {
        try await TestServer.run { server in
            let get = try await server.client.get(target)
            let head = try await server.client.send("HEAD", target)
            #expect(head.status == 200 && get.status == 200)
            #expect(head.body.isEmpty && !get.body.isEmpty)
            #expect(head.headers["content-length"] == get.headers["content-length"])
            #expect(head.headers["etag"] == get.headers["etag"])
        }
    }

    @Test("An unknown path is 404 and names the nearest one")
    func unknownPath() async throws {
        try await TestServer.run { server in
            let problem = try expectProblem(try await server.client.get("/v1/job"), 404, .notFound)
            #expect(problem["detail"]?.stringValue?.contains("did you mean /v1/jobs?") == true)
            try expectProblem(try await server.client.post("/v1/nothing/like/this", [:]), 404, .notFound)
        }
    }

    static let notJSON: [(name: String, body: [UInt8])] = [
        ("empty", []), ("a word", Array("hello".utf8)), ("cut", Array("{\"name\": \"a".utf8)),
        ("NaN", Array("{\"seed\": NaN}".utf8)), ("infinity", Array("{\"seed\": 1e999}".utf8)),
        ("a comment", Array("{} // no".utf8)), ("two values", Array("{}{}".utf8)),
        ("a repeated member", Array("{\"a\": 1, \"a\": 2}".utf8)), ("not UTF-8", [0x22, 0xff, 0x22]),
        ("a lone surrogate", Array("\"\\ud800\"".utf8)),
        ("a byte order mark", [0xef, 0xbb, 0xbf] + Array("{}".utf8)),
        ("100,000 levels", [UInt8](repeating: UInt8(ascii: "["), count: 100_000)),
        ("100,000 levels of objects", Array(String(repeating: "{\"a\":", count: 100_000).utf8)),
        ("an integer beyond 64 bits", Array("{\"seed\": 123456789012345678901234567890}".utf8)),
        ("a NUL", Array("{\"a\u{0}\": 1}".utf8)),
    ]

    @Test(
        "A body that is not JSON is 400 with the byte offset, line and column", arguments: notJSON.map(\.name)
    )
    func malformedJSON(name: String) async throws {
        let body = try #require(Self.notJSON.first { $0.name == name }).body
        try await TestServer.run { server in
            for target in ["/v1/jobs", "/v1/jobs?dry_run=plan", "/v1/validate"] {
                let reply = try await server.client.send(
                    "POST", target, ["Content-Type": "application/json"], body)
                let problem = try expectProblem(reply, 400, .invalidJSON)
                if !body.isEmpty {
                    #expect(problem["offset"]?.intValue != nil && problem["line"]?.intValue != nil)
                }
            }
        }
    }

    static let wrongSpecs: [(name: String, spec: String, pointer: String)] = [
        ("an array", "[]", "#"), ("a number", "1", "#"), ("nothing in it", "{}", "#/model"),
        ("a huge seed", "{\"seed\": 9223372036854775807}", "#/seed"),
        ("a negative seed", "{\"seed\": -1}", "#/seed"), ("a fraction", "{\"seed\": 0.5}", "#/seed"),
        ("a string for a number", "{\"priority\": \"high\"}", "#/priority"),
        ("a misspelt block", "{\"optimiser\": {}}", "#/optimiser"),
        ("a misspelt module", "{\"model\": {\"type\": \"Dens\", \"features\": 5}}", "#/model/type"),
        ("a misspelt argument", "{\"model\": {\"type\": \"Dense\", \"featurs\": 5}}", "#/model/featurs"),
        (
            "NaN as a string", "{\"optimizer\": {\"type\": \"sgd\", \"learning_rate\": \"NaN\"}}",
            "#/optimizer/learning_rate"
        ),
        ("a null model", "{\"model\": null}", "#/model"),
        (
            "60 levels",
            String(repeating: "{\"model\":", count: 60) + "1" + String(repeating: "}", count: 60), "#"
        ),
        ("huge features", "{\"model\": {\"type\": \"Dense\", \"features\": 1e300}}", "#/model/features"),
    ]

    @Test(
        "A spec that is wrong is 422 with the place, and /v1/validate says the same",
        arguments: wrongSpecs.map(\.name))
    func wrongSpec(name: String) async throws {
        let example = try #require(Self.wrongSpecs.first { $0.name == name })
        try await TestServer.run { server in
            let reply = try await server.client.send(
                "POST", "/v1/jobs", ["Content-Type": "application/json"], Array(example.spec.utf8))
            let problem = try expectProblem(reply, 422, .invalidSpec)
            let places = (problem["errors"]?.arrayValue ?? []).compactMap { $0["pointer"]?.stringValue }
            #expect(places.contains { $0.hasPrefix(example.pointer) }, "\(places)")
            let validation = try await server.client.send(
                "POST", "/v1/validate", ["Content-Type": "application/json"], Array(example.spec.utf8))
            #expect(validation.status == 200)
            let answer = try validation.json()
            #expect(answer["valid"]?.boolValue == false)
            #expect(answer["errors"] == problem["errors"])
        }
    }

    @Test("A body of another media type is 415, one that is too large is 413 and says the limit")
    func bodies() async throws {
        try await TestServer.run { server in
            let xml = try await server.client.send(
                "POST", "/v1/jobs", ["Content-Type": "text/xml"], Array("<a/>".utf8))
            try expectProblem(xml, 415, .unsupportedMediaType)
            let large = try await server.client.send(
                "POST", "/v1/jobs", ["Content-Type": "application/json"],
                [UInt8](repeating: 32, count: (8 << 20) + 1))
            let problem = try expectProblem(large, 413, .bodyTooLarge)
            #expect(problem["limit_bytes"]?.intValue == 8 << 20)
        }
    }

    @Test("No error tells how the server is built")
    func noInternals() async throws {
        try await TestServer.run { server in
            for (_, body) in Self.notJSON {
                let text = try await server.client.send("POST", "/v1/jobs", [:], body).text
                for word in ["Swift", ".swift", "SELECT", "GRDB", server.folder] {
                    #expect(!text.contains(word), "\(text.prefix(200))")
                }
            }
        }
    }
}
