// One keep-alive HTTP connection on libcurl (see CCurl). Blocking; knows nothing of jobs.
import CCurl

/// A request as libcurl takes it.
struct ClientRequest {
    enum Body {
        case none
        case bytes([UInt8])
        case file(String)
    }
    var method: String
    var url: String
    var headers: [(name: String, value: String)] = []
    var body = Body.none
    var connectTimeoutSeconds = 5.0
    /// 0: none. For a long poll, the poll's length and some more.
    var totalTimeoutSeconds = 0.0
    /// 0: none. The server sends a heartbeat every 15 s on streams.
    var idleTimeoutSeconds = 60
}

/// Status, headers by lower-case name, and the body unless it went to a sink.
struct ClientReply {
    var status = 0
    var headers: [String: String] = [:]
    var body: [UInt8] = []

    func header(_ name: String) -> String? { headers[name] }
}

/// Collects what libcurl delivers; lives as long as one exchange.
private final class Delivery {
    typealias Sink = (UnsafeRawBufferPointer, ClientReply) throws -> Bool
    var reply = ClientReply()
    let sink: Sink?
    let onSent: ((Int64, Int64) -> Void)?
    /// An error thrown by the sink; libcurl only learns that the transfer is to stop.
    var sinkError: (any Error)?
    /// An answer kept in memory is never larger than this: a command expects JSON, not gigabytes.
    let bodyLimitBytes = 256 << 20

    init(sink: Sink?, onSent: ((Int64, Int64) -> Void)?) {
        self.sink = sink
        self.onSent = onSent
    }

    func header(_ line: String) {
        if line.hasPrefix("HTTP/") {
            let words = line.split(separator: " ")
            reply = ClientReply(status: words.count > 1 ? Int(words[1]) ?? 0 : 0)
            return
        }
        guard let colon = line.firstIndex(of: ":") else { return }
        let name = line[..<colon].lowercased()
        let value = line[line.index(after: colon)...].drop(while: \.isWhitespace)
        reply.headers[name] = String(value.reversed().drop(while: \.isWhitespace).reversed())
    }

    func body(_ bytes: UnsafeRawBufferPointer) -> Bool {
        if let sink, (200..<300).contains(reply.status) {
            do { return try sink(bytes, reply) } catch {
                sinkError = error
                return false
            }
        }
        guard reply.body.count + bytes.count <= bodyLimitBytes else { return false }
        reply.body.append(contentsOf: bytes)
        return true
    }
}

/// Owns the libcurl handle. Not Sendable: a command uses one connection from one thread.
final class HTTPConnection {
    private let handle: OpaquePointer

    init() throws(ClientFailure) {
        if let reason = ccurl_load() {
            throw .local(
                "libcurl cannot be used: \(String(cString: reason)). Install it: apt-get install libcurl4")
        }
        guard let handle = ccurl_connection_create() else { throw .local("libcurl has no memory left") }
        self.handle = handle
    }

    deinit { ccurl_connection_destroy(handle) }

    static var libraryVersion: String? {
        guard ccurl_load() == nil, let text = ccurl_version_text() else { return nil }
        return String(cString: text)
    }

    /// Runs one exchange. `sink` gets the body of a 2xx answer piece by piece and returns false to stop early (which is
    /// not an error); other answers are collected in the reply.
    func exchange(
        _ request: ClientRequest, server: String,
        sink: ((UnsafeRawBufferPointer, ClientReply) throws -> Bool)? = nil,
        onSent: ((_ sentBytes: Int64, _ totalBytes: Int64) -> Void)? = nil
    ) throws -> ClientReply {
        let delivery = Delivery(sink: sink, onSent: onSent)
        let result = withExtendedLifetime(delivery) { perform(request, delivery) }
        if let error = delivery.sinkError { throw error }
        let message = withUnsafeBytes(of: result.message) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        switch result.outcome {
        case CCURL_OK: return delivery.reply
        case CCURL_STOPPED where sink != nil: return delivery.reply
        case CCURL_UNREACHABLE: throw ClientFailure.unreachable(server: server, reason: message)
        case CCURL_TIMED_OUT where delivery.reply.status == 0 && message.contains("onnect"):
            throw ClientFailure.unreachable(server: server, reason: message)
        case CCURL_TIMED_OUT, CCURL_INTERRUPTED: throw ClientFailure.interrupted(reason: message)
        case CCURL_STOPPED: throw ClientFailure.badAnswer("the answer is larger than a command expects")
        default: throw ClientFailure.local(message)
        }
    }

    private func perform(_ request: ClientRequest, _ delivery: Delivery) -> ccurl_result {
        var receiver = ccurl_receiver()
        receiver.context = Unmanaged.passUnretained(delivery).toOpaque()
        receiver.header = { context, line, count in
            guard let context, let line else { return true }
            let bytes = UnsafeRawBufferPointer(start: line, count: count)
            Unmanaged<Delivery>.fromOpaque(context).takeUnretainedValue().header(
                String(decoding: bytes, as: UTF8.self))
            return true
        }
        receiver.body = { context, bytes, count in
            guard let context, let bytes else { return true }
            return Unmanaged<Delivery>.fromOpaque(context).takeUnretainedValue().body(
                UnsafeRawBufferPointer(start: bytes, count: count))
        }
        receiver.sent = { context, sent, total in
            guard let context else { return true }
            Unmanaged<Delivery>.fromOpaque(context).takeUnretainedValue().onSent?(sent, total)
            return true
        }
        var raw = ccurl_request()
        raw.connect_timeout_ms = Int64(request.connectTimeoutSeconds * 1000)
        raw.total_timeout_ms = Int64(request.totalTimeoutSeconds * 1000)
        raw.idle_timeout_s = Int64(request.idleTimeoutSeconds)
        return withHeaderLines(request.headers) { lines in
            raw.headers = lines.baseAddress
            raw.header_count = lines.count
            return request.method.withCString { method in
                request.url.withCString { url in
                    raw.method = method
                    raw.url = url
                    switch request.body {
                    case .none: return ccurl_perform(handle, &raw, &receiver)
                    case .file(let path):
                        return path.withCString {
                            raw.upload_path = $0
                            return ccurl_perform(handle, &raw, &receiver)
                        }
                    case .bytes(let bytes):
                        // An empty array has no address, and a null body would mean "no body".
                        return (bytes.isEmpty ? [0] : bytes).withUnsafeBufferPointer {
                            raw.body = $0.baseAddress
                            raw.body_count = bytes.count
                            return ccurl_perform(handle, &raw, &receiver)
                        }
                    }
                }
            }
        }
    }

    /// Header values come from flags, files and the server; a line break in one would add a header, so it is dropped.
    private func withHeaderLines<Result>(
        _ headers: [(name: String, value: String)],
        _ body: (UnsafeBufferPointer<UnsafePointer<CChar>?>) -> Result
    ) -> Result {
        let lines: [[UInt8]] = headers.map { header in
            Array("\(header.name): \(header.value)".utf8).filter { $0 != 10 && $0 != 13 && $0 != 0 }
        }
        var storage: [CChar] = []
        for line in lines {
            for byte in line { storage.append(CChar(bitPattern: byte)) }
            storage.append(0)
        }
        return storage.withUnsafeMutableBufferPointer { buffer in
            var pointers: [UnsafePointer<CChar>?] = []
            var offset = 0
            for line in lines {
                pointers.append(buffer.baseAddress.map { UnsafePointer($0 + offset) })
                offset += line.count + 1
            }
            return pointers.withUnsafeBufferPointer(body)
        }
    }
}
