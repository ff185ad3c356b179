// The cache of exports: bounded, and without what nobody asks for any more.

import Foundation
import Hashing
import JobSpec
import Logging
import Testing

@testable import Scheduler
@testable import Store

@Suite struct ExportCacheTests {
    private let folder = DataFolder(path: NSTemporaryDirectory() + "spindle-cache-\(UUID().uuidString)")

    private func cache(limitBytes: Int64, graceSeconds: Double = 0) throws -> ExportCache {
        try folder.create()
        return ExportCache(
            folder: folder, limitBytes: limitBytes, graceSeconds: graceSeconds,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private func checkpoint(_ id: String) -> StoredCheckpoint {
        .imported(
            ImportedCheckpoint(
                id: id, ordinal: 1, name: "", stateDigest: SHA256.hash([]), stateBytes: 0, contents: [:],
                createdAt: .now))
    }

    /// Writes ten bytes, as a worker would.
    private let ten: @Sendable (String) async throws -> WrittenFile = { path in
        let bytes = [UInt8](repeating: 7, count: 10)
        try Data(bytes).write(to: URL(filePath: path))
        return WrittenFile(sha256: SHA256.hash(bytes).hex, bytes: 10)
    }

    @Test("What has not been used for longest goes first when there are too many bytes")
    func eviction() async throws {
        let cache = try cache(limitBytes: 25)
        let npz = ExportOptions(format: .npz)
        let first = try await cache.file(of: checkpoint("a"), npz, make: ten)
        let second = try await cache.file(of: checkpoint("b"), npz, make: ten)
        #expect(try await cache.file(of: checkpoint("a"), npz, make: ten) == first)
        _ = try await cache.file(of: checkpoint("c"), npz, make: ten)
        #expect(await cache.totalBytes == 20)
        #expect(FileManager.default.fileExists(atPath: first.path))
        #expect(!FileManager.default.fileExists(atPath: second.path))
        #expect(!FileManager.default.fileExists(atPath: folder.exports(of: "b")))
        try FileManager.default.removeItem(atPath: folder.path)
    }

    @Test("What was given out a moment ago stays, since it may be about to be sent")
    func grace() async throws {
        let cache = try cache(limitBytes: 5, graceSeconds: 60)
        let first = try await cache.file(of: checkpoint("a"), ExportOptions(format: .npz), make: ten)
        _ = try await cache.file(of: checkpoint("a"), ExportOptions(format: .onnx), make: ten)
        #expect(FileManager.default.fileExists(atPath: first.path))
        #expect(await cache.totalBytes == 20)
        try FileManager.default.removeItem(atPath: folder.path)
    }

    @Test("A file that failed is made again, leaves nothing, and one that vanished is made again too")
    func failure() async throws {
        struct Failure: Error {}
        let cache = try cache(limitBytes: 100)
        let npz = ExportOptions(format: .npz)
        await #expect(throws: Failure.self) {
            _ = try await cache.file(of: checkpoint("a"), npz) { path in
                try Data([1]).write(to: URL(filePath: path))
                throw Failure()
            }
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.temporary).isEmpty)
        let made = try await cache.file(of: checkpoint("a"), npz, make: ten)
        try FileManager.default.removeItem(atPath: made.path)
        let again = try await cache.file(of: checkpoint("a"), npz, make: ten)
        #expect(again.digest == made.digest && FileManager.default.fileExists(atPath: again.path))
        #expect(await cache.totalBytes == 10)
        try FileManager.default.removeItem(atPath: folder.path)
    }
}
