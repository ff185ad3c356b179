// Bodies that go to disk: content, sink, limits, and no files left behind.
import Synchronization
import Testing

@testable import HTTPServer

/// Adds up the bytes it sees.
private final class SumSink: BodySink {
    private var sum = 0
    func receive(_ bytes: UnsafeRawBufferPointer) { for byte in bytes { sum += Int(byte) } }
    func finish() -> String? { "\(sum)" }
}

struct UploadTests {
    static func route(_ folder: String, limit: Int64 = 10_000_000) -> Route {
        Route(
            .put, "/files/{name}", body: .file(limit: limit, folder: folder, makeSink: { SumSink() }),
            handler: .asynchronous { request in
                guard case .file(let file) = request.body else { return .text("no file") }
                return .text("\(file.path) \(file.byteCount) \(file.digest ?? "-")")
            })
    }

    @Test("an upload is on disk byte for byte, and the sink has seen it in order", arguments: [true, false])
    func upload(_ isChunked: Bool) async throws {
        let folder = try TemporaryFolder()
        var generator = SeededGenerator(seed: 9)
        let content = (0..<3_000_000).map { _ in UInt8.random(in: 0...255, using: &generator) }
        try await withServer([Self.route(folder.path)]) { port, _ in
            let answer = try await blocking {
                let client = try RawClient(port: port)
                if isChunked {
                    client.send("PUT /files/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
                    for start in stride(from: 0, to: content.count, by: 70_000) {
                        let piece = content[start..<min(content.count, start + 70_000)]
                        client.send(Array("\(String(piece.count, radix: 16))\r\n".utf8) + piece + [13, 10])
                    }
                    client.send("0\r\n\r\n")
                } else {
                    client.send(
                        "PUT /files/a HTTP/1.1\r\nHost: a\r\nContent-Length: \(content.count)\r\n\r\n")
                    client.send(content)
                }
                return client.readResponse()?.text ?? ""
            }
            let parts = answer.split(separator: " ").map(String.init)
            try #require(parts.count == 3)
            #expect(parts[1] == "\(content.count)")
            #expect(parts[2] == "\(content.reduce(0) { $0 + Int($1) })")
            #expect(TemporaryFolder.read(parts[0]) == content)
            #expect(folder.names.count == 1)
        }
    }

    @Test("an upload beyond the limit is refused and leaves no file", arguments: [true, false])
    func tooLarge(_ isChunked: Bool) async throws {
        let folder = try TemporaryFolder()
        try await withServer([Self.route(folder.path, limit: 100_000)]) { port, _ in
            let status = try await blocking {
                let client = try RawClient(port: port)
                if isChunked {
                    client.send("PUT /files/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
                    for _ in 0..<20 {
                        client.send(Array("2000\r\n".utf8) + [UInt8](repeating: 1, count: 8192) + [13, 10])
                    }
                } else {
                    client.send("PUT /files/a HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\n\r\n")
                }
                let response = client.readResponse()
                #expect(client.isAtEnd())
                return response?.status
            }
            #expect(status == 413)
        }
        try await expectEmpty(folder)
    }

    @Test("an upload that is cut off leaves no file and calls no handler")
    func cutOff() async throws {
        let folder = try TemporaryFolder()
        let records = AsyncStream<RequestRecord>.makeStream()
        var observer = ServerObserver()
        observer.requestFinished = { records.continuation.yield($0) }
        try await withServer([Self.route(folder.path)], observer: observer) { port, _ in
            try await blocking {
                let client = try RawClient(port: port)
                client.send("PUT /files/a HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
                client.send([UInt8](repeating: 1, count: 500_000))
            }
            for await record in records.stream {
                #expect(!record.completed)
                #expect(record.status == RequestRecord.clientClosedStatus)
                break
            }
        }
        try await expectEmpty(folder)
    }

    @Test("a folder that does not exist gives 500, not a hang")
    func noFolder() async throws {
        let folder = try TemporaryFolder()
        try await withServer([Self.route(folder.path + "/missing")]) { port, _ in
            let status = try await blocking {
                let client = try RawClient(port: port)
                client.send("PUT /files/a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
                return client.readResponse()?.status
            }
            #expect(status == 500)
        }
    }

    /// Files are removed on a queue of their own, so a moment later.
    private func expectEmpty(_ folder: TemporaryFolder) async throws {
        for _ in 0..<500 where !folder.names.isEmpty { try await Task.sleep(for: .milliseconds(10)) }
        #expect(folder.names.isEmpty)
    }
}
