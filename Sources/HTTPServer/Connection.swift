// One client connection without its socket: bytes in, output queue out, requests in order. The driver does
// the I/O, runs tasks and timers; everything here is confined to its I/O queue, and can be tested and fuzzed
// without sockets.

/// What a connection needs done outside of itself. All calls are made on the I/O queue.
protocol ConnectionDriver: AnyObject {
    /// Runs the handler in a task and reports to `Connection.handlerFinished`.
    func start(
        _ handler: @escaping @Sendable (HTTPRequest) async -> HTTPResponse, request: HTTPRequest,
        exchange: UInt64)
    func cancelHandler()
    /// Creates the file of an upload; reports to `Connection.uploadWrote` and `uploadFinished`.
    func makeUpload(
        folder: String, makeSink: @escaping @Sendable () -> (any BodySink)?, exchange: UInt64
    ) -> any Upload
    /// Runs the producer in a task; `Connection.streamReady` is called when the writer has something.
    func startStream(_ body: StreamBody, exchange: UInt64) -> StreamWriter
    func cancelStream()
}

/// A body on its way to disk.
protocol Upload: AnyObject {
    func append(_ bytes: [UInt8])
    func finish()
    /// Removes the file.
    func abandon()
}

final class Connection {
    enum State {
        /// Waiting for a request or in the middle of receiving one.
        case reading
        /// A handler runs or an upload is being finished.
        case waiting
        case streaming(StreamWriter)
        /// The last response is queued; nothing more is parsed.
        case finishing
        /// Everything is sent and the sending half is shut; input is thrown away (RFC 9112 §9.6).
        case lingering
        case closed
    }

    enum BodyMode {
        case none
        case bytes([UInt8])
        case upload(any Upload)
    }

    let context: ConnectionContext
    let remoteAddress: String
    let driver: any ConnectionDriver

    var state = State.reading
    var output = OutputQueue()
    var parser: RequestParser
    /// Received and not yet parsed, from `inputCursor` on.
    private var input: [UInt8] = []
    private var inputCursor = 0

    var exchange: Exchange?
    var exchangeCount: UInt64 = 0
    var bodyMode = BodyMode.none
    /// A response made before the request was complete, to a request without content.
    var earlyResponse: HTTPResponse?
    var uploadInFlightBytes = 0
    /// Of the current request.
    var keepAlive = true
    var peerClosed = false
    var handlerIsRunning = false

    // Times in monotonic nanoseconds, for the deadlines.
    var now: UInt64
    var idleSince: UInt64
    var headStartedAt: UInt64?
    var bodyStartedAt: UInt64 = 0
    var lastBodyByteAt: UInt64 = 0
    var lastOutputAt: UInt64 = 0
    var lingerStartedAt: UInt64 = 0
    var lastTickAt: UInt64

    static let pendingInputBytes = 64 * 1024
    static let streamPullBytes = 64 * 1024

    init(context: ConnectionContext, driver: any ConnectionDriver, remoteAddress: String, now: UInt64) {
        self.context = context
        self.driver = driver
        self.remoteAddress = remoteAddress
        self.parser = RequestParser(limits: context.parserLimits)
        self.now = now
        self.idleSince = now
        self.lastTickAt = now
    }

    // MARK: - What the driver asks

    var isClosed: Bool { if case .closed = state { true } else { false } }
    var isLingering: Bool { if case .lingering = state { true } else { false } }
    var wantsRead: Bool { !peerClosed && !isClosed && pendingInput < Self.pendingInputBytes }
    /// Nothing of a request has been received and nothing is left to send.
    var isIdle: Bool {
        if case .reading = state {
            exchange == nil && parser.isBetweenRequests && output.isEmpty
        } else {
            false
        }
    }

    private var pendingInput: Int { input.count - inputCursor }

    private var canParse: Bool {
        guard case .reading = state else { return false }
        return uploadInFlightBytes < context.configuration.limits.uploadWindowBytes
            && output.unsentBytes < Int64(context.configuration.limits.pipelineBytes)
    }

    // MARK: - Input

    func receive(_ bytes: UnsafeRawBufferPointer, now: UInt64) {
        self.now = now
        switch state {
        case .finishing, .lingering, .closed: return
        case .reading, .waiting, .streaming: break
        }
        if pendingInput == 0 {
            var cursor = 0
            process(bytes, &cursor)
            if cursor < bytes.count, keepsInput {
                input.append(contentsOf: bytes[cursor...])
            }
        } else {
            input.append(contentsOf: bytes)
            processPending()
        }
    }

    private var keepsInput: Bool {
        switch state {
        case .reading, .waiting, .streaming: true
        case .finishing, .lingering, .closed: false
        }
    }

    /// Goes on with what was received earlier.
    func processPending() {
        // The end of a request may still have to be taken from the parser when all its bytes are consumed.
        guard canParse, pendingInput > 0 || parser.isAtEndOfRequest else { return }
        let held = input
        var cursor = inputCursor
        held.withUnsafeBytes { process($0, &cursor) }
        if cursor == held.count || !keepsInput {
            input = []
            inputCursor = 0
        } else if cursor > Self.pendingInputBytes {
            input = Array(held[cursor...])
            inputCursor = 0
        } else {
            inputCursor = cursor
        }
    }

    private func process(_ bytes: UnsafeRawBufferPointer, _ cursor: inout Int) {
        while canParse {
            switch parser.next(bytes, &cursor) {
            case .needMore:
                if headStartedAt == nil, exchange == nil, !parser.isBetweenRequests { headStartedAt = now }
                return
            case .head(let head):
                headStartedAt = nil
                begin(head)
            case .body(let range):
                receiveBody(UnsafeRawBufferPointer(rebasing: bytes[range]))
            case .end:
                complete()
            case .rejected(let rejection):
                refuse(rejection)
                return
            }
        }
    }

    /// The client has shut its sending half, or is gone; which of them only writing will tell.
    func receiveEnd(now: UInt64) {
        self.now = now
        peerClosed = true
        switch state {
        case .reading:
            break
        case .waiting:
            // The handler is told, and what it still answers is sent: a half-closed client can read it.
            if handlerIsRunning { driver.cancelHandler() }
        case .streaming:
            lost()
        case .lingering:
            state = .closed
        case .finishing, .closed:
            break
        }
        finishIfSent()
    }

    // MARK: - Output

    /// To be called after the driver has sent something: closes exchanges, pulls streams, starts the next
    /// request.
    func outputAdvanced(now: UInt64) {
        if isClosed { return }
        self.now = now
        lastOutputAt = now
        reachMarks()
        if case .streaming = state { pullStream() }
        processPending()
        finishIfSent()
    }

    func reachMarks() {
        while let mark = output.popMark() {
            switch mark {
            case .exchangeEnd(let exchange): report(exchange, completed: true)
            case .streamBytes(let writer, let count): writer.sent(count)
            }
        }
    }

    /// Leaves `finishing` when the output is out, and `reading` when nothing can come any more.
    func finishIfSent() {
        if case .reading = state, peerClosed, pendingInput == 0 {
            // In the middle of a request there is nobody to answer.
            if exchange != nil || !parser.isBetweenRequests { return lost() }
            state = .finishing
        }
        if case .finishing = state, output.isEmpty {
            reachMarks()
            state = peerClosed ? .closed : .lingering
            lingerStartedAt = now
        }
    }

    // MARK: - Endings

    /// The connection is gone or given up: everything is cancelled, nothing more is sent.
    func lost() {
        if isClosed { return }
        if case .streaming(let writer) = state {
            writer.close()
            driver.cancelStream()
        }
        if handlerIsRunning { driver.cancelHandler() }
        handlerIsRunning = false
        if case .upload(let upload) = bodyMode { upload.abandon() }
        bodyMode = .none
        for mark in output.drainMarks() {
            switch mark {
            case .exchangeEnd(let exchange): report(exchange, completed: false)
            case .streamBytes(let writer, _): writer.close()
            }
        }
        if let exchange { report(exchange, completed: false) }
        exchange = nil
        output.removeAll()
        input = []
        inputCursor = 0
        state = .closed
    }

    /// Shutdown: idle connections close, streams and long polls are told to end, the rest finishes what it
    /// does.
    func beginShutdown(now: UInt64) {
        self.now = now
        keepAlive = false
        switch state {
        case .reading:
            if isIdle { state = .closed }
        case .waiting:
            if handlerIsRunning, exchange?.route?.cancelsOnShutdown == true { driver.cancelHandler() }
        case .streaming(let writer):
            writer.markEnding()
            driver.cancelStream()
        case .finishing, .lingering, .closed:
            break
        }
    }

    func report(_ exchange: Exchange, completed: Bool) {
        guard let finished = context.observer.requestFinished else { return }
        let end = exchange.responseEnd > 0 ? min(exchange.responseEnd, output.sentBytes) : output.sentBytes
        finished(
            RequestRecord(
                method: exchange.request.method, routeTemplate: exchange.request.routeTemplate,
                status: exchange.status == 0 ? RequestRecord.clientClosedStatus : exchange.status,
                durationSeconds: Double(now &- exchange.startedAt) / 1e9,
                requestBodyBytes: exchange.requestBodyBytes,
                responseBytes: exchange.status == 0 ? 0 : max(0, end - exchange.responseStart),
                requestID: exchange.request.requestID, remoteAddress: exchange.request.remoteAddress,
                completed: completed))
    }
}
