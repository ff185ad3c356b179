// The JSON header of a safetensors file, read strictly: it comes from anywhere.
import TensorEngine

/// What the header says of one array.
struct SafeTensorsEntry {
    let name: String
    let type: SafeTensorsType
    let shape: Shape
    /// Of the array's bytes, counted from the end of the header.
    let range: Range<Int>
    /// Where in the file the entry stands.
    let position: Int
}

/// Reads the header: the JSON that the format allows and no other, each name once. Recursion is bounded by the format.
struct SafeTensorsHeaderReader {
    private let bytes: ArraySlice<UInt8>
    private var position: Int

    /// - Parameter bytes: the header's part of the file, whose indices are offsets in the file.
    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    mutating func read() throws -> (entries: [SafeTensorsEntry], metadata: [String: String]) {
        guard bytes.first == UInt8(ascii: "{") else { throw malformed("a header that begins with {") }
        var (entries, metadata) = ([SafeTensorsEntry](), [String: String]())
        try object { reader, name, start in
            if name == metadataKey {
                try reader.object { reader, key, _ in metadata[key] = try reader.string() }
            } else {
                entries.append(try reader.entry(name, start))
            }
        }
        skipSpace()
        guard position == bytes.endIndex else { throw malformed("spaces behind the header's object") }
        return (entries, metadata)
    }

    private mutating func entry(_ name: String, _ start: Int) throws -> SafeTensorsEntry {
        var (typeName, shape, offsets): (String?, [Int]?, [Int]?)
        try object { reader, key, _ in
            switch key {
            case "dtype": typeName = try reader.string()
            case "shape": shape = try reader.integers(atMost: 64)
            case "data_offsets": offsets = try reader.integers(atMost: 2)
            default: throw reader.malformed("dtype, shape and data_offsets", got: "'\(key.prefix(64))'", name)
            }
        }
        guard let typeName, let shape, let offsets, offsets.count == 2, offsets[0] <= offsets[1] else {
            throw malformedSafeTensors(
                start, path: name, expected: "dtype, shape and data_offsets, two numbers in order",
                got: "others")
        }
        guard let type = SafeTensorsType(rawValue: typeName) else {
            throw SerializationError(
                .unsupported, "safetensorsRestore", path: String(name.prefix(256)), byteOffset: start,
                expected:
                    "one of the types \(SafeTensorsType.allCases.map(\.rawValue).joined(separator: ", "))",
                got: "'\(typeName.prefix(64))'")
        }
        return SafeTensorsEntry(
            name: name, type: type, shape: Shape(shape), range: offsets[0]..<offsets[1], position: start)
    }

    /// An object whose members `body` reads, given the key and where it stands. Each key may occur once.
    private mutating func object(_ body: (inout Self, String, Int) throws -> Void) throws {
        try expect("{")
        var keys: Set<String> = []
        if take("}") { return }
        repeat {
            skipSpace()
            let start = position
            let key = try string()
            guard keys.insert(key).inserted else {
                throw malformed("each name once", got: "'\(key.prefix(64))' again", key)
            }
            try expect(":")
            try body(&self, key, start)
        } while take(",")
        try expect("}")
    }

    private mutating func integers(atMost limit: Int) throws -> [Int] {
        try expect("[")
        var numbers: [Int] = []
        if take("]") { return numbers }
        repeat {
            guard numbers.count < limit else { throw malformed("at most \(limit) numbers") }
            numbers.append(try integer())
        } while take(",")
        try expect("]")
        return numbers
    }

    private mutating func integer() throws -> Int {
        skipSpace()
        let start = position
        var value = 0
        while position < bytes.endIndex, (0x30...0x39).contains(bytes[position]) {
            let (shifted, overflow) = value.multipliedReportingOverflow(by: 10)
            let (next, carry) = shifted.addingReportingOverflow(Int(bytes[position] - 0x30))
            guard !overflow, !carry else { throw malformed("an integer of 63 bits") }
            value = next
            position += 1
        }
        guard position > start, position == start + 1 || bytes[start] != 0x30 else {
            throw malformed("an integer from 0")
        }
        return value
    }

    private mutating func string() throws -> String {
        try expect("\"")
        var text: [UInt8] = []
        while position < bytes.endIndex {
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let result = String(validating: text, as: UTF8.self) else {
                    throw malformed("text in UTF-8")
                }
                return result
            case UInt8(ascii: "\\"): text += Array(String(try escape()).utf8)
            case 0..<0x20: throw malformed("no control characters in text")
            default: text.append(byte)
            }
        }
        throw malformed("the end of a text")
    }

    /// What stands behind a backslash.
    private mutating func escape() throws -> Character {
        guard position < bytes.endIndex else { throw malformed("an escape sequence") }
        defer { position += 1 }
        switch bytes[position] {
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "/"): return "/"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            var code = try hexadecimal(position + 1)
            position += 4
            if (0xD800..<0xDC00).contains(code) {
                // The second half of a character beyond 16 bits must follow.
                guard position + 2 < bytes.endIndex, bytes[position + 1] == UInt8(ascii: "\\"),
                    bytes[position + 2] == UInt8(ascii: "u")
                else { throw malformed("a pair of surrogates") }
                let low = try hexadecimal(position + 3)
                guard (0xDC00..<0xE000).contains(low) else { throw malformed("a pair of surrogates") }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
                position += 6
            }
            guard let scalar = Unicode.Scalar(code) else { throw malformed("a Unicode character") }
            return Character(scalar)
        default: throw malformed("an escape sequence")
        }
    }

    private func hexadecimal(_ start: Int) throws -> UInt32 {
        guard start + 4 <= bytes.endIndex else { throw malformed("4 hexadecimal digits") }
        return try bytes[start..<start + 4].reduce(0) { value, byte in
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw malformed("4 hexadecimal digits")
            }
            return value << 4 | UInt32(digit)
        }
    }

    private mutating func skipSpace() {
        while position < bytes.endIndex, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) { position += 1 }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard position < bytes.endIndex, bytes[position] == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func expect(_ character: Unicode.Scalar) throws {
        guard take(character) else { throw malformed("'\(character)'") }
    }

    private func malformed(_ expected: String, got: String? = nil, _ path: String = "") -> SerializationError
    {
        let found = position < bytes.endIndex ? "byte \(bytes[position])" : "the header's end"
        return malformedSafeTensors(position, path: path, expected: expected, got: got ?? found)
    }
}
