// Finds out types and ranges of the columns of a CSV file.

struct SchemaSink: CSVSink {
    private struct Column {
        var minimum = Double.infinity
        var maximum = -Double.infinity
        var hasFraction = false
        var hasText = false
        var missing = 0
    }

    private var columns: [Column]

    init(columns: Int) {
        self.columns = Array(repeating: Column(), count: columns)
    }

    func wantedColumns(_ names: [String]) -> [Bool] {
        Array(repeating: true, count: names.count)
    }

    @inline(__always)
    mutating func number(_ value: Double, isInteger: Bool, column: Int) {
        if value < columns[column].minimum { columns[column].minimum = value }
        if value > columns[column].maximum { columns[column].maximum = value }
        if !isInteger { columns[column].hasFraction = true }
    }

    mutating func text(_ bytes: UnsafeBufferPointer<UInt8>, column: Int) throws(CellError) {
        if bytes.isEmpty {
            columns[column].missing += 1
        } else {
            _ = try cellText(bytes)
            columns[column].hasText = true
        }
    }

    mutating func endRow() -> Bool { true }

    func schema(_ names: [String], rows: Int) -> TableSchema {
        TableSchema(
            rows: rows,
            columns: zip(names, columns).map { name, column in
                let isNumeric = !column.hasText && column.missing < rows
                return ColumnSchema(
                    name: name, type: !isNumeric ? .string : column.hasFraction ? .float : .int,
                    minimum: isNumeric ? column.minimum : nil, maximum: isNumeric ? column.maximum : nil,
                    missing: column.missing)
            })
    }
}
