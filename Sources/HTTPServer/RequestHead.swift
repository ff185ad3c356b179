// The request line and fields as offsets into the header block's bytes; strings are made only when asked for.

/// A received request head. Made by `RequestParser`, which has checked the syntax of everything in it.
package final class RequestHead: Sendable {
    /// Half-open, in bytes from the start of the header block.
    struct Span: Sendable, Hashable {
        var start: UInt16
        var end: UInt16
        var range: Range<Int> { Int(start)..<Int(end) }
    }

    struct Field: Sendable {
        var name: Span
        var value: Span
    }

    /// How the content is delimited (RFC 9112 §6).
    enum Framing: Sendable, Equatable {
        case none
        case length(Int64)
        case chunked
    }

    let bytes: [UInt8]
    let method: HTTPMethod
    /// The path as sent; empty for `*`.
    let pathSpan: Span
    let pathHasEscapes: Bool
    let querySpan: Span?
    let fields: [Field]
    /// 0 or 1; later minor versions are treated as 1 (RFC 9110 §2.5).
    let minorVersion: UInt8
    let framing: Framing
    let keepAlive: Bool
    let expectsContinue: Bool
    let requestIDField: Span?

    init(
        bytes: [UInt8], method: HTTPMethod, target: RequestTarget, fields: [Field], minorVersion: UInt8,
        semantics: HeadSemantics
    ) {
        self.bytes = bytes
        self.method = method
        self.pathSpan = target.path
        self.pathHasEscapes = target.pathHasEscapes
        self.querySpan = target.query
        self.fields = fields
        self.minorVersion = minorVersion
        self.framing = semantics.framing
        self.keepAlive = semantics.keepAlive
        self.expectsContinue = semantics.expectsContinue
        self.requestIDField = semantics.requestID
    }

    /// Parses one whole header block (from the request line to the empty line).
    package convenience init(parsing block: [UInt8]) throws(RequestRejection) {
        var parser = RequestParser(limits: .init())
        var cursor = 0
        let event = block.withUnsafeBytes { parser.next($0, &cursor) }
        switch event {
        case .head(let head):
            self.init(copying: head)
        case .rejected(let rejection):
            throw rejection
        case .needMore, .body, .end:
            throw RequestRejection(
                status: 400, code: "malformed_request", detail: "The header block is incomplete.")
        }
    }

    init(unreadable: Void) {
        bytes = []
        method = .other("")
        pathSpan = Span(start: 0, end: 0)
        pathHasEscapes = false
        querySpan = nil
        fields = []
        minorVersion = 1
        framing = .none
        keepAlive = false
        expectsContinue = false
        requestIDField = nil
    }

    private init(copying head: RequestHead) {
        bytes = head.bytes
        method = head.method
        pathSpan = head.pathSpan
        pathHasEscapes = head.pathHasEscapes
        querySpan = head.querySpan
        fields = head.fields
        minorVersion = head.minorVersion
        framing = head.framing
        keepAlive = head.keepAlive
        expectsContinue = head.expectsContinue
        requestIDField = head.requestIDField
    }

    /// `OPTIONS *` (RFC 9112 §3.2.4): about the server, not about a resource.
    var isAsterisk: Bool { pathSpan.start == pathSpan.end }

    package var path: String {
        let raw = bytes[pathSpan.range]
        if !pathHasEscapes { return isAsterisk ? "*" : String(decoding: raw, as: UTF8.self) }
        return String(decoding: percentDecoded(raw, plusIsSpace: false), as: UTF8.self)
    }

    package var query: QueryItems {
        guard let querySpan else { return QueryItems([]) }
        var items: [QueryItems.Item] = []
        for item in bytes[querySpan.range].split(separator: UInt8(ascii: "&")) {
            let parts = item.split(
                separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            let name = parts.first ?? []
            let value = parts.count > 1 ? parts[1] : []
            items.append(
                QueryItems.Item(
                    name: String(decoding: percentDecoded(name, plusIsSpace: true), as: UTF8.self),
                    value: String(decoding: percentDecoded(value, plusIsSpace: true), as: UTF8.self)))
        }
        return QueryItems(items)
    }

    func text(_ span: Span) -> String { String(decoding: bytes[span.range], as: UTF8.self) }

    /// The span's text if it is 1 to 128 visible ASCII characters without quotes, commas or semicolons.
    func saneToken(_ span: Span) -> String? {
        let range = span.range
        guard range.count >= 1, range.count <= 128 else { return nil }
        for index in range where !isTokenByte(bytes[index]) && bytes[index] != UInt8(ascii: ":") {
            return nil
        }
        return text(span)
    }

    /// Whether the field's name is `name`, which must be in lower case.
    func isNamed(_ field: Field, _ name: StaticString) -> Bool {
        let range = field.name.range
        guard range.count == name.utf8CodeUnitCount else { return false }
        let start = name.utf8Start
        for (offset, index) in range.enumerated() where asciiLowercase(bytes[index]) != start[offset] {
            return false
        }
        return true
    }

    /// The first value of a field by its lower-case name.
    func value(_ name: StaticString) -> String? {
        for field in fields where isNamed(field, name) { return text(field.value) }
        return nil
    }

    /// All values of a list field, joined by commas (RFC 9110 §5.3).
    func list(_ name: StaticString) -> String? {
        var joined: String?
        for field in fields where isNamed(field, name) {
            joined = joined.map { $0 + ", " + text(field.value) } ?? text(field.value)
        }
        return joined
    }
}

/// The request's fields by name, compared without case.
package struct RequestFields: Sendable {
    let head: RequestHead

    /// The value, with repeated fields joined by ", " (RFC 9110 §5.3). Bytes that are not UTF-8 become
    /// U+FFFD.
    package subscript(name: String) -> String? {
        var joined: String?
        for field in head.fields where matches(field, name) {
            joined = joined.map { $0 + ", " + head.text(field.value) } ?? head.text(field.value)
        }
        return joined
    }

    package func values(_ name: String) -> [String] {
        head.fields.filter { matches($0, name) }.map { head.text($0.value) }
    }

    /// All fields in order, with names as sent.
    package var all: [(name: String, value: String)] {
        head.fields.map { (head.text($0.name), head.text($0.value)) }
    }

    private func matches(_ field: RequestHead.Field, _ name: String) -> Bool {
        let range = field.name.range
        guard range.count == name.utf8.count else { return false }
        return zip(range, name.utf8).allSatisfy { asciiLowercase(head.bytes[$0]) == asciiLowercase($1) }
    }
}

/// Why a request is refused before any handler sees it. All of these close the connection.
package struct RequestRejection: Error, Sendable, Hashable {
    package let status: Int
    package let code: String
    package let detail: String
    package let limitBytes: Int64?

    package init(status: Int, code: String, detail: String, limitBytes: Int64? = nil) {
        self.status = status
        self.code = code
        self.detail = detail
        self.limitBytes = limitBytes
    }

    static func malformed(_ detail: String) -> RequestRejection {
        RequestRejection(status: 400, code: "malformed_request", detail: detail)
    }
}
