// What a handler receives. Everything textual is converted from the header block's bytes when it is asked
// for.

package struct HTTPRequest: Sendable {
    /// The request line and the fields, as received.
    package let head: RequestHead
    /// The values of the template's `{name}` segments, percent-decoded.
    package internal(set) var pathParameters: PathParameters
    /// The template of the matched route, as in metrics labels.
    package internal(set) var routeTemplate: String
    package internal(set) var body: RequestBody
    /// The peer's numeric address, without the port.
    package let remoteAddress: String
    /// The id of `X-Request-Id`: the client's if it is a sane token of at most 128 characters, else made
    /// here.
    package let requestID: RequestID

    package var method: HTTPMethod { head.method }
    /// The path, percent-decoded. Segments that contain an encoded `/` are only told apart by
    /// `pathParameters`.
    package var path: String { head.path }
    package var headers: RequestFields { RequestFields(head: head) }
    package var query: QueryItems { head.query }

    /// A request made by hand, for tests of handlers.
    package init(
        method: HTTPMethod, target: String, headers: [(String, String)] = [], body: RequestBody = .none,
        pathParameters: [String: String] = [:], remoteAddress: String = "127.0.0.1"
    ) throws(RequestRejection) {
        var text = "\(method) \(target) HTTP/1.1\r\n"
        if !headers.contains(where: { $0.0.lowercased() == "host" }) { text += "Host: localhost\r\n" }
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        text += "\r\n"
        self.head = try RequestHead(parsing: Array(text.utf8))
        self.pathParameters = PathParameters(pathParameters.map { ($0.key, $0.value) })
        self.routeTemplate = "unmatched"
        self.body = body
        self.remoteAddress = remoteAddress
        self.requestID = RequestID(head: head, generated: 0)
    }

    init(head: RequestHead, match: RouteMatch?, remoteAddress: String, requestID: RequestID) {
        self.head = head
        self.pathParameters = match?.parameters ?? PathParameters([])
        self.routeTemplate = match?.route.template ?? "unmatched"
        self.body = .none
        self.remoteAddress = remoteAddress
        self.requestID = requestID
    }
}

/// The content of a request, according to the route's `BodyPolicy`.
package enum RequestBody: Sendable {
    case none
    case bytes([UInt8])
    case file(UploadedFile)

    /// The bytes of a body held in memory; empty when there was none or it went to a file.
    package var bytes: [UInt8] {
        if case .bytes(let bytes) = self { bytes } else { [] }
    }
}

/// A body that was streamed to disk. The handler owns the file: it renames or removes it.
/// (If the request fails before the handler runs, the server has removed it.)
package struct UploadedFile: Sendable {
    package let path: String
    package let byteCount: Int64
    /// What the route's `BodySink` returned, e.g. the SHA-256 in hex.
    package let digest: String?

    package init(path: String, byteCount: Int64, digest: String?) {
        self.path = path
        self.byteCount = byteCount
        self.digest = digest
    }
}

/// Values of the `{name}` segments of the matched template.
package struct PathParameters: Sendable {
    private let pairs: [(name: String, value: String)]

    package init(_ pairs: [(String, String)]) { self.pairs = pairs.map { (name: $0.0, value: $0.1) } }

    package subscript(name: String) -> String? {
        for pair in pairs where pair.name == name { return pair.value }
        return nil
    }
}

/// The query's items in order. `+` and `%20` both mean a space (the form encoding that browsers and curl
/// send).
package struct QueryItems: Sendable, Sequence {
    package struct Item: Sendable, Hashable {
        package let name: String
        /// Empty for an item without `=`.
        package let value: String
    }

    package let items: [Item]

    package init(_ items: [Item]) { self.items = items }

    /// The value of the first item with that name.
    package subscript(name: String) -> String? {
        for item in items where item.name == name { return item.value }
        return nil
    }

    package func values(_ name: String) -> [String] {
        items.filter { $0.name == name }.map(\.value)
    }

    package func makeIterator() -> IndexingIterator<[Item]> { items.makeIterator() }
}

/// The request's id; a `String` is made only when somebody asks.
package struct RequestID: Sendable, CustomStringConvertible {
    private enum Storage: Sendable {
        case generated(UInt64)
        case received(String)
    }
    private let storage: Storage

    init(head: RequestHead?, generated: UInt64) {
        if let span = head?.requestIDField, let sane = head?.saneToken(span) {
            storage = .received(sane)
        } else {
            storage = .generated(generated)
        }
    }

    package var description: String {
        switch storage {
        case .received(let text): return text
        case .generated:
            var bytes: [UInt8] = []
            append(to: &bytes)
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    func append(to output: inout [UInt8]) {
        switch storage {
        case .received(let text): output.append(contentsOf: text.utf8)
        case .generated(let number):
            for shift in stride(from: 60, through: 0, by: -4) {
                let digit = UInt8(truncatingIfNeeded: (number >> UInt64(shift)) & 15)
                output.append(digit < 10 ? 48 + digit : 87 + digit)
            }
        }
    }
}
