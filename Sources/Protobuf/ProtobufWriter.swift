// The wire format of protocol buffers, written: https://protobuf.dev/programming-guides/encoding/. Imports nothing, so that the server
// and the engine's libraries can both have it.

/// Collects the fields of one message, in the order of the calls. Nested messages are collected on their own and then put in with
/// their length.
package struct ProtobufWriter: Sendable {
    package private(set) var bytes: [UInt8] = []

    private enum WireType: UInt64 { case varint = 0, fixed64 = 1, lengthDelimited = 2, fixed32 = 5 }

    package init() {}

    /// A base-128 number, low groups first.
    package static func append(varint value: UInt64, to bytes: inout [UInt8]) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    private mutating func tag(_ field: Int, _ type: WireType) {
        Self.append(varint: UInt64(truncatingIfNeeded: field) << 3 | type.rawValue, to: &bytes)
    }

    // MARK: Numbers

    /// int32, int64, enum: negative ones take ten bytes.
    package mutating func integer(_ field: Int, _ value: Int) {
        tag(field, .varint)
        Self.append(varint: UInt64(bitPattern: Int64(value)), to: &bytes)
    }

    package mutating func bool(_ field: Int, _ value: Bool) { integer(field, value ? 1 : 0) }

    package mutating func fixed32(_ field: Int, _ value: UInt32) {
        tag(field, .fixed32)
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    package mutating func float(_ field: Int, _ value: Float) { fixed32(field, value.bitPattern) }

    package mutating func double(_ field: Int, _ value: Double) {
        tag(field, .fixed64)
        withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// A repeated number in one piece.
    package mutating func packed(_ field: Int, _ values: [Int]) {
        var numbers: [UInt8] = []
        for value in values { Self.append(varint: UInt64(bitPattern: Int64(value)), to: &numbers) }
        self.bytes(field, numbers)
    }

    // MARK: What has a length

    package mutating func bytes(_ field: Int, _ value: some Collection<UInt8>) {
        header(field, byteCount: value.count)
        bytes.append(contentsOf: value)
    }

    /// Bytes of any length, appended by the caller right after `header`.
    package mutating func append(_ value: UnsafeRawBufferPointer) { bytes.append(contentsOf: value) }

    package mutating func string(_ field: Int, _ value: String) { bytes(field, value.utf8) }

    package mutating func message(_ field: Int, _ body: (inout ProtobufWriter) throws -> Void) rethrows {
        var nested = ProtobufWriter()
        try body(&nested)
        bytes(field, nested.bytes)
    }

    /// An entry of a map whose keys are texts, and whose values are messages.
    package mutating func entry(
        _ field: Int, _ key: String, _ value: (inout ProtobufWriter) throws -> Void
    ) rethrows {
        try message(field) {
            $0.string(1, key)
            try $0.message(2, value)
        }
    }

    /// The beginning of a field whose `byteCount` bytes the caller writes behind it.
    package mutating func header(_ field: Int, byteCount: Int) {
        tag(field, .lengthDelimited)
        Self.append(varint: UInt64(byteCount), to: &bytes)
    }
}
