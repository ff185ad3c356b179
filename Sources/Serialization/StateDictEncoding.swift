// State dicts to bytes, byte for byte as flax.serialization writes them (parity notes, section 7).

/// Flax's extension types.
enum FlaxExtension {
    static let array: Int8 = 1
    static let complex: Int8 = 2
    static let scalar: Int8 = 3
}

/// Flax's names inside the map that stands for an array that was split.
enum ChunkedArray {
    static let marker = "__msgpack_chunked_array__"
    static let shape = "shape"
    static let chunks = "chunks"
}

/// How deep values may nest, in writing and in reading.
let maximumStateDepth = 128

/// Arrays of more bytes than this are split into chunks (Flax's `MAX_CHUNK_SIZE`).
public let defaultMaximumChunkBytes = 1 << 30

/// `value` as Flax's `msgpack_serialize` writes it: dictionary keys sorted by their UTF-8 bytes, arrays above the limit split.
///
/// - Throws: `SerializationError` (unsupported) for tuples, records and frozen dictionaries, which that function does not
///   take either: call `toStateDict` first, or `toBytes`.
public func msgpackSerialize(
    _ value: StateDict, maximumChunkBytes: Int = defaultMaximumChunkBytes
) throws -> [UInt8] {
    try encode(try value.sortedByKey(depth: 0), into: MemorySink(), maximumChunkBytes).bytes
}

/// The bytes of a proper state dict, in the order of insertion.
func encode<Sink: ByteSink>(
    _ stateDict: StateDict, into sink: Sink, _ maximumChunkBytes: Int
) throws -> Sink {
    var encoder = StateDictEncoder(
        writer: MessagePackWriter(sink), maximumChunkBytes: max(maximumChunkBytes, 1))
    try encoder.encode(stateDict, depth: 0, splitting: true)
    return encoder.writer.sink
}

struct StateDictEncoder<Sink: ByteSink> {
    var writer: MessagePackWriter<Sink>
    let maximumChunkBytes: Int

    /// - Parameter splitting: whether large arrays are split here. Flax looks for them in nested dictionaries, not in lists.
    mutating func encode(_ value: StateDict, depth: Int, splitting: Bool) throws {
        guard depth <= maximumStateDepth else { throw tooDeep("msgpackSerialize") }
        switch value {
        case .dictionary(let entries):
            try writer.mapHeader(count: entries.count)
            for entry in entries {
                switch entry.key {
                case .string(let text): try writer.string(text)
                case .int(let number): try writer.integer(number)
                }
                try encode(entry.value, depth: depth + 1, splitting: splitting)
            }
        case .list(let values):
            try writer.arrayHeader(count: values.count)
            for value in values { try encode(value, depth: depth + 1, splitting: false) }
        case .array(let array) where splitting && array.byteCount > maximumChunkBytes:
            try chunks(of: array)
        case .array(let array):
            try self.array(array, code: FlaxExtension.array, elements: nil)
        case .scalar(let array):
            try self.array(array, code: FlaxExtension.scalar, elements: nil)
        case .int(let value): try writer.integer(value)
        case .unsigned(let value): try writer.unsigned(value)
        case .float(let value): try writer.float(value)
        case .complex(let real, let imaginary):
            var payload = MessagePackWriter(MemorySink())
            try payload.arrayHeader(count: 2)
            try payload.float(real)
            try payload.float(imaginary)
            try writer.extensionHeader(code: FlaxExtension.complex, count: payload.sink.bytes.count)
            try writer.bytes(payload.sink.bytes)
        case .string(let text): try writer.string(text)
        case .bytes(let bytes):
            try writer.binaryHeader(count: bytes.count)
            try writer.bytes(bytes)
        case .bool(let value): try writer.bool(value)
        case .none: try writer.null()
        case .extension(let code, let data):
            try writer.extensionHeader(code: code, count: data.count)
            try writer.bytes(data)
        case .tuple, .record, .frozenDictionary:
            throw SerializationError(
                .unsupported, "msgpackSerialize",
                expected: "dictionaries, lists, arrays, numbers, text, bytes, bools and none",
                got: value.kindName, fix: "Call toStateDict first, or use toBytes.")
        }
    }

    /// An array as an extension value `[shape, type name, bytes]`; with `elements`, that range of it, flattened.
    private mutating func array(_ array: StateArray, code: Int8, elements: Range<Int>?) throws {
        let width = array.elementByteWidth
        let range = elements.map { $0.lowerBound * width..<$0.upperBound * width } ?? 0..<array.byteCount
        var payload = MessagePackWriter(MemorySink())
        try payload.arrayHeader(count: 3)
        let dimensions = elements.map { [$0.count] } ?? array.shape.dimensions
        try payload.arrayHeader(count: dimensions.count)
        for dimension in dimensions { try payload.integer(Int64(dimension)) }
        try payload.string(array.dtypeName)
        try payload.binaryHeader(count: range.count)
        try writer.extensionHeader(code: code, count: payload.sink.bytes.count + range.count)
        try writer.bytes(payload.sink.bytes)
        try writer.sink.write(range, of: array)
    }

    /// Flax's `_chunk`: a map of three entries in exactly this order, chunks numbered in numeric order.
    private mutating func chunks(of array: StateArray) throws {
        let count = array.shape.elementCount
        let chunk = max(1, maximumChunkBytes / array.elementByteWidth)
        try writer.mapHeader(count: 3)
        try writer.string(ChunkedArray.marker)
        try writer.bool(true)
        try writer.string(ChunkedArray.shape)
        try writer.mapHeader(count: array.shape.rank)
        for (axis, dimension) in array.shape.dimensions.enumerated() {
            try writer.string(String(axis))
            try writer.integer(Int64(dimension))
        }
        try writer.string(ChunkedArray.chunks)
        let starts = stride(from: 0, to: count, by: chunk)
        try writer.mapHeader(count: (count + chunk - 1) / chunk)
        for (number, start) in starts.enumerated() {
            try writer.string(String(number))
            try self.array(array, code: FlaxExtension.array, elements: start..<min(start + chunk, count))
        }
    }
}

extension StateDict {
    /// The value with every dictionary sorted by key, as a tree map in JAX leaves it: text by UTF-8 bytes, integers by value.
    fileprivate func sortedByKey(depth: Int) throws -> StateDict {
        guard depth <= maximumStateDepth else { throw tooDeep("msgpackSerialize") }
        switch self {
        case .dictionary(let entries):
            let sorted = entries.sorted { a, b in
                switch (a.key, b.key) {
                case (.int(let a), .int(let b)): a < b
                case (.string(let a), .string(let b)): a.utf8.lexicographicallyPrecedes(b.utf8)
                case (.int, .string): true
                case (.string, .int): false
                }
            }
            return .dictionary(try sorted.map { Entry($0.key, try $0.value.sortedByKey(depth: depth + 1)) })
        case .list(let values):
            return .list(try values.map { try $0.sortedByKey(depth: depth + 1) })
        default:
            return self
        }
    }
}

func tooDeep(_ operation: String, byteOffset: Int? = nil) -> SerializationError {
    SerializationError(
        .limit, operation, byteOffset: byteOffset,
        expected: "values nested at most \(maximumStateDepth) deep", got: "deeper nesting")
}
