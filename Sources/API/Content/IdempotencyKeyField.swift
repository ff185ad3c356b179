// Parsing of the Idempotency-Key header: a structured string (RFC 8941 §3.3.3) as in the IETF draft, or a bare token.

package struct IdempotencyKeyField: Sendable, Hashable {
    package static let maxLength = 255

    package let value: String

    /// - Throws: `invalid_parameter` when the field is neither a quoted string nor a token, or too long.
    package init(headerField field: String) throws {
        let bytes = Array(field.utf8)
        var content = [UInt8]()
        if bytes.first == UInt8(ascii: "\"") {
            var index = 1
            var closed = false
            while index < bytes.count {
                let byte = bytes[index]
                index += 1
                if byte == UInt8(ascii: "\"") {
                    closed = true
                    break
                }
                if byte == UInt8(ascii: "\\") {
                    guard index < bytes.count,
                        bytes[index] == UInt8(ascii: "\"") || bytes[index] == UInt8(ascii: "\\")
                    else { throw Self.problem("a backslash in the quoted string must precede \" or \\") }
                    content.append(bytes[index])
                    index += 1
                    continue
                }
                guard (0x20...0x7e).contains(byte) else {
                    throw Self.problem("only printable ASCII characters are allowed")
                }
                content.append(byte)
            }
            guard closed, index == bytes.count else { throw Self.problem("the quoted string does not end") }
        } else {
            guard bytes.allSatisfy({ (0x21...0x7e).contains($0) }) else {
                throw Self.problem(
                    "a bare key may hold printable ASCII characters without spaces; quote others")
            }
            content = bytes
        }
        guard !content.isEmpty, content.count <= Self.maxLength else {
            throw Self.problem("the key must have 1 to \(Self.maxLength) characters, got \(content.count)")
        }
        value = String(decoding: content, as: UTF8.self)
    }

    private static func problem(_ detail: String) -> Problem {
        Problem(.invalidParameter, "Idempotency-Key: \(detail).")
    }
}
