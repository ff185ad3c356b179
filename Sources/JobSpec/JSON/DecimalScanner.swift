// Decimal text to Int64 or Double, exactly rounded; shared by JSON and CSV. Most numbers take Clinger's fast path:
// a mantissa below 2^53 and a power of ten up to 22 are exact doubles, so one multiplication or division rounds once.

package struct DecimalScanner {
    package enum Dialect {
        /// RFC 8259 §6: no leading zeros, no plus sign, digits on both sides of the point.
        case json
        /// What data files hold: also `+5`, `.5`, `5.`, `007`.
        case lenient
    }

    package enum Outcome {
        case integer(Int64)
        case real(Double)
        case integerOverflow
        case realOverflow
        case malformed(String)
    }

    /// Behind the last byte of the number; at the offending byte if it is malformed.
    package private(set) var end = 0

    package init() {}

    /// Scans one number that begins at `start`; what follows it is the caller's concern.
    @inline(__always)
    package mutating func scan(
        _ bytes: UnsafeBufferPointer<UInt8>, from start: Int, dialect: Dialect
    ) -> Outcome {
        let count = bytes.count
        var cursor = start
        var isNegative = false
        if cursor < count, bytes[cursor] == UInt8(ascii: "-") {
            isNegative = true
            cursor += 1
        } else if dialect == .lenient, cursor < count, bytes[cursor] == UInt8(ascii: "+") {
            cursor += 1
        }

        // The value is mantissa * 10^exponent; digits beyond the 19th are only counted.
        var mantissa: UInt64 = 0
        var significant = 0
        var exponent = 0
        let integerStart = cursor
        while cursor < count, case let digit = bytes[cursor] &- 48, digit <= 9 {
            if significant < 19 {
                mantissa = mantissa &* 10 &+ UInt64(digit)
                if mantissa != 0 { significant += 1 }
            } else {
                significant += 1
                exponent += 1
            }
            cursor += 1
        }
        let integerDigits = cursor - integerStart
        if dialect == .json {
            guard integerDigits > 0 else { return malformed(at: cursor, "expected a digit") }
            if integerDigits > 1, bytes[integerStart] == UInt8(ascii: "0") {
                return malformed(at: integerStart, "a number must not begin with a zero")
            }
        }

        var isInteger = true
        if cursor < count, bytes[cursor] == UInt8(ascii: ".") {
            isInteger = false
            cursor += 1
            let fractionStart = cursor
            while cursor < count, case let digit = bytes[cursor] &- 48, digit <= 9 {
                if significant < 19 {
                    mantissa = mantissa &* 10 &+ UInt64(digit)
                    if mantissa != 0 { significant += 1 }
                    exponent -= 1
                } else {
                    significant += 1
                }
                cursor += 1
            }
            let fractionDigits = cursor - fractionStart
            if fractionDigits == 0, dialect == .json || integerDigits == 0 {
                return malformed(at: cursor, "expected a digit after the point")
            }
        } else if integerDigits == 0 {
            return malformed(at: cursor, "expected a digit")
        }

        if cursor < count, bytes[cursor] | 0x20 == UInt8(ascii: "e") {
            isInteger = false
            cursor += 1
            var exponentIsNegative = false
            if cursor < count, bytes[cursor] == UInt8(ascii: "-") || bytes[cursor] == UInt8(ascii: "+") {
                exponentIsNegative = bytes[cursor] == UInt8(ascii: "-")
                cursor += 1
            }
            let exponentStart = cursor
            var written = 0
            while cursor < count, case let digit = bytes[cursor] &- 48, digit <= 9 {
                // Beyond this any mantissa that fits in memory has become infinite or zero.
                if written < 1_000_000_000 { written = written * 10 + Int(digit) }
                cursor += 1
            }
            guard cursor > exponentStart else {
                return malformed(at: cursor, "expected a digit in the exponent")
            }
            exponent += exponentIsNegative ? -written : written
        }
        end = cursor

        if isInteger, significant <= 19 {
            // 19 digits always fit 64 bits unsigned, not always signed.
            if !isNegative, mantissa <= UInt64(Int64.max) { return .integer(Int64(mantissa)) }
            if isNegative, mantissa <= UInt64(Int64.max) { return .integer(-Int64(mantissa)) }
            if isNegative, mantissa == UInt64(Int64.max) + 1 { return .integer(.min) }
            return .integerOverflow
        }
        if isInteger { return .integerOverflow }
        if mantissa == 0 { return .real(isNegative ? -0.0 : 0.0) }
        if significant <= 19, mantissa < 1 << 53, exponent >= -22, exponent <= 22 {
            let magnitude =
                exponent < 0
                ? Double(mantissa) / Self.powersOfTen[-exponent]
                : Double(mantissa) * Self.powersOfTen[exponent]
            return .real(isNegative ? -magnitude : magnitude)
        }
        return slow(bytes, start, cursor)
    }

    @inline(never)
    private func slow(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int, _ end: Int) -> Outcome {
        let text = String(decoding: UnsafeBufferPointer(rebasing: bytes[start..<end]), as: UTF8.self)
        guard let value = Double(text) else { return .malformed("expected a number") }
        return value.isFinite ? .real(value) : .realOverflow
    }

    @inline(never)
    private mutating func malformed(at position: Int, _ detail: String) -> Outcome {
        end = position
        return .malformed(detail)
    }

    private static let powersOfTen: [Double] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
        1e18,
        1e19, 1e20, 1e21, 1e22,
    ]
}
