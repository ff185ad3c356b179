// Spindle's REST API as the commands see it: paths, JSON, problems, retries. One per command run.
import Foundation
import JobSpec

/// A server's address and what is sent with every request to it.
final class ServerClient {
    let base: String
    private let token: String?
    private let connection: HTTPConnection

    /// `server` is `http://host:port` or `https://…`, with or without a path prefix and a final slash.
    init(server: String, token: String?) throws(ClientFailure) {
        var base = server.trimmingCharacters(in: .whitespaces)
        if !base.contains("://") { base = "http://" + base }
        while base.hasSuffix("/") { base.removeLast() }
        guard let url = URLComponents(string: base), let host = url.host, !host.isEmpty,
            url.scheme == "http" || url.scheme == "https", url.query == nil, url.fragment == nil
        else {
            throw .local("'\(server)' is not a server address; expected something like http://127.0.0.1:7070")
        }
        self.base = base
        self.token = token
        connection = try HTTPConnection()
    }

    /// A path with its parts percent-encoded, so that a name from the command line cannot become two segments.
    static func path(_ parts: String...) -> String {
        parts.map { "/" + encoded($0) }.joined()
    }

    static func encoded(_ text: String) -> String {
        let unreserved = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~".utf8)
        return text.utf8.map { byte in
            unreserved.contains(byte)
                ? String(UnicodeScalar(byte))
                : "%" + String(byte, radix: 16, uppercase: true).leftPadded(to: 2)
        }.joined()
    }

    func url(_ path: String, query: [(String, String)] = []) -> String {
        let parameters = query.map { "\(Self.encoded($0.0))=\(Self.encoded($0.1))" }.joined(separator: "&")
        return base + path + (parameters.isEmpty ? "" : "?" + parameters)
    }

    func request(
        _ method: String, _ path: String, query: [(String, String)] = [],
        headers: [(name: String, value: String)] = [], body: ClientRequest.Body = .none
    ) -> ClientRequest {
        var all = [("Accept", "application/json"), ("User-Agent", "spindle-cli")]
        if let token { all.append(("Authorization", "Bearer \(token)")) }
        for header in headers {
            all.removeAll { $0.0.lowercased() == header.name.lowercased() }
            all.append((header.name, header.value))
        }
        var request = ClientRequest(method: method, url: url(path, query: query))
        request.headers = all.map { (name: $0.0, value: $0.1) }
        request.body = body
        return request
    }

    /// One exchange; an answer outside 2xx and 304 is thrown as `ClientFailure.refused`.
    func send(
        _ request: ClientRequest,
        sink: ((UnsafeRawBufferPointer, ClientReply) throws -> Bool)? = nil,
        onSent: ((Int64, Int64) -> Void)? = nil
    ) throws -> ClientReply {
        let reply = try connection.exchange(request, server: base, sink: sink, onSent: onSent)
        guard (200..<300).contains(reply.status) || reply.status == 304 else {
            throw ClientFailure.refused(ServerProblem(status: reply.status, body: reply.body))
        }
        return reply
    }

    /// The JSON of a successful answer.
    func json(_ request: ClientRequest) throws -> JSONValue {
        try Self.parsed(try send(request), from: request)
    }

    static func parsed(_ reply: ClientReply, from request: ClientRequest) throws -> JSONValue {
        do { return try JSONValue(parsing: reply.body) } catch {
            throw ClientFailure.badAnswer(
                "\(request.method) \(request.url) was answered with something that is not JSON. Is this a Spindle server?"
            )
        }
    }

    func get(_ path: String, query: [(String, String)] = []) throws -> JSONValue {
        try json(request("GET", path, query: query))
    }

    /// A write with a JSON body and an idempotency key, so that it may be repeated: when the answer is lost on the way it
    /// is asked for again with the same key, and the server replays what it did.
    func post(_ path: String, body: [UInt8]?, query: [(String, String)] = [], key: String = newKey()) throws
        -> JSONValue
    {
        let headers = [
            (name: "Content-Type", value: "application/json"), (name: "Idempotency-Key", value: "\"\(key)\""),
        ]
        let request = request(
            "POST", path, query: query, headers: body == nil ? [headers[1]] : headers,
            body: .bytes(body ?? []))
        for attempt in 0..<3 {
            do { return try json(request) } catch ClientFailure.interrupted {
                Thread.sleep(forTimeInterval: 0.2 * Double(attempt + 1))
            }
        }
        return try json(request)
    }

    /// 128 random bits in hexadecimal.
    static func newKey() -> String {
        (0..<2).map { _ in String(UInt64.random(in: 0 ... .max), radix: 16).leftPadded(to: 16) }.joined()
    }

    /// Repeats `operation` while the server is away, with growing pauses up to 2 s, until `deadline`.
    /// `onOutage` is told once for each outage.
    func surviving<Result>(
        until deadline: Date, onOutage: (ClientFailure) -> Void = { _ in }, _ operation: () throws -> Result
    ) throws -> Result {
        var pauseSeconds = 0.1
        var told = false
        while true {
            do { return try operation() } catch let failure as ClientFailure where failure.isTransient {
                if Date() >= deadline { throw failure }
                if !told { onOutage(failure) }
                told = true
                Thread.sleep(forTimeInterval: min(pauseSeconds, max(0, deadline.timeIntervalSinceNow)))
                pauseSeconds = min(pauseSeconds * 1.6, 2)
            }
        }
    }
}

extension String {
    /// Zeros in front, for fixed-width hexadecimal.
    func leftPadded(to width: Int) -> String {
        String(repeating: "0", count: Swift.max(0, width - count)) + self
    }
}
