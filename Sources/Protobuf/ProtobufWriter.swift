// The Protocol Buffers wire format, writing (https://protobuf.dev/programming-guides/encoding). Fields are written in the order of the
// calls; the caller knows their numbers. Imports nothing, so that the server and the engine's libraries can both have it.

/// A message while it is written.
package struct ProtobufWriter: Sendable {
    package private(set) var bytes: [UInt8] = []

    private enum WireType: UInt64 {
        case varint = 0
        case fixed64 = 1
        case lengthDelimited = 2
        case fixed32 = 5
    }

    package init() {}

    private mutating func tag(_ field: Int, _ type: WireType) {
        varint(UInt64(truncatingIfNeeded: field) << 3 | type.rawValue)
    }

    private mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    private mutating func littleEndian(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// int32, int64, enum: negative numbers take ten bytes.
    package mutating func integer(_ field: Int, _ value: Int64) {
        tag(field, .varint)
        varint(UInt64(bitPattern: value))
    }

    package mutating func unsigned(_ field: Int, _ value: UInt64) {
        tag(field, .varint)
        varint(value)
    }

    package mutating func bool(_ field: Int, _ value: Bool) { unsigned(field, value ? 1 : 0) }

    package mutating func fixed32(_ field: Int, _ value: UInt32) {
        tag(field, .fixed32)
        littleEndian(value)
    }

    package mutating func float(_ field: Int, _ value: Float) { fixed32(field, value.bitPattern) }

    package mutating func double(_ field: Int, _ value: Double) {
        tag(field, .fixed64)
        littleEndian(value.bitPattern)
    }

    package mutating func bytes(_ field: Int, _ value: some Collection<UInt8>) {
        tag(field, .lengthDelimited)
        varint(UInt64(value.count))
        bytes.append(contentsOf: value)
    }

    package mutating func string(_ field: Int, _ text: String) { bytes(field, text.utf8) }

    package mutating func message(_ field: Int, _ build: (inout ProtobufWriter) throws -> Void) rethrows {
        var inner = ProtobufWriter()
        try build(&inner)
        bytes(field, inner.bytes)
    }

    /// Numbers of a repeated field in one run, as proto3 writes them.
    package mutating func packed(_ field: Int, _ values: some Sequence<Int64>) {
        var inner = ProtobufWriter()
        for value in values { inner.varint(UInt64(bitPattern: value)) }
        bytes(field, inner.bytes)
    }

    package mutating func packed(_ field: Int, _ values: some Sequence<Float>) {
        var inner = ProtobufWriter()
        for value in values { inner.littleEndian(value.bitPattern) }
        bytes(field, inner.bytes)
    }
}
