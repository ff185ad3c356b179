// Bytes to state dicts, as flax.serialization.msgpack_restore reads them, from bytes that may be anything.
import TensorEngine

/// The value that Flax-serialised bytes hold. Dictionaries keep the order of the bytes; split arrays are whole again.
///
/// - Throws: `SerializationError` with the byte offset for anything that is not such a value.
public func msgpackRestore(_ bytes: [UInt8]) throws -> StateDict {
    try bytes.withUnsafeBytes { try msgpackRestore($0) }
}

/// The value that Flax-serialised bytes hold.
public func msgpackRestore(_ bytes: UnsafeRawBufferPointer) throws -> StateDict {
    var decoder = StateDictDecoder(reader: MessagePackReader(bytes))
    return try decoder.wholeValue()
}

/// The value that a file of Flax-serialised bytes holds, whose arrays stay in the file until they are asked for.
///
/// - Parameter allowsRepeatedKeys: whether the last of several equal keys of a dictionary counts, as in Python. Otherwise, and always
///   where a file comes from somebody else, they are an error: which of them was meant is anybody's guess.
/// - Throws: as `msgpackRestore`, and `CheckpointError` where the file cannot be read.
public func msgpackRestore(fileAt path: String, allowsRepeatedKeys: Bool = true) throws -> StateDict {
    let file = try MappedFile(path)
    return try file.withBytes { bytes in
        var decoder = StateDictDecoder(
            reader: MessagePackReader(bytes), file: file, allowsRepeatedKeys: allowsRepeatedKeys)
        return try decoder.wholeValue()
    }
}

private struct StateDictDecoder {
    var reader: MessagePackReader
    /// Where the bytes are of; nil for bytes that do not outlive the decoding.
    private let file: MappedFile?
    private let allowsRepeatedKeys: Bool
    private var valueCount = 0

    /// A byte of input can become about a hundred bytes of values; this bounds what hostile input can make of that.
    static let maximumValueCount = 1 << 22

    init(reader: MessagePackReader, file: MappedFile? = nil, allowsRepeatedKeys: Bool = true) {
        self.reader = reader
        self.file = file
        self.allowsRepeatedKeys = allowsRepeatedKeys
    }

    /// The one value that all the bytes are.
    mutating func wholeValue() throws -> StateDict {
        let value = try value(depth: 0, joining: true)
        guard reader.isAtEnd else {
            throw reader.malformed(
                reader.position, expected: "the end after one value",
                got: "\(reader.bytes.count - reader.position) more bytes")
        }
        return value
    }

    /// - Parameter joining: whether maps that stand for split arrays are joined here (Flax looks in nested maps, not in lists).
    mutating func value(depth: Int, joining: Bool) throws -> StateDict {
        let start = reader.position
        valueCount += 1
        guard depth <= maximumStateDepth else { throw tooDeep("msgpackRestore", byteOffset: start) }
        guard valueCount <= Self.maximumValueCount else {
            throw SerializationError(
                .limit, "msgpackRestore", byteOffset: start,
                expected: "at most \(Self.maximumValueCount) values",
                got: "more")
        }
        switch try reader.next() {
        case .null: return .none
        case .bool(let value): return .bool(value)
        case .integer(let value): return .int(value)
        case .unsigned(let value): return .unsigned(value)
        case .float(let value): return .float(value)
        case .string(let range): return .string(try reader.text(range))
        case .binary(let range): return .bytes(Array(reader.bytes[range]))
        case .extension(let code, let range): return try extensionValue(code, range)
        case .arrayHeader(let count):
            var values: [StateDict] = []
            for _ in 0..<count { values.append(try value(depth: depth + 1, joining: false)) }
            return .list(values)
        case .mapHeader(let count):
            let entries = try self.entries(count, depth: depth, joining: joining)
            let isChunked = joining && entries.contains { $0.key == .string(ChunkedArray.marker) }
            return isChunked ? try joined(entries, at: start) : .dictionary(entries)
        }
    }

    /// As in Python, the last of several equal keys counts, at the place of the first.
    private mutating func entries(_ count: Int, depth: Int, joining: Bool) throws -> [StateDict.Entry] {
        var entries: [StateDict.Entry] = []
        var places: [StateDict.Key: Int] = [:]
        for _ in 0..<count {
            let start = reader.position
            let key: StateDict.Key
            switch try reader.next() {
            case .string(let range): key = .string(try reader.text(range))
            case .integer(let value): key = .int(value)
            case let other:
                throw reader.malformed(
                    start, expected: "a string or an integer as a key", got: other.kindName)
            }
            let value = try value(depth: depth + 1, joining: joining)
            if let place = places[key] {
                guard allowsRepeatedKeys else {
                    throw reader.malformed(
                        start, expected: "each key of a dictionary once",
                        got: "'\(key.description.prefix(64))' again")
                }
                entries[place].value = value
            } else {
                places[key] = entries.count
                entries.append(StateDict.Entry(key, value))
            }
        }
        return entries
    }

    private func extensionValue(_ code: Int8, _ range: Range<Int>) throws -> StateDict {
        switch code {
        case FlaxExtension.array: return .array(try array(range))
        case FlaxExtension.scalar:
            let array = try array(range)
            guard array.shape.rank == 0 else {
                throw reader.malformed(
                    range.lowerBound, expected: "a scalar, of shape []", got: "shape \(array.shape)")
            }
            return .scalar(array)
        case FlaxExtension.complex:
            var payload = MessagePackReader(reader.bytes, range: range)
            guard try payload.next() == .arrayHeader(count: 2), case .float(let real) = try payload.next(),
                case .float(let imaginary) = try payload.next(), payload.isAtEnd
            else {
                throw reader.malformed(
                    range.lowerBound, expected: "a complex number [real, imaginary]", got: "something else")
            }
            return .complex(real: real, imaginary: imaginary)
        default:
            return .extension(code: code, data: Array(reader.bytes[range]))
        }
    }

    /// `[shape, type name, bytes]`.
    private func array(_ range: Range<Int>) throws -> StateArray {
        var payload = MessagePackReader(reader.bytes, range: range)
        func refuse(_ expected: String) -> SerializationError {
            reader.malformed(range.lowerBound, expected: expected, got: "something else")
        }
        guard try payload.next() == .arrayHeader(count: 3), case .arrayHeader(let rank) = try payload.next(),
            rank <= 64
        else { throw refuse("an array [shape, type name, bytes] of at most 64 dimensions") }
        var dimensions: [Int] = []
        for _ in 0..<rank {
            guard case .integer(let dimension) = try payload.next(), dimension >= 0 else {
                throw refuse("an array's dimension, an integer from 0")
            }
            dimensions.append(Int(dimension))
        }
        let name: Range<Int>
        switch try payload.next() {
        case .string(let range), .binary(let range): name = range
        default: throw refuse("the name of an array's element type")
        }
        guard case .binary(let contents) = try payload.next() else { throw refuse("an array's bytes") }
        guard payload.isAtEnd else { throw refuse("nothing after an array's bytes") }
        do {
            let (dtypeName, shape) = (try reader.text(name), Shape(dimensions))
            if let file, let dtype = DType(name: dtypeName) {
                return .file(try FileArray(dtype, shape, file, [contents]))
            }
            return try StateArray(
                dtypeName: dtypeName, shape: shape,
                bytes: UnsafeRawBufferPointer(rebasing: reader.bytes[contents]))
        } catch var error as SerializationError {
            error.byteOffset = range.lowerBound
            throw error
        }
    }

    /// The array that was split into chunks.
    private func joined(_ entries: [StateDict.Entry], at start: Int) throws -> StateDict {
        let map = StateDict.dictionary(entries)
        func refuse(_ expected: String) -> SerializationError {
            reader.malformed(start, expected: expected, got: "a split array without them")
        }
        guard case .dictionary(let sizes)? = map[ChunkedArray.shape],
            case .dictionary(let parts)? = map[ChunkedArray.chunks], !parts.isEmpty
        else { throw refuse("'shape' and 'chunks', two dictionaries") }
        let dimensions = try inOrder(sizes).map { value in
            guard case .int(let dimension)? = value, dimension >= 0 else {
                throw refuse("dimensions \"0\", \"1\", …, integers from 0")
            }
            return Int(dimension)
        }
        var chunks: [StateArray] = []
        for part in inOrder(parts) {
            guard case .array(let chunk)? = part,
                chunks.first.map({ $0.dtypeName == chunk.dtypeName }) ?? true
            else { throw refuse("chunks \"0\", \"1\", …, arrays of one type") }
            chunks.append(chunk)
        }
        do {
            let inFile = chunks.compactMap { chunk -> FileArray? in
                if case .file(let array) = chunk { array } else { nil }
            }
            if inFile.count == chunks.count,
                let whole = try FileArray.joining(inFile, shape: Shape(dimensions))
            {
                return .array(.file(whole))
            }
            var bytes: [UInt8] = []
            for chunk in chunks { try chunk.withUnsafeBytes { bytes.append(contentsOf: $0) } }
            let dtypeName = chunks.first?.dtypeName
            return .array(
                try bytes.withUnsafeBytes {
                    try StateArray(dtypeName: dtypeName ?? "", shape: Shape(dimensions), bytes: $0)
                })
        } catch var error as SerializationError {
            error.byteOffset = start
            throw error
        }
    }

    /// The values of keys "0", "1", …; nil where one is missing.
    private func inOrder(_ entries: [StateDict.Entry]) -> [StateDict?] {
        let values = Dictionary(entries.map { ($0.key, $0.value) }) { _, last in last }
        return entries.indices.map { values[.string(String($0))] }
    }
}
