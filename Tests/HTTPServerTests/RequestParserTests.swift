// The parser alone: the same events whatever the split, the malformed table, and what well-formed requests
// mean.
import Testing

@testable import HTTPServer

/// What the parser said about some bytes, with the body's pieces joined.
struct ParsedEvents: Equatable {
    enum Event: Equatable {
        case head(String)
        case body([UInt8])
        case end
        case rejected(RequestRejection)
    }

    var events: [Event] = []

    /// Feeds the pieces; also checks that the cursor only moves forward and within the input.
    init(_ pieces: [ArraySlice<UInt8>], limits: RequestParser.Limits = .init(), bodyLimit: Int64 = .max) {
        var parser = RequestParser(limits: limits)
        for piece in pieces {
            var cursor = 0
            let isDone = piece.withUnsafeBytes { bytes -> Bool in
                while true {
                    let before = cursor
                    let event = parser.next(bytes, &cursor)
                    #expect(cursor >= before && cursor <= bytes.count)
                    switch event {
                    case .needMore:
                        #expect(cursor == bytes.count)
                        return false
                    case .head(let head):
                        events.append(.head(Self.describe(head)))
                        parser.bodyLimit = bodyLimit
                    case .body(let range):
                        #expect(range.upperBound == cursor)
                        let data = Array(bytes[range])
                        if case .body(let earlier)? = events.last {
                            events[events.count - 1] = .body(earlier + data)
                        } else {
                            events.append(.body(data))
                        }
                    case .end:
                        events.append(.end)
                    case .rejected(let rejection):
                        events.append(.rejected(rejection))
                        return true
                    }
                }
            }
            if isDone { return }
        }
    }

    private static func describe(_ head: RequestHead) -> String {
        let fields = head.fields.map { "\(head.text($0.name))=\(head.text($0.value))" }
        return "\(head.method) \(head.path) \(head.query.items) \(fields) \(head.framing) \(head.keepAlive)"
    }
}

func randomPieces(_ bytes: [UInt8], _ generator: inout SeededGenerator) -> [ArraySlice<UInt8>] {
    var pieces: [ArraySlice<UInt8>] = []
    var start = 0
    while start < bytes.count {
        let most = Int.random(in: 1...3, using: &generator) == 1 ? 4000 : 20
        let end = min(bytes.count, start + Int.random(in: 1...most, using: &generator))
        pieces.append(bytes[start..<end])
        start = end
    }
    return pieces
}

struct RequestParserTests {
    @Test("a malformed request is refused with the right status", arguments: MalformedRequest.all)
    func malformedRequestIsRefused(_ request: MalformedRequest) {
        let parsed = ParsedEvents([request.bytes[...]])
        guard case .rejected(let rejection)? = parsed.events.last else {
            Issue.record("not refused: \(parsed.events)")
            return
        }
        #expect(rejection.status == request.status)
        #expect(!rejection.detail.isEmpty)
    }

    @Test("a malformed request gives the same events in every split", arguments: MalformedRequest.all)
    func malformedRequestIsSplitIndependent(_ request: MalformedRequest) {
        let whole = ParsedEvents([request.bytes[...]])
        if request.bytes.count < 20_000 {
            #expect(ParsedEvents(request.bytes.indices.map { request.bytes[$0...$0] }) == whole)
        }
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<(request.bytes.count < 20_000 ? 20 : 2) {
            #expect(ParsedEvents(randomPieces(request.bytes, &generator)) == whole)
        }
    }

    static let wellFormed: [String] = [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a/b?x=1&y=%20z HTTP/1.1\r\nHost: a:80\r\nAccept:\r\nX: \t b c \t\r\n\r\n",
        "\r\nGET /a HTTP/1.0\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET /b HTTP/1.1\r\nHost: b\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
            + "5;x=\"y\"\r\nhello\r\n00a\r\n0123456789\r\n0\r\nT: u\r\n\r\n",
        "PUT /a HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 0\r\n\r\nOPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://h:1/p%41?q HTTP/1.1\r\nHost: a\r\nConnection: a, close\r\n\r\n",
        "GET /obs HTTP/1.1\r\nHost: a\r\nX: \u{e9}\r\n\r\n",
        "M-SEARCH /x HTTP/1.7\r\nHost:\r\n\r\n",
    ]

    @Test("well-formed requests give the same events in every split", arguments: wellFormed)
    func wellFormedRequestIsSplitIndependent(_ text: String) {
        let bytes = Array(text.utf8)
        let whole = ParsedEvents([bytes[...]])
        #expect(whole.events.last == .end)
        #expect(ParsedEvents(bytes.indices.map { bytes[$0...$0] }) == whole)
        var generator = SeededGenerator(seed: 11)
        for _ in 0..<50 { #expect(ParsedEvents(randomPieces(bytes, &generator)) == whole) }
    }

    private func head(_ text: String) throws -> RequestHead { try RequestHead(parsing: Array(text.utf8)) }

    @Test("path and query are decoded, and only the query's plus is a space")
    func targetIsDecoded() throws {
        let head = try head("GET /a%20b+c/%C3%A9?k=%20v+w&k=2&empty=&bare&%26=x HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(head.path == "/a b+c/é")
        #expect(head.query.values("k") == [" v w", "2"])
        #expect(head.query["empty"] == "" && head.query["bare"] == "" && head.query["&"] == "x")
        #expect(head.query["absent"] == nil)
    }

    @Test("absolute-form gives the path after the authority")
    func absoluteForm() throws {
        #expect(try head("GET HTTP://h.example:80/p?q=1 HTTP/1.1\r\nHost: x\r\n\r\n").path == "/p")
    }

    @Test(
        "persistence follows version and Connection",
        arguments: [
            ("HTTP/1.1", "", true), ("HTTP/1.1", "Connection: Close\r\n", false),
            ("HTTP/1.1", "Connection: keep-alive, close\r\n", false),
            ("HTTP/1.1", "Connection: close\r\nConnection: keep-alive\r\n", false),
            ("HTTP/1.1", "Connection: closed\r\n", true), ("HTTP/1.0", "", false),
            ("HTTP/1.0", "Connection: Keep-Alive\r\n", true),
        ])
    func persistence(_ version: String, _ field: String, _ expected: Bool) throws {
        #expect(try head("GET / \(version)\r\nHost: a\r\n\(field)\r\n").keepAlive == expected)
    }

    @Test("fields are found without case, and repeated ones are joined")
    func fieldLookup() throws {
        let fields = RequestFields(
            head: try head("GET / HTTP/1.1\r\nHost: a\r\nAccept: x\r\naCCept:  y \r\n\r\n"))
        #expect(fields["ACCEPT"] == "x, y")
        #expect(fields.values("accept") == ["x", "y"])
        #expect(fields["Accept-Language"] == nil)
    }

    @Test("limits are exact: the last allowed byte and field pass, the next does not")
    func limitsAreExact() {
        var limits = RequestParser.Limits()
        limits.targetBytes = 20
        limits.headerFields = 3
        func status(_ text: String, _ limits: RequestParser.Limits) -> Int {
            if case .rejected(let rejection)? = ParsedEvents([Array(text.utf8)[...]], limits: limits).events
                .last
            {
                return rejection.status
            }
            return 200
        }
        let line = "HTTP/1.1\r\nHost: a\r\n"
        #expect(status("GET /\(String(repeating: "a", count: 19)) \(line)\r\n", limits) == 200)
        #expect(status("GET /\(String(repeating: "a", count: 20)) \(line)\r\n", limits) == 414)
        #expect(status("GET / \(line)A: b\r\nC: d\r\n\r\n", limits) == 200)
        #expect(status("GET / \(line)A: b\r\nC: d\r\nE: f\r\n\r\n", limits) == 431)
        let text = "GET / \(line)\r\n"
        limits.headerBlockBytes = text.utf8.count
        #expect(status(text, limits) == 200)
        limits.headerBlockBytes = text.utf8.count - 1
        #expect(status(text, limits) == 431)
    }

    @Test("a chunked body is refused as soon as a chunk size passes the limit, in every split")
    func chunkedBodyLimit() {
        let text =
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            + "5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n"
        let bytes = Array(text.utf8)
        #expect(ParsedEvents([bytes[...]], bodyLimit: 10).events.last == .end)
        for limit in 0..<10 {
            let whole = ParsedEvents([bytes[...]], bodyLimit: Int64(limit))
            #expect(whole.events.last == .rejected(.bodyTooLarge(limit: Int64(limit))))
            #expect(ParsedEvents(bytes.indices.map { bytes[$0...$0] }, bodyLimit: Int64(limit)) == whole)
        }
    }

    @Test("a rejected parser stays rejected and consumes nothing")
    func rejectionIsFinal() {
        var parser = RequestParser(limits: .init())
        var cursor = 0
        _ = [UInt8](" ".utf8).withUnsafeBytes { parser.next($0, &cursor) }
        cursor = 0
        let event = [UInt8]("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8).withUnsafeBytes {
            parser.next($0, &cursor)
        }
        guard case .rejected = event else {
            Issue.record("parsed again")
            return
        }
        #expect(cursor == 0)
    }
}
