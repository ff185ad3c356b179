// The files behind checkpoint rows: read back, removed, and cleared of folders that no row knows.

import Dispatch
import Foundation
import Glibc
import Hashing
import Store

enum CheckpointFiles {
    /// Nil if both files are what the digests say; otherwise what is wrong.
    static func defect(of checkpoint: NewCheckpoint, in folder: String) -> String? {
        for (name, digest, bytes) in [
            ("state.msgpack", checkpoint.stateDigest, checkpoint.stateBytes),
            ("resume.msgpack", checkpoint.resumeDigest, checkpoint.resumeBytes),
        ] {
            if let defect = defect(of: "\(folder)/\(checkpoint.folder)/\(name)", digest: digest, bytes: bytes)
            {
                return "\(checkpoint.folder)/\(name): \(defect)"
            }
        }
        return nil
    }

    static func defect(of checkpoint: CheckpointRecord, in folder: String) -> String? {
        defect(
            of: NewCheckpoint(
                step: checkpoint.step, folder: checkpoint.folder, stateDigest: checkpoint.stateDigest,
                stateBytes: checkpoint.stateBytes, resumeDigest: checkpoint.resumeDigest,
                resumeBytes: checkpoint.resumeBytes, metrics: [:], cause: checkpoint.cause), in: folder)
    }

    private static func defect(of path: String, digest: Digest, bytes: Int64) -> String? {
        var status = stat()
        guard stat(path, &status) == 0 else { return "missing (\(String(cString: strerror(errno))))" }
        guard Int64(status.st_size) == bytes else { return "\(status.st_size) bytes, expected \(bytes)" }
        do {
            let found = try SHA256.hash(file: path)
            return found == digest ? nil : "SHA-256 is \(found.hex), expected \(digest.hex)"
        } catch {
            return "\(error)"
        }
    }

    /// "step-000440": a name that stays in its folder.
    static func isFolderName(_ name: String) -> Bool {
        name.hasPrefix("step-") && name.utf8.count <= 32
            && name.utf8.dropFirst(5).allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            && name.utf8.count > 5
    }

    /// Makes the folder, and removes everything in it that `known` does not name.
    static func clear(_ folder: String, keeping known: Set<String>) throws {
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        for name in try FileManager.default.contentsOfDirectory(atPath: folder) where !known.contains(name) {
            try remove("\(folder)/\(name)")
        }
    }

    /// That it is gone already is success.
    static func remove(_ path: String) throws {
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch let error as CocoaError where error.code == .fileNoSuchFile {
            return
        }
    }

    static func names(in folder: String) -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    }
}

/// Runs what waits for the disk away from the threads that all tasks share.
func offThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        DispatchQueue.global(qos: .userInitiated).async {
            continuation.resume(with: Result { try body() })
        }
    }
}
