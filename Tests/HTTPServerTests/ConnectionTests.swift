// Exchanges over real sockets: pipelining, bodies, 100-continue, HEAD, persistence, admission, what the
// observer sees.
import Glibc
import Synchronization
import Testing

@testable import HTTPServer

struct ConnectionTests {
    @Test("pipelined requests are answered in order, also behind asynchronous handlers")
    func pipelining() async throws {
        try await withServer(TestRoutes.all) { port, _ in
            try await blocking {
                let client = try RawClient(port: port)
                var text = ""
                for index in 0..<50 {
                    text += "GET /later/\(index) HTTP/1.1\r\nHost: a\r\n\r\n"
                    text += "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n\(100 + index)"
                    text += "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"
                }
                client.send(text)
                for index in 0..<50 {
                    #expect(client.readResponse()?.text == "\(index)")
                    #expect(client.readResponse()?.text == "\(100 + index)")
                    #expect(client.readResponse()?.text == "hello")
                }
            }
        }
    }

    @Test("more pipelined requests than fit the window are all answered, even after the client's half-close")
    func deepPipelining() async throws {
        try await withServer(TestRoutes.all, configure: { $0.limits.pipelineBytes = 4096 }) { port, _ in
            try await blocking {
                let client = try RawClient(port: port)
                let sender = try RawClient(port: port)
                _ = sender
                client.send(String(repeating: "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", count: 3000))
                client.shutSending()
                var count = 0
                while let response = client.readResponse() {
                    #expect(response.text == "hello")
                    count += 1
                }
                #expect(count == 3000)
            }
        }
    }

    @Test("a chunked body arrives whole, with extensions and trailers left out")
    func chunkedBody() async throws {
        try await withServer(TestRoutes.all) { port, _ in
            try await blocking {
                let client = try RawClient(port: port)
                client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
                for piece in ["3;x=y\r\nabc\r", "\n0", "2\r\nde\r\n0\r\nTrailer: ", "z\r\n\r\n"] {
                    client.send(piece)
                    usleep(2000)
                }
                #expect(client.readResponse()?.text == "abcde")
                client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(client.readResponse()?.text == "hello")
            }
        }
    }

    @Test("Expect: 100-continue is answered before the body, and a refusal comes without it")
    func expectContinue() async throws {
        try await withServer(TestRoutes.all) { port, _ in
            try await blocking {
                let client = try RawClient(port: port)
                client.send(
                    "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-Continue\r\n\r\n")
                #expect(client.readResponse()?.status == 100)
                client.send("ok")
                #expect(client.readResponse()?.text == "ok")
                client.send(
                    "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\nExpect: 100-continue\r\n\r\n"
                )
                let refusal = client.readResponse()
                #expect(refusal?.status == 413)
                #expect(refusal?.header("connection") == "close")
                #expect(client.isAtEnd())
            }
        }
    }

    @Test("HEAD has the fields of GET and no body")
    func head() async throws {
        try await withServer(TestRoutes.all) { port, _ in
            try await blocking {
                let client = try RawClient(port: port)
                client.send(
                    "HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\nHEAD /nothing HTTP/1.1\r\nHost: a\r\n\r\n")
                let response = client.readResponse(toHead: true)
                #expect(response?.status == 200)
                #expect(response?.header("content-length") == "5")
                #expect(response?.header("content-type") == "text/plain; charset=utf-8")
                #expect(client.readResponse(toHead: true)?.status == 404)
                client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(client.readResponse()?.text == "hello")
            }
        }
    }

    @Test("HTTP/1.0 closes unless asked to keep the connection, and HTTP/1.1 closes when asked")
    func persistence() async throws {
        try await withServer(TestRoutes.all) { port, _ in
            try await blocking {
                let old = try RawClient(port: port)
                old.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
                let kept = old.readResponse()
                #expect(kept?.header("connection") == "keep-alive")
                old.send("GET /hello HTTP/1.0\r\n\r\n")
                #expect(old.readResponse()?.header("connection") == "close")
                #expect(old.isAtEnd())
                let new = try RawClient(port: port)
                new.send("GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                #expect(new.readResponse()?.header("connection") == "close")
                #expect(new.isAtEnd())
            }
        }
    }

    @Test("every response has Date, nosniff and a request id, and a sane id is echoed")
    func commonFields() async throws {
        try await withServer(TestRoutes.all) { port, _ in
            try await blocking {
                let client = try RawClient(port: port)
                var ids: Set<String> = []
                for sent in [
                    "", "X-Request-Id: abc-1.2:3\r\n", "X-Request-Id: <script>\r\n",
                    "X-Request-Id: \(String(repeating: "a", count: 129))\r\n",
                ] {
                    client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\(sent)\r\n")
                    let response = client.readResponse()
                    #expect(response?.header("x-content-type-options") == "nosniff")
                    #expect(response?.header("date").flatMap(HTTPDate.parse) != nil)
                    ids.insert(response?.header("x-request-id") ?? "")
                }
                #expect(ids.count == 4)
                #expect(ids.contains("abc-1.2:3"))
                #expect(ids.allSatisfy { !$0.isEmpty && $0.count <= 16 })
            }
        }
    }

    @Test("fields of a handler cannot end the line or replace the framing")
    func responseSplitting() async throws {
        let route = Route(
            .get, "/bad",
            handler: .inline { _ in
                .text(
                    "x",
                    headers: [
                        HTTPField("X-A", "1\r\nX-Injected: 2"), HTTPField("X\nB", "1"),
                        HTTPField("Content-Length", "99"),
                        HTTPField("X-Good", "y"),
                    ])
            })
        try await withServer([route]) { port, _ in
            try await blocking {
                let client = try RawClient(port: port)
                client.send("GET /bad HTTP/1.1\r\nHost: a\r\n\r\n")
                let response = client.readResponse()
                #expect(response?.text == "x")
                #expect(response?.header("x-injected") == nil && response?.header("x-a") == nil)
                #expect(response?.header("x-good") == "y")
            }
        }
    }

    @Test("admission refuses before the body is sent, and without a body keeps the connection")
    func admission() async throws {
        let route = Route(
            .post, "/guarded", body: .bytes(limit: 1_000_000),
            admission: { $0.headers["Authorization"] == nil ? HTTPResponse(status: 401) : nil },
            handler: .inline { .text("\($0.body.bytes.count)") })
        try await withServer([route]) { port, _ in
            try await blocking {
                let client = try RawClient(port: port)
                client.send("POST /guarded HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(client.readResponse()?.status == 401)
                client.send(
                    "POST /guarded HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\nContent-Length: 4\r\n\r\nabcd")
                #expect(client.readResponse()?.text == "4")
                client.send("POST /guarded HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n")
                #expect(client.readResponse()?.status == 401)
                #expect(client.isAtEnd())
            }
        }
    }

    @Test("a body for a route without one is refused with 413, an empty one is not")
    func unwantedBody() async throws {
        try await withServer(TestRoutes.all) { port, _ in
            try await blocking {
                let client = try RawClient(port: port)
                client.send("GET /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
                #expect(client.readResponse()?.status == 200)
                client.send("GET /hello HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
                #expect(client.readResponse()?.status == 200)
                client.send(
                    "GET /hello HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n")
                #expect(client.readResponse()?.status == 413)
            }
        }
    }

    @Test("a client that leaves cancels the handler of its request")
    func clientLeaves() async throws {
        let outcome = AsyncStream<Bool>.makeStream()
        let started = AsyncStream<Void>.makeStream()
        let route = Route(
            .get, "/wait",
            handler: .asynchronous { _ in
                started.continuation.yield()
                try? await Task.sleep(for: .seconds(30))
                outcome.continuation.yield(Task.isCancelled)
                return .text("done")
            })
        try await withServer([route]) { port, _ in
            let client = try RawClient(port: port)
            client.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
            for await _ in started.stream { break }
            client.shutSending()
            for await cancelled in outcome.stream {
                #expect(cancelled)
                break
            }
            // Half-closed only: what the handler still says arrives.
            #expect(try await blocking { client.readResponse()?.text } == "done")
        }
    }

    @Test("a client that resets while its handler runs and its pipeline is full cancels the handler")
    func clientResets() async throws {
        let outcome = AsyncStream<Bool>.makeStream()
        let started = AsyncStream<Void>.makeStream()
        let closed = AsyncStream<Void>.makeStream()
        let route = Route(
            .get, "/wait",
            handler: .asynchronous { _ in
                started.continuation.yield()
                try? await Task.sleep(for: .seconds(30))
                outcome.continuation.yield(Task.isCancelled)
                return .text("done")
            })
        var observer = ServerObserver()
        observer.connectionClosed = { closed.continuation.yield() }
        try await withServer([route], observer: observer) { port, server in
            do {
                let client = try RawClient(port: port)
                client.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
                for await _ in started.stream { break }
                // More than the server holds, so that it stops reading and would not see an end of input.
                client.send(String(repeating: "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", count: 5000))
                var reset = linger(l_onoff: 1, l_linger: 0)
                setsockopt(
                    client.descriptor, SOL_SOCKET, SO_LINGER, &reset, socklen_t(MemoryLayout<linger>.size))
            }
            for await cancelled in outcome.stream {
                #expect(cancelled)
                break
            }
            for await _ in closed.stream { break }
            #expect(server.connectionCount == 0)
        }
    }

    @Test("the observer sees template, status, bytes, and never a raw path")
    func observer() async throws {
        let records = Mutex<[RequestRecord]>([])
        let opened = Mutex(0)
        let closed = AsyncStream<Void>.makeStream()
        var observer = ServerObserver()
        observer.requestFinished = { record in records.withLock { $0.append(record) } }
        observer.connectionOpened = { opened.withLock { $0 += 1 } }
        observer.connectionClosed = { closed.continuation.yield() }
        try await withServer(TestRoutes.all, observer: observer) { port, _ in
            let sent = try await blocking {
                let client = try RawClient(port: port)
                client.send(
                    "GET /later/7 HTTP/1.1\r\nHost: a\r\n\r\nDELETE /later/8 HTTP/1.1\r\nHost: a\r\n\r\n"
                        + "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
                        + "GET /secret/9 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                return client.readToEnd().count
            }
            for await _ in closed.stream { break }
            let seen = records.withLock { $0 }
            #expect(seen.map(\.routeTemplate) == ["/later/{name}", "/later/{name}", "/echo", "unmatched"])
            #expect(seen.map(\.status) == [200, 405, 200, 404])
            #expect(seen.map(\.requestBodyBytes) == [0, 0, 3, 0])
            #expect(seen.reduce(0) { $0 + $1.responseBytes } == Int64(sent))
            #expect(
                seen.allSatisfy { $0.completed && $0.durationSeconds >= 0 && $0.remoteAddress == "127.0.0.1" }
            )
            #expect(opened.withLock { $0 } == 1)
        }
    }

    @Test("the server's own errors are rendered by the configuration")
    func errorBody() async throws {
        try await withServer(
            TestRoutes.all,
            configure: {
                $0.errorBody = { problem in
                    ErrorBody(
                        contentType: "application/problem+json",
                        bytes: Array("\(problem.status) \(problem.code) \(problem.path ?? "-")".utf8))
                }
            }
        ) { port, _ in
            try await blocking {
                let client = try RawClient(port: port)
                client.send("GET /a%20b HTTP/1.1\r\nHost: a\r\n\r\n")
                let response = client.readResponse()
                #expect(response?.text == "404 not_found /a b")
                #expect(response?.header("content-type") == "application/problem+json")
                client.send("GET / HTTP/3.0\r\n")
                #expect(client.readResponse()?.text == "505 http_version_not_supported -")
            }
        }
    }
}
