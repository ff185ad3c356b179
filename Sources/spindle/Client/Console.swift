// Standard output for data, standard error for notes; what a terminal can show and what a log file should hold.
import Foundation
import JobSpec

#if canImport(Glibc)
    import Glibc
#endif

/// The two output streams. Writes go straight through: a reader of a pipe sees each line when it is written.
enum Console {
    static let outputIsTerminal = isatty(1) == 1
    static let notesAreTerminal = isatty(2) == 1
    private static let colored =
        notesAreTerminal && ProcessInfo.processInfo.environment["NO_COLOR"] == nil
        && ProcessInfo.processInfo.environment["TERM"] != "dumb"

    static func output(_ text: String) { write(text + "\n", to: 1) }
    static func output(bytes: UnsafeRawBufferPointer) { write(bytes, to: 1) }

    /// A line for people. Erases the progress line first when one is on the screen.
    static func note(_ text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        write((notesAreTerminal ? "\r\u{1B}[K" : "") + lines.joined(separator: "\n") + "\n", to: 2)
    }

    /// Redraws the last line of the terminal in place.
    static func status(_ text: String) {
        guard notesAreTerminal else { return }
        write("\r\u{1B}[K" + fitted(text, to: columns - 1), to: 2)
    }

    static func endStatus() { if notesAreTerminal { write("\n", to: 2) } }

    static func styled(_ text: String, _ code: String) -> String {
        colored ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
    }

    static var columns: Int {
        var size = winsize()
        for descriptor: Int32 in [2, 1]
        where ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 {
            return Int(size.ws_col)
        }
        return 100
    }

    /// Cuts to `width` visible characters; escape sequences take no room.
    static func fitted(_ text: String, to width: Int) -> String {
        var result = ""
        var visible = 0
        var inEscape = false
        for character in text {
            if character == "\u{1B}" { inEscape = true }
            if !inEscape {
                guard visible < width else { continue }
                visible += 1
            }
            result.append(character)
            if inEscape, character.isLetter { inEscape = false }
        }
        return result
    }

    private static func write(_ text: String, to descriptor: Int32) {
        var text = text
        text.withUTF8 { write(UnsafeRawBufferPointer($0), to: descriptor) }
    }

    private static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) {
        var rest = bytes
        while let base = rest.baseAddress, rest.count > 0 {
            let written = Glibc.write(descriptor, base, rest.count)
            if written < 0 {
                if errno == EINTR || errno == EAGAIN { continue }
                // The reader of the pipe has gone (`spindle ls | head`): there is nobody left to tell.
                exit(ExitStatus.ok.rawValue)
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[written...])
        }
    }
}

/// Rows of text in aligned columns.
struct TextTable {
    var header: [String]
    var rows: [[String]] = []
    /// Columns whose cells are numbers: aligned to the right.
    var numeric: Set<Int> = []

    func render(styled: Bool = Console.outputIsTerminal) -> String {
        var widths = header.map(\.count)
        for row in rows {
            for (column, cell) in row.enumerated() where column < widths.count {
                widths[column] = max(widths[column], cell.count)
            }
        }
        let lines = ([header] + rows).enumerated().map { index, row in
            let cells = row.enumerated().map { column, cell in
                let padding = String(repeating: " ", count: max(0, widths[column] - cell.count))
                return numeric.contains(column) ? padding + cell : cell + padding
            }
            var line = cells.joined(separator: "  ")
            while line.hasSuffix(" ") { line.removeLast() }
            return index == 0 && styled ? "\u{1B}[1m\(line)\u{1B}[0m" : line
        }
        return lines.joined(separator: "\n")
    }
}

/// Numbers, sizes and durations as people read them.
enum Readable {
    static func number(_ value: Double, digits: Int = 4) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "Inf" }
        if value != 0, abs(value) < 0.001 || abs(value) >= 100_000 { return String(format: "%.3g", value) }
        return String(format: "%.\(digits)g", value)
    }

    /// A metric as it stands in JSON: a number, or one of the strings "NaN", "Infinity", "-Infinity".
    static func metric(_ value: JSONValue?) -> String {
        guard let value else { return "–" }
        if let number = value.doubleValue { return self.number(number) }
        return value.stringValue ?? "–"
    }

    static func bytes(_ count: some BinaryInteger) -> String {
        if count < 1024 { return "\(count) B" }
        var value = Double(count)
        var unit = "B"
        for next in ["KiB", "MiB", "GiB", "TiB"] where value >= 1024 {
            value /= 1024
            unit = next
        }
        return String(format: value < 10 ? "%.1f " : "%.0f ", value) + unit
    }

    static func seconds(_ value: Double) -> String {
        if value > 0, value < 0.0009995 { return "\(Int((value * 1_000_000).rounded())) µs" }
        if value < 0.9995 { return "\(Int((value * 1000).rounded())) ms" }
        if value < 60 { return String(format: value < 10 ? "%.1f s" : "%.0f s", value) }
        let whole = Int(value.rounded())
        if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
        if whole < 86_400 { return "\(whole / 3600) h \(whole % 3600 / 60) min" }
        return "\(whole / 86_400) d \(whole % 86_400 / 3600) h"
    }

    /// RFC 3339 with or without fractions.
    static func date(_ text: String?) -> Date? {
        guard let text else { return nil }
        let fractional = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        return (try? fractional.parse(text)) ?? (try? Date.ISO8601FormatStyle().parse(text))
    }

    static func age(_ text: String?, now: Date = Date()) -> String {
        guard let date = date(text) else { return "–" }
        return seconds(max(0, now.timeIntervalSince(date)))
    }
}
