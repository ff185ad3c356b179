// Decompression of gzip files (RFC 1951, RFC 1952), for data sets that are distributed compressed.

enum Gzip {
    static func isCompressed(_ bytes: [UInt8]) -> Bool { bytes.starts(with: [0x1F, 0x8B]) }

    /// The contents of a gzip file: all its members, one after the other.
    static func decompress(_ bytes: [UInt8], maximumBytes: Int) throws(DatasetError) -> [UInt8] {
        var output: [UInt8] = []
        var start = 0
        while start < bytes.count {
            guard bytes.count - start >= 18, bytes[start] == 0x1F, bytes[start + 1] == 0x8B,
                bytes[start + 2] == 8
            else { throw damaged }
            let flags = bytes[start + 3]
            var cursor = start + 10
            if flags & 4 != 0 {
                guard cursor + 2 <= bytes.count else { throw damaged }
                cursor += 2 + Int(bytes[cursor]) + Int(bytes[cursor + 1]) << 8
            }
            // File name and comment, each ended by a zero.
            for flag in [8, 16] as [UInt8] where flags & flag != 0 {
                while cursor < bytes.count, bytes[cursor] != 0 { cursor += 1 }
                cursor += 1
            }
            if flags & 2 != 0 { cursor += 2 }
            guard cursor < bytes.count else { throw damaged }
            let begin = output.count
            var inflater = Inflater(bytes, at: cursor, maximumBytes: maximumBytes)
            try inflater.run(into: &output)
            start = inflater.end + 8
            guard start <= bytes.count else { throw damaged }
            let stored = (0..<8).map { UInt32(bytes[inflater.end + $0]) }
            let checksum = stored[0] | stored[1] << 8 | stored[2] << 16 | stored[3] << 24
            let size = stored[4] | stored[5] << 8 | stored[6] << 16 | stored[7] << 24
            guard size == UInt32(truncatingIfNeeded: output.count - begin),
                checksum == CRC32.checksum(output[begin...])
            else { throw DatasetError("the compressed file is damaged: its checksum does not fit") }
        }
        return output
    }

    fileprivate static let damaged = DatasetError("the compressed file is damaged or ends too early")
}

private enum CRC32 {
    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? 0xEDB8_8320 ^ value >> 1 : value >> 1 }
    }

    static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        ~bytes.reduce(UInt32.max) { table[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] ^ $0 >> 8 }
    }
}

/// Decodes one deflate stream.
private struct Inflater {
    private let bytes: [UInt8]
    private let maximumBytes: Int
    private var cursor: Int
    private var bits: UInt64 = 0
    private var bitCount = 0

    init(_ bytes: [UInt8], at start: Int, maximumBytes: Int) {
        self.bytes = bytes
        cursor = start
        self.maximumBytes = maximumBytes
    }

    /// Behind the stream's last byte.
    var end: Int { cursor - bitCount / 8 }

    mutating func run(into output: inout [UInt8]) throws(DatasetError) {
        let begin = output.count
        var isLast = false
        while !isLast {
            isLast = try take(1) == 1
            switch try take(2) {
            case 0: try copyStored(into: &output)
            case 1: try decode(Self.fixedLiterals, Self.fixedDistances, begin, into: &output)
            case 2:
                let (literals, distances) = try readCodes()
                try decode(literals, distances, begin, into: &output)
            default: throw Gzip.damaged
            }
        }
    }

    private mutating func take(_ count: Int) throws(DatasetError) -> Int {
        while bitCount < count {
            guard cursor < bytes.count else { throw Gzip.damaged }
            bits |= UInt64(bytes[cursor]) << UInt64(bitCount)
            bitCount += 8
            cursor += 1
        }
        let value = Int(bits & (1 << UInt64(count) - 1))
        bits >>= UInt64(count)
        bitCount -= count
        return value
    }

    private mutating func copyStored(into output: inout [UInt8]) throws(DatasetError) {
        _ = try take(bitCount % 8)
        let (length, complement) = (try take(16), try take(16))
        guard length == ~complement & 0xFFFF else { throw Gzip.damaged }
        try checkSize(output.count + length)
        for _ in 0..<length { output.append(UInt8(try take(8))) }
    }

    private func checkSize(_ size: Int) throws(DatasetError) {
        guard size <= maximumBytes else {
            throw DatasetError("the file holds more than \(maximumBytes) bytes when decompressed")
        }
    }

    /// A Huffman code: by length, the number of its words, and the symbols in the order of their words.
    private struct Code {
        var counts = [Int](repeating: 0, count: 16)
        var symbols: [Int] = []

        init(lengths: [Int]) {
            for length in lengths { counts[length] += 1 }
            counts[0] = 0
            var starts = [Int](repeating: 0, count: 17)
            for length in 1..<16 { starts[length + 1] = starts[length] + counts[length] }
            symbols = [Int](repeating: 0, count: lengths.count)
            for (symbol, length) in lengths.enumerated() where length > 0 {
                symbols[starts[length]] = symbol
                starts[length] += 1
            }
        }
    }

    private mutating func symbol(_ code: Code) throws(DatasetError) -> Int {
        var (word, first, index) = (0, 0, 0)
        for length in 1..<16 {
            word |= try take(1)
            let count = code.counts[length]
            if word - first < count { return code.symbols[index + word - first] }
            index += count
            first = (first + count) << 1
            word <<= 1
        }
        throw Gzip.damaged
    }

    private mutating func decode(
        _ literals: Code, _ distances: Code, _ begin: Int, into output: inout [UInt8]
    ) throws(DatasetError) {
        while true {
            let value = try symbol(literals)
            if value < 256 {
                try checkSize(output.count + 1)
                output.append(UInt8(value))
                continue
            }
            if value == 256 { return }
            guard value - 257 < Self.lengths.count else { throw Gzip.damaged }
            let length = Self.lengths[value - 257].base + (try take(Self.lengths[value - 257].extra))
            let place = try symbol(distances)
            guard place < Self.distances.count else { throw Gzip.damaged }
            let distance = Self.distances[place].base + (try take(Self.distances[place].extra))
            guard distance <= output.count - begin else { throw Gzip.damaged }
            try checkSize(output.count + length)
            // Byte by byte: what is copied may overlap what is being written.
            for _ in 0..<length { output.append(output[output.count - distance]) }
        }
    }

    private mutating func readCodes() throws(DatasetError) -> (Code, Code) {
        let (literals, distances, count) = (try take(5) + 257, try take(5) + 1, try take(4) + 4)
        var lengths = [Int](repeating: 0, count: 19)
        for index in 0..<count { lengths[Self.codeOrder[index]] = try take(3) }
        let code = Code(lengths: lengths)
        var all: [Int] = []
        while all.count < literals + distances {
            let value = try symbol(code)
            switch value {
            case 0...15: all.append(value)
            case 16:
                guard let last = all.last else { throw Gzip.damaged }
                all += Array(repeating: last, count: try take(2) + 3)
            case 17: all += Array(repeating: 0, count: try take(3) + 3)
            default: all += Array(repeating: 0, count: try take(7) + 11)
            }
        }
        guard all.count == literals + distances else { throw Gzip.damaged }
        return (Code(lengths: Array(all[..<literals])), Code(lengths: Array(all[literals...])))
    }

    private static let codeOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]
    private static let fixedLiterals = Code(
        lengths: (0..<288).map { $0 < 144 ? 8 : $0 < 256 ? 9 : $0 < 280 ? 7 : 8 })
    private static let fixedDistances = Code(lengths: Array(repeating: 5, count: 30))

    /// Bases and numbers of extra bits, RFC 1951 §3.2.5.
    private static let lengths: [(base: Int, extra: Int)] =
        ladder(from: 3, extras: (0..<28).map { max(0, $0 / 4 - 1) }) + [(258, 0)]
    private static let distances = ladder(from: 1, extras: (0..<30).map { max(0, $0 / 2 - 1) })

    private static func ladder(from start: Int, extras: [Int]) -> [(base: Int, extra: Int)] {
        var base = start
        return extras.map { extra in
            defer { base += 1 << extra }
            return (base, extra)
        }
    }
}
