// HTTP/1.1 over a plain socket, one connection a request: the tests see the very bytes that the server sends.
import Foundation
import JobSpec

#if canImport(Glibc)
    import Glibc
#endif

struct HTTPReply {
    var status: Int
    /// By lower-case name.
    var headers: [String: String]
    var body: [UInt8]

    var text: String { String(decoding: body, as: UTF8.self) }
    var json: JSONValue {
        get throws { try JSONValue(parsing: body) }
    }
}

struct HTTPClient {
    let port: UInt16
    /// No test waits longer than this for a byte.
    var timeoutSeconds = 90

    func get(_ path: String, headers: [String: String] = [:]) throws -> HTTPReply {
        try send("GET", path, headers: headers)
    }

    func post(_ path: String, _ value: JSONValue?) throws -> HTTPReply {
        try send(
            "POST", path, headers: value == nil ? [:] : ["Content-Type": "application/json"],
            body: value?.serializedBytes() ?? [])
    }

    func send(_ method: String, _ path: String, headers: [String: String] = [:], body: [UInt8]? = nil) throws
        -> HTTPReply
    {
        var head = "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\n"
        for (name, value) in headers.sorted(by: { $0.key < $1.key }) { head += "\(name): \(value)\r\n" }
        if let body { head += "Content-Length: \(body.count)\r\n" }
        let answer = try exchange(Array((head + "\r\n").utf8) + (body ?? []))
        return try Self.parse(answer, isHead: method == "HEAD")
    }

    /// Sends bytes as they are and returns everything until the server closes.
    func exchange(_ bytes: [UInt8]) throws -> [UInt8] {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw HarnessError(description: "no socket") }
        defer { close(descriptor) }
        var limit = timeval(tv_sec: timeoutSeconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else { throw HarnessError(description: "connection refused on port \(port)") }
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            // The server may refuse before it has read everything; its answer is what counts.
            guard count > 0 else { break }
            sent += count
        }
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count < 0, errno == EAGAIN || errno == EWOULDBLOCK {
                throw HarnessError(description: "no answer within \(timeoutSeconds) s")
            }
            guard count > 0 else { return answer }
            answer += buffer[..<count]
        }
    }

    /// The last answer in `bytes`, past interim ones.
    static func parse(_ bytes: [UInt8], isHead: Bool) throws -> HTTPReply {
        guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else {
            throw HarnessError(
                description: "not an HTTP answer: \(String(decoding: bytes.prefix(200), as: UTF8.self))")
        }
        let lines = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
        let words = lines[0].split(separator: " ")
        guard words.count >= 2, let status = Int(words[1]) else {
            throw HarnessError(description: "bad status line: \(lines[0])")
        }
        let rest = Array(bytes[end.upperBound...])
        if status < 200 { return try parse(rest, isHead: isHead) }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            headers[line[..<colon].lowercased()] = line[line.index(after: colon)...]
                .trimmingCharacters(in: .whitespaces)
        }
        var body = rest
        if headers["transfer-encoding"] == "chunked" {
            body = try dechunked(rest)
        } else if let length = headers["content-length"].flatMap(Int.init), !isHead, length != rest.count {
            throw HarnessError(description: "Content-Length \(length), but \(rest.count) bytes came")
        }
        return HTTPReply(status: status, headers: headers, body: body)
    }

    private static func dechunked(_ bytes: [UInt8]) throws -> [UInt8] {
        var body: [UInt8] = []
        var rest = bytes[...]
        while let lineEnd = rest.firstRange(of: Array("\r\n".utf8)) {
            let text = String(decoding: rest[..<lineEnd.lowerBound], as: UTF8.self)
            guard let count = Int(text.prefix { $0 != ";" }, radix: 16), count >= 0 else { break }
            if count == 0 { return body }
            guard rest.endIndex - lineEnd.upperBound >= count + 2 else { break }
            body += rest[lineEnd.upperBound..<lineEnd.upperBound + count]
            rest = rest[(lineEnd.upperBound + count + 2)...]
        }
        throw HarnessError(description: "the chunked body is cut off or malformed")
    }
}
