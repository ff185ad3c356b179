// One file of a checkpoint: written through a hash, read back against one.
import Glibc
import Hashing

/// The length and SHA-256 of a file.
package struct FileSummary: Sendable, Hashable {
    package let sha256: Digest
    package let byteCount: Int

    package init(sha256: Digest, byteCount: Int) {
        self.sha256 = sha256
        self.byteCount = byteCount
    }
}

/// A new file that bytes are appended to and hashed on the way; closed with its last reference.
final class CheckpointFile {
    private let path: String
    private let descriptor: Int32
    private var isOpen = true
    private var hash = SHA256()
    private var byteCount = 0
    /// Small writes wait here; large ones pass by.
    private var pending: [UInt8] = []
    private static let pendingLimit = 1 << 18

    /// Creates the file; it must not exist.
    init(creating path: String) throws(CheckpointError) {
        self.path = path
        descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o644)
        if descriptor < 0 {
            isOpen = false
            throw CheckpointError.system(call: "open", path: path, errno: errno)
        }
        pending.reserveCapacity(Self.pendingLimit)
    }

    deinit {
        if isOpen { close(descriptor) }
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws(CheckpointError) {
        if bytes.count + pending.count > Self.pendingLimit { try flush() }
        if bytes.count > Self.pendingLimit {
            try writeOut(bytes)
        } else {
            pending.append(contentsOf: bytes)
        }
    }

    /// Writes what waits, syncs and closes: afterwards the contents survive a power failure.
    func finish() throws(CheckpointError) -> FileSummary {
        try flush()
        guard fsync(descriptor) == 0 else { throw failure("fsync") }
        isOpen = false
        guard close(descriptor) == 0 else { throw failure("close") }
        return FileSummary(sha256: hash.finalize(), byteCount: byteCount)
    }

    private func flush() throws(CheckpointError) {
        let waiting = pending
        pending.removeAll(keepingCapacity: true)
        do {
            try waiting.withUnsafeBytes { try writeOut($0) }
        } catch let error as CheckpointError {
            throw error
        } catch {
            throw failure("write")
        }
    }

    private func writeOut(_ bytes: UnsafeRawBufferPointer) throws(CheckpointError) {
        hash.update(bytes)
        byteCount += bytes.count
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = UnsafeRawBufferPointer(rebasing: rest)
            let written = write(descriptor, piece.baseAddress, piece.count)
            if written < 0 {
                if errno == EINTR { continue }
                throw failure("write")
            }
            rest = rest.dropFirst(written)
        }
    }

    private func failure(_ call: String) -> CheckpointError {
        CheckpointError.system(call: call, path: path, errno: errno)
    }
}

/// The sink that writes to a checkpoint file.
struct CheckpointFileSink: ByteSink {
    let file: CheckpointFile

    mutating func write(_ bytes: UnsafeRawBufferPointer) throws { try file.append(bytes) }
}

/// The contents of a file, verified against a digest when there is one.
func readCheckpointFile(_ path: String, expecting digest: Digest?) throws(CheckpointError) -> [UInt8] {
    func failure(_ call: String) -> CheckpointError { .system(call: call, path: path, errno: errno) }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw failure("open") }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw failure("fstat") }
    guard status.st_mode & S_IFMT == S_IFREG else {
        throw CheckpointError.unusable(path: path, reason: "something that is not a regular file")
    }
    guard status.st_size < 1 << 40 else {
        throw CheckpointError.unusable(path: path, reason: "\(status.st_size) bytes")
    }
    let size = Int(status.st_size)
    var readError: CheckpointError?
    let contents = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
        count = 0
        while count < size {
            let got = read(descriptor, buffer.baseAddress.map { $0 + count }, size - count)
            if got < 0 && errno == EINTR { continue }
            if got < 0 { readError = failure("read") }
            if got <= 0 { break }
            count += got
        }
    }
    if let readError { throw readError }
    if let digest {
        let got = SHA256.hash(contents)
        guard got == digest else {
            throw CheckpointError.digestMismatch(path: path, expected: digest, got: got)
        }
    }
    return contents
}
