// The MessagePack format, reading: one token at a time, from bytes that may be anything.
// Never reads past the end, and allocates nothing by a length that the input only claims.

/// One item of a MessagePack stream. Strings, byte strings and extensions are given by where they lie.
enum MessagePackToken: Sendable, Hashable {
    case null
    case bool(Bool)
    case integer(Int64)
    /// Only for values above `Int64.max`.
    case unsigned(UInt64)
    case float(Double)
    case string(Range<Int>)
    case binary(Range<Int>)
    case `extension`(code: Int8, Range<Int>)
    case arrayHeader(count: Int)
    case mapHeader(count: Int)

    /// What it is, for error messages.
    var kindName: String {
        switch self {
        case .null: "nil"
        case .bool: "a bool"
        case .integer, .unsigned: "an integer"
        case .float: "a float"
        case .string: "a string"
        case .binary: "a byte string"
        case .extension(let code, _): "an extension value of type \(code)"
        case .arrayHeader: "a list"
        case .mapHeader: "a map"
        }
    }
}

/// Reads tokens from a part of some bytes.
struct MessagePackReader {
    let bytes: UnsafeRawBufferPointer
    private(set) var position: Int
    private let end: Int

    init(_ bytes: UnsafeRawBufferPointer, range: Range<Int>? = nil) {
        self.bytes = bytes
        position = range?.lowerBound ?? 0
        end = range?.upperBound ?? bytes.count
    }

    var isAtEnd: Bool { position >= end }
    private var remaining: Int { end - position }

    /// The next token. Throws `SerializationError` (malformed) with its offset.
    mutating func next() throws -> MessagePackToken {
        let start = position
        let tag = UInt8(try unsigned(byteCount: 1, from: start))
        switch tag {
        case 0x00...0x7F: return .integer(Int64(tag))
        case 0x80...0x8F: return try map(Int(tag & 0x0F), from: start)
        case 0x90...0x9F: return try array(Int(tag & 0x0F), from: start)
        case 0xA0...0xBF: return .string(try run(UInt64(tag & 0x1F), from: start))
        case 0xC0: return .null
        case 0xC2: return .bool(false)
        case 0xC3: return .bool(true)
        case 0xC4...0xC6:
            return .binary(try run(try unsigned(byteCount: 1 << (tag - 0xC4), from: start), from: start))
        case 0xC7...0xC9:
            return try extensionValue(try unsigned(byteCount: 1 << (tag - 0xC7), from: start), from: start)
        case 0xCA:
            return .float(Double(Float(bitPattern: UInt32(try unsigned(byteCount: 4, from: start)))))
        case 0xCB: return .float(Double(bitPattern: try unsigned(byteCount: 8, from: start)))
        case 0xCC...0xCF:
            let value = try unsigned(byteCount: 1 << (tag - 0xCC), from: start)
            return Int64(exactly: value).map { .integer($0) } ?? .unsigned(value)
        case 0xD0...0xD3:
            let width = 1 << Int(tag - 0xD0)
            let value = try unsigned(byteCount: width, from: start)
            let unused = 64 - 8 * width
            return .integer(Int64(bitPattern: value << unused) >> unused)
        case 0xD4...0xD8: return try extensionValue(1 << UInt64(tag - 0xD4), from: start)
        case 0xD9...0xDB:
            return .string(try run(try unsigned(byteCount: 1 << (tag - 0xD9), from: start), from: start))
        case 0xDC, 0xDD:
            return try array(Int(try unsigned(byteCount: 2 << (tag - 0xDC), from: start)), from: start)
        case 0xDE, 0xDF:
            return try map(Int(try unsigned(byteCount: 2 << (tag - 0xDE), from: start)), from: start)
        case 0xE0...0xFF: return .integer(Int64(Int8(bitPattern: tag)))
        default:
            throw malformed(
                start, expected: "a MessagePack type byte", got: "0xc1, which the format never uses")
        }
    }

    /// The text of a string token. Throws when it is not UTF-8.
    func text(_ range: Range<Int>) throws -> String {
        guard let text = String(validating: bytes[range], as: UTF8.self) else {
            throw malformed(range.lowerBound, expected: "a string in UTF-8", got: "other bytes")
        }
        return text
    }

    func malformed(_ offset: Int, expected: String, got: String) -> SerializationError {
        SerializationError(
            .malformed, "msgpackRestore", byteOffset: offset, expected: expected, got: got,
            fix: "The bytes are damaged, cut short, or not MessagePack.")
    }

    private mutating func unsigned(byteCount: Int, from start: Int) throws -> UInt64 {
        guard remaining >= byteCount else {
            throw malformed(start, expected: "\(byteCount) more bytes", got: "the end after \(remaining)")
        }
        var value: UInt64 = 0
        for offset in 0..<byteCount { value = value << 8 | UInt64(bytes[position + offset]) }
        position += byteCount
        return value
    }

    private mutating func run(_ count: UInt64, from start: Int) throws -> Range<Int> {
        guard count <= UInt64(remaining) else {
            throw malformed(start, expected: "\(count) more bytes", got: "the end after \(remaining)")
        }
        defer { position += Int(count) }
        return position..<position + Int(count)
    }

    private mutating func extensionValue(_ count: UInt64, from start: Int) throws -> MessagePackToken {
        let code = Int8(bitPattern: UInt8(try unsigned(byteCount: 1, from: start)))
        return .extension(code: code, try run(count, from: start))
    }

    /// Every entry takes at least one byte, so a larger count than there are bytes left is a lie.
    private func array(_ count: Int, from start: Int) throws -> MessagePackToken {
        guard count <= remaining else {
            throw malformed(
                start, expected: "a list of \(count) values", got: "\(remaining) bytes left for them")
        }
        return .arrayHeader(count: count)
    }

    private func map(_ count: Int, from start: Int) throws -> MessagePackToken {
        guard count <= remaining / 2 else {
            throw malformed(
                start, expected: "a map of \(count) pairs", got: "\(remaining) bytes left for them")
        }
        return .mapHeader(count: count)
    }
}
