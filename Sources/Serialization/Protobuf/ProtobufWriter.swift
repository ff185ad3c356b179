// The wire format of protocol buffers, written: https://protobuf.dev/programming-guides/encoding/.

/// Collects the fields of one message. Nested messages are collected on their own and then put in with their length.
struct ProtobufWriter {
    private(set) var bytes: [UInt8] = []

    private enum WireType: UInt64 { case varint = 0, fixed64 = 1, lengthDelimited = 2, fixed32 = 5 }

    /// A base-128 number, low groups first.
    static func append(varint value: UInt64, to bytes: inout [UInt8]) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    private mutating func tag(_ field: Int, _ type: WireType) {
        Self.append(varint: UInt64(field) << 3 | type.rawValue, to: &bytes)
    }

    // MARK: Numbers

    /// int32, int64, enum: negative ones take ten bytes.
    mutating func integer(_ field: Int, _ value: Int) {
        tag(field, .varint)
        Self.append(varint: UInt64(bitPattern: Int64(value)), to: &bytes)
    }

    mutating func bool(_ field: Int, _ value: Bool) { integer(field, value ? 1 : 0) }

    mutating func fixed32(_ field: Int, _ value: UInt32) {
        tag(field, .fixed32)
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func float(_ field: Int, _ value: Float) { fixed32(field, value.bitPattern) }

    /// A repeated number in one piece.
    mutating func packed(_ field: Int, _ values: [Int]) {
        var numbers: [UInt8] = []
        for value in values { Self.append(varint: UInt64(bitPattern: Int64(value)), to: &numbers) }
        self.bytes(field, numbers)
    }

    // MARK: What has a length

    mutating func bytes(_ field: Int, _ value: some Collection<UInt8>) {
        header(field, byteCount: value.count)
        bytes.append(contentsOf: value)
    }

    mutating func string(_ field: Int, _ value: String) { bytes(field, value.utf8) }

    /// The elements of an array, as they lie in memory.
    mutating func bytes(_ field: Int, of array: StateArray) throws {
        header(field, byteCount: array.byteCount)
        try array.withUnsafeBytes { bytes.append(contentsOf: $0) }
    }

    mutating func message(_ field: Int, _ body: (inout ProtobufWriter) throws -> Void) rethrows {
        var nested = ProtobufWriter()
        try body(&nested)
        bytes(field, nested.bytes)
    }

    /// An entry of a map whose keys are texts, and whose values are messages.
    mutating func entry(_ field: Int, _ key: String, _ value: (inout ProtobufWriter) throws -> Void) rethrows {
        try message(field) {
            $0.string(1, key)
            try $0.message(2, value)
        }
    }

    /// The beginning of a field whose `byteCount` bytes the caller writes behind it.
    mutating func header(_ field: Int, byteCount: Int) {
        tag(field, .lengthDelimited)
        Self.append(varint: UInt64(byteCount), to: &bytes)
    }
}
