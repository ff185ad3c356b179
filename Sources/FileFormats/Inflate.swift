// Decompression of DEFLATE streams (RFC 1951), such as the members of a compressed npz and gzip files. Compressing is left to others:
// what is written here is stored.

/// The bytes that a DEFLATE stream stands for, and the index behind its last byte. The stream may end before the bytes do.
///
/// - Parameter limit: how many bytes there may be. Nothing is allocated by this number.
/// - Throws: `FormatError` where the bytes begin with no such stream (malformed), or one of more bytes (tooLarge).
package func inflate(
    _ compressed: ArraySlice<UInt8>, limit: Int
) throws(FormatError) -> (bytes: [UInt8], end: Int) {
    var stream = DeflateReader(compressed, limit: limit)
    try stream.run()
    return (stream.output, stream.end)
}

/// A canonical Huffman code: the number of codes of each length, and the symbols in the order of their codes.
private struct HuffmanCode {
    static let maximumLength = 15
    private var counts = [Int](repeating: 0, count: HuffmanCode.maximumLength + 1)
    private var symbols: [Int] = []
    /// Symbol and length for each value of the next bits, for codes that are short; length 0 for the others.
    private var table = [UInt16](repeating: 0, count: 1 << HuffmanCode.tableBits)
    private static let tableBits = 9

    /// - Parameter lengths: of each symbol's code; 0 for symbols that do not occur.
    /// - Returns: nil where there are more codes than the lengths allow. Fewer are allowed: some encoders leave a single code.
    init?(_ lengths: [Int]) {
        for length in lengths { counts[length] += 1 }
        counts[0] = 0
        var (left, code, offsets, codes) = (1, 0, [0], [0])
        for length in 1...Self.maximumLength {
            left = left << 1 - counts[length]
            if left < 0 { return nil }
            offsets.append(offsets[length - 1] + counts[length - 1])
            code = (code + counts[length - 1]) << 1
            codes.append(code)
        }
        symbols = [Int](repeating: 0, count: lengths.count)
        for (symbol, length) in lengths.enumerated() where length > 0 {
            symbols[offsets[length]] = symbol
            offsets[length] += 1
            fill(symbol, length, code: codes[length])
            codes[length] += 1
        }
    }

    private mutating func fill(_ symbol: Int, _ length: Int, code: Int) {
        guard length <= Self.tableBits else { return }
        // Codes come highest bit first, the stream's bits lowest first.
        var (reversed, rest) = (0, code)
        for _ in 0..<length {
            reversed = reversed << 1 | rest & 1
            rest >>= 1
        }
        for place in stride(from: reversed, to: table.count, by: 1 << length) {
            table[place] = UInt16(symbol << 4 | length)
        }
    }

    /// The next symbol of a stream.
    func next(_ stream: inout DeflateReader) throws(FormatError) -> Int {
        let entry = Int(table[stream.peek(Self.tableBits)])
        if entry != 0 {
            try stream.skip(entry & 15)
            return entry >> 4
        }
        var (code, first, index) = (0, 0, 0)
        for length in 1...Self.maximumLength {
            code |= try stream.bits(1)
            let count = counts[length]
            if code - count < first { return symbols[index + code - first] }
            (index, first) = (index + count, (first + count) << 1)
            code <<= 1
        }
        throw stream.malformed("a code of the stream's table", "another")
    }
}

private struct DeflateReader {
    private let input: ArraySlice<UInt8>
    private var position: Int
    private var waiting: UInt64 = 0
    private var waitingCount = 0
    private let limit: Int
    private(set) var output: [UInt8] = []

    init(_ input: ArraySlice<UInt8>, limit: Int) {
        self.input = input
        self.limit = limit
        position = input.startIndex
    }

    func malformed(_ expected: String, _ got: String) -> FormatError {
        FormatError(at: position, expected: expected, got: got)
    }

    mutating func run() throws(FormatError) {
        var isLast = false
        while !isLast {
            isLast = try bits(1) == 1
            switch try bits(2) {
            case 0: try stored()
            case 1:
                guard let literals = Self.fixedLiterals, let distances = Self.fixedDistances else {
                    throw malformed("the fixed codes", "none")
                }
                try compressed(literals, distances)
            case 2:
                let (literals, distances) = try dynamicCodes()
                try compressed(literals, distances)
            default: throw malformed("a block of type 0, 1 or 2", "3")
            }
        }
    }

    /// Behind the last byte that was used: whole bytes may have been looked at already that were not.
    var end: Int { position - waitingCount / 8 }

    private static let fixedLiterals = HuffmanCode(
        (0..<288).map { $0 < 144 ? 8 : $0 < 256 ? 9 : $0 < 280 ? 7 : 8 })
    private static let fixedDistances = HuffmanCode([Int](repeating: 5, count: 30))

    /// The next bits as a number, or zeros where there are no more.
    mutating func peek(_ count: Int) -> Int {
        while waitingCount < count, position < input.endIndex {
            waiting |= UInt64(input[position]) << UInt64(waitingCount)
            position += 1
            waitingCount += 8
        }
        return Int(waiting & (1 << UInt64(count) - 1))
    }

    mutating func skip(_ count: Int) throws(FormatError) {
        guard count <= waitingCount else { throw malformed("more bits", "the end") }
        waiting >>= UInt64(count)
        waitingCount -= count
    }

    mutating func bits(_ count: Int) throws(FormatError) -> Int {
        let value = peek(count)
        try skip(count)
        return value
    }

    private mutating func stored() throws(FormatError) {
        try skip(waitingCount % 8)
        let (length, complement) = (try bits(16), try bits(16))
        guard length == ~complement & 0xFFFF else {
            throw malformed("a length and its complement", "\(length) and \(complement)")
        }
        try reserve(length)
        for _ in 0..<length { output.append(UInt8(try bits(8))) }
    }

    private mutating func reserve(_ count: Int) throws(FormatError) {
        guard output.count + count <= limit else {
            throw FormatError(.tooLarge, at: position, expected: "at most \(limit) bytes", got: "more")
        }
    }

    /// The order in which the lengths of the code of code lengths stand.
    private static let lengthOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]

    private mutating func dynamicCodes() throws(FormatError) -> (HuffmanCode, HuffmanCode) {
        let (literalCount, distanceCount) = (try bits(5) + 257, try bits(5) + 1)
        guard literalCount <= 286, distanceCount <= 30 else {
            throw malformed("at most 286 and 30 codes", "\(literalCount) and \(distanceCount)")
        }
        var codeLengths = [Int](repeating: 0, count: 19)
        for place in Self.lengthOrder.prefix(try bits(4) + 4) { codeLengths[place] = try bits(3) }
        guard let code = HuffmanCode(codeLengths) else {
            throw malformed("code lengths that make a code", "others")
        }
        var lengths: [Int] = []
        while lengths.count < literalCount + distanceCount {
            let symbol = try code.next(&self)
            switch symbol {
            case 16:
                guard let last = lengths.last else { throw malformed("a length to repeat", "none") }
                lengths += [Int](repeating: last, count: try bits(2) + 3)
            case 17: lengths += [Int](repeating: 0, count: try bits(3) + 3)
            case 18: lengths += [Int](repeating: 0, count: try bits(7) + 11)
            default: lengths.append(symbol)
            }
        }
        guard lengths.count == literalCount + distanceCount, lengths[256] > 0,
            let literals = HuffmanCode(Array(lengths[..<literalCount])),
            let distances = HuffmanCode(Array(lengths[literalCount...]))
        else { throw malformed("code lengths that make codes with an end", "others") }
        return (literals, distances)
    }

    private static let lengthBases = [
        3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163,
        195, 227,
        258,
    ]
    private static let lengthExtras = [
        0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
    ]
    private static let distanceBases = [
        1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073,
        4097,
        6145, 8193, 12289, 16385, 24577,
    ]

    private mutating func compressed(_ literals: HuffmanCode, _ distances: HuffmanCode) throws(FormatError) {
        while true {
            let symbol = try literals.next(&self)
            if symbol < 256 {
                try reserve(1)
                output.append(UInt8(symbol))
                continue
            }
            if symbol == 256 { return }
            let place = symbol - 257
            guard place < Self.lengthBases.count else { throw malformed("a length's symbol", "\(symbol)") }
            let length = try Self.lengthBases[place] + bits(Self.lengthExtras[place])
            let distancePlace = try distances.next(&self)
            guard distancePlace < Self.distanceBases.count else {
                throw malformed("a distance's symbol", "\(distancePlace)")
            }
            let distance = try Self.distanceBases[distancePlace] + bits(max(distancePlace / 2 - 1, 0))
            guard distance <= output.count else {
                throw malformed("a distance of at most \(output.count)", "\(distance)")
            }
            try reserve(length)
            // Byte by byte: the run may overlap what it repeats.
            for _ in 0..<length { output.append(output[output.count - distance]) }
        }
    }
}
