// A request body on its way to a new file: written, digested and synced on a disk queue, away from the I/O
// queue.
import Dispatch
import Glibc

/// Everything mutable is confined to `queue`, hence `@unchecked Sendable`.
final class UploadWriter: Upload, @unchecked Sendable {
    enum Report: Sendable {
        case wrote(Int)
        case finished(Result<UploadedFile, SocketError>)
    }

    private let queue: DispatchQueue
    private let path: String
    private let makeSink: @Sendable () -> (any BodySink)?
    /// Called on the disk queue.
    private let report: @Sendable (Report) -> Void

    private var descriptor: Int32 = -1
    private var sink: (any BodySink)?
    private var byteCount: Int64 = 0
    private var isOver = false

    /// - Parameter name: of the file in `folder`; must be new.
    init(
        folder: String, name: String, makeSink: @escaping @Sendable () -> (any BodySink)?,
        report: @escaping @Sendable (Report) -> Void
    ) {
        self.queue = DispatchQueue(label: "spindle.http.upload", target: .global(qos: .utility))
        self.path = folder + "/" + name
        self.makeSink = makeSink
        self.report = report
        queue.async { self.create() }
    }

    func append(_ bytes: [UInt8]) {
        queue.async {
            self.write(bytes)
            self.report(.wrote(bytes.count))
        }
    }

    func finish() {
        queue.async { self.complete() }
    }

    func abandon() {
        queue.async {
            guard !self.isOver else { return }
            self.isOver = true
            self.discard()
        }
    }

    // MARK: - On the disk queue

    private func create() {
        descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return fail("create") }
        sink = makeSink()
    }

    private func write(_ bytes: [UInt8]) {
        guard !isOver else { return }
        let failed = bytes.withUnsafeBytes { buffer in
            var rest = UnsafeRawBufferPointer(buffer)
            while !rest.isEmpty {
                let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
                if count < 0 {
                    if errno == EINTR { continue }
                    return true
                }
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            }
            sink?.receive(buffer)
            return false
        }
        if failed { return fail("write") }
        byteCount += Int64(bytes.count)
    }

    private func complete() {
        guard !isOver else { return }
        // What the client is told to be stored must survive a power cut; renaming and syncing the folder is
        // the owner's.
        guard fsync(descriptor) == 0 else { return fail("fsync") }
        isOver = true
        close(descriptor)
        descriptor = -1
        let digest = sink?.finish()
        sink = nil
        report(.finished(.success(UploadedFile(path: path, byteCount: byteCount, digest: digest))))
    }

    private func fail(_ action: String) {
        let error = SocketError(action: action, address: path, code: errno)
        isOver = true
        discard()
        report(.finished(.failure(error)))
    }

    private func discard() {
        sink = nil
        guard descriptor >= 0 else { return }
        close(descriptor)
        descriptor = -1
        unlink(path)
    }
}
