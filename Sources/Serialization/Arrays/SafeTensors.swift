// The safetensors format: a JSON header that says where each array's bytes lie, then the bytes.
// https://github.com/huggingface/safetensors#format. The checks are those of its reference implementation, and a few more.
import TensorEngine

/// The largest header that is read or written: 100 MB, as in the reference implementation.
private let maximumHeaderBytes = 100_000_000

/// The bytes of a safetensors file with these arrays: those that the reference implementation writes.
///
/// Arrays lie in the order of their types, wide ones first, and then of their names, so that each is aligned; types are kept, bfloat16 too.
///
/// - Parameter metadata: text by name, such as `["format": "np"]`, written in the order of the names.
/// - Throws: `SerializationError` (unsupported) for complex128, which the format does not have, and for the name `__metadata__`.
public func safetensorsSerialize(
    _ arrays: NamedArrays, metadata: [String: String] = [:]
) throws -> [UInt8] {
    var sink = MemorySink()
    try writeSafeTensors(arrays, metadata: metadata, into: &sink)
    return sink.bytes
}

func writeSafeTensors(
    _ arrays: NamedArrays, metadata: [String: String], into sink: inout some ByteSink
) throws {
    let name = "safetensorsSerialize"
    var entries: [(name: String, array: StateArray, type: SafeTensorsType)] = []
    for (key, array) in arrays.entries {
        guard let type = SafeTensorsType(dtypeName: array.dtypeName), key != metadataKey else {
            throw SerializationError(
                .unsupported, name, path: key,
                expected: "a type of the format, and not the name \(metadataKey)",
                got: "\(array.dtypeName) \(array.shape)")
        }
        entries.append((key, array, type))
    }
    entries.sort { a, b in
        a.type == b.type ? a.name.utf8.lexicographicallyPrecedes(b.name.utf8) : a.type > b.type
    }
    var text = "{"
    if !metadata.isEmpty {
        let pairs = metadata.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            .map { "\(jsonString($0.key)):\(jsonString($0.value))" }
        text += "\"\(metadataKey)\":{" + pairs.joined(separator: ",") + "}"
    }
    var offset = 0
    for (key, array, type) in entries {
        if text.utf8.count > 1 { text += "," }
        let shape = array.shape.dimensions.map(String.init).joined(separator: ",")
        text += "\(jsonString(key)):{\"dtype\":\"\(type.rawValue)\",\"shape\":[\(shape)],"
        text += "\"data_offsets\":[\(offset),\(offset + array.byteCount)]}"
        offset += array.byteCount
    }
    text += "}"
    text += String(repeating: " ", count: (8 - text.utf8.count % 8) % 8)
    guard text.utf8.count <= maximumHeaderBytes else {
        throw SerializationError(
            .limit, name, expected: "a header of at most \(maximumHeaderBytes) bytes",
            got: "\(text.utf8.count)")
    }
    try withUnsafeBytes(of: UInt64(text.utf8.count).littleEndian) { try sink.write($0) }
    try sink.write(Array(text.utf8))
    for (_, array, _) in entries { try sink.write(0..<array.byteCount, of: array) }
}

/// The arrays and the metadata of a safetensors file, arrays in the order of their bytes.
///
/// - Throws: `SerializationError`: (malformed) where header, offsets, shapes and types do not agree, where arrays overlap or leave bytes
///   between them, or a name occurs twice; (unsupported) for types that the engine does not have.
public func safetensorsRestore(
    _ bytes: [UInt8]
) throws -> (arrays: NamedArrays, metadata: [String: String]) {
    guard bytes.count >= 8 else {
        throw malformedSafeTensors(
            0, expected: "8 bytes with the header's length", got: "\(bytes.count) bytes")
    }
    let length = bytes[..<8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard length <= UInt64(maximumHeaderBytes), length <= UInt64(bytes.count - 8) else {
        throw malformedSafeTensors(
            0,
            expected:
                "a header within the \(bytes.count - 8) bytes behind its length and \(maximumHeaderBytes)",
            got: "\(length) bytes")
    }
    let dataStart = 8 + Int(length)
    var reader = SafeTensorsHeaderReader(bytes[8..<dataStart])
    var (entries, metadata) = try reader.read()
    entries.sort { ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound) }
    var (arrays, end) = (NamedArrays(), 0)
    for entry in entries {
        guard entry.range.lowerBound == end, entry.range.upperBound <= bytes.count - dataStart else {
            throw malformedSafeTensors(
                entry.position, path: entry.name,
                expected: "bytes from \(end), where the array before ends, within \(bytes.count - dataStart)",
                got: "\(entry.range.lowerBound) to \(entry.range.upperBound)")
        }
        end = entry.range.upperBound
        do {
            let range = dataStart + entry.range.lowerBound..<dataStart + end
            arrays[entry.name] = try bytes[range].withUnsafeBytes {
                try StateArray(dtypeName: entry.type.dtypeName, shape: entry.shape, bytes: $0)
            }
        } catch var error as SerializationError {
            (error.operation, error.path, error.byteOffset) = (
                "safetensorsRestore", entry.name, entry.position
            )
            throw error
        }
    }
    guard end == bytes.count - dataStart else {
        throw malformedSafeTensors(
            dataStart + end, expected: "the end of the file after the last array",
            got: "\(bytes.count - dataStart - end) more bytes")
    }
    return (arrays, metadata)
}

let metadataKey = "__metadata__"

/// The element types of the format that the engine has, in the format's order.
enum SafeTensorsType: String, CaseIterable, Comparable {
    case bool = "BOOL"
    case uint8 = "U8"
    case int8 = "I8"
    case int16 = "I16"
    case uint16 = "U16"
    case float16 = "F16"
    case bfloat16 = "BF16"
    case int32 = "I32"
    case uint32 = "U32"
    case float32 = "F32"
    case complex64 = "C64"
    case float64 = "F64"
    case int64 = "I64"
    case uint64 = "U64"

    /// NumPy's name of the type.
    var dtypeName: String { "\(self)" }

    init?(dtypeName: String) {
        guard let type = Self.allCases.first(where: { $0.dtypeName == dtypeName }) else { return nil }
        self = type
    }

    static func < (a: Self, b: Self) -> Bool { a.order < b.order }

    private var order: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}

func malformedSafeTensors(
    _ offset: Int, path: String = "", expected: String, got: String
) -> SerializationError {
    SerializationError(
        .malformed, "safetensorsRestore", path: String(path.prefix(256)), byteOffset: offset,
        expected: expected,
        got: got, fix: "The bytes are damaged, cut short, or not a safetensors file.")
}

/// A text in JSON: only what must be is escaped, as the reference implementation does.
private func jsonString(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"": result += "\\\""
        case "\\": result += "\\\\"
        case "\n": result += "\\n"
        case "\r": result += "\\r"
        case "\t": result += "\\t"
        case "\u{8}": result += "\\b"
        case "\u{C}": result += "\\f"
        case _ where scalar.value < 0x20:
            let digits = String(scalar.value, radix: 16)
            result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result + "\""
}
