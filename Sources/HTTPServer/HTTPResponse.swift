// What a handler returns. The server adds framing, Date, X-Request-Id, nosniff, and answers ranges and
// preconditions.

/// One response field. Values with control characters are refused when written (no response splitting).
package struct HTTPField: Sendable, Hashable {
    package let name: String
    package let value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

package struct HTTPResponse: Sendable {
    package var status: Int
    /// In order. `Content-Length`, `Transfer-Encoding`, `Connection` and `Date` belong to the server and are
    /// skipped here.
    package var headers: [HTTPField]
    package var body: ResponseBody

    package init(status: Int, headers: [HTTPField] = [], body: ResponseBody = .empty) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    package static func bytes(
        _ bytes: [UInt8], contentType: String, status: Int = 200, headers: [HTTPField] = []
    ) -> HTTPResponse {
        HTTPResponse(
            status: status, headers: [HTTPField("Content-Type", contentType)] + headers, body: .bytes(bytes))
    }

    package static func text(_ text: String, status: Int = 200, headers: [HTTPField] = []) -> HTTPResponse {
        .bytes(Array(text.utf8), contentType: "text/plain; charset=utf-8", status: status, headers: headers)
    }

    /// A file from disk: whole, one range or several, or 304/412/416, as the request asks (RFC 9110 §13,
    /// §14).
    package static func file(_ file: FileContent, headers: [HTTPField] = []) -> HTTPResponse {
        HTTPResponse(status: 200, headers: headers, body: .file(file))
    }

    /// A body made while it is sent. `produce` runs in its own task, which is cancelled when the client goes
    /// away and when the server shuts down; the body ends when it returns.
    package static func stream(
        contentType: String, status: Int = 200, headers: [HTTPField] = [], overflowNotice: [UInt8] = [],
        _ produce: @escaping @Sendable (StreamWriter) async -> Void
    ) -> HTTPResponse {
        HTTPResponse(
            status: status, headers: [HTTPField("Content-Type", contentType)] + headers,
            body: .stream(StreamBody(overflowNotice: overflowNotice, produce: produce)))
    }

    /// Server-sent events: the right type, no caching, no buffering by proxies.
    /// A client with more than the configured bytes unsent gets `event: overflow` and is closed.
    package static func serverSentEvents(
        headers: [HTTPField] = [], _ produce: @escaping @Sendable (StreamWriter) async -> Void
    ) -> HTTPResponse {
        .stream(
            contentType: "text/event-stream",
            headers: [HTTPField("Cache-Control", "no-store"), HTTPField("X-Accel-Buffering", "no")] + headers,
            overflowNotice: Array("event: overflow\ndata: {}\n\n".utf8), produce)
    }

    /// The value of the first field with that name, compared without case.
    package func header(_ name: String) -> String? {
        for field in headers where asciiEqualIgnoringCase(field.name, name) { return field.value }
        return nil
    }
}

package enum ResponseBody: Sendable {
    case empty
    case bytes([UInt8])
    case file(FileContent)
    case stream(StreamBody)
}

/// A file to send. It is opened when the response starts, so that removing it meanwhile does no harm.
package struct FileContent: Sendable {
    package let path: String
    package let contentType: String
    /// A strong entity tag with its quotes, e.g. `"sha256-…"`; without one, no preconditions and no If-Range.
    package let entityTag: String?
    /// Seconds since 1970; sent as `Last-Modified`.
    package let lastModified: Int64?

    package init(path: String, contentType: String, entityTag: String?, lastModified: Int64? = nil) {
        self.path = path
        self.contentType = contentType
        self.entityTag = entityTag
        self.lastModified = lastModified
    }
}

/// A producer of bytes; see `HTTPResponse.stream`.
package struct StreamBody: Sendable {
    /// Sent, instead of what waits unsent, when `StreamWriter.offer` overflows.
    package let overflowNotice: [UInt8]
    package let produce: @Sendable (StreamWriter) async -> Void
}

/// ASCII comparison without case, without making new strings.
func asciiEqualIgnoringCase(_ a: String, _ b: String) -> Bool {
    guard a.utf8.count == b.utf8.count else { return false }
    for (x, y) in zip(a.utf8, b.utf8) where asciiLowercase(x) != asciiLowercase(y) { return false }
    return true
}

@inline(__always)
func asciiLowercase(_ byte: UInt8) -> UInt8 { byte >= 65 && byte <= 90 ? byte | 0x20 : byte }
