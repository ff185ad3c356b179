// Sizes, amounts of work and columns as text.

/// How reports write sizes: the tables of modules, programs and plans.
public enum Quantity {
    /// `1536` is `1.5 KiB`.
    public static func bytes(_ count: Int) -> String {
        count < 1024 ? "\(count) B" : scaled(Double(count), by: 1024, ["KiB", "MiB", "GiB", "TiB", "PiB"])
    }

    /// `2500` is `2.5 kFLOP`.
    public static func operations(_ count: Double) -> String {
        count < 1000
            ? "\(Int(count)) FLOP" : scaled(count, by: 1000, ["kFLOP", "MFLOP", "GFLOP", "TFLOP", "PFLOP"])
    }

    /// `1 input`, `2 inputs`.
    static func count(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

    private static func scaled(_ value: Double, by base: Double, _ units: [String]) -> String {
        var (value, unit) = (value / base, 0)
        // What would be written as 1000 of a unit is 1 of the next.
        while value >= base - 0.05, unit + 1 < units.count {
            value /= base
            unit += 1
        }
        let tenths = (value * 10).rounded()
        let text = value >= 100 ? "\(Int(value.rounded()))" : "\(Int(tenths) / 10).\(Int(tenths) % 10)"
        return "\(text) \(units[unit])"
    }
}

/// Rows of cells as lines, each column as wide as its widest cell. Cells beyond a bound are not waited for, so that one long one
/// does not push the others off the page.
func alignedColumns(_ rows: [[String]], indentation: String = "", widest: Int = 56) -> [String] {
    let count = rows.map(\.count).max() ?? 0
    let widths = (0..<count).map { column in
        rows.map { column < $0.count - 1 ? $0[column].count : 0 }.filter { $0 <= widest }.max() ?? 0
    }
    return rows.map { row in
        var line = indentation
        for (cell, width) in zip(row, widths) where width > 0 || !cell.isEmpty {
            line += cell + String(repeating: " ", count: max(width - cell.count, 0)) + "  "
        }
        while line.last == " " { line.removeLast() }
        return line
    }
}
