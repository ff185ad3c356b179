// The request target (RFC 9112 §3.2): origin-form, absolute-form or `*`, checked byte by byte. Not routing.

struct RequestTarget: Sendable {
    var path: RequestHead.Span
    var pathHasEscapes: Bool
    var query: RequestHead.Span?
    /// Whether the target is in absolute-form, whose authority overrides Host (RFC 9112 §3.2.2).
    var isAbsolute = false

    /// Takes the target apart; `bytes` is the header block and `span` the target within it.
    init(
        _ bytes: UnsafeRawBufferPointer, span: Range<Int>, method: HTTPMethod
    ) throws(RequestRejection) {
        var start = span.lowerBound
        let end = span.upperBound
        if bytes[start] == UInt8(ascii: "*") {
            guard span.count == 1, method == .options else {
                throw .malformed("The request target `*` is only for OPTIONS (RFC 9112 §3.2.4).")
            }
            self.path = .init(start: UInt16(start), end: UInt16(start))
            self.pathHasEscapes = false
            return
        }
        if bytes[start] != UInt8(ascii: "/") {
            start = try Self.endOfAuthority(bytes, span)
            isAbsolute = true
        }
        var pathEnd = start
        var escapes = false
        while pathEnd < end, bytes[pathEnd] != UInt8(ascii: "?") {
            if bytes[pathEnd] == UInt8(ascii: "%") { escapes = true }
            pathEnd += 1
        }
        guard pathEnd > start else {
            throw .malformed("The absolute request target has no path; send `/` after the authority.")
        }
        try Self.checkCharacters(bytes, start..<end)
        if escapes { try Self.checkEscapes(bytes, start..<pathEnd, in: "path") }
        try Self.checkSegments(bytes, start..<pathEnd)
        self.path = .init(start: UInt16(start), end: UInt16(pathEnd))
        self.pathHasEscapes = escapes
        if pathEnd < end {
            try Self.checkEscapes(bytes, (pathEnd + 1)..<end, in: "query")
            self.query = .init(start: UInt16(pathEnd + 1), end: UInt16(end))
        }
    }

    /// Absolute-form, RFC 9112 §3.2.2: skips `http://authority`.
    private static func endOfAuthority(
        _ bytes: UnsafeRawBufferPointer, _ span: Range<Int>
    ) throws(RequestRejection) -> Int {
        for scheme in ["http://", "https://"] as [StaticString] {
            let length = scheme.utf8CodeUnitCount
            guard span.count > length else { continue }
            var same = true
            for offset in 0..<length
            where asciiLowercase(bytes[span.lowerBound + offset]) != scheme.utf8Start[offset] {
                same = false
                break
            }
            guard same else { continue }
            var index = span.lowerBound + length
            let authority = index
            while index < span.upperBound, bytes[index] != UInt8(ascii: "/"),
                bytes[index] != UInt8(ascii: "?")
            {
                index += 1
            }
            guard index > authority, isHostValue(bytes, authority..<index) else {
                throw .malformed("The request target's authority is not a host with an optional port.")
            }
            return index
        }
        throw .malformed("The request target must start with `/` (RFC 9112 §3.2).")
    }

    /// Characters that RFC 3986 never allows unescaped and that parsers disagree about.
    private static func checkCharacters(
        _ bytes: UnsafeRawBufferPointer, _ span: Range<Int>
    ) throws(RequestRejection) {
        for index in span {
            switch bytes[index] {
            case UInt8(ascii: "#"), UInt8(ascii: "\\"), UInt8(ascii: "\""), UInt8(ascii: "<"),
                UInt8(ascii: ">"):
                throw .malformed(
                    "The request target has a character that must be percent-encoded (RFC 3986 §2).")
            default: continue
            }
        }
    }

    /// Every `%` is followed by two hex digits, and what is decoded is UTF-8 without control characters.
    private static func checkEscapes(
        _ bytes: UnsafeRawBufferPointer, _ span: Range<Int>, in part: String
    ) throws(RequestRejection) {
        guard span.contains(where: { bytes[$0] == UInt8(ascii: "%") }) else { return }
        var decoded: [UInt8] = []
        var index = span.lowerBound
        while index < span.upperBound {
            guard bytes[index] == UInt8(ascii: "%") else {
                decoded.append(bytes[index])
                index += 1
                continue
            }
            guard index + 2 < span.upperBound, let high = hexValue(bytes[index + 1]),
                let low = hexValue(bytes[index + 2])
            else {
                throw .malformed(
                    "The \(part) has a `%` without two hex digits; send `%25` for a percent sign.")
            }
            let byte = high << 4 | low
            let isControl = byte < 0x20 || byte == 0x7f
            guard !isControl || (part == "query" && byte != 0) else {
                throw .malformed("The \(part) has an encoded control character.")
            }
            decoded.append(byte)
            index += 3
        }
        if !isValidUTF8(decoded) { throw .malformed("The \(part) is not UTF-8 after percent-decoding.") }
    }

    /// Refuses `.` and `..` segments, encoded or not: no client that means well sends them (RFC 3986 §5.2.4
    /// has them removed before sending).
    private static func checkSegments(
        _ bytes: UnsafeRawBufferPointer, _ path: Range<Int>
    ) throws(RequestRejection) {
        var length = 0
        var onlyDots = true
        var index = path.lowerBound
        while index <= path.upperBound {
            var byte = index < path.upperBound ? bytes[index] : UInt8(ascii: "/")
            var width = 1
            if byte == UInt8(ascii: "%"), index + 2 < path.upperBound, let high = hexValue(bytes[index + 1]),
                let low = hexValue(bytes[index + 2])
            {
                byte = high << 4 | low
                width = 3
            }
            if byte == UInt8(ascii: "/") || byte == UInt8(ascii: "\\") {
                if onlyDots, length == 1 || length == 2 {
                    throw .malformed("The path has a dot segment; send the path already resolved.")
                }
                length = 0
                onlyDots = true
            } else {
                length += 1
                if byte != UInt8(ascii: ".") { onlyDots = false }
            }
            index += width
        }
    }
}

/// `uri-host [":" port]` by its characters (RFC 9110 §7.2); whether such a host exists is not asked.
func isHostValue(_ bytes: UnsafeRawBufferPointer, _ span: Range<Int>) -> Bool {
    var inBrackets = false
    var sawPort = false
    var nameLength = 0
    for index in span {
        let byte = bytes[index]
        switch byte {
        case UInt8(ascii: "["):
            guard index == span.lowerBound else { return false }
            inBrackets = true
        case UInt8(ascii: "]"):
            guard inBrackets else { return false }
            inBrackets = false
        case UInt8(ascii: ":"):
            if inBrackets { continue }
            guard !sawPort, nameLength > 0 || bytes[span.lowerBound] == UInt8(ascii: "[") else {
                return false
            }
            sawPort = true
        case UInt8(ascii: "0")...UInt8(ascii: "9"):
            nameLength += 1
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "%"):
            guard !sawPort else { return false }
            nameLength += 1
        default:
            return false
        }
    }
    return !inBrackets
}

func hexValue(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - 48
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - 87
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - 55
    default: nil
    }
}

/// Decodes `%XX`; a `%` that is not an escape stays as it is (the parser has refused those).
func percentDecoded(_ raw: ArraySlice<UInt8>, plusIsSpace: Bool) -> [UInt8] {
    var decoded: [UInt8] = []
    decoded.reserveCapacity(raw.count)
    var index = raw.startIndex
    while index < raw.endIndex {
        let byte = raw[index]
        if byte == UInt8(ascii: "%"), index + 2 < raw.endIndex, let high = hexValue(raw[index + 1]),
            let low = hexValue(raw[index + 2])
        {
            decoded.append(high << 4 | low)
            index += 3
        } else {
            decoded.append(plusIsSpace && byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
            index += 1
        }
    }
    return decoded
}

func isValidUTF8(_ bytes: [UInt8]) -> Bool {
    String(validating: bytes, as: UTF8.self) != nil
}

/// `tchar` of RFC 9110 §5.6.2, as two 64-bit sets.
@inline(__always)
func isTokenByte(_ byte: UInt8) -> Bool {
    let low: UInt64 = 0x03FF_6CFA_0000_0000
    let high: UInt64 = 0x57FF_FFFF_C7FF_FFFE
    if byte < 64 { return low >> UInt64(byte) & 1 == 1 }
    return byte < 128 && high >> UInt64(byte - 64) & 1 == 1
}
