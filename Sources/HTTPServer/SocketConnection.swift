// The driver of one connection: its socket, its interest in events, its tasks. The protocol is in
// `Connection`.
import CLinux
import Dispatch
import Glibc

/// Everything mutable is confined to the worker's queue, hence `@unchecked Sendable`.
final class SocketConnection: ConnectionDriver, @unchecked Sendable {
    let number: UInt64
    let address: String
    let verdict: ConnectionLedger.Verdict
    private let worker: IOWorker
    private let descriptor: Int32
    /// nil once it is over; this also breaks the cycle between the two.
    private var connection: Connection?

    private var interest: Poller.Interest = .read

    private var isHalfClosed = false
    private var handlerTask: Task<Void, Never>?
    private var streamTask: Task<Void, Never>?

    /// One flush hands over at most this, so that a fast download does not keep the queue from others.
    private static let flushBudgetBytes = 1024 * 1024
    private static let readsPerEvent = 8

    init(
        descriptor: Int32, number: UInt64, address: String, verdict: ConnectionLedger.Verdict,
        worker: IOWorker
    ) {
        self.number = number
        self.descriptor = descriptor
        self.address = address
        self.verdict = verdict
        self.worker = worker
    }

    func start() {
        let connection = Connection(
            context: worker.context, driver: self, remoteAddress: address, now: monotonicNanoseconds())
        self.connection = connection
        guard worker.poller.add(descriptor, token: number, interest) else {
            connection.lost()
            return settle()
        }
        if verdict != .accepted {
            connection.refuseConnection(
                byAddress: verdict == .tooManyFromAddress, now: monotonicNanoseconds())
        } else if worker.context.isDraining {
            connection.beginShutdown(now: monotonicNanoseconds())
        }
        settle()
    }

    // MARK: - Events

    func ready(_ readiness: Poller.Readiness) {
        if readiness.canRead || (readiness.isBroken && connection?.wantsRead == true) {
            readable()
        } else if readiness.isBroken {
            // Nothing is to be read, and nobody is left to write to.
            connection?.lost()
            settle()
        } else {
            settle()
        }
    }

    private func readable() {
        for _ in 0..<Self.readsPerEvent {
            guard let connection, connection.wantsRead else { break }
            let buffer = worker.readBuffer
            let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
            if count > 0 {
                connection.receive(
                    UnsafeRawBufferPointer(rebasing: buffer[..<count]), now: monotonicNanoseconds())
                if count < buffer.count { break }
            } else if count == 0 {
                connection.receiveEnd(now: monotonicNanoseconds())
                break
            } else {
                if errno != EAGAIN && errno != EINTR { connection.lost() }
                break
            }
        }
        settle()
    }

    func tick(now: UInt64) {
        connection?.tick(now: now)
        settle()
    }

    func beginShutdown() {
        connection?.beginShutdown(now: monotonicNanoseconds())
        settle()
    }

    func abort() {
        connection?.lost()
        settle()
    }

    // MARK: - Output

    /// Brings socket and interest in line with the connection's state; after every event.
    private func settle() {
        guard let connection else { return }
        flush(connection)
        if connection.isClosed { return tearDown() }
        if connection.isLingering, !isHalfClosed {
            isHalfClosed = true
            shutdown(descriptor, Int32(SHUT_WR))
        }
        var wanted: Poller.Interest = []
        if connection.wantsRead { wanted.insert(.read) }
        if !connection.output.isEmpty { wanted.insert(.write) }
        if wanted != interest {
            interest = wanted
            worker.poller.change(descriptor, token: number, wanted)
        }
    }

    private func flush(_ connection: Connection) {
        var budget = Self.flushBudgetBytes
        while !connection.output.isEmpty, budget > 0 {
            let count = writeFront(connection.output)
            if count > 0 {
                budget -= count
                connection.output.advance(Int64(count))
                connection.outputAdvanced(now: monotonicNanoseconds())
            } else if count < 0, errno == EINTR {
                continue
            } else if count < 0, errno == EAGAIN {
                return
            } else {
                // The client is gone, or (0 bytes) a file has shrunk under us and the promised length cannot
                // be kept.
                return connection.lost()
            }
        }
    }

    private func writeFront(_ output: OutputQueue) -> Int {
        let sent = Int(output.sentOfFirst)
        guard let first = output.segments.first else {
            return output.tail.withUnsafeBytes { bytes in
                send(descriptor, bytes.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
        }
        switch first {
        case .bytes(let bytes):
            let more = output.segments.count > 1 || !output.tail.isEmpty
            let flags = more ? Int32(MSG_NOSIGNAL) | Int32(MSG_MORE) : Int32(MSG_NOSIGNAL)
            return bytes.withUnsafeBytes { bytes in
                send(descriptor, bytes.baseAddress.map { $0 + sent }, bytes.count - sent, flags)
            }
        case .file(let file, let range):
            var offset = off_t(range.lowerBound) + off_t(sent)
            let count = Int(min(range.upperBound - Int64(offset), 256 * 1024))
            return sendfile(descriptor, file.descriptor, &offset, count)
        }
    }

    // MARK: - End

    private func tearDown() {
        connection = nil
        handlerTask?.cancel()
        handlerTask = nil
        streamTask?.cancel()
        streamTask = nil
        worker.poller.remove(descriptor)
        close(descriptor)
        worker.forget(self)
    }

    // MARK: - ConnectionDriver

    func start(
        _ handler: @escaping @Sendable (HTTPRequest) async -> HTTPResponse, request: HTTPRequest,
        exchange: UInt64
    ) {
        handlerTask = Task {
            let response = await handler(request)
            self.worker.queue.async {
                self.handlerTask = nil
                self.connection?.handlerFinished(response, exchange: exchange, now: monotonicNanoseconds())
                self.settle()
            }
        }
    }

    func cancelHandler() { handlerTask?.cancel() }

    func makeUpload(
        folder: String, makeSink: @escaping @Sendable () -> (any BodySink)?, exchange: UInt64
    ) -> any Upload {
        var name: [UInt8] = Array("upload-".utf8)
        name.appendHex(Int(truncatingIfNeeded: worker.context.nextRequestNumber()))
        name.append(".part")
        return UploadWriter(
            folder: folder, name: String(decoding: name, as: UTF8.self), makeSink: makeSink
        ) { report in
            self.worker.queue.async { self.uploadReported(report, exchange: exchange) }
        }
    }

    private func uploadReported(_ report: UploadWriter.Report, exchange: UInt64) {
        switch report {
        case .wrote(let byteCount):
            connection?.uploadWrote(byteCount, exchange: exchange, now: monotonicNanoseconds())
        case .finished(let result):
            let isTaken =
                connection?.uploadFinished(result, exchange: exchange, now: monotonicNanoseconds()) ?? false
            if !isTaken, case .success(let file) = result {
                let path = file.path
                DispatchQueue.global(qos: .utility).async { unlink(path) }
            }
        }
        settle()
    }

    func startStream(_ body: StreamBody, exchange: UInt64) -> StreamWriter {
        let writer = StreamWriter(
            limitBytes: worker.context.configuration.limits.streamUnsentBytes,
            overflowNotice: body.overflowNotice
        ) {
            self.worker.queue.async {
                self.connection?.streamReady(exchange: exchange, now: monotonicNanoseconds())
                self.settle()
            }
        }
        streamTask = Task {
            await body.produce(writer)
            writer.finish()
        }
        return writer
    }

    func cancelStream() {
        streamTask?.cancel()
        streamTask = nil
    }
}
