// JSONValue to bytes: compact, pretty (two spaces), and canonical (sorted keys, compact) for digests.

import OrderedCollections

extension JSONValue {
    package func serialized(pretty: Bool = false) -> String {
        String(decoding: serializedBytes(pretty: pretty), as: UTF8.self)
    }

    /// Doubles are the shortest decimal that reads back as the same bits; NaN and the infinities, which JSON
    /// cannot write, become the strings "NaN", "Infinity" and "-Infinity".
    package func serializedBytes(pretty: Bool = false) -> [UInt8] {
        var writer = JSONWriter()
        writer.bytes.reserveCapacity(256)
        if pretty { writer.writePretty(self, indent: 0) } else { writer.write(self) }
        return writer.bytes
    }

    /// Compact, with the keys of every object sorted by their UTF-8 bytes: equal values, equal bytes.
    package func canonicalBytes() -> [UInt8] {
        var writer = JSONWriter(sortsKeys: true)
        writer.write(self)
        return writer.bytes
    }
}

/// Appends JSON to `bytes`; also usable piece by piece where building a `JSONValue` first would be waste.
package struct JSONWriter {
    package var bytes: [UInt8] = []
    private let sortsKeys: Bool

    package init() {
        sortsKeys = false
    }

    fileprivate init(sortsKeys: Bool) {
        self.sortsKeys = sortsKeys
    }

    package mutating func write(_ value: JSONValue) {
        switch value {
        case .null: write(raw: "null")
        case .bool(let value): write(raw: value ? "true" : "false")
        case .int(let value): write(value)
        case .double(let value): write(value)
        case .string(let value): write(value)
        case .array(let elements):
            bytes.append(UInt8(ascii: "["))
            for index in elements.indices {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                write(elements[index])
            }
            bytes.append(UInt8(ascii: "]"))
        case .object(let members):
            bytes.append(UInt8(ascii: "{"))
            var isFirst = true
            for (key, value) in ordered(members) {
                if !isFirst { bytes.append(UInt8(ascii: ",")) }
                isFirst = false
                write(key)
                bytes.append(UInt8(ascii: ":"))
                write(value)
            }
            bytes.append(UInt8(ascii: "}"))
        }
    }

    fileprivate mutating func writePretty(_ value: JSONValue, indent: Int) {
        switch value {
        case .array(let elements) where elements.contains(where: \.isContainer):
            bytes.append(UInt8(ascii: "["))
            for index in elements.indices {
                newLine(isFirst: index == 0, indent: indent + 2)
                writePretty(elements[index], indent: indent + 2)
            }
            bytes.append(UInt8(ascii: "\n"))
            bytes.append(contentsOf: repeatElement(0x20, count: indent))
            bytes.append(UInt8(ascii: "]"))
        case .array(let elements):
            bytes.append(UInt8(ascii: "["))
            for index in elements.indices {
                if index > 0 { write(raw: ", ") }
                write(elements[index])
            }
            bytes.append(UInt8(ascii: "]"))
        case .object(let members) where !members.isEmpty:
            bytes.append(UInt8(ascii: "{"))
            var isFirst = true
            for (key, value) in ordered(members) {
                newLine(isFirst: isFirst, indent: indent + 2)
                isFirst = false
                write(key)
                write(raw: ": ")
                writePretty(value, indent: indent + 2)
            }
            bytes.append(UInt8(ascii: "\n"))
            bytes.append(contentsOf: repeatElement(0x20, count: indent))
            bytes.append(UInt8(ascii: "}"))
        default: write(value)
        }
    }

    private mutating func newLine(isFirst: Bool, indent: Int) {
        if !isFirst { bytes.append(UInt8(ascii: ",")) }
        bytes.append(UInt8(ascii: "\n"))
        bytes.append(contentsOf: repeatElement(0x20, count: indent))
    }

    private func ordered(
        _ members: OrderedDictionary<String, JSONValue>
    ) -> OrderedDictionary<String, JSONValue> {
        guard sortsKeys else { return members }
        var sorted = members
        sorted.sort { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        return sorted
    }

    package mutating func write(_ value: Int64) {
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        let magnitude = value.magnitude
        if magnitude < 10 {
            bytes.append(48 + UInt8(truncatingIfNeeded: magnitude))
            return
        }
        let start = bytes.count
        var rest = magnitude
        while rest > 0 {
            let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
            bytes.append(48 + UInt8(truncatingIfNeeded: digit))
            rest = quotient
        }
        // Not `bytes[start...].reverse()`, which copies the whole array.
        var low = start
        var high = bytes.count - 1
        while low < high {
            bytes.swapAt(low, high)
            low += 1
            high -= 1
        }
    }

    package mutating func write(_ value: Double) {
        guard value.isFinite else {
            write(raw: value.isNaN ? "\"NaN\"" : value < 0 ? "\"-Infinity\"" : "\"Infinity\"")
            return
        }
        // Swift's description is the shortest decimal that reads back the same, and its forms (1.0, 1e-05) are JSON.
        bytes.append(contentsOf: value.description.utf8)
    }

    package mutating func write(_ value: String) {
        bytes.append(UInt8(ascii: "\""))
        var value = value
        value.withUTF8 { text in
            var runStart = 0
            for index in text.indices {
                let byte = text[index]
                guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else {
                    continue
                }
                bytes.append(contentsOf: UnsafeBufferPointer(rebasing: text[runStart..<index]))
                runStart = index + 1
                writeEscape(byte)
            }
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: text[runStart...]))
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func writeEscape(_ byte: UInt8) {
        switch byte {
        case 0x08: write(raw: "\\b")
        case 0x09: write(raw: "\\t")
        case 0x0A: write(raw: "\\n")
        case 0x0C: write(raw: "\\f")
        case 0x0D: write(raw: "\\r")
        case UInt8(ascii: "\""): write(raw: "\\\"")
        case UInt8(ascii: "\\"): write(raw: "\\\\")
        default:
            let digits = Array("0123456789abcdef".utf8)
            write(raw: "\\u00")
            bytes.append(digits[Int(byte >> 4)])
            bytes.append(digits[Int(byte & 15)])
        }
    }

    /// Text that is JSON already.
    package mutating func write(raw text: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }
}

extension JSONValue {
    fileprivate var isContainer: Bool {
        switch self {
        case .array, .object: true
        default: false
        }
    }
}
