// Where everything lives under the data folder, and the lock that lets one server at a time have it.

import Glibc
import Hashing

package struct DataFolder: Sendable, Hashable {
    package let path: String

    package init(path: String) {
        self.path = path
    }

    package var database: String { path + "/spindle.sqlite" }
    package var lock: String { path + "/lock" }
    package var datasets: String { path + "/datasets" }
    /// Uploads in progress; emptied at start.
    package var temporary: String { path + "/tmp" }
    package var jobs: String { path + "/jobs" }
    /// The states of imported checkpoints.
    package var imports: String { path + "/imports" }
    /// Checkpoints in other formats, which can be made again: emptied at start.
    package var exports: String { path + "/exports" }

    package func importedState(_ id: String) -> String { "\(imports)/\(id).msgpack" }
    package func exports(of checkpoint: String) -> String { "\(exports)/\(checkpoint)" }
    package func dataset(_ digest: Digest) -> String { "\(datasets)/\(digest.hex)" }
    package func job(_ id: String) -> String { "\(jobs)/\(id)" }
    package func checkpoints(job: String) -> String { "\(jobs)/\(job)/checkpoints" }
    package func log(job: String, attempt: Int) -> String { "\(jobs)/\(job)/attempt-\(attempt).log" }

    /// The Flax TrainState of a checkpoint: what people download.
    package func state(of checkpoint: CheckpointRecord) -> String {
        "\(checkpoints(job: checkpoint.job))/\(checkpoint.folder)/state.msgpack"
    }

    package func state(of checkpoint: StoredCheckpoint) -> String {
        switch checkpoint {
        case .ofJob(let checkpoint): state(of: checkpoint)
        case .imported(let checkpoint): importedState(checkpoint.id)
        }
    }

    /// The rest of what a resume needs.
    package func resume(of checkpoint: CheckpointRecord) -> String {
        "\(checkpoints(job: checkpoint.job))/\(checkpoint.folder)/resume.msgpack"
    }

    /// Makes the folders that are missing, readable by the owner alone.
    package func create() throws(StoreError) {
        var prefix = ""
        for part in path.split(separator: "/", omittingEmptySubsequences: false) {
            prefix +=
                part.isEmpty
                ? (prefix.isEmpty ? "/" : "") : (prefix.hasSuffix("/") || prefix.isEmpty ? "" : "/") + part
            if part.isEmpty { continue }
            try Self.makeFolder(prefix)
        }
        for folder in [datasets, temporary, jobs, imports, exports] { try Self.makeFolder(folder) }
    }

    package static func makeFolder(_ path: String) throws(StoreError) {
        if mkdir(path, 0o700) == 0 || errno == EEXIST { return }
        throw StoreError.folder(path: path, operation: "create", detail: String(cString: strerror(errno)))
    }

    /// Makes the names in a folder durable.
    package static func synchronize(_ path: String) throws(StoreError) {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw StoreError.folder(path: path, operation: "open", detail: String(cString: strerror(errno)))
        }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else {
            throw StoreError.folder(path: path, operation: "fsync", detail: String(cString: strerror(errno)))
        }
    }
}

/// Exclusive use of a data folder for as long as this lives; the kernel lets go of it when the process ends,
/// however.
package final class DataFolderLock: Sendable {
    private let descriptor: Int32
    /// Whether the last holder did not say good-bye: it crashed, was killed, or lost power.
    package let previousHolderDied: Bool

    package init(_ folder: DataFolder) throws(StoreError) {
        let path = folder.lock
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw StoreError.folder(path: path, operation: "open", detail: String(cString: strerror(errno)))
        }
        var bytes = [UInt8](repeating: 0, count: 32)
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let reason = errno
            let count = pread(descriptor, &bytes, bytes.count, 0)
            close(descriptor)
            guard reason == EWOULDBLOCK else {
                throw StoreError.folder(
                    path: path, operation: "lock", detail: String(cString: strerror(reason)))
            }
            throw StoreError.locked(path: folder.path, pid: Self.pid(bytes.prefix(max(0, count))))
        }
        let count = pread(descriptor, &bytes, bytes.count, 0)
        previousHolderDied = Self.pid(bytes.prefix(max(0, count))) != nil
        let text = Array("\(getpid())\n".utf8)
        guard ftruncate(descriptor, 0) == 0, pwrite(descriptor, text, text.count, 0) == text.count else {
            let detail = String(cString: strerror(errno))
            close(descriptor)
            throw StoreError.folder(path: path, operation: "write", detail: detail)
        }
        self.descriptor = descriptor
    }

    /// Says good-bye: the next holder knows that nothing was left behind.
    package func release() {
        _ = ftruncate(descriptor, 0)
        flock(descriptor, LOCK_UN)
    }

    /// As `release`, but without the good-bye.
    func drop() {
        flock(descriptor, LOCK_UN)
    }

    deinit {
        close(descriptor)
    }

    private static func pid(_ bytes: some Sequence<UInt8>) -> Int32? {
        Int32(String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") && $0 != 0 }, as: UTF8.self))
    }
}
