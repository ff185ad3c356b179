// The sockets of one I/O queue behind one dispatch source: an epoll set, whose own descriptor the source
// watches. A source per socket costs two epoll_ctl calls and a thread change for every request; this costs
// them per batch.
import CLinux
import Dispatch
import Glibc

/// Confined to the queue it is made for, except for `init`.
final class Poller {
    struct Interest: OptionSet, Equatable {
        let rawValue: UInt32
        static let read = Interest(rawValue: UInt32(EPOLLIN.rawValue))
        static let write = Interest(rawValue: UInt32(EPOLLOUT.rawValue))
    }

    struct Readiness {
        let canRead: Bool
        let canWrite: Bool
        /// Both directions are over: reported even when nobody asked.
        let isBroken: Bool
    }

    private let descriptor: Int32
    private let queue: DispatchQueue
    /// Made by `start`: libdispatch traps when a source is released that was never resumed.
    private var source: (any DispatchSourceRead)?
    private var events: [epoll_event]
    /// Turns of one wake-up, so that what others put on the queue is not kept waiting.
    private static let turns = 16

    init(queue: DispatchQueue) throws(SocketError) {
        descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard descriptor >= 0 else { throw SocketError(action: "epoll_create1", address: "-", code: errno) }
        events = [epoll_event](repeating: epoll_event(), count: 64)
        self.queue = queue
    }

    deinit { if source == nil { close(descriptor) } }

    /// - Parameter handle: called for the token of every socket that is ready.
    func start(_ handle: @escaping (UInt64, Readiness) -> Void) {
        let descriptor = self.descriptor
        let source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: queue)
        self.source = source
        source.setEventHandler { [weak self] in self?.poll(handle) }
        // libdispatch may use the descriptor until then.
        source.setCancelHandler { close(descriptor) }
        source.resume()
    }

    func stop() { source?.cancel() }

    private func poll(_ handle: (UInt64, Readiness) -> Void) {
        for _ in 0..<Self.turns {
            let count = Int(epoll_wait(descriptor, &events, Int32(events.count), 0))
            // Level-triggered: what an interruption leaves is reported again.
            guard count > 0 else { return }
            for index in 0..<count {
                let flags = events[index].events
                handle(
                    events[index].data.u64,
                    Readiness(
                        canRead: flags & UInt32(EPOLLIN.rawValue) != 0,
                        canWrite: flags & UInt32(EPOLLOUT.rawValue) != 0,
                        isBroken: flags & (UInt32(EPOLLERR.rawValue) | UInt32(EPOLLHUP.rawValue)) != 0))
            }
        }
    }

    /// False if the kernel has no room for it.
    func add(_ socket: Int32, token: UInt64, _ interest: Interest) -> Bool {
        control(EPOLL_CTL_ADD, socket, token, interest)
    }

    func change(_ socket: Int32, token: UInt64, _ interest: Interest) {
        _ = control(EPOLL_CTL_MOD, socket, token, interest)
    }

    /// To be called before the socket is closed.
    func remove(_ socket: Int32) { _ = control(EPOLL_CTL_DEL, socket, 0, []) }

    private func control(_ operation: Int32, _ socket: Int32, _ token: UInt64, _ interest: Interest) -> Bool {
        var event = epoll_event()
        event.events = interest.rawValue
        event.data.u64 = token
        return epoll_ctl(descriptor, operation, socket, &event) == 0
    }
}
