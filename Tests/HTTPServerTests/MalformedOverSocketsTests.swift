// The malformed table against a listening server: status, closed connection, and the server lives on.
import Testing

@testable import HTTPServer

struct MalformedOverSocketsTests {
    @Test(
        "a malformed request gets its status and a closed connection; a smuggled second request gets nothing")
    func malformedRequests() async throws {
        try await withServer(TestRoutes.all, configure: { $0.deadlines.lingerSeconds = 0.2 }) { port, _ in
            try await blocking {
                for request in MalformedRequest.all {
                    let client = try RawClient(port: port)
                    client.send(request.bytes + Array("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
                    client.shutSending()
                    let response = client.readResponse()
                    #expect(response?.status == request.status, "\(request.name)")
                    #expect(response?.header("connection") == "close", "\(request.name)")
                    #expect(response?.header("x-request-id") != nil, "\(request.name)")
                    #expect(client.isAtEnd(), "\(request.name): more than one response")
                }
                let client = try RawClient(port: port)
                client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(client.readResponse()?.text == "hello")
            }
        }
    }

    @Test("a rejection reaches a client that is still sending, because the close lingers")
    func lingeringClose() async throws {
        try await withServer(TestRoutes.all) { port, _ in
            try await blocking {
                let client = try RawClient(port: port)
                client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4000000\r\n\r\n")
                client.send([UInt8](repeating: 120, count: 1_000_000))
                #expect(client.readResponse()?.status == 413)
            }
        }
    }

    @Test(
        "methods and paths without a route are told so",
        arguments: [
            ("get", "/hello", 405), ("DELETE", "/hello", 405), ("BREW", "/hello", 405),
            ("BREW", "/nothing", 501),
            ("GET", "/nothing", 404), ("GET", "/hello/", 404), ("GET", "//hello", 404),
            ("OPTIONS", "/hello", 204),
            ("OPTIONS", "/nothing", 404), ("OPTIONS", "*", 204),
        ])
    func unrouted(_ method: String, _ target: String, _ status: Int) async throws {
        try await withServer(TestRoutes.all) { port, _ in
            try await blocking {
                let client = try RawClient(port: port)
                client.send(
                    "\(method) \(target) HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
                let response = client.readResponse()
                #expect(response?.status == status)
                if status == 405 || status == 204 {
                    let allow = response?.header("allow") ?? ""
                    #expect(allow.contains("GET, HEAD") && allow.contains("OPTIONS"))
                }
                #expect(client.readResponse()?.text == "hello")
            }
        }
    }
}
