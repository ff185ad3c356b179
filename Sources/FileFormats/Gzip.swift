// Decompression of gzip files (RFC 1952).

package enum Gzip {
    package static func isCompressed(_ bytes: [UInt8]) -> Bool { bytes.starts(with: [0x1F, 0x8B]) }

    /// The contents of a gzip file: all its members, one after the other.
    ///
    /// - Throws: `FormatError` where the file is damaged, or holds more than `limit` bytes (tooLarge).
    package static func decompress(_ bytes: [UInt8], limit: Int) throws(FormatError) -> [UInt8] {
        var output: [UInt8] = []
        var start = 0
        while start < bytes.count {
            let data = try dataStart(ofMember: start, in: bytes)
            let (member, end) = try inflate(bytes[data...], limit: limit - output.count)
            guard end + 8 <= bytes.count else {
                throw FormatError(at: end, expected: "a checksum and a size", got: "the end")
            }
            func word(_ place: Int) -> UInt32 {
                (0..<4).reduce(0) { $0 | UInt32(bytes[end + place + $1]) << UInt32(8 * $1) }
            }
            var checksum = CRC32()
            member.withUnsafeBytes { checksum.update($0) }
            guard word(4) == UInt32(truncatingIfNeeded: member.count), word(0) == checksum.value else {
                throw FormatError(at: end, expected: "the checksum of what stands before it", got: "another")
            }
            output = output.isEmpty ? member : output + member
            start = end + 8
        }
        return output
    }

    /// Behind the header of a member: ten bytes, then what their flags announce.
    private static func dataStart(ofMember start: Int, in bytes: [UInt8]) throws(FormatError) -> Int {
        guard bytes.count - start >= 18, bytes[start] == 0x1F, bytes[start + 1] == 0x8B, bytes[start + 2] == 8
        else { throw FormatError(at: start, expected: "the header of a gzip file", got: "other bytes") }
        let flags = bytes[start + 3]
        var cursor = start + 10
        if flags & 4 != 0 {
            guard cursor + 2 <= bytes.count else {
                throw FormatError(at: cursor, expected: "the length of a field", got: "the end")
            }
            cursor += 2 + Int(bytes[cursor]) + Int(bytes[cursor + 1]) << 8
        }
        // File name and comment, each ended by a zero.
        for flag in [8, 16] as [UInt8] where flags & flag != 0 {
            while cursor < bytes.count, bytes[cursor] != 0 { cursor += 1 }
            cursor += 1
        }
        if flags & 2 != 0 { cursor += 2 }
        guard cursor < bytes.count else {
            throw FormatError(at: start, expected: "data behind the header", got: "the end")
        }
        return cursor
    }
}
