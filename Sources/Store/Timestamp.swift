// A moment of wall-clock time, in whole milliseconds since 1970: what rows hold and people read. Durations
// are measured with a monotonic clock elsewhere.

import Glibc

package struct Timestamp: Sendable, Hashable, Comparable, CustomStringConvertible {
    package let milliseconds: Int64

    package init(milliseconds: Int64) {
        self.milliseconds = milliseconds
    }

    package static var now: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }

    package static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.milliseconds < right.milliseconds
    }

    package func advanced(bySeconds seconds: Double) -> Timestamp {
        let limit = Double(Int64.max / 4)
        let delta = min(max(seconds * 1000, -limit), limit)
        return Timestamp(milliseconds: milliseconds &+ Int64(delta.isNaN ? 0 : delta))
    }

    package func seconds(since earlier: Timestamp) -> Double {
        Double(milliseconds - earlier.milliseconds) / 1000
    }

    /// RFC 3339 in UTC with milliseconds: "2026-11-22T11:00:00.120Z".
    package var description: String {
        var seconds = time_t(milliseconds / 1000)
        var fraction = Int(milliseconds % 1000)
        if fraction < 0 {
            fraction += 1000
            seconds -= 1
        }
        var parts = tm()
        guard gmtime_r(&seconds, &parts) != nil else { return "1970-01-01T00:00:00.000Z" }
        func padded(_ value: Int, _ width: Int) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
        }
        let date = [Int(parts.tm_mon) + 1, Int(parts.tm_mday)].map { padded($0, 2) }.joined(separator: "-")
        let clock = [parts.tm_hour, parts.tm_min, parts.tm_sec].map { padded(Int($0), 2) }.joined(
            separator: ":")
        return "\(padded(Int(parts.tm_year) + 1900, 4))-\(date)T\(clock).\(padded(fraction, 3))Z"
    }
}
