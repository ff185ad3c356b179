// Stream bodies: chunks, server-sent events, back-pressure, overflow, clients that leave.
import Synchronization
import Testing

@testable import HTTPServer

struct StreamTests {
    @Test("a stream is chunked for HTTP/1.1, ends with the connection for HTTP/1.0, and is absent for HEAD")
    func framing() async throws {
        let runs = Mutex(0)
        let route = Route(
            .get, "/s",
            handler: .inline { _ in
                .stream(contentType: "text/plain") { writer in
                    runs.withLock { $0 += 1 }
                    for index in 0..<100 { try? await writer.write(Array("line \(index)\n".utf8)) }
                }
            })
        let expected = (0..<100).map { "line \($0)\n" }.joined()
        try await withServer([route]) { port, _ in
            try await blocking {
                let client = try RawClient(port: port)
                client.send("HEAD /s HTTP/1.1\r\nHost: a\r\n\r\nGET /s HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(client.readResponse(toHead: true)?.header("transfer-encoding") == "chunked")
                #expect(client.readResponse()?.text == expected)
                client.send("GET /s HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(client.readResponse()?.text == expected)
                let old = try RawClient(port: port)
                old.send("GET /s HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
                let response = old.readResponse()
                #expect(response?.header("transfer-encoding") == nil)
                #expect(response?.header("connection") == "close")
                #expect(response?.text == expected)
            }
            #expect(runs.withLock { $0 } == 3)
        }
    }

    @Test("a producer that waits holds little in memory for a client that does not read, and loses nothing")
    func backPressure() async throws {
        let piece = [UInt8](repeating: 120, count: 10_000)
        let most = Mutex(0)
        let count = 2000
        let route = Route(
            .get, "/s",
            handler: .inline { _ in
                .stream(contentType: "text/plain") { writer in
                    for _ in 0..<count {
                        try? await writer.write(piece)
                        most.withLock { $0 = max($0, writer.unsentBytes) }
                    }
                }
            })
        try await withServer([route]) { port, _ in
            let total = try await blocking {
                let client = try RawClient(port: port, receiveBufferBytes: 8192)
                client.send("GET /s HTTP/1.0\r\n\r\n")
                return client.readResponse()?.body.count
            }
            #expect(total == count * piece.count)
            #expect(most.withLock { $0 } <= 64 * 1024 + piece.count)
        }
    }

    @Test("a client more than the limit behind gets the overflow event and is closed")
    func overflow() async throws {
        let outcome = AsyncStream<StreamClosed?>.makeStream()
        let event = Array("data: \(String(repeating: "x", count: 1000))\n\n".utf8)
        let route = Route(
            .get, "/events",
            handler: .inline { _ in
                .serverSentEvents { writer in
                    do throws(StreamClosed) {
                        while true { try writer.offer(event) }
                    } catch {
                        outcome.continuation.yield(error)
                    }
                }
            })
        let rejections = Mutex<[ServerObserver.Rejection]>([])
        var observer = ServerObserver()
        observer.rejected = { reason in rejections.withLock { $0.append(reason) } }
        try await withServer([route], observer: observer) { port, _ in
            let client = try RawClient(port: port, receiveBufferBytes: 8192)
            client.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
            for await closed in outcome.stream {
                #expect(closed == .overflowed)
                break
            }
            let text = try await blocking { client.readResponse()?.text } ?? ""
            #expect(("\n\n" + text).hasSuffix("\n\nevent: overflow\ndata: {}\n\n"))
            let events = text.split(separator: "\n\n").dropLast()
            #expect(events.allSatisfy { $0.utf8.count == event.count - 2 })
            #expect(try await blocking { client.isAtEnd() })
            #expect(rejections.withLock { $0 } == [.streamOverflow])
        }
    }

    @Test("a client that leaves cancels the producer, whose writes then fail")
    func clientLeaves() async throws {
        let outcome = AsyncStream<(StreamClosed, Bool)>.makeStream()
        let route = Route(
            .get, "/events",
            handler: .asynchronous { _ in
                .serverSentEvents { writer in
                    while true {
                        do throws(StreamClosed) {
                            try await writer.write(Array("data: x\n\n".utf8))
                        } catch {
                            outcome.continuation.yield((error, Task.isCancelled))
                            return
                        }
                        try? await Task.sleep(for: .seconds(30))
                    }
                }
            })
        try await withServer([route]) { port, server in
            try await blocking {
                let client = try RawClient(port: port)
                client.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
                _ = client.read(until: "data: x\n\n")
            }
            for await (closed, cancelled) in outcome.stream {
                #expect(closed == .disconnected)
                #expect(cancelled)
                break
            }
        }
    }

    @Test("writes from many tasks stay whole")
    func concurrentWriters() async throws {
        let route = Route(
            .get, "/s",
            handler: .inline { _ in
                .stream(contentType: "text/plain") { writer in
                    await withTaskGroup { group in
                        for letter in ["a", "b", "c", "d"] {
                            group.addTask {
                                for _ in 0..<500 {
                                    try? await writer.write(
                                        Array((String(repeating: letter, count: 99) + "\n").utf8))
                                }
                            }
                        }
                    }
                }
            })
        try await withServer([route]) { port, _ in
            let text = try await blocking {
                let client = try RawClient(port: port)
                client.send("GET /s HTTP/1.1\r\nHost: a\r\n\r\n")
                return client.readResponse()?.text ?? ""
            }
            let lines = text.split(separator: "\n")
            #expect(lines.count == 2000)
            #expect(lines.allSatisfy { $0.count == 99 && Set($0).count == 1 })
        }
    }
}
