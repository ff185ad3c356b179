// The producing end of a stream body: waits for slow clients (`write`) or gives up on them (`offer`).
import Synchronization

/// Why nothing more can be written.
package enum StreamClosed: Error, Sendable {
    /// The client went away or was cut off.
    case disconnected
    /// More than the configured bytes waited for a slow client.
    case overflowed
    /// The producer has called `finish`.
    case finished
}

/// Given to a stream's producer. May be used from any task; what is written in one call stays together.
package final class StreamWriter: Sendable {
    private struct State {
        var waiting: [[UInt8]] = []
        /// Bytes in `waiting` and those taken by the connection but not yet by the kernel.
        var unsentBytes = 0
        var finished = false
        var closed: StreamClosed?
        var ending = false
        /// The connection has been told that there is something to take.
        var signalled = false
        var writers: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())
    private let limitBytes: Int
    private let overflowNotice: [UInt8]
    /// Tells the connection, from any thread, that `take` has something new.
    private let signal: @Sendable () -> Void
    /// Above this, `write` waits.
    private static let highWaterBytes = 64 * 1024

    init(limitBytes: Int, overflowNotice: [UInt8], signal: @escaping @Sendable () -> Void) {
        self.limitBytes = limitBytes
        self.overflowNotice = overflowNotice
        self.signal = signal
    }

    /// True once the server is shutting down (the producer's task is cancelled too): write a last event and
    /// return.
    package var isEnding: Bool { state.withLock { $0.ending } }
    package var isClosed: Bool { state.withLock { $0.closed != nil } }
    /// Bytes accepted and not yet handed to the kernel.
    package var unsentBytes: Int { state.withLock { $0.unsentBytes } }

    /// Queues the bytes and, while the client is more than 64 KiB behind, waits.
    package func write(_ bytes: [UInt8]) async throws(StreamClosed) {
        try enqueue(bytes)
        await withCheckedContinuation { continuation in
            let mustWait = state.withLock { state in
                guard state.closed == nil, state.unsentBytes > Self.highWaterBytes else { return false }
                state.writers.append(continuation)
                return true
            }
            if !mustWait { continuation.resume() }
        }
        if let closed = state.withLock({ $0.closed }) { throw closed }
    }

    /// Queues the bytes without waiting. If the client is further behind than the limit allows, what waits is
    /// replaced by the overflow notice, the stream ends, and `.overflowed` is thrown.
    package func offer(_ bytes: [UInt8]) throws(StreamClosed) {
        let overflowed = state.withLock { state in
            guard state.closed == nil, !state.finished, state.unsentBytes + bytes.count > limitBytes else {
                return false
            }
            state.unsentBytes -= state.waiting.reduce(0) { $0 + $1.count }
            state.waiting = overflowNotice.isEmpty ? [] : [overflowNotice]
            state.unsentBytes += overflowNotice.count
            state.closed = .overflowed
            state.finished = true
            return true
        }
        if overflowed {
            signal()
            throw .overflowed
        }
        try enqueue(bytes)
    }

    /// Ends the body. Returning from the producer does the same.
    package func finish() {
        let wake = state.withLock { state in
            let wake = !state.finished && !state.signalled
            state.finished = true
            state.signalled = true
            return wake
        }
        if wake { signal() }
    }

    private func enqueue(_ bytes: [UInt8]) throws(StreamClosed) {
        let refused: StreamClosed? = state.withLock { state in
            if let closed = state.closed { return closed }
            return state.finished ? .finished : nil
        }
        if let refused { throw refused }
        guard !bytes.isEmpty else { return }
        let wake = state.withLock { state in
            state.waiting.append(bytes)
            state.unsentBytes += bytes.count
            let wake = !state.signalled
            state.signalled = true
            return wake
        }
        if wake { signal() }
    }

    // MARK: - The connection's side, called on its I/O queue

    struct Taken {
        var pieces: [[UInt8]] = []
        var finished = false
        var overflowed = false
    }

    /// Takes whole pieces until `byteCount` is reached; `finished` once nothing will follow.
    func take(_ byteCount: Int) -> Taken {
        state.withLock { state in
            state.signalled = false
            var taken = Taken()
            var total = 0
            var count = 0
            while count < state.waiting.count, total < byteCount {
                total += state.waiting[count].count
                count += 1
            }
            taken.pieces = Array(state.waiting.prefix(count))
            state.waiting.removeFirst(count)
            taken.finished = state.waiting.isEmpty && state.finished
            taken.overflowed = state.closed == .overflowed
            return taken
        }
    }

    /// The kernel has taken that many content bytes.
    func sent(_ byteCount: Int) {
        let writers = state.withLock { state in
            state.unsentBytes -= byteCount
            guard state.unsentBytes <= Self.highWaterBytes else {
                return [CheckedContinuation<Void, Never>]()
            }
            let writers = state.writers
            state.writers = []
            return writers
        }
        for writer in writers { writer.resume() }
    }

    func close() {
        let writers = state.withLock { state in
            if state.closed == nil { state.closed = .disconnected }
            state.waiting = []
            state.unsentBytes = 0
            let writers = state.writers
            state.writers = []
            return writers
        }
        for writer in writers { writer.resume() }
    }

    func markEnding() { state.withLock { $0.ending = true } }
}
