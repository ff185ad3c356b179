// A small blocking HTTP/1.1 client over one socket per request: the tests say exactly which bytes go out.
import Foundation
import Glibc
import JobSpec
import Testing

struct Reply: Sendable {
    var status: Int
    /// Names in lower case.
    var headers: [String: String]
    var body: [UInt8]

    var text: String { String(decoding: body, as: UTF8.self) }
    func json(_ location: SourceLocation = #_sourceLocation) throws -> JSONValue {
        do {
            return try JSONValue(parsing: body)
        } catch {
            Issue.record("not JSON: \(text.prefix(300)): \(error)", sourceLocation: location)
            throw error
        }
    }
}

struct ClientError: Error { var text: String }

struct TestClient: Sendable {
    let port: UInt16
    var token: String?

    func get(_ target: String, _ headers: [String: String] = [:]) async throws -> Reply {
        try await send("GET", target, headers)
    }

    func post(_ target: String, _ body: JSONValue? = nil, _ headers: [String: String] = [:]) async throws
        -> Reply
    {
        var headers = headers
        if body != nil { headers["Content-Type"] = "application/json" }
        return try await send("POST", target, headers, body.map { $0.serializedBytes() } ?? [])
    }

    /// On a thread of its own: the pool's threads must not block.
    func send(
        _ method: String, _ target: String, _ headers: [String: String] = [:], _ body: [UInt8] = []
    ) async throws -> Reply {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(
                    with: Result { try blockingSend(method, target, headers, body) })
            }
        }
    }

    private func blockingSend(
        _ method: String, _ target: String, _ headers: [String: String], _ body: [UInt8]
    ) throws -> Reply {
        let socket = try TestSocket(port: port)
        try socket.write(
            head(method, target, headers, bodyBytes: body.count, hasBody: method != "GET") + body)
        return try Self.parse(try socket.readToEnd(), isHead: method == "HEAD")
    }

    func head(
        _ method: String, _ target: String, _ headers: [String: String], bodyBytes: Int = 0,
        hasBody: Bool = false
    ) -> [UInt8] {
        var text = "\(method) \(target) HTTP/1.1\r\nConnection: close\r\n"
        var headers = headers
        if headers["Host"] == nil { headers["Host"] = "127.0.0.1:\(port)" }
        if let token { headers["Authorization"] = "Bearer \(token)" }
        if hasBody || bodyBytes > 0 { headers["Content-Length"] = "\(bodyBytes)" }
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        return Array((text + "\r\n").utf8)
    }

    static func parse(_ bytes: [UInt8], isHead: Bool) throws -> Reply {
        guard
            let end = bytes.indices.dropLast(3).first(where: {
                Array(bytes[$0..<$0 + 4]) == [13, 10, 13, 10]
            })
        else {
            throw ClientError(
                text:
                    "no header block in \(bytes.count) bytes: \(String(decoding: bytes.prefix(200), as: UTF8.self))"
            )
        }
        let lines = String(decoding: bytes[..<end], as: UTF8.self).components(separatedBy: "\r\n")
        let status = Int(lines[0].split(separator: " ").dropFirst().first ?? "") ?? 0
        var headers = [String: String]()
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1).map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            if parts.count == 2 { headers[parts[0].lowercased()] = parts[1] }
        }
        var body = Array(bytes[(end + 4)...])
        if headers["transfer-encoding"] == "chunked" { body = try unchunked(body) }
        if let length = headers["content-length"].flatMap(Int.init), !isHead, length != body.count {
            throw ClientError(text: "Content-Length \(length), got \(body.count) bytes")
        }
        return Reply(status: status, headers: headers, body: body)
    }

    /// Of a body that may still be going on: the complete chunks.
    static func unchunked(_ bytes: [UInt8]) throws -> [UInt8] {
        var body = [UInt8]()
        var rest = bytes[...]
        while let line = rest.firstIndex(of: 13) {
            let size = Int(String(decoding: rest[rest.startIndex..<line], as: UTF8.self), radix: 16) ?? 0
            let start = line + 2
            guard size > 0, start + size <= rest.endIndex else { break }
            body += rest[start..<start + size]
            guard start + size + 2 <= rest.endIndex else { break }
            rest = rest[(start + size + 2)...]
        }
        return body
    }
}

/// A connected socket with a receive timeout, so that a test that goes wrong ends.
final class TestSocket {
    private let descriptor: Int32

    init(port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw ClientError(text: "connect: \(String(cString: strerror(errno)))") }
        var timeout = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    func write(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            // The server may have answered and closed before it read everything; its answer is still there to read.
            if count <= 0 { return }
            sent += count
        }
    }

    /// nil at the end of the connection.
    func readSome() throws -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        if count == 0 { return nil }
        guard count > 0 else {
            if errno == ECONNRESET { return nil }
            throw ClientError(text: "recv: \(String(cString: strerror(errno)))")
        }
        return Array(buffer[..<count])
    }

    func readToEnd() throws -> [UInt8] {
        var all = [UInt8]()
        while let some = try readSome() { all += some }
        return all
    }
}
