// The Range field (RFC 9110 §14): which bytes of a representation to send. Bounded against many or
// overlapping ranges.

enum ByteRanges: Equatable {
    /// No range asked for, or one that is ignored: the whole representation with 200.
    case whole
    case ranges([Range<Int64>])
    /// 416: well-formed, and none of them within the representation.
    case unsatisfiable

    static let maximumRangeCount = 8

    /// - Parameter field: the value of Range; nil when absent.
    init(_ field: String?, byteCount: Int64) {
        self = Self.parse(field, byteCount) ?? .whole
    }

    /// nil for what is to be ignored: another unit, bad syntax (RFC 9110 §14.2), too many ranges or more
    /// bytes than the whole.
    private static func parse(_ field: String?, _ byteCount: Int64) -> ByteRanges? {
        guard let field else { return nil }
        let bytes = Array(field.utf8)
        let unit = Array("bytes=".utf8)
        guard bytes.count > unit.count, bytes[..<unit.count].map(asciiLowercase).elementsEqual(unit) else {
            return nil
        }
        var ranges: [Range<Int64>] = []
        var specified = 0
        for piece in bytes[unit.count...].split(separator: UInt8(ascii: ","), omittingEmptySubsequences: true)
        {
            let spec = trimmed(piece)
            if spec.isEmpty { continue }
            specified += 1
            guard specified <= maximumRangeCount else { return nil }
            guard let dash = spec.firstIndex(of: UInt8(ascii: "-")) else { return nil }
            let first = spec[..<dash]
            let last = spec[(dash + 1)...]
            if first.isEmpty {
                // suffix-range: the last N bytes.
                guard let count = number(last) else { return nil }
                if count > 0, byteCount > 0 { ranges.append(max(0, byteCount - count)..<byteCount) }
            } else {
                guard let start = number(first) else { return nil }
                var end = Int64.max
                if !last.isEmpty {
                    guard let given = number(last), given >= start else { return nil }
                    end = given
                }
                if start < byteCount { ranges.append(start..<(min(end, byteCount - 1) + 1)) }
            }
        }
        guard specified > 0 else { return nil }
        if ranges.isEmpty { return .unsatisfiable }
        // RFC 9110 §14.2: overlapping ranges that cost more than the whole are not worth serving.
        if ranges.count > 1, ranges.reduce(0, { $0 + $1.upperBound - $1.lowerBound }) > byteCount {
            return nil
        }
        return .ranges(ranges)
    }

    private static func trimmed(_ piece: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var piece = piece
        while let first = piece.first, first == 0x20 || first == 0x09 { piece.removeFirst() }
        while let last = piece.last, last == 0x20 || last == 0x09 { piece.removeLast() }
        return piece
    }

    /// `1*DIGIT`; numbers beyond 2^53 count as 2^53, which no file reaches.
    private static func number(_ digits: ArraySlice<UInt8>) -> Int64? {
        guard !digits.isEmpty else { return nil }
        var value: Int64 = 0
        for digit in digits {
            guard digit >= 48, digit <= 57 else { return nil }
            value = min(value * 10 + Int64(digit - 48), 1 << 53)
        }
        return value
    }
}
