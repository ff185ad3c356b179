// A server on a free port, a raw blocking client, and a seeded generator. Not tests.
import Dispatch
import Glibc
import Logging
import Testing

@testable import HTTPServer

struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

struct Received: Sendable {
    var status = 0
    var headers: [(String, String)] = []
    var body: [UInt8] = []
    var text: String { String(decoding: body, as: UTF8.self) }
    func header(_ name: String) -> String? { headers.first { $0.0 == name.lowercased() }?.1 }
}

/// A blocking client that speaks exactly the bytes it is given; every wait ends after 30 s.
final class RawClient: @unchecked Sendable {
    // Used by one thread at a time; the tests' blocks run one after another.
    let descriptor: Int32
    private var buffer: [UInt8] = []
    private(set) var sawEnd = false

    init(port: UInt16, receiveBufferBytes: Int32? = nil) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        try #require(descriptor >= 0)
        var timeout = timeval(tv_sec: 30, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        if var size = receiveBufferBytes {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        // Everything is initialised: throwing runs deinit, which closes.
        if status != 0 {
            throw SocketError(action: "connect", address: "127.0.0.1:\(port)", code: errno)
        }
    }

    deinit { close(descriptor) }

    func send(_ text: String) { send(Array(text.utf8)) }

    /// Sends what it can; a server that closes early is not an error here.
    func send(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { return }
            rest = rest.dropFirst(count)
        }
    }

    func shutSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    private func fill() -> Bool {
        if sawEnd { return false }
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &chunk, chunk.count, 0)
        guard count > 0 else {
            sawEnd = true
            return false
        }
        buffer.append(contentsOf: chunk[..<count])
        return true
    }

    func readToEnd() -> [UInt8] {
        while fill() {}
        defer { buffer = [] }
        return buffer
    }

    /// Reads until the text has been received; what stands before and in it.
    func read(until text: String) -> String? {
        let wanted = Array(text.utf8)
        var searched = 0
        while true {
            while searched + wanted.count <= buffer.count {
                if buffer[searched..<(searched + wanted.count)].elementsEqual(wanted) {
                    let end = searched + wanted.count
                    defer { buffer.removeFirst(end) }
                    return String(decoding: buffer[..<end], as: UTF8.self)
                }
                searched += 1
            }
            if !fill() { return nil }
        }
    }

    func read(count: Int) -> [UInt8]? {
        while buffer.count < count { if !fill() { return nil } }
        defer { buffer.removeFirst(count) }
        return Array(buffer[..<count])
    }

    /// One response with its body by Content-Length, chunks, or the end of the connection.
    func readResponse(toHead: Bool = false) -> Received? {
        guard let head = read(until: "\r\n\r\n") else { return nil }
        var received = Received()
        let lines = head.split(separator: "\r\n")
        received.status = Int(lines[0].split(separator: " ")[1]) ?? 0
        received.headers = lines.dropFirst().map { line in
            let parts = line.split(separator: ":", maxSplits: 1)
            return (parts[0].lowercased(), parts.count > 1 ? String(parts[1].drop { $0 == " " }) : "")
        }
        if toHead || received.status < 200 || received.status == 204 || received.status == 304 {
            return received
        }
        if let length = received.header("content-length").flatMap(Int.init) {
            guard let body = read(count: length) else { return nil }
            received.body = body
        } else if received.header("transfer-encoding") == "chunked" {
            while true {
                guard let line = read(until: "\r\n"), let size = Int(line.dropLast(1), radix: 16),
                    let data = read(count: size), read(until: "\r\n") == "\r\n"
                else { return nil }
                received.body += data
                if size == 0 { break }
            }
        } else {
            received.body = readToEnd()
        }
        return received
    }

    /// Whether the server has closed, without any byte before.
    func isAtEnd() -> Bool { readToEnd().isEmpty && sawEnd }
}

/// Runs blocking code away from the cooperative threads, which the server's handlers need.
func blocking<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
    try await withCheckedThrowingContinuation { continuation in
        DispatchQueue(label: "test.client").async {
            continuation.resume(with: Result { try body() })
        }
    }
}

/// Starts a server on a free port, gives the port to `body`, and shuts it down.
func withServer<T>(
    _ routes: [Route], observer: ServerObserver = ServerObserver(),
    configure: (inout ServerConfiguration) -> Void = { _ in },
    _ body: (UInt16, HTTPServer) async throws -> T
) async throws -> T {
    var configuration = ServerConfiguration()
    configuration.port = 0
    configuration.logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    configure(&configuration)
    let server = try HTTPServer(configuration: configuration, routes: routes, observer: observer)
    let port = try server.start()
    do {
        let result = try await body(port, server)
        await server.shutdown(graceSeconds: 0)
        return result
    } catch {
        await server.shutdown(graceSeconds: 0)
        throw error
    }
}

/// Routes that most tests share.
enum TestRoutes {
    static let hello = Route(.get, "/hello", handler: .inline { _ in .text("hello") })
    static let echo = Route(
        .post, "/echo", body: .bytes(limit: 100_000),
        handler: .inline { .bytes($0.body.bytes, contentType: "application/octet-stream") })
    static let later = Route(
        .get, "/later/{name}",
        handler: .asynchronous { request in
            await Task.yield()
            return .text(request.pathParameters["name"] ?? "")
        })
    static let all = [hello, echo, later]
}

/// A folder of its own below the system's temporary folder, removed at the end.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/spindle-http-test-XXXXXX".utf8CString)
        let made = mkdtemp(&template)
        try #require(made != nil)
        path = String(decoding: template.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit {
        for name in names { unlink(path + "/" + name) }
        rmdir(path)
    }

    var names: [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }

    func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        let file = path + "/" + name
        let descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            try #require(count > 0)
            rest = rest.dropFirst(count)
        }
        return file
    }

    static func read(_ path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count <= 0 { return bytes }
            bytes += chunk[..<count]
        }
    }
}

/// Does something every 50 ms for 3 s, beside the test.
enum DispatchedDrip {
    static func run(_ drip: @escaping @Sendable () -> Void) {
        DispatchQueue(label: "test.drip").async {
            for _ in 0..<60 {
                usleep(50_000)
                drip()
            }
        }
    }
}
