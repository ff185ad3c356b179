// Reads a CSV file (RFC 4180, header required) and hands its cells to a sink, numbers already as numbers: no
// String is made for a cell that is one.

import JobSpec
import OrderedCollections

/// Takes the cells of a CSV file, row by row.
protocol CSVSink {
    /// The columns whose cells are wanted, by index; the others are not even looked at.
    func wantedColumns(_ names: [String]) throws(DatasetError) -> [Bool]
    mutating func number(_ value: Double, isInteger: Bool, column: Int) throws(CellError)
    /// A cell that is no number, unquoted, perhaps empty.
    mutating func text(_ bytes: UnsafeBufferPointer<UInt8>, column: Int) throws(CellError)
    /// False to read no further.
    mutating func endRow() -> Bool
}

/// What a sink has against a cell; the reader adds the place.
struct CellError: Error {
    let detail: String

    init(_ detail: String) {
        self.detail = detail
    }
}

final class CSVReader {
    private let records: CSVRecords
    private let limits: CSVLimits
    let names: [String]
    private var scratch: [UInt8] = []

    /// Reads the header.
    init(path: String, limits: CSVLimits = CSVLimits(), chunkBytes: Int = 1 << 20) throws(DatasetError) {
        self.limits = limits
        records = try CSVRecords(path: path, limits: limits, chunkBytes: chunkBytes)
        guard let header = try records.next(), !header.bytes.isEmpty else {
            throw DatasetError(
                "the file has no header; the first line must name the columns", row: 0, line: 1)
        }
        names = try Self.header(header, limits)
    }

    var fileBytes: Int { records.fileBytes }

    /// Gives every row to the sink, until it has enough. Returns the number of rows read.
    func read<Sink: CSVSink>(into sink: inout Sink) throws(DatasetError) -> Int {
        let wanted = try sink.wantedColumns(names)
        var row = 0
        var emptyLine: Int?
        while let record = try records.next() {
            if record.bytes.isEmpty {
                emptyLine = emptyLine ?? record.line
                continue
            }
            row += 1
            if let emptyLine {
                throw DatasetError("an empty line between rows", row: row, line: emptyLine)
            }
            if record.hasQuotes {
                try readQuoted(record, row, wanted, &sink)
            } else {
                try readPlain(record, row, wanted, &sink)
            }
            if !sink.endRow() { break }
        }
        return row
    }

    @inline(__always)
    private func readPlain<Sink: CSVSink>(
        _ record: CSVRecords.Record, _ row: Int, _ wanted: [Bool], _ sink: inout Sink
    ) throws(DatasetError) {
        let bytes = record.bytes
        var cursor = 0
        var column = 0
        while true {
            guard column < wanted.count else { throw wrongCount(bytes, row, record.line) }
            var fieldEnd: Int
            if wanted[column] {
                do throws(CellError) {
                    // Most cells of most tables are short integers, so these are not sent through the scanner.
                    var magnitude: Int64 = 0
                    let isNegative = cursor < bytes.count && bytes[cursor] == UInt8(ascii: "-")
                    let digits = cursor + (isNegative ? 1 : 0)
                    let lastDigit = min(bytes.count, digits + 15)
                    fieldEnd = digits
                    while fieldEnd < lastDigit, case let digit = bytes[fieldEnd] &- 48, digit <= 9 {
                        magnitude = magnitude &* 10 &+ Int64(digit)
                        fieldEnd += 1
                    }
                    if fieldEnd > digits, fieldEnd == bytes.count || bytes[fieldEnd] == UInt8(ascii: ",") {
                        try sink.number(
                            Double(isNegative ? -magnitude : magnitude), isInteger: true, column: column)
                    } else {
                        fieldEnd = try readCell(bytes, cursor, column, &sink)
                    }
                } catch {
                    throw located(error, row, record.line, column)
                }
            } else {
                fieldEnd = Self.endOfField(bytes, cursor)
            }
            column += 1
            if fieldEnd == bytes.count { break }
            cursor = fieldEnd + 1
        }
        guard column == wanted.count else { throw wrongCount(bytes, row, record.line) }
    }

    /// A cell of any kind without quotes; gives its end.
    private func readCell<Sink: CSVSink>(
        _ bytes: UnsafeBufferPointer<UInt8>, _ start: Int, _ column: Int, _ sink: inout Sink
    ) throws(CellError) -> Int {
        var scanner = DecimalScanner()
        let outcome = scanner.scan(bytes, from: start, dialect: .lenient)
        let end = scanner.end
        if end == bytes.count || bytes[end] == UInt8(ascii: ",") {
            if case .real(let value) = outcome {
                try sink.number(value, isInteger: false, column: column)
                return end
            }
            if case .integer(let value) = outcome {
                try sink.number(Double(value), isInteger: true, column: column)
                return end
            }
        }
        let fieldEnd = Self.endOfField(bytes, start)
        try deliver(UnsafeBufferPointer(rebasing: bytes[start..<fieldEnd]), column, &sink)
        return fieldEnd
    }

    private func readQuoted<Sink: CSVSink>(
        _ record: CSVRecords.Record, _ row: Int, _ wanted: [Bool], _ sink: inout Sink
    ) throws(DatasetError) {
        var fields = QuotedFields(record.bytes)
        var column = 0
        while true {
            let hasField: Bool
            do throws(CellError) { hasField = try fields.next(into: &scratch) } catch {
                throw located(error, row, record.line, column)
            }
            guard hasField else { break }
            guard column < wanted.count else {
                throw DatasetError(
                    "more fields than the header's \(names.count)", row: row, line: record.line,
                    column: column + 1)
            }
            if wanted[column] {
                do throws(CellError) {
                    try scratch.withUnsafeBufferPointer { (field) throws(CellError) in
                        try deliver(field, column, &sink)
                    }
                } catch {
                    throw located(error, row, record.line, column)
                }
            }
            column += 1
        }
        guard column == wanted.count else {
            throw DatasetError(
                "\(column) fields, but the header has \(names.count)", row: row, line: record.line)
        }
    }

    /// A whole field: a number, with blanks around it or not, or a text.
    private func deliver<Sink: CSVSink>(
        _ field: UnsafeBufferPointer<UInt8>, _ column: Int, _ sink: inout Sink
    ) throws(CellError) {
        var low = 0
        var high = field.count
        while low < high, Self.isBlank(field[low]) { low += 1 }
        while high > low, Self.isBlank(field[high - 1]) { high -= 1 }
        let trimmed = UnsafeBufferPointer(rebasing: field[low..<high])
        guard !trimmed.isEmpty else { return try sink.text(trimmed, column: column) }
        var scanner = DecimalScanner()
        let outcome = scanner.scan(trimmed, from: 0, dialect: .lenient)
        guard scanner.end == trimmed.count else { return try sink.text(field, column: column) }
        switch outcome {
        case .integer(let value): try sink.number(Double(value), isInteger: true, column: column)
        case .real(let value): try sink.number(value, isInteger: false, column: column)
        case .integerOverflow:
            // More than 64 bits: still a number, only not an integer of ours.
            guard let value = Double(String(decoding: trimmed, as: UTF8.self)), value.isFinite else {
                return try sink.text(field, column: column)
            }
            try sink.number(value, isInteger: false, column: column)
        case .realOverflow, .malformed: try sink.text(field, column: column)
        }
    }

    @inline(__always)
    private static func endOfField(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int) -> Int {
        var cursor = start
        while cursor < bytes.count, bytes[cursor] != UInt8(ascii: ",") { cursor += 1 }
        return cursor
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    private func wrongCount(
        _ bytes: UnsafeBufferPointer<UInt8>, _ row: Int, _ line: Int
    ) -> DatasetError {
        let count = bytes.reduce(1) { $0 + ($1 == UInt8(ascii: ",") ? 1 : 0) }
        return DatasetError(
            "\(count) fields, but the header has \(names.count)", row: row, line: line,
            column: min(count, names.count) + 1)
    }

    private func located(_ error: CellError, _ row: Int, _ line: Int, _ column: Int) -> DatasetError {
        DatasetError(
            error.detail, row: row, line: line, column: column + 1,
            columnName: names.indices.contains(column) ? excerpt(names[column]) : nil)
    }

    private static func header(
        _ record: CSVRecords.Record, _ limits: CSVLimits
    ) throws(DatasetError) -> [String] {
        var fields = QuotedFields(record.bytes)
        var names: OrderedSet<String> = []
        var bytes: [UInt8] = []
        while true {
            let column = names.count + 1
            func failure(_ detail: String) -> DatasetError {
                DatasetError(detail, row: 0, line: 1, column: column)
            }
            do throws(CellError) {
                guard try fields.next(into: &bytes) else { return Array(names) }
            } catch {
                throw failure(error.detail)
            }
            guard column <= limits.maximumColumns else {
                throw failure("more than \(limits.maximumColumns) columns")
            }
            let name: String
            do throws(CellError) {
                name = try bytes.withUnsafeBufferPointer { (field) throws(CellError) in
                    try cellText(field)
                }
            } catch {
                throw failure(error.detail)
            }
            guard !name.isEmpty else { throw failure("the column has no name") }
            guard !name.utf8.contains(where: { $0 == 0x0A || $0 == 0x0D }) else {
                throw failure("a line break in a column name; do the lines end with CR alone instead of LF?")
            }
            guard name.utf8.count <= limits.maximumNameBytes else {
                throw failure("a column name of more than \(limits.maximumNameBytes) bytes")
            }
            guard names.append(name).inserted else {
                throw failure("a second column with the name \"\(excerpt(name))\"; make the names unique")
            }
        }
    }
}

/// The text of a cell; refuses what is not UTF-8 and control characters, which mean that the file is not text.
func cellText(_ bytes: UnsafeBufferPointer<UInt8>) throws(CellError) -> String {
    for byte in bytes where byte < 0x20 && byte != 0x09 && byte != 0x0A && byte != 0x0D {
        throw CellError("a control character (code \(byte)); is this a text file?")
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
        throw CellError("the text is not valid UTF-8")
    }
    return text
}
