// Strings of the JSON parser: UTF-8 checked, escapes decoded, lone surrogates refused (RFC 8259 §7, §8.2).

extension JSONParser {
    /// The position is at the opening quote; afterwards behind the closing one.
    mutating func parseString() throws(JSONFailure) -> String {
        let start = position + 1
        var end = start
        var allBits: UInt8 = 0
        while end < bytes.count {
            let byte = bytes[end]
            if byte == UInt8(ascii: "\"") {
                let content = UnsafeBufferPointer(rebasing: bytes[start..<end])
                move(to: end + 1)
                // ASCII needs no validation, whose generic code costs more than all the rest.
                return allBits < 0x80
                    ? String(decoding: content, as: UTF8.self) : try string(content, from: start)
            }
            allBits |= byte
            if byte == UInt8(ascii: "\\") { return try parseEscapedString(from: start, firstEscape: end) }
            guard byte >= 0x20 else { throw controlCharacter(byte, at: end) }
            end += 1
        }
        throw JSONFailure(detail: "the text ends inside a string", offset: start - 1)
    }

    private mutating func parseEscapedString(
        from start: Int, firstEscape: Int
    ) throws(JSONFailure) -> String {
        var decoded = Array(bytes[start..<firstEscape])
        var cursor = firstEscape
        while cursor < bytes.count {
            let byte = bytes[cursor]
            switch byte {
            case UInt8(ascii: "\""):
                let text = try decoded.withUnsafeBufferPointer { (buffer) throws(JSONFailure) in
                    try string(buffer, from: start)
                }
                move(to: cursor + 1)
                return text
            case UInt8(ascii: "\\"):
                try decodeEscape(at: &cursor, into: &decoded)
            case 0..<0x20:
                throw controlCharacter(byte, at: cursor)
            default:
                decoded.append(byte)
                cursor += 1
            }
        }
        throw JSONFailure(detail: "the text ends inside a string", offset: start - 1)
    }

    private func decodeEscape(at cursor: inout Int, into decoded: inout [UInt8]) throws(JSONFailure) {
        let escape = cursor
        guard escape + 1 < bytes.count else {
            throw JSONFailure(detail: "the text ends inside a string", offset: escape)
        }
        cursor += 2
        switch bytes[escape + 1] {
        case UInt8(ascii: "\""): decoded.append(UInt8(ascii: "\""))
        case UInt8(ascii: "\\"): decoded.append(UInt8(ascii: "\\"))
        case UInt8(ascii: "/"): decoded.append(UInt8(ascii: "/"))
        case UInt8(ascii: "b"): decoded.append(0x08)
        case UInt8(ascii: "f"): decoded.append(0x0C)
        case UInt8(ascii: "n"): decoded.append(0x0A)
        case UInt8(ascii: "r"): decoded.append(0x0D)
        case UInt8(ascii: "t"): decoded.append(0x09)
        case UInt8(ascii: "u"):
            var code = try hexadecimalUnit(at: cursor)
            cursor += 4
            if (0xD800...0xDBFF).contains(code) {
                guard cursor + 1 < bytes.count, bytes[cursor] == UInt8(ascii: "\\"),
                    bytes[cursor + 1] == UInt8(ascii: "u")
                else { throw loneSurrogate(at: escape) }
                let low = try hexadecimalUnit(at: cursor + 2)
                guard (0xDC00...0xDFFF).contains(low) else { throw loneSurrogate(at: escape) }
                cursor += 6
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = UnicodeScalar(code) else { throw loneSurrogate(at: escape) }
            decoded.append(contentsOf: String(Character(scalar)).utf8)
        default:
            throw JSONFailure(
                detail: "there is no escape \\\(quoted(bytes[escape + 1])) in JSON", offset: escape)
        }
    }

    private func hexadecimalUnit(at start: Int) throws(JSONFailure) -> UInt32 {
        guard start + 4 <= bytes.count else {
            throw JSONFailure(detail: "the text ends inside a string", offset: start)
        }
        var code: UInt32 = 0
        for index in start..<start + 4 {
            let byte = bytes[index]
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
            default:
                throw JSONFailure(
                    detail: "\\u needs four hexadecimal digits, got \(quoted(byte))", offset: index)
            }
            code = code << 4 | UInt32(digit)
        }
        return code
    }

    private func string(
        _ bytes: UnsafeBufferPointer<UInt8>, from start: Int
    ) throws(JSONFailure) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw JSONFailure(detail: "the string is not valid UTF-8", offset: start)
        }
        return text
    }

    private func controlCharacter(_ byte: UInt8, at offset: Int) -> JSONFailure {
        JSONFailure(
            detail: "a string must not contain a control character (\(quoted(byte))); write it as an escape",
            offset: offset)
    }

    private func loneSurrogate(at offset: Int) -> JSONFailure {
        JSONFailure(detail: "half of a surrogate pair is not a character", offset: offset)
    }
}
