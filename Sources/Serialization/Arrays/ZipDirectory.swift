// Reading zip archives by their directory, from bytes that may be anything. https://pkware.cachefly.net/webdocs/APPNOTE/APPNOTE-6.3.9.TXT.
import FileFormats

enum ZipSignature {
    static let member: UInt32 = 0x0403_4B50
    static let directoryEntry: UInt32 = 0x0201_4B50
    static let directoryEnd: UInt32 = 0x0605_4B50
    static let wideDirectoryEnd: UInt32 = 0x0606_4B50
    static let wideLocator: UInt32 = 0x0706_4B50
}

/// A file in an archive.
struct ZipMember {
    let name: String
    /// Where the directory speaks of it.
    let position: Int
    let isCompressed: Bool
    let checksum: UInt32
    let size: Int
    /// Where its bytes lie.
    let data: Range<Int>

    /// The file's bytes, checked.
    func contents(of archive: [UInt8]) throws -> [UInt8] {
        let stored = archive[data]
        let contents = isCompressed ? try inflate(stored, count: size) : Array(stored)
        var crc = CRC32()
        contents.withUnsafeBytes { crc.update($0) }
        guard crc.value == checksum else {
            throw malformedZip(
                data.lowerBound, name, expected: "the checksum \(checksum)", got: "\(crc.value)")
        }
        return contents
    }
}

/// The files that an archive's directory lists.
struct ZipDirectory {
    private(set) var members: [ZipMember] = []

    init(_ bytes: [UInt8]) throws {
        let reader = ZipReader(bytes: bytes)
        let end = try reader.directoryEnd()
        var position = end.start
        for _ in 0..<end.count {
            let (member, next) = try reader.entry(at: position, end: end.end)
            members.append(member)
            position = next
        }
        guard position == end.end else {
            throw malformedZip(position, expected: "the directory's end", got: "more of it")
        }
    }
}

private struct ZipReader {
    let bytes: [UInt8]

    /// The number of a width, or an error where the bytes end before it.
    func number(_ position: Int, _ width: Int) throws -> Int {
        guard position >= 0, position <= bytes.count - width else {
            throw malformedZip(max(position, 0), expected: "\(width) more bytes", got: "the end")
        }
        var value: UInt64 = 0
        for offset in (0..<width).reversed() { value = value << 8 | UInt64(bytes[position + offset]) }
        guard let value = Int(exactly: value) else {
            throw malformedZip(position, expected: "a number of 63 bits", got: "\(value)")
        }
        return value
    }

    /// The record at the very end says where the directory is. It may be followed by a comment.
    func directoryEnd() throws -> (start: Int, end: Int, count: Int) {
        var position = bytes.count - 22
        while position >= max(bytes.count - 22 - 0xFFFF, 0) {
            if try number(position, 4) == Int(ZipSignature.directoryEnd),
                try position + 22 + number(position + 20, 2) == bytes.count
            {
                break
            }
            position -= 1
        }
        guard position >= max(bytes.count - 22 - 0xFFFF, 0) else {
            throw malformedZip(0, expected: "a zip archive, with a directory at its end", got: "other bytes")
        }
        var (count, size, start) = (
            try number(position + 10, 2), try number(position + 12, 4), try number(position + 16, 4)
        )
        var end = position
        if count == 0xFFFF || size == 0xFFFF_FFFF || start == 0xFFFF_FFFF {
            // The real numbers stand in a record of their own, which a locator before this one points to.
            guard position >= 20, try number(position - 20, 4) == Int(ZipSignature.wideLocator) else {
                throw malformedZip(position, expected: "the locator of a zip64 directory", got: "none")
            }
            let wide = try number(position - 12, 8)
            guard wide < position, try number(wide, 4) == Int(ZipSignature.wideDirectoryEnd) else {
                throw malformedZip(position, expected: "the end of a zip64 directory", got: "none")
            }
            (count, size, start) = (
                try number(wide + 32, 8), try number(wide + 40, 8), try number(wide + 48, 8)
            )
            end = wide
        }
        // An entry takes at least 46 bytes, so a larger count is a lie.
        guard start <= end, size == end - start, count <= size / 46 else {
            throw malformedZip(
                position, expected: "a directory that ends where its end is recorded",
                got: "\(count) entries in \(size) bytes at \(start)")
        }
        return (start, end, count)
    }

    func entry(at position: Int, end: Int) throws -> (ZipMember, next: Int) {
        guard position + 46 <= end, try number(position, 4) == Int(ZipSignature.directoryEntry) else {
            throw malformedZip(position, expected: "an entry of the directory", got: "something else")
        }
        let (flags, method) = (try number(position + 8, 2), try number(position + 10, 2))
        let checksum = try number(position + 16, 4)
        let lengths = try [28, 30, 32].map { try number(position + $0, 2) }
        let next = position + 46 + lengths.reduce(0, +)
        guard next <= end else {
            throw malformedZip(position, expected: "an entry within the directory", got: "a longer one")
        }
        let nameRange = position + 46..<position + 46 + lengths[0]
        guard let name = String(validating: bytes[nameRange], as: UTF8.self) else {
            throw malformedZip(nameRange.lowerBound, expected: "a name in UTF-8", got: "other bytes")
        }
        guard flags & 1 == 0, method == 0 || method == 8 else {
            throw SerializationError(
                .unsupported, "npzRestore", path: String(name.prefix(256)), byteOffset: position,
                expected: "members that are stored or deflated, and not encrypted",
                got: flags & 1 == 0 ? "compression \(method)" : "an encrypted one")
        }
        let (stored, size, offset) = try sizes(at: position, nameRange.upperBound, extra: lengths[1])
        let data = try dataRange(at: offset, count: stored, name)
        guard method == 8 || stored == size else {
            throw malformedZip(position, name, expected: "a stored member of \(size) bytes", got: "\(stored)")
        }
        return (
            ZipMember(
                name: name, position: position, isCompressed: method == 8,
                checksum: UInt32(truncatingIfNeeded: checksum),
                size: size, data: data), next
        )
    }

    /// The stored size, the real one, and the offset; those that do not fit into 32 bits stand in an extra field.
    private func sizes(at position: Int, _ extraStart: Int, extra: Int) throws -> (Int, Int, Int) {
        var (stored, size, offset) = (
            try number(position + 20, 4), try number(position + 24, 4), try number(position + 42, 4)
        )
        var place = extraStart
        let end = extraStart + extra
        while place + 4 <= end {
            let (kind, length) = (try number(place, 2), try number(place + 2, 2))
            guard place + 4 + length <= end else {
                throw malformedZip(place, expected: "an extra field within the entry", got: "a longer one")
            }
            if kind == 1 {
                var field = place + 4
                func wide(_ value: Int) throws -> Int {
                    guard value == 0xFFFF_FFFF else { return value }
                    guard field + 8 <= place + 4 + length else {
                        throw malformedZip(field, expected: "a size of 8 bytes", got: "the field's end")
                    }
                    defer { field += 8 }
                    return try number(field, 8)
                }
                size = try wide(size)
                stored = try wide(stored)
                offset = try wide(offset)
            }
            place += 4 + length
        }
        return (stored, size, offset)
    }

    /// Where a member's bytes lie: behind its own header, whose name and extra field have lengths of their own.
    private func dataRange(at offset: Int, count: Int, _ name: String) throws -> Range<Int> {
        guard offset <= bytes.count, try number(offset, 4) == Int(ZipSignature.member) else {
            throw malformedZip(offset, name, expected: "a member's header", got: "something else")
        }
        let start = try offset + 30 + number(offset + 26, 2) + number(offset + 28, 2)
        guard start <= bytes.count, count <= bytes.count - start else {
            throw malformedZip(
                offset, name, expected: "\(count) bytes within the archive's \(bytes.count)", got: "fewer")
        }
        return start..<start + count
    }
}

func malformedZip(_ offset: Int, _ path: String = "", expected: String, got: String) -> SerializationError {
    SerializationError(
        .malformed, "npzRestore", path: String(path.prefix(256)), byteOffset: offset, expected: expected,
        got: got,
        fix: "The bytes are damaged, cut short, or not an npz file.")
}
