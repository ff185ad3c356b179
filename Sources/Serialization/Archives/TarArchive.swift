// Folders as one file: the ustar format of POSIX.1-2017 (pax, section "ustar Interchange Format"). An archive depends on names and contents
// alone, so the same folder gives the same bytes.
import Glibc

package enum TarArchive {
    static let blockSize = 512
    /// Bytes of a file that are in memory at once.
    private static let chunkSize = 1 << 20

    // MARK: Writing

    /// Writes the files and folders below `folder`, sorted by name, into a new archive.
    ///
    /// - Throws: `CheckpointError`; (unusable) for names of more than 100 bytes, links and devices.
    package static func write(_ folder: String, to path: String) throws -> FileSummary {
        let file = try CheckpointFile(creating: path)
        try append(folder, "", to: file)
        // Two empty blocks are the end.
        try [UInt8](repeating: 0, count: 2 * blockSize).withUnsafeBytes { try file.append($0) }
        return try file.finish()
    }

    private static func append(_ folder: String, _ prefix: String, to archive: CheckpointFile) throws {
        for name in try names(in: folder) {
            let path = folder + "/" + name
            var status = stat()
            guard lstat(path, &status) == 0 else {
                throw CheckpointError.system(call: "lstat", path: path, errno: errno)
            }
            switch status.st_mode & S_IFMT {
            case S_IFDIR:
                try header(prefix + name + "/", size: 0).withUnsafeBytes { try archive.append($0) }
                try append(path, prefix + name + "/", to: archive)
            case S_IFREG:
                let size = Int(status.st_size)
                try header(prefix + name, size: size).withUnsafeBytes { try archive.append($0) }
                try copy(path, size: size, to: archive)
            default:
                throw CheckpointError.unusable(path: path, reason: "neither a file nor a folder")
            }
        }
    }

    private static func header(_ name: String, size: Int) throws -> [UInt8] {
        guard name.utf8.count <= 100 else {
            throw CheckpointError.unusable(path: name, reason: "a name of more than 100 bytes")
        }
        // Sizes of 11 octal digits end at 8 GiB.
        guard size < 1 << 33 else {
            throw CheckpointError.unusable(
                path: name, reason: "\(size) bytes, more than an archive's file has")
        }
        var block = [UInt8](repeating: 0, count: blockSize)
        func put(_ text: some Sequence<UInt8>, at offset: Int) {
            for (index, byte) in text.enumerated() { block[offset + index] = byte }
        }
        func octal(_ value: Int, digits: Int) -> [UInt8] {
            let text = String(value, radix: 8)
            return Array(String(repeating: "0", count: max(0, digits - text.count)).utf8) + Array(text.utf8)
        }
        let isFolder = name.hasSuffix("/")
        put(name.utf8, at: 0)
        put(octal(isFolder ? 0o755 : 0o644, digits: 7), at: 100)
        put(octal(0, digits: 7), at: 108)
        put(octal(0, digits: 7), at: 116)
        put(octal(size, digits: 11), at: 124)
        put(octal(0, digits: 11), at: 136)
        put([UInt8](repeating: 0x20, count: 8), at: 148)
        block[156] = UInt8(ascii: isFolder ? "5" : "0")
        put("ustar\u{0}00".utf8, at: 257)
        let sum = block.reduce(0) { $0 + Int($1) }
        put(octal(sum, digits: 6) + [0], at: 148)
        return block
    }

    private static func copy(_ path: String, size: Int, to archive: CheckpointFile) throws {
        let source = try SequentialFile(path)
        var left = size
        while left > 0 {
            let bytes = try source.read(atMost: min(left, chunkSize))
            guard !bytes.isEmpty else {
                throw CheckpointError.unusable(path: path, reason: "a file that was cut short meanwhile")
            }
            try bytes.withUnsafeBytes { try archive.append($0) }
            left -= bytes.count
        }
        let padding = (blockSize - size % blockSize) % blockSize
        try [UInt8](repeating: 0, count: padding).withUnsafeBytes { try archive.append($0) }
    }

    // MARK: Reading

    /// Unpacks an archive into a new folder, which is there whole or not at all.
    ///
    /// - Throws: `SerializationError` (malformed) for anything but files and folders with plain relative names; `CheckpointError`.
    package static func extract(_ path: String, to folder: String) throws {
        try makeFolder(folder)
        do {
            let source = try SequentialFile(path)
            while let (name, size) = try entry(source) {
                if name.hasSuffix("/") {
                    try makeFolder(folder + "/" + name.dropLast())
                    continue
                }
                let file = try CheckpointFile(creating: folder + "/" + name)
                var left = size
                while left > 0 {
                    let bytes = try source.require(min(left, chunkSize))
                    try bytes.withUnsafeBytes { try file.append($0) }
                    left -= bytes.count
                }
                _ = try source.require((blockSize - size % blockSize) % blockSize)
                _ = try file.finish()
            }
        } catch {
            removeTree(folder)
            throw error
        }
    }

    private static func entry(_ source: SequentialFile) throws -> (name: String, size: Int)? {
        let offset = source.position
        let block = try source.require(blockSize)
        if block.allSatisfy({ $0 == 0 }) { return nil }
        func octal(_ range: Range<Int>) -> Int? {
            Int(String(decoding: block[range].prefix { $0 != 0 && $0 != 0x20 }, as: UTF8.self), radix: 8)
        }
        let sum = block.enumerated().reduce(0) {
            $0 + ((148..<156).contains($1.offset) ? 0x20 : Int($1.element))
        }
        let name = String(validating: block[..<100].prefix { $0 != 0 }, as: UTF8.self)
        guard let name, octal(148..<156) == sum, let size = octal(124..<136), size >= 0,
            [UInt8(ascii: "0"), UInt8(ascii: "5")].contains(block[156]), isPlain(name),
            name.hasSuffix("/") == (block[156] == UInt8(ascii: "5"))
        else {
            throw malformed(
                offset, expected: "a file or a folder with a relative name", got: "something else")
        }
        return (name, name.hasSuffix("/") ? 0 : size)
    }

    /// Whether a name stays below the folder that it is put into.
    private static func isPlain(_ name: String) -> Bool {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        let inner = name.hasSuffix("/") ? parts.dropLast() : parts[...]
        return !inner.isEmpty && inner.allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." }
    }

    static func malformed(_ offset: Int, expected: String, got: String) -> SerializationError {
        SerializationError(
            .malformed, "TarArchive", byteOffset: offset, expected: expected, got: got,
            fix: "The archive is damaged or cut short.")
    }

    private static func removeTree(_ folder: String) {
        for name in (try? names(in: folder)) ?? [] {
            let path = folder + "/" + name
            if unlink(path) != 0 { removeTree(path) }
        }
        rmdir(folder)
    }

    private static func names(in folder: String) throws(CheckpointError) -> [String] {
        guard let stream = opendir(folder) else {
            throw CheckpointError.system(call: "opendir", path: folder, errno: errno)
        }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }
}

/// A file that is read from its beginning to its end.
private final class SequentialFile {
    private let path: String
    private let descriptor: Int32
    private(set) var position = 0

    init(_ path: String) throws(CheckpointError) {
        self.path = path
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system(call: "open", path: path, errno: errno) }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// As many bytes as there are; none at the end.
    func read(atMost count: Int) throws(CheckpointError) -> [UInt8] {
        var failure: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let got = Glibc.read(descriptor, buffer.baseAddress.map { $0 + filled }, count - filled)
                if got < 0, errno == EINTR { continue }
                if got < 0 { failure = errno }
                guard got > 0 else { break }
                filled += got
            }
        }
        guard failure == 0 else { throw .system(call: "read", path: path, errno: failure) }
        position += bytes.count
        return bytes
    }

    func require(_ count: Int) throws -> [UInt8] {
        let bytes = try read(atMost: count)
        guard bytes.count == count else {
            throw TarArchive.malformed(
                position, expected: "\(count) bytes", got: "the end after \(bytes.count)")
        }
        return bytes
    }
}
