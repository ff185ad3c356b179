// IMF-fixdate, the only date format that HTTP senders may make (RFC 9110 §5.6.7). The obsolete two are not
// read.

enum HTTPDate {
    private static let days: [StaticString] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months: [StaticString] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// Appends e.g. `Sun, 06 Nov 1994 08:49:37 GMT`. Years 1970 to 9999; others are clamped.
    static func append(secondsSince1970: Int64, to output: inout [UInt8]) {
        let seconds = min(max(secondsSince1970, 0), 253_402_300_799)
        let day = seconds / 86_400
        let time = seconds % 86_400
        let civil = civilDate(daysSince1970: day)
        output.append(days[Int(day % 7)])
        output.append(", ")
        append(civil.day, digits: 2, to: &output)
        output.append(UInt8(ascii: " "))
        output.append(months[Int(civil.month - 1)])
        output.append(UInt8(ascii: " "))
        append(civil.year, digits: 4, to: &output)
        output.append(UInt8(ascii: " "))
        append(time / 3600, digits: 2, to: &output)
        output.append(UInt8(ascii: ":"))
        append(time / 60 % 60, digits: 2, to: &output)
        output.append(UInt8(ascii: ":"))
        append(time % 60, digits: 2, to: &output)
        output.append(" GMT")
    }

    static func text(secondsSince1970: Int64) -> String {
        var bytes: [UInt8] = []
        append(secondsSince1970: secondsSince1970, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Seconds since 1970, or nil for anything but a well-formed IMF-fixdate.
    static func parse(_ text: String) -> Int64? {
        let bytes = Array(text.utf8)
        guard bytes.count == 29 else { return nil }
        func number(_ range: Range<Int>) -> Int64? {
            var value: Int64 = 0
            for index in range {
                guard bytes[index] >= 48, bytes[index] <= 57 else { return nil }
                value = value * 10 + Int64(bytes[index] - 48)
            }
            return value
        }
        let monthName = bytes[8..<11]
        let month = months.firstIndex { name in
            monthName.elementsEqual(UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        }
        guard let month, let day = number(5..<7), let year = number(12..<16), let hour = number(17..<19),
            let minute = number(20..<22), let second = number(23..<25),
            (1...31).contains(day), hour < 24, minute < 60, second <= 60
        else { return nil }
        let seconds = daysSince1970(year: year, month: Int64(month + 1), day: day) * 86_400
        let parsed = seconds + hour * 3600 + minute * 60 + min(second, 59)
        // Formatting again is the check of the weekday, the punctuation and days such as 31 Feb.
        guard second < 60, parsed >= 0, Self.text(secondsSince1970: parsed) == text else { return nil }
        return parsed
    }

    /// Proleptic Gregorian calendar, counted in eras of 400 years that start on 1 March.
    private static func civilDate(daysSince1970: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = daysSince1970 + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    private static func daysSince1970(year: Int64, month: Int64, day: Int64) -> Int64 {
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = shiftedYear / 400
        let yearOfEra = shiftedYear % 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    private static func append(_ value: Int64, digits: Int, to output: inout [UInt8]) {
        var divisor: Int64 = 1
        for _ in 1..<digits { divisor *= 10 }
        while divisor > 0 {
            output.append(UInt8(48 + value / divisor % 10))
            divisor /= 10
        }
    }
}

extension [UInt8] {
    /// Appends the text's bytes without making a string.
    mutating func append(_ text: StaticString) {
        append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func appendDecimal(_ number: Int64) {
        if number < 0 {
            append(UInt8(ascii: "-"))
        }
        var rest = number.magnitude
        let start = count
        repeat {
            append(UInt8(48 + rest % 10))
            rest /= 10
        } while rest > 0
        self[start...].reverse()
    }

    mutating func appendHex(_ number: Int) {
        var rest = UInt(bitPattern: number)
        let start = count
        repeat {
            let digit = UInt8(rest & 15)
            append(digit < 10 ? 48 + digit : 87 + digit)
            rest >>= 4
        } while rest > 0
        self[start...].reverse()
    }
}
