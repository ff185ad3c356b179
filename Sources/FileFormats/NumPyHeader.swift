// The header of NumPy's npy files: a line of Python that describes an array. https://numpy.org/neps/nep-0001-npy-format.html.

/// What an npy file says of its array.
package struct NumPyHeader: Sendable, Hashable {
    /// The type as NumPy names it, such as "<f4".
    package let descriptor: String
    package let isFortranOrder: Bool
    package let shape: [Int]
    /// How many bytes stand before the data.
    package let byteCount: Int

    package static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)

    /// - Throws: `FormatError`: (malformed) where the file does not begin with such a header; (unsupported) for structured types.
    package init(_ bytes: ArraySlice<UInt8>) throws(FormatError) {
        let start = bytes.startIndex
        func byte(_ offset: Int) -> Int { Int(bytes[start + offset]) }
        guard bytes.count >= 10, bytes.prefix(6).elementsEqual(Self.magic), (1...3).contains(byte(6)),
            byte(7) == 0
        else {
            throw FormatError(
                at: 0, expected: "an npy file of version 1.0, 2.0 or 3.0", got: "other bytes")
        }
        let widths = byte(6) == 1 ? 2 : 4
        guard bytes.count >= 8 + widths else {
            throw FormatError(at: 8, expected: "the header's length", got: "the end")
        }
        let length = (0..<widths).reduce(0) { $0 | byte(8 + $1) << (8 * $1) }
        byteCount = 8 + widths + length
        guard byteCount <= bytes.count else {
            throw FormatError(at: 8, expected: "a header within the file", got: "\(length) bytes")
        }
        guard let text = String(validating: bytes[start + 8 + widths..<start + byteCount], as: UTF8.self)
        else {
            throw FormatError(at: 8 + widths, expected: "a header in UTF-8", got: "other bytes")
        }
        var reader = NumPyHeaderReader(text, offset: 8 + widths)
        (descriptor, isFortranOrder, shape) = try reader.read()
    }
}

/// Reads the header: a Python dictionary of just three entries.
private struct NumPyHeaderReader {
    private let characters: [UInt8]
    private var position = 0
    private let offset: Int

    init(_ text: String, offset: Int) {
        characters = Array(text.utf8)
        self.offset = offset
    }

    mutating func read() throws(FormatError) -> (descriptor: String, isFortranOrder: Bool, shape: [Int]) {
        var (descriptor, isFortranOrder, shape): (String?, Bool?, [Int]?)
        try expect("{")
        while !take("}") {
            let key = try string()
            try expect(":")
            switch key {
            case "descr" where descriptor == nil:
                skipSpace()
                if position < characters.count, characters[position] == UInt8(ascii: "[") {
                    throw FormatError(
                        .unsupported, at: offset + position, expected: "an array of numbers",
                        got: "a structured type")
                }
                descriptor = try string()
            case "fortran_order" where isFortranOrder == nil: isFortranOrder = try bool()
            case "shape" where shape == nil: shape = try tuple()
            default: throw malformed("descr, fortran_order and shape, each once")
            }
            guard take(",") else {
                try expect("}")
                break
            }
        }
        skipSpace()
        guard position == characters.count, let descriptor, let isFortranOrder, let shape else {
            throw malformed("descr, fortran_order and shape, and nothing else")
        }
        return (descriptor, isFortranOrder, shape)
    }

    private mutating func tuple() throws(FormatError) -> [Int] {
        try expect("(")
        var dimensions: [Int] = []
        while !take(")") {
            dimensions.append(try integer())
            guard dimensions.count <= 64 else { throw malformed("at most 64 dimensions") }
            // Python's `(3)` is a number in brackets, not a tuple.
            guard take(",") else {
                guard dimensions.count > 1 else { throw malformed("a comma behind a single dimension") }
                try expect(")")
                break
            }
        }
        return dimensions
    }

    private mutating func integer() throws(FormatError) -> Int {
        skipSpace()
        let start = position
        while position < characters.count, (0x30...0x39).contains(characters[position]) { position += 1 }
        guard let value = Int(String(decoding: characters[start..<position], as: UTF8.self)) else {
            throw malformed("an integer from 0, of 63 bits")
        }
        // Files written by Python 2 have long integers.
        if position < characters.count, characters[position] == UInt8(ascii: "L") { position += 1 }
        return value
    }

    private mutating func bool() throws(FormatError) -> Bool {
        skipSpace()
        for (word, value) in [("True", true), ("False", false)]
        where characters[position...].starts(with: word.utf8) {
            position += word.utf8.count
            return value
        }
        throw malformed("True or False")
    }

    private mutating func string() throws(FormatError) -> String {
        skipSpace()
        guard position < characters.count,
            [UInt8(ascii: "'"), UInt8(ascii: "\"")].contains(characters[position])
        else {
            throw malformed("a text in quotes")
        }
        let (quote, start) = (characters[position], position + 1)
        guard let end = characters[start...].firstIndex(of: quote) else {
            throw malformed("the end of a text")
        }
        position = end + 1
        return String(decoding: characters[start..<end], as: UTF8.self)
    }

    private mutating func skipSpace() {
        while position < characters.count, [0x20, 0x09, 0x0A].contains(characters[position]) { position += 1 }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard position < characters.count, characters[position] == UInt8(ascii: character) else {
            return false
        }
        position += 1
        return true
    }

    private mutating func expect(_ character: Unicode.Scalar) throws(FormatError) {
        guard take(character) else { throw malformed("'\(character)'") }
    }

    private func malformed(_ expected: String) -> FormatError {
        FormatError(
            at: offset + position, expected: expected,
            got: position < characters.count ? "byte \(characters[position])" : "the header's end")
    }
}
