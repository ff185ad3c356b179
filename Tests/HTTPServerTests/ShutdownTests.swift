// Starting and stopping: requests in flight, streams, idle connections, ports in use.
import Testing

@testable import HTTPServer

struct ShutdownTests {
    @Test("a shutdown lets the request in flight finish, closes idle connections and refuses new ones")
    func finishesRequests() async throws {
        let started = AsyncStream<Void>.makeStream()
        let release = AsyncStream<Void>.makeStream()
        let route = Route(
            .get, "/slow",
            handler: .asynchronous { _ in
                started.continuation.yield()
                for await _ in release.stream { break }
                return .text("finished")
            })
        try await withServer([route, TestRoutes.hello]) { port, server in
            let idle = try RawClient(port: port)
            idle.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try await blocking { idle.readResponse()?.status } == 200)
            let busy = try RawClient(port: port)
            busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
            for await _ in started.stream { break }
            async let stopped: Void = server.shutdown(graceSeconds: 20)
            #expect(try await blocking { idle.isAtEnd() })
            #expect(throws: (any Error).self) { try RawClient(port: port) }
            release.continuation.yield()
            let response = try await blocking { busy.readResponse() }
            #expect(response?.text == "finished")
            #expect(response?.header("connection") == "close")
            #expect(try await blocking { busy.isAtEnd() })
            busy.shutSending()
            await stopped
        }
    }

    @Test("streams are told to end and may say goodbye; long polls are cancelled and may answer")
    func tellsStreams() async throws {
        let started = AsyncStream<Void>.makeStream()
        let stream = Route(
            .get, "/events",
            handler: .inline { _ in
                .serverSentEvents { writer in
                    try? await writer.write(Array("data: first\n\n".utf8))
                    started.continuation.yield()
                    try? await Task.sleep(for: .seconds(60))
                    if writer.isEnding { try? await writer.write(Array("event: bye\ndata: {}\n\n".utf8)) }
                }
            })
        let poll = Route(
            .get, "/poll", cancelsOnShutdown: true,
            handler: .asynchronous { _ in
                started.continuation.yield()
                try? await Task.sleep(for: .seconds(60))
                return .text("nothing yet")
            })
        try await withServer([stream, poll]) { port, server in
            let listener = try RawClient(port: port)
            listener.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
            let poller = try RawClient(port: port)
            poller.send("GET /poll HTTP/1.1\r\nHost: a\r\n\r\n")
            var count = 0
            for await _ in started.stream {
                count += 1
                if count == 2 { break }
            }
            async let stopped: Void = server.shutdown(graceSeconds: 20)
            let text = try await blocking {
                defer { listener.shutSending() }
                return listener.readResponse()?.text
            }
            #expect(text == "data: first\n\nevent: bye\ndata: {}\n\n")
            let answer = try await blocking {
                defer { poller.shutSending() }
                return poller.readResponse()?.text
            }
            #expect(answer == "nothing yet")
            await stopped
        }
    }

    @Test("after the grace everything is closed and handlers are cancelled")
    func graceEnds() async throws {
        let started = AsyncStream<Void>.makeStream()
        let outcome = AsyncStream<Bool>.makeStream()
        let route = Route(
            .get, "/stuck",
            handler: .asynchronous { _ in
                started.continuation.yield()
                try? await Task.sleep(for: .seconds(60))
                outcome.continuation.yield(Task.isCancelled)
                return .text("")
            })
        try await withServer([route]) { port, server in
            let client = try RawClient(port: port)
            client.send("GET /stuck HTTP/1.1\r\nHost: a\r\n\r\n")
            for await _ in started.stream { break }
            await server.shutdown(graceSeconds: 0.1)
            for await cancelled in outcome.stream {
                #expect(cancelled)
                break
            }
            #expect(try await blocking { client.isAtEnd() })
        }
    }

    @Test("a port in use, or an address of another machine, is an error that says so")
    func startErrors() async throws {
        try await withServer([TestRoutes.hello]) { port, server in
            var configuration = ServerConfiguration()
            configuration.port = port
            let second = try HTTPServer(configuration: configuration, routes: [])
            let error = #expect(throws: SocketError.self) { try second.start() }
            #expect(error?.description.contains("127.0.0.1:\(port)") == true)
            #expect(error?.description.contains("choose another port") == true)
            configuration.host = "203.0.113.7"
            let elsewhere = try HTTPServer(configuration: configuration, routes: [])
            #expect(throws: SocketError.self) { try elsewhere.start() }
            #expect(throws: SocketError.self) { try server.start() }
        }
    }

    @Test("a server can be started again after a shutdown, and closed connections are freed")
    func restart() async throws {
        for _ in 0..<3 {
            try await withServer([TestRoutes.hello]) { port, server in
                try await blocking {
                    for _ in 0..<20 {
                        let client = try RawClient(port: port)
                        client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
                        #expect(client.readResponse()?.text == "hello")
                    }
                }
                for _ in 0..<500 where server.connectionCount > 0 {
                    try await Task.sleep(for: .milliseconds(10))
                }
                #expect(server.connectionCount == 0)
            }
        }
    }
}
