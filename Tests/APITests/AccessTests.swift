// Who may call: tokens, Host and Origin.
import JobSpec
import Logging
import Scheduler
import Store
import Testing

@testable import API

@Suite struct AccessTests {
    static let token = "a-token-of-this-test-0123456789"

    @Test("With a token, every /v1 route asks for it, and the open routes do not")
    func tokens() async throws {
        try await TestServer.run(token: Self.token) { server in
            let stranger = TestClient(port: server.client.port)
            for route in RouteCatalog.all {
                let path = route.template.replacing("{id}", with: "x").replacing("{name}", with: "x")
                let reply = try await stranger.send(route.method, path)
                if route.template.hasPrefix("/v1") {
                    try expectProblem(reply, 401, .unauthenticated)
                    #expect(reply.headers["www-authenticate"]?.hasPrefix("Bearer") == true)
                } else {
                    #expect(reply.status != 401, "\(route.template)")
                }
            }
            for wrong in [
                "", "Bearer", "Bearer ", "Basic \(Self.token)", "Bearer \(Self.token)x",
                "Bearer \(Self.token.dropLast())",
            ] {
                let reply = try await stranger.get("/v1/jobs", ["Authorization": wrong])
                try expectProblem(reply, 401, .unauthenticated)
            }
            #expect(try await server.client.get("/v1/jobs").status == 200)
            #expect(
                try await stranger.get("/v1/jobs", ["Authorization": "bearer \(Self.token)"]).status == 200)
        }
    }

    @Test("A page whose name was bound to 127.0.0.1 is refused, this machine's names are not")
    func hosts() async throws {
        try await TestServer.run { server in
            for host in [
                "evil.example", "127.0.0.1.evil.example:7070", "localhost.evil.example", "10.0.0.1", "[::2]",
            ] {
                try expectProblem(try await server.client.get("/v1/jobs", ["Host": host]), 403, .forbidden)
            }
            for host in [
                "localhost", "LOCALHOST:1", "127.0.0.1:7070", "127.9.9.9", "[::1]:7070", "spindle.localhost",
            ] {
                #expect(try await server.client.get("/v1/jobs", ["Host": host]).status == 200, "\(host)")
            }
        }
    }

    @Test("A web page of another origin may not write")
    func origins() async throws {
        try await TestServer.run { server in
            let port = server.client.port
            for origin in [
                "http://evil.example", "null", "http://127.0.0.1:1", "http://localhost:\(port)",
                "127.0.0.1:\(port)",
            ] {
                for (method, path) in [
                    ("POST", "/v1/jobs"), ("PUT", "/v1/datasets/a"), ("DELETE", "/v1/datasets/a"),
                ] {
                    let reply = try await server.client.send(
                        method, path, ["Origin": origin], Array("{}".utf8))
                    try expectProblem(reply, 403, .forbidden)
                }
            }
            let own = try await server.client.post(
                "/v1/validate", [:], ["Origin": "http://127.0.0.1:\(port)"])
            #expect(own.status == 200)
            #expect(
                try await server.client.get("/v1/jobs", ["Origin": "http://evil.example"]).headers[
                    "access-control-allow-origin"] == nil)
        }
    }

    @Test("An address that others can reach needs a token, or the plain wish to do without")
    func openNetwork() async throws {
        try await TestServer.run { server in
            var configuration = APIConfiguration(version: "1")
            configuration.server.host = "0.0.0.0"
            func make(_ configuration: APIConfiguration, open: Bool) throws {
                _ = try APIServer(
                    configuration: configuration, store: server.store, scheduler: server.scheduler,
                    allowsOpenNetwork: open, logger: Logger(label: "test"))
            }
            let closed = configuration
            #expect(throws: APIServerError.self) { try make(closed, open: false) }
            try make(configuration, open: true)
            configuration.token = Self.token
            try make(configuration, open: false)
        }
    }

    @Test(
        "Equality in constant time is still equality",
        arguments: [
            ("", "", true), ("a", "a", true), ("a", "b", false), ("a", "aa", false), ("aa", "a", false),
        ])
    func constantTime(left: String, right: String, equal: Bool) {
        #expect(constantTimeEqual(Array(left.utf8), Array(right.utf8)) == equal)
    }
}
