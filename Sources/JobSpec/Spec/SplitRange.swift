// "0%:80%", "80%:", ":1000", "100:200": a contiguous range of rows, by percentage or by number.

package struct SplitRange: Sendable, Hashable, CustomStringConvertible {
    package enum Bound: Sendable, Hashable {
        case row(Int)
        /// In hundredths of a percent: 8000 is 80 %.
        case percent(hundredths: Int)
    }

    /// Nil is the first row.
    package let lower: Bound?
    /// Excluded; nil is behind the last row.
    package let upper: Bound?

    package static let all = SplitRange(lower: nil, upper: nil)

    private init(lower: Bound?, upper: Bound?) {
        self.lower = lower
        self.upper = upper
    }

    /// Nil unless it is LOWER:UPPER, each absent, a row number or a percentage with at most two decimals, and a
    /// range that can have rows as far as that is known without their number.
    package init?(_ text: String) {
        guard text.utf8.count <= 64 else { return nil }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        var bounds: [Bound?] = []
        for part in parts {
            if part.isEmpty {
                bounds.append(nil)
            } else {
                guard let bound = Self.bound(part) else { return nil }
                bounds.append(bound)
            }
        }
        lower = bounds[0]
        upper = bounds[1]
        switch (lower ?? .row(0), upper) {
        case (.row(let low), .row(let high)?): if low >= high { return nil }
        case (.percent(let low), .percent(let high)?): if low >= high { return nil }
        case (.percent(10_000), nil): return nil
        case (.row(0), .percent(0)?): return nil
        default: break
        }
    }

    package var description: String {
        let text = "\(lower.map(Self.text) ?? ""):\(upper.map(Self.text) ?? "")"
        return text
    }

    /// The rows of a table: a percentage is rounded down to a row, so that "0%:80%" and "80%:" never overlap and
    /// never leave a row out. Empty if there are none.
    package func rows(of count: Int) -> Range<Int> {
        let low = lower.map { Self.row($0, of: count) } ?? 0
        let high = upper.map { Self.row($0, of: count) } ?? count
        return low..<max(low, high)
    }

    private static func row(_ bound: Bound, of count: Int) -> Int {
        switch bound {
        case .row(let row): return min(row, count)
        case .percent(let hundredths):
            let (whole, rest) = count.quotientAndRemainder(dividingBy: 10_000)
            return whole * hundredths + rest * hundredths / 10_000
        }
    }

    private static func bound(_ text: Substring) -> Bound? {
        guard text.hasSuffix("%") else { return number(text, digits: 12).map(Bound.row) }
        let parts = text.dropLast().split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), let whole = number(parts[0], digits: 3) else { return nil }
        var hundredths = whole * 100
        if parts.count == 2 {
            guard let fraction = number(parts[1], digits: 2) else { return nil }
            hundredths += parts[1].utf8.count == 1 ? fraction * 10 : fraction
        }
        return hundredths <= 10_000 ? .percent(hundredths: hundredths) : nil
    }

    private static func number(_ text: Substring, digits: Int) -> Int? {
        guard (1...digits).contains(text.utf8.count), text.utf8.allSatisfy({ (48...57).contains($0) }) else {
            return nil
        }
        return Int(text)
    }

    private static func text(_ bound: Bound) -> String {
        switch bound {
        case .row(let row): return String(row)
        case .percent(let hundredths):
            let (whole, rest) = hundredths.quotientAndRemainder(dividingBy: 100)
            if rest == 0 { return "\(whole)%" }
            return rest % 10 == 0 ? "\(whole).\(rest / 10)%" : "\(whole).\(rest < 10 ? "0" : "")\(rest)%"
        }
    }
}
