// Strict RFC 8259 parser: one pass over bytes, an explicit stack instead of recursion, bounds on everything.

import OrderedCollections

package struct JSONLimits: Sendable {
    package var maximumBytes: Int
    package var maximumDepth: Int
    /// Bounds memory: a value takes some 32 bytes here but may be one byte in the text.
    package var maximumValues: Int

    package init(maximumBytes: Int, maximumDepth: Int = 64, maximumValues: Int = 1_000_000) {
        self.maximumBytes = maximumBytes
        self.maximumDepth = maximumDepth
        self.maximumValues = maximumValues
    }

    /// What the HTTP interface takes: 8 MiB.
    package static let `default` = JSONLimits(maximumBytes: 8 << 20)
}

/// Where and why a text is not JSON that this server takes.
package struct JSONParseError: Error, Sendable, Hashable, CustomStringConvertible {
    package let detail: String
    /// Bytes before the place of the error.
    package let offset: Int
    /// From 1.
    package let line: Int
    /// From 1, in bytes.
    package let column: Int

    package var description: String { "line \(line), column \(column) (byte \(offset)): \(detail)" }
}

extension JSONValue {
    package init(parsing bytes: [UInt8], limits: JSONLimits = .default) throws(JSONParseError) {
        self = try bytes.withUnsafeBufferPointer { (buffer) throws(JSONParseError) in
            try JSONValue(parsing: buffer, limits: limits)
        }
    }

    package init(parsing text: String, limits: JSONLimits = .default) throws(JSONParseError) {
        try self.init(parsing: Array(text.utf8), limits: limits)
    }

    package init(
        parsing bytes: UnsafeBufferPointer<UInt8>, limits: JSONLimits = .default
    ) throws(JSONParseError) {
        var parser = JSONParser(bytes: bytes, limits: limits)
        do {
            self = try parser.parse()
        } catch {
            throw JSONParser.located(error, in: bytes)
        }
    }
}

struct JSONFailure: Error {
    let detail: String
    let offset: Int
}

struct JSONParser {
    private struct Container {
        let isObject: Bool
        let firstValue: Int
        let firstKey: Int
        let offset: Int
    }

    let bytes: UnsafeBufferPointer<UInt8>
    let limits: JSONLimits
    private(set) var position = 0
    private var valueCount = 0
    private var values: [JSONValue] = []
    private var keys: [(name: String, offset: Int)] = []
    private var containers: [Container] = []

    init(bytes: UnsafeBufferPointer<UInt8>, limits: JSONLimits) {
        self.bytes = bytes
        self.limits = limits
    }

    static func located(_ failure: JSONFailure, in bytes: UnsafeBufferPointer<UInt8>) -> JSONParseError {
        var line = 1
        var lineStart = 0
        for index in 0..<min(failure.offset, bytes.count) where bytes[index] == UInt8(ascii: "\n") {
            line += 1
            lineStart = index + 1
        }
        return JSONParseError(
            detail: failure.detail, offset: failure.offset, line: line, column: failure.offset - lineStart + 1
        )
    }

    mutating func parse() throws(JSONFailure) -> JSONValue {
        guard bytes.count <= limits.maximumBytes else {
            throw JSONFailure(
                detail: "the text has \(bytes.count) bytes; the limit is \(limits.maximumBytes)",
                offset: limits.maximumBytes)
        }
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
            throw JSONFailure(
                detail: "a byte order mark is not part of JSON; save the text without one", offset: 0)
        }
        while true {
            try openValue()
            // A value has been completed: close what ends here, until another value is due.
            while true {
                guard let container = containers.last else { return try finish() }
                skipWhitespace()
                guard position < bytes.count else {
                    throw fail("the text ends inside \(container.isObject ? "an object" : "an array")")
                }
                let byte = bytes[position]
                if byte == UInt8(ascii: ",") {
                    position += 1
                    if container.isObject { try parseKey(afterComma: true) }
                    break
                }
                guard byte == (container.isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else {
                    throw fail(
                        "expected ',' or '\(container.isObject ? "}" : "]")', got \(quoted(byte))")
                }
                position += 1
                try close(container)
            }
        }
    }

    /// Reads one scalar, or enters containers until a scalar or an empty container has been read.
    private mutating func openValue() throws(JSONFailure) {
        while true {
            skipWhitespace()
            guard position < bytes.count else { throw fail("expected a value, got the end of the text") }
            valueCount += 1
            guard valueCount <= limits.maximumValues else {
                throw fail("more than \(limits.maximumValues) values")
            }
            switch bytes[position] {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                if try enter() { return }
            case UInt8(ascii: "\""):
                values.append(.string(try parseString()))
                return
            case UInt8(ascii: "t"):
                values.append(try parseWord("true", .bool(true)))
                return
            case UInt8(ascii: "f"):
                values.append(try parseWord("false", .bool(false)))
                return
            case UInt8(ascii: "n"):
                values.append(try parseWord("null", .null))
                return
            case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
                values.append(try parseNumber())
                return
            case let byte:
                throw fail("expected a value, got \(quoted(byte))")
            }
        }
    }

    /// Enters the container at the position. True if it is empty, and so complete already.
    private mutating func enter() throws(JSONFailure) -> Bool {
        let isObject = bytes[position] == UInt8(ascii: "{")
        guard containers.count < limits.maximumDepth else {
            throw fail("nested deeper than \(limits.maximumDepth) levels")
        }
        let container = Container(
            isObject: isObject, firstValue: values.count, firstKey: keys.count, offset: position)
        position += 1
        skipWhitespace()
        if position < bytes.count, bytes[position] == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
            position += 1
            values.append(isObject ? .object([:]) : .array([]))
            return true
        }
        containers.append(container)
        if isObject { try parseKey(afterComma: false) }
        return false
    }

    private mutating func close(_ container: Container) throws(JSONFailure) {
        containers.removeLast()
        guard container.isObject else {
            let elements = Array(values[container.firstValue...])
            values.removeSubrange(container.firstValue...)
            values.append(.array(elements))
            return
        }
        let count = values.count - container.firstValue
        var members = OrderedDictionary<String, JSONValue>(minimumCapacity: count)
        for index in 0..<count {
            let key = keys[container.firstKey + index]
            if members.updateValue(values[container.firstValue + index], forKey: key.name) != nil {
                throw JSONFailure(
                    detail: "the key \"\(excerpt(key.name))\" occurs twice in one object", offset: key.offset)
            }
        }
        keys.removeSubrange(container.firstKey...)
        values.removeSubrange(container.firstValue...)
        values.append(.object(members))
    }

    private mutating func parseKey(afterComma: Bool) throws(JSONFailure) {
        skipWhitespace()
        guard position < bytes.count else { throw fail("the text ends inside an object") }
        guard bytes[position] == UInt8(ascii: "\"") else {
            throw fail(
                "expected a key in quotes\(afterComma ? " after ','" : " or '}'"), got \(quoted(bytes[position]))"
            )
        }
        let offset = position
        keys.append((try parseString(), offset))
        skipWhitespace()
        guard position < bytes.count, bytes[position] == UInt8(ascii: ":") else {
            throw fail("expected ':' after a key")
        }
        position += 1
    }

    private func finish() throws(JSONFailure) -> JSONValue {
        var end = position
        while end < bytes.count, Self.isWhitespace(bytes[end]) { end += 1 }
        guard end == bytes.count else {
            throw JSONFailure(
                detail: "expected the end of the text, got \(quoted(bytes[end]))", offset: end)
        }
        return values[0]
    }

    private mutating func parseWord(
        _ word: StaticString, _ value: JSONValue
    ) throws(JSONFailure) -> JSONValue {
        let end = position + word.utf8CodeUnitCount
        guard end <= bytes.count else { throw fail("expected \(word)") }
        for index in 0..<word.utf8CodeUnitCount where bytes[position + index] != word.utf8Start[index] {
            throw fail("expected \(word)")
        }
        position = end
        return value
    }

    private mutating func parseNumber() throws(JSONFailure) -> JSONValue {
        let start = position
        var scanner = DecimalScanner()
        let outcome = scanner.scan(bytes, from: position, dialect: .json)
        position = scanner.end
        switch outcome {
        case .integer(let value): return .int(value)
        case .real(let value): return .double(value)
        case .integerOverflow:
            throw JSONFailure(
                detail:
                    "the integer does not fit 64 bits; write it with a fraction or an exponent, or as a string",
                offset: start)
        case .realOverflow:
            throw JSONFailure(detail: "the number is larger than a double can be (1.8e308)", offset: start)
        case .malformed(let detail): throw fail(detail)
        }
    }

    @inline(__always)
    mutating func skipWhitespace() {
        while position < bytes.count, Self.isWhitespace(bytes[position]) { position += 1 }
    }

    @inline(__always)
    static func isWhitespace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
    }

    func fail(_ detail: String) -> JSONFailure {
        JSONFailure(detail: detail, offset: position)
    }

    mutating func move(to newPosition: Int) {
        position = newPosition
    }
}

/// A byte for a message: printable ASCII in quotes, others by number.
func quoted(_ byte: UInt8) -> String {
    if (0x21...0x7E).contains(byte) { return "'\(Character(UnicodeScalar(byte)))'" }
    let digits = String(byte, radix: 16, uppercase: true)
    return "byte 0x\(digits.count < 2 ? "0" : "")\(digits)"
}

/// At most 60 characters of a text that came from outside, for a message.
package func excerpt(_ text: String) -> String {
    let cut = text.unicodeScalars.prefix(60)
    var result = ""
    for scalar in cut { result.unicodeScalars.append(scalar.value < 0x20 ? "\u{FFFD}" : scalar) }
    return cut.endIndex == text.unicodeScalars.endIndex ? result : result + "…"
}
