// The MessagePack format, writing: one method for each family of the specification, smallest encoding always.
// https://github.com/msgpack/msgpack/blob/master/spec.md. What Flax puts into it is in StateDictEncoding.

/// Writes MessagePack to a sink.
struct MessagePackWriter<Sink: ByteSink> {
    var sink: Sink

    init(_ sink: Sink) { self.sink = sink }

    mutating func null() throws { try byte(0xC0) }

    mutating func bool(_ value: Bool) throws { try byte(value ? 0xC3 : 0xC2) }

    mutating func integer(_ value: Int64) throws {
        switch value {
        case 0...: try unsigned(UInt64(value))
        case -32 ... -1: try byte(UInt8(bitPattern: Int8(value)))
        case Int64(Int8.min)...: try tagged(0xD0, UInt8(bitPattern: Int8(value)))
        case Int64(Int16.min)...: try tagged(0xD1, UInt16(bitPattern: Int16(value)))
        case Int64(Int32.min)...: try tagged(0xD2, UInt32(bitPattern: Int32(value)))
        default: try tagged(0xD3, UInt64(bitPattern: value))
        }
    }

    mutating func unsigned(_ value: UInt64) throws {
        switch value {
        case ...0x7F: try byte(UInt8(value))
        case ...0xFF: try tagged(0xCC, UInt8(value))
        case ...0xFFFF: try tagged(0xCD, UInt16(value))
        case ...0xFFFF_FFFF: try tagged(0xCE, UInt32(value))
        default: try tagged(0xCF, value)
        }
    }

    /// A 64-bit float: what a Python float is.
    mutating func float(_ value: Double) throws { try tagged(0xCB, value.bitPattern) }

    mutating func string(_ value: String) throws {
        let bytes = Array(value.utf8)
        switch bytes.count {
        case ...31: try byte(0xA0 | UInt8(bytes.count))
        case ...0xFF: try tagged(0xD9, UInt8(bytes.count))
        case ...0xFFFF: try tagged(0xDA, UInt16(bytes.count))
        default: try tagged(0xDB, try length(bytes.count, of: "a string"))
        }
        try sink.write(bytes)
    }

    /// The header of `count` bytes that the caller writes next.
    mutating func binaryHeader(count: Int) throws {
        switch count {
        case ...0xFF: try tagged(0xC4, UInt8(count))
        case ...0xFFFF: try tagged(0xC5, UInt16(count))
        default: try tagged(0xC6, try length(count, of: "a byte string"))
        }
    }

    /// The header of `count` values that the caller writes next.
    mutating func arrayHeader(count: Int) throws {
        switch count {
        case ...15: try byte(0x90 | UInt8(count))
        case ...0xFFFF: try tagged(0xDC, UInt16(count))
        default: try tagged(0xDD, try length(count, of: "a list"))
        }
    }

    /// The header of `count` pairs of key and value that the caller writes next.
    mutating func mapHeader(count: Int) throws {
        switch count {
        case ...15: try byte(0x80 | UInt8(count))
        case ...0xFFFF: try tagged(0xDE, UInt16(count))
        default: try tagged(0xDF, try length(count, of: "a map"))
        }
    }

    /// The header of an extension value of `count` bytes that the caller writes next.
    mutating func extensionHeader(code: Int8, count: Int) throws {
        switch count {
        case 1: try byte(0xD4)
        case 2: try byte(0xD5)
        case 4: try byte(0xD6)
        case 8: try byte(0xD7)
        case 16: try byte(0xD8)
        case ...0xFF: try tagged(0xC7, UInt8(count))
        case ...0xFFFF: try tagged(0xC8, UInt16(count))
        default: try tagged(0xC9, try length(count, of: "an extension value"))
        }
        try byte(UInt8(bitPattern: code))
    }

    mutating func bytes(_ bytes: [UInt8]) throws { try sink.write(bytes) }

    private mutating func byte(_ value: UInt8) throws {
        try withUnsafeBytes(of: value) { try sink.write($0) }
    }

    private mutating func tagged(_ tag: UInt8, _ value: some FixedWidthInteger) throws {
        try byte(tag)
        try withUnsafeBytes(of: value.bigEndian) { try sink.write($0) }
    }

    private func length(_ count: Int, of what: String) throws -> UInt32 {
        guard let length = UInt32(exactly: count) else {
            throw SerializationError(
                .limit, "msgpackSerialize", expected: "\(what) of at most 4294967295 entries or bytes",
                got: "\(count)", fix: "Put large arrays into dictionaries, where they are split into chunks.")
        }
        return length
    }
}
