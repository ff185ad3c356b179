// The server: a route table behind a listening socket. Start, port, graceful stop; the work is in the other
// files.
import Glibc
import Logging
import Synchronization

package final class HTTPServer: Sendable {
    private struct Running {
        let listener: Listener
        let workers: [IOWorker]
        let ledger: ConnectionLedger
    }

    package let configuration: ServerConfiguration
    private let router: Router
    private let observer: ServerObserver
    private let running = Mutex<Running?>(nil)

    /// - Throws: `RouteError` when two routes clash or a template is malformed.
    package init(
        configuration: ServerConfiguration, routes: [Route], observer: ServerObserver = ServerObserver()
    ) throws {
        self.configuration = configuration
        self.router = try Router(routes)
        self.observer = observer
    }

    /// A server that is forgotten without `shutdown` stops at once.
    deinit {
        guard let running = running.withLock({ $0 }) else { return }
        running.listener.stop()
        for worker in running.workers {
            worker.abortAll()
            worker.stop()
        }
    }

    /// Binds and listens; returns the port. Also ignores SIGPIPE for the process, since sendfile(2) cannot.
    /// - Throws: `SocketError` with the failed call, the address and the reason; EALREADY when it runs
    /// already.
    package func start() throws -> UInt16 {
        try running.withLock { running in
            guard running == nil else {
                throw SocketError(action: "start", address: "\(configuration.host)", code: EALREADY)
            }
            signal(SIGPIPE, SIG_IGN)
            let ledger = ConnectionLedger(limits: configuration.limits)
            let workers = try (0..<max(1, configuration.ioQueueCount)).map { index in
                try IOWorker(
                    index: index,
                    context: ConnectionContext(
                        configuration: configuration, router: router, observer: observer,
                        seed: UInt64.random(in: .min ... .max)),
                    ledger: ledger)
            }
            let listener = try Listener(
                configuration: configuration, workers: workers, ledger: ledger, observer: observer)
            for worker in workers { worker.start() }
            listener.start()
            running = Running(listener: listener, workers: workers, ledger: ledger)
            configuration.logger.info(
                "listening", metadata: ["host": "\(configuration.host)", "port": "\(listener.port)"])
            return listener.port
        }
    }

    /// Stops accepting, lets requests in flight finish for at most `graceSeconds`, tells streams and long
    /// polls to end, then closes everything. Returns when the last connection is closed.
    package func shutdown(graceSeconds: Double) async {
        let stopped = running.withLock { running in
            defer { running = nil }
            return running
        }
        guard let stopped else { return }
        stopped.listener.stop()
        for worker in stopped.workers { worker.beginShutdown() }
        if await !stopped.ledger.drained(withinSeconds: graceSeconds) {
            configuration.logger.notice(
                "closing what is left", metadata: ["connections": "\(stopped.ledger.count)"])
            for worker in stopped.workers { worker.abortAll() }
            // Bounded all the same; closing a socket takes no more than a turn of its queue.
            _ = await stopped.ledger.drained(withinSeconds: 5)
        }
        for worker in stopped.workers { worker.stop() }
    }

    /// Open client connections.
    package var connectionCount: Int { running.withLock { $0?.ledger.count ?? 0 } }
}
