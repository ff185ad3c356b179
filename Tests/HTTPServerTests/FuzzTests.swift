// Seeded in-process fuzzing of parser and connection together, without sockets: mutated requests and random
// bytes. Never traps; bytes are consumed once; no more responses than requests; nothing is parsed after an
// error.
import Logging
import Testing

@testable import HTTPServer

/// Runs nothing by itself: handlers and uploads end when the fuzzer says so, streams are filled at once.
private final class FuzzDriver: ConnectionDriver {
    final class FakeUpload: Upload {
        let exchange: UInt64
        var unreported: [Int] = []
        var isFinished = false
        var isAbandoned = false
        var total: Int64 = 0
        init(exchange: UInt64) { self.exchange = exchange }
        func append(_ bytes: [UInt8]) {
            unreported.append(bytes.count)
            total += Int64(bytes.count)
        }
        func finish() { isFinished = true }
        func abandon() { isAbandoned = true }
    }

    var pendingHandler: (exchange: UInt64, request: HTTPRequest)?
    var upload: FakeUpload?
    var writer: (StreamWriter, UInt64)?
    var handlerCalls = 0

    func start(
        _ handler: @escaping @Sendable (HTTPRequest) async -> HTTPResponse, request: HTTPRequest,
        exchange: UInt64
    ) {
        #expect(pendingHandler == nil)
        handlerCalls += 1
        pendingHandler = (exchange, request)
    }

    func cancelHandler() {}

    func makeUpload(
        folder: String, makeSink: @escaping @Sendable () -> (any BodySink)?, exchange: UInt64
    ) -> any Upload {
        let upload = FakeUpload(exchange: exchange)
        self.upload = upload
        return upload
    }

    func startStream(_ body: StreamBody, exchange: UInt64) -> StreamWriter {
        let writer = StreamWriter(limitBytes: 10_000, overflowNotice: body.overflowNotice) {}
        for index in 0..<5 { try? writer.offer(Array("piece \(index)\n".utf8)) }
        writer.finish()
        self.writer = (writer, exchange)
        return writer
    }

    func cancelStream() {}

    /// Ends one thing that is under way; false if there is none.
    func step(_ connection: Connection, now: UInt64) -> Bool {
        if let (_, exchange) = writer {
            writer = nil
            connection.streamReady(exchange: exchange, now: now)
            return true
        }
        if let upload {
            if !upload.unreported.isEmpty {
                connection.uploadWrote(upload.unreported.removeFirst(), exchange: upload.exchange, now: now)
                return true
            }
            self.upload = upload.isFinished || upload.isAbandoned ? nil : upload
            if upload.isFinished {
                let file = UploadedFile(path: "/nowhere", byteCount: upload.total, digest: nil)
                _ = connection.uploadFinished(.success(file), exchange: upload.exchange, now: now)
                return true
            }
        }
        if let (exchange, request) = pendingHandler {
            pendingHandler = nil
            connection.handlerFinished(.text("later \(request.path)"), exchange: exchange, now: now)
            return true
        }
        return false
    }
}

private struct FuzzRun: Equatable {
    var statuses: [Int] = []
    var heads: UInt64 = 0
    var isOpen = true

    /// Feeds the pieces to a new connection, with things ending at random moments in between.
    init(_ pieces: [ArraySlice<UInt8>], seed: UInt64, context: ConnectionContext) {
        var generator = SeededGenerator(seed: seed)
        let driver = FuzzDriver()
        var now: UInt64 = 1_000_000_000
        let connection = Connection(context: context, driver: driver, remoteAddress: "fuzz", now: now)
        var sent: [UInt8] = []
        func drain(all: Bool) {
            while !connection.output.isEmpty {
                let front = Self.front(connection.output)
                let count = all ? front.count : Int.random(in: 1...front.count, using: &generator)
                sent += front[..<count]
                connection.output.advance(Int64(count))
                connection.outputAdvanced(now: now)
                if !all, Bool.random(using: &generator) { break }
            }
        }
        for piece in pieces {
            now += UInt64.random(in: 0...1_000_000, using: &generator)
            // The driver does not read when it is told not to.
            var turns = 0
            while !connection.wantsRead, !connection.isClosed, turns < 100_000 {
                turns += 1
                if !driver.step(connection, now: now) { drain(all: true) }
            }
            if connection.isClosed { break }
            let before = connection.exchangeCount
            let wasOver = !Self.isOpen(connection)
            piece.withUnsafeBytes { connection.receive($0, now: now) }
            if wasOver { #expect(connection.exchangeCount == before, "parsed after the end") }
            if Bool.random(using: &generator) { drain(all: false) }
            if Bool.random(using: &generator) { _ = driver.step(connection, now: now) }
            if Int.random(in: 0..<50, using: &generator) == 0 { connection.tick(now: now) }
        }
        var turns = 0
        while turns < 100_000, driver.step(connection, now: now) || !connection.output.isEmpty {
            turns += 1
            drain(all: true)
        }
        #expect(turns < 100_000)
        isOpen = Self.isOpen(connection)
        heads = connection.exchangeCount
        statuses = Self.statuses(sent)
        #expect(statuses.filter { $0 != 100 }.count <= Int(heads), "more responses than requests")
        // Nothing is under way any more: what is unanswered is incomplete.
        if isOpen {
            let unanswered = connection.exchange == nil ? 0 : 1
            #expect(
                statuses.filter { $0 != 100 }.count == Int(heads) - unanswered, "a request without response")
            #expect(!connection.parser.isAtEndOfRequest, "a complete request that is not answered")
            if case .waiting = connection.state { Issue.record("waits for nothing") }
        }
        connection.receiveEnd(now: now)
        connection.lost()
        #expect(connection.isClosed)
    }

    private static func isOpen(_ connection: Connection) -> Bool {
        switch connection.state {
        case .reading, .waiting, .streaming: true
        case .finishing, .lingering, .closed: false
        }
    }

    private static func front(_ output: OutputQueue) -> [UInt8] {
        let sent = Int(output.sentOfFirst)
        guard let first = output.segments.first else { return Array(output.tail[sent...]) }
        switch first {
        case .bytes(let bytes): return Array(bytes[sent...])
        case .file(_, let range):
            return [UInt8](repeating: 102, count: Int(range.upperBound - range.lowerBound) - sent)
        }
    }

    /// Reads the output as a strict client: every response must be well framed.
    private static func statuses(_ bytes: [UInt8]) -> [Int] {
        var statuses: [Int] = []
        var rest = bytes[...]
        func line() -> String? {
            guard let end = rest.firstIndex(of: 10), end > rest.startIndex, rest[end - 1] == 13 else {
                return nil
            }
            defer { rest = rest[(end + 1)...] }
            return String(decoding: rest[..<(end - 1)], as: UTF8.self)
        }
        while !rest.isEmpty {
            guard let first = line(), first.hasPrefix("HTTP/1.1 "),
                let status = Int(first.dropFirst(9).prefix(3))
            else {
                Issue.record("no status line at \(bytes.count - rest.count)")
                return statuses
            }
            statuses.append(status)
            var length: Int?
            var isChunked = false
            var isLast = false
            while let field = line(), !field.isEmpty {
                if field.hasPrefix("Content-Length: ") { length = Int(field.dropFirst(16)) }
                if field == "Transfer-Encoding: chunked" { isChunked = true }
                if field == "Connection: close" { isLast = true }
            }
            if status < 200 || status == 204 || status == 304 { continue }
            if isChunked {
                while let size = line().flatMap({ Int($0, radix: 16) }), rest.count >= size + 2 {
                    rest = rest.dropFirst(size + 2)
                    if size == 0 { break }
                }
            } else if let length {
                guard rest.count >= length else {
                    Issue.record("response is cut off")
                    return statuses
                }
                rest = rest.dropFirst(length)
            } else if isLast {
                return statuses
            }
        }
        return statuses
    }
}

struct FuzzTests {
    /// No HEAD here: a client can only frame its responses by knowing what it asked.
    static let seeds: [String] =
        RequestParserTests.wellFormed + [
            "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", "GET /later/x HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
            "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            "PUT /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "3;a\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\n\r\n",
            "PUT /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789",
            "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n", "GET /stream HTTP/1.0\r\n\r\n",
            "GET /tagged HTTP/1.1\r\nHost: a\r\nIf-None-Match: \"t\", W/\"u\"\r\nRange: bytes=0-1,3-\r\n\r\n",
            "GET /file HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1, -3\r\nIf-Range: \"v1\"\r\n\r\n",
            "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "DELETE /hello HTTP/1.1\r\nHost: a\r\n\r\n",
        ]

    static let dictionary: [String] = [
        "\r\n", "\n", "\r", " ", "\t", "\0", ":", ",", ";", "%00", "%2e%2e", "/../", "Content-Length: 3\r\n",
        "Transfer-Encoding: chunked\r\n", "Host: b\r\n", "Connection: close\r\n", "HTTP/1.1", "HTTP/1.0",
        "0\r\n\r\n",
        "ffffffffffffffff", "7fffffffffffffff", "-1", "+5", "0x5", "99999999999999999999", "GET ",
        "Range: bytes=0-",
        "If-Match: *\r\n", "X-Request-Id: q\r\n",
    ]

    private func mutated(_ generator: inout SeededGenerator) -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
            bytes += Array(Self.seeds.randomElement(using: &generator)!.utf8)
        }
        for _ in 0..<Int.random(in: 0...4, using: &generator) {
            let at = Int.random(in: 0...bytes.count, using: &generator)
            switch Int.random(in: 0..<6, using: &generator) {
            case 0 where at < bytes.count: bytes[at] = UInt8.random(in: 0...255, using: &generator)
            case 1 where at < bytes.count: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            case 2: bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 0...8, using: &generator)))
            case 3:
                bytes.insert(
                    contentsOf: Array(Self.dictionary.randomElement(using: &generator)!.utf8), at: at)
            case 4:
                let end = min(bytes.count, at + Int.random(in: 0...60, using: &generator))
                bytes.insert(contentsOf: bytes[at..<end], at: at)
            default: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: at)
            }
        }
        if Int.random(in: 0..<20, using: &generator) == 0 {
            bytes = (0..<Int.random(in: 0...300, using: &generator)).map { _ in
                .random(in: 0...255, using: &generator)
            }
        }
        return bytes
    }

    @Test(
        "mutated requests in random pieces never break the connection, and the split does not matter",
        arguments: 0..<4)
    func fuzz(_ seed: Int) async throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("f", Array("0123456789".utf8))
        let routes =
            TestRoutes.all + [
                Route(
                    .put, "/upload", body: .file(limit: 100, folder: folder.path, makeSink: { nil }),
                    handler: .inline { _ in HTTPResponse(status: 204) }),
                Route(.get, "/stream", handler: .inline { _ in .stream(contentType: "a/b") { _ in } }),
                Route(
                    .get, "/tagged",
                    handler: .inline { _ in .text("body", headers: [HTTPField("ETag", "\"t\"")]) }),
                RangeTests.fileRoute("/file", path),
            ]
        var configuration = ServerConfiguration()
        configuration.logger = Logger(label: "fuzz") { _ in SwiftLogNoOpLogHandler() }
        configuration.limits.pipelineBytes = 600
        configuration.limits.uploadWindowBytes = 4
        let context = ConnectionContext(
            configuration: configuration, router: try Router(routes), observer: ServerObserver(), seed: 1)
        var generator = SeededGenerator(seed: UInt64(seed))
        let end = ContinuousClock.now + .seconds(3)
        for iteration in 0..<1500 {
            if iteration % 50 == 0, ContinuousClock.now > end { break }
            // The tests beside this one have handlers that need the same few threads.
            if iteration % 5 == 0 { await Task.yield() }
            let bytes = mutated(&generator)
            let whole = FuzzRun([bytes[...]], seed: 1, context: context)
            let split = FuzzRun(randomPieces(bytes, &generator), seed: generator.next(), context: context)
            #expect(
                whole == split,
                "seed \(seed) iteration \(iteration): \(String(decoding: bytes, as: UTF8.self).debugDescription)"
            )
        }
    }
}
