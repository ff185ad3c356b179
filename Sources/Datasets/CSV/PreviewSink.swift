// Collects the first rows of a CSV file as JSON.

import JobSpec

struct PreviewSink: CSVSink {
    private(set) var rows: [JSONValue] = []
    private(set) var isTruncated = false
    private var cells: [JSONValue] = []
    private let columns: Int
    private let maximumRows: Int

    static let maximumTextLength = 200

    init(columns: Int, rows: Int) {
        self.columns = columns
        maximumRows = rows
        cells.reserveCapacity(columns)
    }

    func wantedColumns(_ names: [String]) -> [Bool] {
        Array(repeating: true, count: names.count)
    }

    mutating func number(_ value: Double, isInteger: Bool, column: Int) {
        if isInteger, let whole = Int64(exactly: value) {
            cells.append(.int(whole))
        } else {
            cells.append(.double(value))
        }
    }

    mutating func text(_ bytes: UnsafeBufferPointer<UInt8>, column: Int) throws(CellError) {
        let text = try cellText(bytes)
        cells.append(
            bytes.isEmpty
                ? .null
                : text.utf8.count <= Self.maximumTextLength
                    ? .string(text) : .string(text.prefix(Self.maximumTextLength) + "…"))
    }

    /// One row more than is shown is read, to know whether there is one.
    mutating func endRow() -> Bool {
        guard rows.count < maximumRows else {
            isTruncated = true
            return false
        }
        rows.append(.array(cells))
        cells.removeAll(keepingCapacity: true)
        return true
    }
}
