// What is wrong with a data file, and where in it.

package struct DatasetError: Error, Sendable, Hashable, CustomStringConvertible {
    package let detail: String
    /// Data row, from 1; 0 is the header; nil is the file as a whole.
    package let row: Int?
    /// Line of the file, from 1, where the row begins; it differs from the row by the header and by line breaks in
    /// quotes.
    package let line: Int?
    /// From 1.
    package let column: Int?
    package let columnName: String?

    package init(
        _ detail: String, row: Int? = nil, line: Int? = nil, column: Int? = nil, columnName: String? = nil
    ) {
        self.detail = detail
        self.row = row
        self.line = line
        self.column = column
        self.columnName = columnName
    }

    package var description: String {
        var place: [String] = []
        if let row { place.append(row == 0 ? "header" : "row \(row)") }
        if let line, line != row { place.append("line \(line)") }
        if let column { place.append("column \(column)\(columnName.map { " \"\($0)\"" } ?? "")") }
        return place.isEmpty ? detail : "\(place.joined(separator: ", ")): \(detail)"
    }
}
