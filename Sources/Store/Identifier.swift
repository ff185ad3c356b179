// Identifiers of jobs and checkpoints: a prefix and a UUIDv7 (RFC 9562 §5.7) in 26 lower-case Crockford
// base32 digits. Within one process they sort in the order of their making, also when the clock steps back.

import Synchronization

package enum Identifier {
    private struct Last: Sendable {
        var milliseconds: Int64 = 0
        /// The 74 random bits, as 10 and 64.
        var high: UInt64 = 0
        var low: UInt64 = 0
    }

    private static let last = Mutex(Last())
    private static let alphabet = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)

    package static func job() -> String { make(prefix: "job_") }
    package static func checkpoint() -> String { make(prefix: "ckpt_") }
    package static func dataset() -> String { make(prefix: "ds_") }

    /// Whether `text` has the form of an identifier with this prefix; says nothing about existence.
    package static func isWellFormed(_ text: String, prefix: String) -> Bool {
        text.hasPrefix(prefix) && text.utf8.count == prefix.utf8.count + 26
            && text.utf8.dropFirst(prefix.utf8.count).allSatisfy(alphabet.contains)
    }

    static func make(prefix: String, now: Timestamp = .now) -> String {
        let value = last.withLock { last in
            if now.milliseconds > last.milliseconds {
                last = Last(
                    milliseconds: now.milliseconds, high: UInt64.random(in: 0..<1 << 10),
                    low: UInt64.random(in: 0..<1 << 62))
            } else {
                // Same millisecond, or a clock that went back: count on from the last one.
                let (low, carry) = last.low.addingReportingOverflow(UInt64.random(in: 1..<1 << 32))
                last.low = low
                if carry { last.high = (last.high + 1) & 0x3ff }
            }
            return last
        }
        let time = UInt64(bitPattern: value.milliseconds) & 0xffff_ffff_ffff
        // 48 bits of time, version 7, 12 random bits; variant 2, 62 random bits.
        let randomA = value.high << 2 | value.low >> 62
        let upper = time << 16 | 7 << 12 | (randomA & 0xfff)
        let lower = UInt64(2) << 62 | (value.low & (1 << 62 - 1))
        return prefix + base32(upper: upper, lower: lower)
    }

    private static func base32(upper: UInt64, lower: UInt64) -> String {
        var value = UInt128(upper) << 64 | UInt128(lower)
        var digits = [UInt8](repeating: 0, count: 26)
        for index in digits.indices.reversed() {
            digits[index] = alphabet[Int(truncatingIfNeeded: value & 31)]
            value >>= 5
        }
        return String(decoding: digits, as: UTF8.self)
    }
}
