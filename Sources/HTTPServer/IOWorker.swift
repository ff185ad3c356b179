// One serial I/O queue with its share of the connections, one read buffer for all of them and one sweep
// timer.
import Dispatch

/// Everything mutable is confined to `queue`, hence `@unchecked Sendable`.
final class IOWorker: @unchecked Sendable {
    let queue: DispatchQueue
    let context: ConnectionContext
    /// Where every read of this queue goes, so that idle connections own no buffer.
    let readBuffer: UnsafeMutableRawBufferPointer
    private let ledger: ConnectionLedger
    let poller: Poller
    /// By a number that is never used again, so that a late event cannot reach another connection.
    private var connections: [UInt64: SocketConnection] = [:]
    private var lastNumber: UInt64 = 0
    private var sweep: (any DispatchSourceTimer)?

    init(index: Int, context: ConnectionContext, ledger: ConnectionLedger) throws(SocketError) {
        self.queue = DispatchQueue(label: "spindle.http.io.\(index)", qos: .userInitiated)
        self.context = context
        self.ledger = ledger
        self.poller = try Poller(queue: queue)
        self.readBuffer = .allocate(byteCount: 64 * 1024, alignment: 64)
    }

    deinit { readBuffer.deallocate() }

    func start() {
        queue.async {
            let timer = DispatchSource.makeTimerSource(queue: self.queue)
            let interval = max(0.01, self.context.configuration.deadlines.sweepSeconds)
            timer.schedule(
                deadline: .now() + interval, repeating: interval, leeway: .milliseconds(Int(interval * 100)))
            timer.setEventHandler { [weak self] in self?.sweepOnce() }
            timer.resume()
            self.sweep = timer
            self.poller.start { [weak self] number, readiness in
                self?.connections[number]?.ready(readiness)
            }
        }
    }

    /// Takes over an accepted socket; called from the accept queue.
    func adopt(_ descriptor: Int32, address: String, verdict: ConnectionLedger.Verdict) {
        queue.async {
            self.lastNumber += 1
            let connection = SocketConnection(
                descriptor: descriptor, number: self.lastNumber, address: address, verdict: verdict,
                worker: self)
            self.connections[connection.number] = connection
            self.context.observer.connectionOpened?()
            connection.start()
        }
    }

    /// The socket is closed. On the queue.
    func forget(_ connection: SocketConnection) {
        guard connections.removeValue(forKey: connection.number) != nil else { return }
        context.observer.connectionClosed?()
        ledger.remove(connection.address, verdict: connection.verdict)
    }

    func beginShutdown() {
        queue.async {
            self.context.isDraining = true
            for connection in self.connections.values { connection.beginShutdown() }
        }
    }

    func abortAll() {
        queue.async {
            for connection in self.connections.values { connection.abort() }
        }
    }

    func stop() {
        queue.async {
            self.sweep?.cancel()
            self.sweep = nil
            self.poller.stop()
        }
    }

    private func sweepOnce() {
        let now = monotonicNanoseconds()
        for connection in connections.values { connection.tick(now: now) }
    }
}
