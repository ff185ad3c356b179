// Waits for a worker's pipes with poll(2), on a thread of its own. Not with dispatch sources: libdispatch can crash the
// process in its event loop when a pipe it watches hangs up, which is how every worker ends.

import CLinux
import Glibc
import Synchronization

/// Watches descriptors for one worker. `ready` is called on the watching thread when one of them can be read or written, has
/// hung up, or when `wake` was called; it says what to wait for next, or nil to end the watch.
final class PipeWatch: Sendable {
    /// What to wait for; the end of a descriptor's other side counts as readable.
    struct Interest: Sendable {
        var readable: [Int32] = []
        var writable: [Int32] = []
    }

    /// A pipe to itself, whose read end is watched too.
    private let wakeRead: Int32
    private let wakeWrite: Int32
    private let isWakePending = Mutex(false)

    /// Nil when the process has no descriptors left.
    init?() {
        var ends: [Int32] = [-1, -1]
        guard pipe2(&ends, O_CLOEXEC | O_NONBLOCK) == 0 else { return nil }
        (wakeRead, wakeWrite) = (ends[0], ends[1])
    }

    deinit {
        close(wakeRead)
        close(wakeWrite)
    }

    /// Starts the thread. False if there is none to be had.
    func start(_ ready: @escaping @Sendable () -> Interest?) -> Bool {
        DetachedThread.start { [self] in
            while let interest = ready() { wait(for: interest) }
        }
    }

    /// Makes the thread look again at what there is to do.
    func wake() {
        isWakePending.withLock { isPending in
            guard !isPending else { return }
            isPending = true
            var byte: UInt8 = 1
            _ = write(wakeWrite, &byte, 1)
        }
    }

    private func wait(for interest: Interest) {
        var descriptors = [pollfd(fd: wakeRead, events: Int16(POLLIN), revents: 0)]
        descriptors += interest.readable.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        descriptors += interest.writable.map { pollfd(fd: $0, events: Int16(POLLOUT), revents: 0) }
        _ = poll(&descriptors, nfds_t(descriptors.count), -1)
        guard descriptors[0].revents != 0 else { return }
        isWakePending.withLock { isPending in
            isPending = false
            var byte: UInt8 = 0
            _ = read(wakeRead, &byte, 1)
        }
    }
}
