// A checkpoint on disk: a folder of two files that appears whole or not at all.
import Glibc
import Hashing

/// A folder with `state.msgpack` (the bytes of a Flax TrainState, for people and for Flax) and `resume.msgpack` (what else the
/// rest of the run depends on), written together and committed by one rename.
package struct CheckpointFolder: Sendable, Hashable {
    package let path: String

    package static let stateFileName = "state.msgpack"
    package static let resumeFileName = "resume.msgpack"
    private static let partialSuffix = ".partial"

    package var statePath: String { path + "/" + Self.stateFileName }
    package var resumePath: String { path + "/" + Self.resumeFileName }

    /// - Parameter path: the folder, such as `…/checkpoints/step-000440`. Its parent must exist when it is written.
    package init(path: String) {
        self.path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    }

    /// The two files' digests and sizes.
    package struct Summary: Sendable, Hashable {
        package let state: FileSummary
        package let resume: FileSummary
    }

    private var parent: String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
    private var name: String {
        path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
    }
    /// Where the folder is written before it is renamed into place. Hidden, and the same for each try, so that a leftover of a
    /// process that died is found again.
    private var partialPath: String { parent + "/." + name + Self.partialSuffix }

    /// Writes both files beside the target, syncs them and their folder, renames it into place and syncs the parent: when this
    /// returns, the checkpoint survives a power failure; when it throws, nothing is left of it. A folder that already has the
    /// name (left by a process that died before it could report it) is replaced.
    ///
    /// Tensors are written from where they lie: no second copy of the state is made.
    ///
    /// - Throws: `CheckpointError`, or `SerializationError` for a state that cannot be serialised.
    package func write(
        state: some StateSerializable, resume: some StateSerializable,
        maximumChunkBytes: Int = defaultMaximumChunkBytes
    ) throws -> Summary {
        let partial = partialPath
        try Self.removeFolder(partial)
        guard mkdir(partial, 0o755) == 0 else { throw Self.failure("mkdir", partial) }
        do {
            let stateDict = try toStateDict(state)
            let resumeDict = try toStateDict(resume)
            let summary = Summary(
                state: try Self.writeFile(partial + "/" + Self.stateFileName, stateDict, maximumChunkBytes),
                resume: try Self.writeFile(partial + "/" + Self.resumeFileName, resumeDict, maximumChunkBytes)
            )
            try Self.syncFolder(partial)
            try moveIntoPlace(partial)
            try Self.syncFolder(parent)
            return summary
        } catch {
            // The first error is the one to report; an unremovable rest is removed at the next start.
            try? Self.removeFolder(partial)
            throw error
        }
    }

    /// Reads both files. With digests, throws `CheckpointError.digestMismatch` where a file is not what was written.
    package func read(
        stateSHA256: Digest?, resumeSHA256: Digest?
    ) throws -> (state: StateDict, resume: StateDict) {
        let resume = try msgpackRestore(try readCheckpointFile(resumePath, expecting: resumeSHA256))
        return (try msgpackRestore(try readCheckpointFile(statePath, expecting: stateSHA256)), resume)
    }

    /// Removes the folder and its files, as far as they exist.
    package func remove() throws(CheckpointError) {
        try Self.removeFolder(path)
        try Self.syncFolder(parent)
    }

    /// Removes what interrupted writes left in a folder of checkpoints. Call it while nothing is being written there.
    ///
    /// - Returns: the names of the folders that were removed.
    package static func removeLeftovers(in folder: String) throws(CheckpointError) -> [String] {
        let leftovers = try names(in: folder).filter { $0.hasPrefix(".") && $0.hasSuffix(partialSuffix) }
        for name in leftovers { try removeFolder(folder + "/" + name) }
        return leftovers.sorted()
    }

    private static func writeFile(_ path: String, _ stateDict: StateDict, _ maximumChunkBytes: Int) throws
        -> FileSummary
    {
        let file = try CheckpointFile(creating: path)
        _ = try encode(stateDict, into: CheckpointFileSink(file: file), maximumChunkBytes)
        return try file.finish()
    }

    /// Renames a folder into place. One that is in the way goes aside first: it is either damaged, or was never reported, since a
    /// run does not write a checkpoint again that it could resume from.
    private func moveIntoPlace(_ source: String) throws(CheckpointError) {
        if rename(source, path) == 0 { return }
        guard errno == ENOTEMPTY || errno == EEXIST else { throw Self.failure("rename", path) }
        let aside = parent + "/." + name + ".replaced" + Self.partialSuffix
        try Self.removeFolder(aside)
        guard rename(path, aside) == 0 else { throw Self.failure("rename", path) }
        guard rename(source, path) == 0 else { throw Self.failure("rename", path) }
        try Self.removeFolder(aside)
    }

    /// Removes a folder and the files directly in it; nothing happens when there is none.
    private static func removeFolder(_ folder: String) throws(CheckpointError) {
        if rmdir(folder) == 0 || errno == ENOENT { return }
        guard errno == ENOTEMPTY || errno == EEXIST else { throw failure("rmdir", folder) }
        for name in try names(in: folder) {
            guard unlink(folder + "/" + name) == 0 || errno == ENOENT else {
                throw failure("unlink", folder + "/" + name)
            }
        }
        guard rmdir(folder) == 0 || errno == ENOENT else { throw failure("rmdir", folder) }
    }

    private static func names(in folder: String) throws(CheckpointError) -> [String] {
        guard let stream = opendir(folder) else { throw failure("opendir", folder) }
        defer { closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                guard errno == 0 else { throw failure("readdir", folder) }
                return names
            }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
        }
    }

    private static func syncFolder(_ folder: String) throws(CheckpointError) {
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("open", folder) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw failure("fsync", folder) }
    }

    private static func failure(_ call: String, _ path: String) -> CheckpointError {
        .system(call: call, path: path, errno: errno)
    }
}
