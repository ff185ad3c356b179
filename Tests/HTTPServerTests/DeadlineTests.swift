// Slow and too many clients, with short configured limits.
import Synchronization
import Testing

@testable import HTTPServer

struct DeadlineTests {
    private func short(_ configuration: inout ServerConfiguration) {
        configuration.deadlines.headerSeconds = 0.3
        configuration.deadlines.bodyIdleSeconds = 0.3
        configuration.deadlines.bodyMinimumBytesPerSecond = 1000
        configuration.deadlines.keepAliveSeconds = 0.3
        configuration.deadlines.lingerSeconds = 0.1
        configuration.deadlines.sweepSeconds = 0.05
    }

    @Test("a header that drips is answered with 408 and closed, however often a byte comes")
    func slowHeader() async throws {
        try await withServer(TestRoutes.all, configure: short) { port, _ in
            try await blocking {
                let client = try RawClient(port: port)
                client.send("GET /hello HTTP/1.1\r\nHost: a\r\n")
                DispatchedDrip.run { client.send("X") }
                let response = client.readResponse()
                #expect(response?.status == 408)
                #expect(response?.header("connection") == "close")
            }
        }
    }

    @Test("a body that stops is answered with 408")
    func stoppedBody() async throws {
        try await withServer(TestRoutes.all, configure: short) { port, _ in
            try await blocking {
                let client = try RawClient(port: port)
                client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
                #expect(client.readResponse()?.status == 408)
                #expect(client.isAtEnd())
            }
        }
    }

    @Test("a body below the minimum rate is answered with 408, though it never pauses for long")
    func slowBody() async throws {
        try await withServer(TestRoutes.all, configure: short) { port, _ in
            try await blocking {
                let client = try RawClient(port: port)
                client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
                DispatchedDrip.run { client.send("x") }
                #expect(client.readResponse()?.status == 408)
            }
        }
    }

    @Test("idle connections are closed without a word, before and after a request")
    func keepAlive() async throws {
        try await withServer(TestRoutes.all, configure: short) { port, _ in
            try await blocking {
                let fresh = try RawClient(port: port)
                #expect(fresh.isAtEnd())
                let used = try RawClient(port: port)
                used.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(used.readResponse()?.status == 200)
                #expect(used.isAtEnd())
            }
        }
    }

    @Test("a client that takes nothing of its response is cut off")
    func writeStall() async throws {
        let rejections = AsyncStream<ServerObserver.Rejection>.makeStream()
        var observer = ServerObserver()
        observer.rejected = { rejections.continuation.yield($0) }
        let big = [UInt8](repeating: 120, count: 20_000_000)
        let route = Route(.get, "/big", handler: .inline { _ in .bytes(big, contentType: "text/plain") })
        try await withServer(
            [route], observer: observer,
            configure: {
                $0.deadlines.writeStallSeconds = 0.3
                $0.deadlines.sweepSeconds = 0.05
            }
        ) { port, _ in
            let client = try RawClient(port: port, receiveBufferBytes: 8192)
            client.send("GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
            for await reason in rejections.stream {
                #expect(reason == .writeStalled)
                break
            }
        }
    }

    @Test("a handler has no deadline")
    func slowHandler() async throws {
        let route = Route(
            .get, "/slow",
            handler: .asynchronous { _ in
                try? await Task.sleep(for: .seconds(1))
                return .text("late")
            })
        try await withServer([route], configure: short) { port, _ in
            try await blocking {
                let client = try RawClient(port: port)
                client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(client.readResponse()?.text == "late")
            }
        }
    }

    @Test("connections above the limit get 503 and the room is given back", arguments: [true, false])
    func connectionLimit(_ byAddress: Bool) async throws {
        try await withServer(
            TestRoutes.all,
            configure: {
                if byAddress { $0.limits.connectionsPerAddress = 3 } else { $0.limits.connections = 3 }
                $0.deadlines.lingerSeconds = 0.1
                $0.deadlines.sweepSeconds = 0.05
            }
        ) { port, server in
            try await blocking {
                let request = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"
                var clients = try (0..<3).map { _ in try RawClient(port: port) }
                for client in clients {
                    client.send(request)
                    #expect(client.readResponse()?.status == 200)
                }
                let refused = try RawClient(port: port)
                refused.send(request)
                let response = refused.readResponse()
                #expect(response?.status == 503)
                #expect(response?.header("retry-after") == "1")
                #expect(refused.isAtEnd())
                for client in clients {
                    client.send(request)
                    #expect(client.readResponse()?.status == 200)
                }
                let last = clients.removeLast()
                last.send("GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                #expect(last.readResponse()?.status == 200)
                last.shutSending()
                #expect(last.isAtEnd())
            }
            for _ in 0..<500 where server.connectionCount > 2 { try await Task.sleep(for: .milliseconds(10)) }
            let status = try await blocking {
                let client = try RawClient(port: port)
                client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
                return client.readResponse()?.status
            }
            #expect(status == 200)
        }
    }

    @Test("loopback is outside of the address limit only when the configuration says so")
    func loopbackExemption() {
        var limits = ServerConfiguration.Limits()
        limits.connectionsPerAddress = 1
        let strict = ConnectionLedger(limits: limits)
        #expect(strict.add("127.0.0.1") == .accepted)
        #expect(strict.add("127.0.0.1") == .tooManyFromAddress)
        limits.loopbackIsExempt = true
        let lenient = ConnectionLedger(limits: limits)
        #expect((0..<5).allSatisfy { _ in lenient.add("127.0.0.1") == .accepted })
        #expect(lenient.add("10.0.0.1") == .accepted)
        #expect(lenient.add("10.0.0.1") == .tooManyFromAddress)
    }
}
