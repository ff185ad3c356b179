// Checkpoints in other formats, kept on disk for the next who asks. The files can be made again at any time: so the folder is emptied at
// start, and files go when there are too many bytes or when their checkpoint goes.

import Foundation
import Glibc
import Hashing
import JobSpec
import Logging
import Store

/// A file of the cache.
package struct ExportedFile: Sendable, Hashable {
    package let path: String
    package let digest: Digest
    package let bytes: Int64
}

package actor ExportCache {
    private struct Key: Hashable {
        let checkpoint: String
        let options: ExportOptions
    }

    private struct Entry {
        let file: ExportedFile
        let job: String?
        var lastUse: ContinuousClock.Instant
    }

    private let folder: DataFolder
    private let limitBytes: Int64
    private let logger: Logger
    private var entries: [Key: Entry] = [:]
    private var making: [Key: Task<ExportedFile, any Error>] = [:]
    private var nextName = 1

    /// What was given out lately may be about to be sent.
    private let graceSeconds: Double

    init(folder: DataFolder, limitBytes: Int64, graceSeconds: Double = 60, logger: Logger) {
        self.folder = folder
        self.limitBytes = limitBytes
        self.graceSeconds = graceSeconds
        self.logger = logger
    }

    package var totalBytes: Int64 { entries.values.reduce(0) { $0 + $1.file.bytes } }

    /// The file; `make` writes it to the path that it is given if it is not there. Several who ask at once get the same one.
    func file(
        of checkpoint: StoredCheckpoint, _ options: ExportOptions,
        make: @escaping @Sendable (String) async throws -> WrittenFile
    ) async throws -> ExportedFile {
        let key = Key(checkpoint: checkpoint.id, options: options)
        if let entry = entries[key], access(entry.file.path, R_OK) == 0 {
            entries[key]?.lastUse = .now
            return entry.file
        }
        if let task = making[key] { return try await task.value }
        let name = nextName
        nextName += 1
        let task = Task { try await self.add(key, job: checkpoint.job, number: name, make) }
        making[key] = task
        defer { making[key] = nil }
        return try await task.value
    }

    private func add(
        _ key: Key, job: String?, number: Int, _ make: @Sendable (String) async throws -> WrittenFile
    ) async throws -> ExportedFile {
        let temporary = "\(folder.temporary)/export-\(number)"
        do {
            let written = try await make(temporary)
            guard let digest = Digest(hex: written.sha256) else {
                throw SchedulerError.workerFailed(detail: "the worker reported no SHA-256")
            }
            let place = folder.exports(of: key.checkpoint)
            try DataFolder.makeFolder(place)
            let path = "\(place)/\(number)-\(digest.hex)"
            guard rename(temporary, path) == 0 else {
                throw StoreError.folder(
                    path: temporary, operation: "move into the cache",
                    detail: String(cString: strerror(errno)))
            }
            try DataFolder.synchronize(place)
            let file = ExportedFile(path: path, digest: digest, bytes: Int64(written.bytes))
            entries[key] = Entry(file: file, job: job, lastUse: .now)
            await evict()
            return file
        } catch {
            try? await offThread { try CheckpointFiles.remove(temporary) }
            throw error
        }
    }

    /// Removes the files that have not been used for longest until the rest fits.
    private func evict() async {
        var excess = totalBytes - limitBytes
        let limit = ContinuousClock.now.advanced(by: .seconds(-graceSeconds))
        for (key, entry) in entries.sorted(by: { $0.value.lastUse < $1.value.lastUse })
        where excess > 0 && entry.lastUse < limit {
            excess -= entry.file.bytes
            await drop([key])
        }
    }

    /// The checkpoint is gone, and all its exports with it.
    func remove(checkpoint: String) async {
        await drop(entries.keys.filter { $0.checkpoint == checkpoint })
    }

    /// All checkpoints of the job are gone.
    func remove(job: String) async {
        await drop(entries.filter { $0.value.job == job }.map(\.key))
    }

    private func drop(_ keys: [Key]) async {
        let paths = keys.compactMap { entries.removeValue(forKey: $0)?.file.path }
        let folders = Set(keys.map { folder.exports(of: $0.checkpoint) })
        do {
            try await offThread {
                for path in paths { try CheckpointFiles.remove(path) }
                // Others of the same checkpoint may be left.
                for folder in folders { rmdir(folder) }
            }
        } catch {
            logger.error("cached exports were not removed", metadata: ["error": "\(error)"])
        }
    }
}
