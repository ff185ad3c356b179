// The npz format: a zip archive of npy files.
import FileFormats
import TensorEngine

/// The bytes of an npz file with these arrays, as `numpy.savez` writes it: not compressed, and the same for the same arrays.
///
/// - Throws: `SerializationError` (limit) from 4 GiB on, and for names longer than 64 KiB.
public func npzSerialize(_ arrays: NamedArrays) throws -> [UInt8] {
    var sink = MemorySink()
    try writeNPZ(arrays, into: &sink)
    return sink.bytes
}

func writeNPZ(_ arrays: NamedArrays, into sink: inout some ByteSink) throws {
    let name = "npzSerialize"
    func checked(_ value: Int, _ what: String, below limit: Int) throws -> Int {
        guard value < limit else {
            throw SerializationError(
                .limit, name, expected: "\(what) below \(limit)", got: "\(value)",
                fix: "Write a safetensors file instead.")
        }
        return value
    }
    func wide(_ value: Int, _ what: String) throws -> UInt32 {
        UInt32(try checked(value, what, below: Int(UInt32.max)))
    }
    func narrow(_ value: Int, _ what: String) throws -> UInt16 {
        UInt16(try checked(value, what, below: Int(UInt16.max)))
    }
    var directory = MemorySink()
    /// Of the archive so far.
    var byteCount = 0
    for (key, array) in arrays.entries {
        let offset = try wide(byteCount, "an archive")
        let header = npyHeader(array)
        var checksum = CRC32()
        header.withUnsafeBytes { checksum.update($0) }
        // A first look at the array: its checksum stands before it.
        try array.withUnsafeBytes { checksum.update($0) }
        let size = try wide(header.count + array.byteCount, "an array")
        let file = Array((key + ".npy").utf8)
        var fields = MemorySink()
        // Version 2.0, text in UTF-8, stored, 1 January 1980.
        for value in [20, 0x0800, 0, 0, 0x21] as [UInt16] { fields.write(value) }
        for value in [checksum.value, size, size] { fields.write(value) }
        fields.write(try narrow(file.count, "a name"))
        fields.write(UInt16(0))
        var head = MemorySink()
        head.write(ZipSignature.member)
        for part in [fields.bytes, file, header] { try head.write(part) }
        try sink.write(head.bytes)
        try sink.write(0..<array.byteCount, of: array)
        byteCount += head.bytes.count + array.byteCount
        directory.write(ZipSignature.directoryEntry)
        directory.write(UInt16(20))
        try directory.write(fields.bytes)
        // No comment, disk 0, no attributes but those of a file that its owner may read and write.
        for value in [0, 0, 0] as [UInt16] { directory.write(value) }
        directory.write(UInt32(0o100600) << 16)
        directory.write(offset)
        try directory.write(file)
    }
    let start = try wide(byteCount, "an archive")
    let count = try narrow(arrays.count, "a number of arrays")
    let size = try wide(directory.bytes.count, "a directory")
    directory.write(ZipSignature.directoryEnd)
    for value in [0, 0, count, count] { directory.write(value) }
    for value in [size, start] { directory.write(value) }
    directory.write(UInt16(0))
    try sink.write(directory.bytes)
}

/// The arrays of an npz file, stored or compressed, in the order of its directory. See `npyRestore`.
///
/// - Throws: `SerializationError`: (malformed) where the archive is damaged, its members overlap, or a checksum is wrong; (unsupported) for
///   encrypted members and other compressions than DEFLATE; (limit) for members that have more than `maximumBytes` together when they
///   are decompressed.
public func npzRestore(_ bytes: [UInt8], maximumBytes: Int = .max) throws -> NamedArrays {
    var arrays = NamedArrays()
    var ranges: [Range<Int>] = []
    var room = maximumBytes
    for member in try ZipDirectory(bytes).members {
        guard member.size <= room else {
            throw SerializationError(
                .limit, "npzRestore", path: String(member.name.prefix(256)), byteOffset: member.position,
                expected: "at most \(maximumBytes) bytes in all arrays", got: "more")
        }
        room -= member.size
        let name = member.name.hasSuffix(".npy") ? String(member.name.dropLast(4)) : member.name
        guard arrays[name] == nil else {
            throw malformedZip(
                member.position, name, expected: "each name once", got: "'\(name.prefix(64))' again")
        }
        ranges.append(member.data)
        do {
            arrays[name] = try npyRestore(try member.contents(of: bytes)[...])
        } catch var error as SerializationError {
            (error.operation, error.path) = ("npzRestore", String(name.prefix(256)))
            throw error
        }
    }
    ranges.sort { $0.lowerBound < $1.lowerBound }
    for (one, next) in zip(ranges, ranges.dropFirst()) where next.lowerBound < one.upperBound {
        throw malformedZip(next.lowerBound, expected: "members behind each other", got: "two that overlap")
    }
    return arrays
}

extension MemorySink {
    fileprivate mutating func write(_ value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.littleEndian) { write($0) }
    }
}
