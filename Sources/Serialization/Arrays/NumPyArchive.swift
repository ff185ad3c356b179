// The npz format: a zip archive of npy files.
import TensorEngine

/// The bytes of an npz file with these arrays, as `numpy.savez` writes it: not compressed, and the same for the same arrays.
///
/// - Throws: `SerializationError` (limit) from 4 GiB on, and for names longer than 64 KiB.
public func npzSerialize(_ arrays: NamedArrays) throws -> [UInt8] {
    let name = "npzSerialize"
    func small<Number: FixedWidthInteger>(_ value: Int, _ what: String, _: Number.Type) throws -> Number {
        guard let number = Number(exactly: value), number < .max else {
            throw SerializationError(
                .limit, name, expected: "\(what) below \(Number.max)", got: "\(value)",
                fix: "Write a safetensors file instead.")
        }
        return number
    }
    var (sink, directory) = (MemorySink(), MemorySink())
    for (key, array) in arrays.entries {
        let offset = try small(sink.bytes.count, "an archive", UInt32.self)
        let header = npyHeader(array)
        var checksum = CRC32()
        header.withUnsafeBytes { checksum.update($0) }
        try array.withUnsafeBytes { checksum.update($0) }
        let size = try small(header.count + array.byteCount, "an array", UInt32.self)
        let file = Array((key + ".npy").utf8)
        var fields = MemorySink()
        // Version 2.0, text in UTF-8, stored, 1 January 1980.
        for value in [20, 0x0800, 0, 0, 0x21] as [UInt16] { fields.write(value) }
        for value in [checksum.value, size, size] { fields.write(value) }
        fields.write(try small(file.count, "a name", UInt16.self))
        fields.write(UInt16(0))
        sink.write(ZipSignature.member)
        try sink.write(fields.bytes)
        try sink.write(file)
        try sink.write(header)
        try sink.write(0..<array.byteCount, of: array)
        directory.write(ZipSignature.directoryEntry)
        directory.write(UInt16(20))
        try directory.write(fields.bytes)
        // No comment, disk 0, no attributes but those of a file that its owner may read and write.
        for value in [0, 0, 0] as [UInt16] { directory.write(value) }
        directory.write(UInt32(0o100600) << 16)
        directory.write(offset)
        try directory.write(file)
    }
    let start = try small(sink.bytes.count, "an archive", UInt32.self)
    let count = try small(arrays.count, "a number of arrays", UInt16.self)
    try sink.write(directory.bytes)
    sink.write(ZipSignature.directoryEnd)
    for value in [0, 0, count, count] { sink.write(value) }
    sink.write(try small(directory.bytes.count, "a directory", UInt32.self))
    sink.write(start)
    sink.write(UInt16(0))
    return sink.bytes
}

/// The arrays of an npz file, stored or compressed, in the order of its directory. See `npyRestore`.
///
/// - Throws: `SerializationError`: (malformed) where the archive is damaged, its members overlap, or a checksum is wrong; (unsupported) for
///   encrypted members and other compressions than DEFLATE.
public func npzRestore(_ bytes: [UInt8]) throws -> NamedArrays {
    var arrays = NamedArrays()
    var ranges: [Range<Int>] = []
    for member in try ZipDirectory(bytes).members {
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
