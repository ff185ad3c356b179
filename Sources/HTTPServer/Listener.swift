// The listening socket: one accept source, which deals connections out to the I/O workers in turn.
import CLinux
import Dispatch
import Glibc
import Logging

/// The mutable state is confined to `queue`, hence `@unchecked Sendable`.
final class Listener: @unchecked Sendable {
    let port: UInt16
    private let descriptor: Int32
    private let queue = DispatchQueue(label: "spindle.http.accept", qos: .userInitiated)
    private let source: any DispatchSourceRead
    private let workers: [IOWorker]
    private let ledger: ConnectionLedger
    private let observer: ServerObserver
    private let logger: Logger
    private var nextWorker = 0
    private var isPaused = false
    private var isStopped = false

    init(
        configuration: ServerConfiguration, workers: [IOWorker], ledger: ConnectionLedger,
        observer: ServerObserver
    ) throws(SocketError) {
        let (descriptor, port) = try Self.listen(host: configuration.host, port: configuration.port)
        self.descriptor = descriptor
        self.port = port
        self.workers = workers
        self.ledger = ledger
        self.observer = observer
        self.logger = configuration.logger
        self.source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: queue)
    }

    func start() {
        source.setEventHandler { [weak self] in self?.acceptAll() }
        let descriptor = self.descriptor
        source.setCancelHandler { close(descriptor) }
        source.resume()
    }

    /// Stops accepting; returns when the socket will accept nothing more.
    func stop() {
        queue.sync {
            guard !isStopped else { return }
            isStopped = true
            if isPaused { source.resume() }
            source.cancel()
        }
    }

    private func acceptAll() {
        for _ in 0..<64 {
            if isStopped { return }
            var storage = sockaddr_storage()
            var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let accepted = withUnsafeMutablePointer(to: &storage) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    accept4(
                        descriptor, $0, &length, Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue))
                }
            }
            guard accepted >= 0 else {
                if errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM { pause(errno) }
                // Everything else is either no connection left, or one that is already gone.
                if errno == ECONNABORTED || errno == EINTR { continue }
                return
            }
            var one: Int32 = 1
            setsockopt(accepted, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
            let address = Self.numericHost(&storage, length)
            let verdict = ledger.add(address)
            switch verdict {
            case .accepted: break
            case .tooMany, .hopeless: observer.rejected?(.connectionLimit)
            case .tooManyFromAddress: observer.rejected?(.addressLimit)
            }
            if verdict == .hopeless {
                close(accepted)
                continue
            }
            workers[nextWorker].adopt(accepted, address: address, verdict: verdict)
            nextWorker = (nextWorker + 1) % workers.count
        }
    }

    /// Out of descriptors: without a pause the level-triggered source would spin.
    private func pause(_ code: Int32) {
        logger.warning("accept paused", metadata: ["errno": "\(code)"])
        isPaused = true
        source.suspend()
        queue.asyncAfter(deadline: .now() + .milliseconds(100)) { [weak self] in
            guard let self, isPaused else { return }
            isPaused = false
            if !isStopped { source.resume() }
        }
    }

    // MARK: - Sockets

    private static func listen(host: String, port: UInt16) throws(SocketError) -> (Int32, UInt16) {
        let address = "\(host):\(port)"
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICHOST | AI_PASSIVE
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &list) == 0, let first = list?.pointee else {
            throw SocketError(action: "resolve", address: address, code: EADDRNOTAVAIL)
        }
        defer { freeaddrinfo(list) }
        let descriptor = socket(
            first.ai_family, first.ai_socktype | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue),
            first.ai_protocol)
        guard descriptor >= 0 else { throw SocketError(action: "socket", address: address, code: errno) }
        do throws(SocketError) {
            var one: Int32 = 1
            setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
            guard bind(descriptor, first.ai_addr, first.ai_addrlen) == 0 else {
                throw SocketError(action: "bind", address: address, code: errno)
            }
            guard Glibc.listen(descriptor, 1024) == 0 else {
                throw SocketError(action: "listen", address: address, code: errno)
            }
            return (descriptor, try boundPort(descriptor, address))
        } catch {
            close(descriptor)
            throw error
        }
    }

    private static func boundPort(_ descriptor: Int32, _ address: String) throws(SocketError) -> UInt16 {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let status = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        guard status == 0 else { throw SocketError(action: "getsockname", address: address, code: errno) }
        // The port is at the same place in both families.
        return withUnsafeBytes(of: &storage) { UInt16($0[2]) << 8 | UInt16($0[3]) }
    }

    private static func numericHost(_ storage: inout sockaddr_storage, _ length: socklen_t) -> String {
        var host = [CChar](repeating: 0, count: 64)
        let status = withUnsafePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                getnameinfo($0, length, &host, socklen_t(host.count), nil, 0, NI_NUMERICHOST)
            }
        }
        guard status == 0 else { return "unknown" }
        let text = String(decoding: host.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        return text.hasPrefix("::ffff:") ? String(text.dropFirst(7)) : text
    }
}
