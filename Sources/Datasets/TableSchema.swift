// What a table holds: its number of rows, and of each column the name, type and range.

import JobSpec

package struct ColumnSchema: Sendable, Hashable {
    package enum ValueType: String, Sendable {
        /// Every cell is an integer of 64 bits.
        case int
        /// Every cell is a number.
        case float
        /// Some cell is neither.
        case string
    }

    package var name: String
    package var type: ValueType
    /// Of the numbers; nil for strings and where there are none.
    package var minimum: Double?
    package var maximum: Double?
    /// Empty cells; they do not count for the type.
    package var missing: Int
}

package struct TableSchema: Sendable, Hashable {
    package var rows: Int
    package var columns: [ColumnSchema]

    package var json: JSONValue {
        [
            "rows": JSONValue(rows),
            "columns": .array(
                columns.map { column in
                    var members: [(String, JSONValue)] = [
                        ("name", .string(column.name)), ("type", .string(column.type.rawValue)),
                    ]
                    if let minimum = column.minimum { members.append(("min", .double(minimum))) }
                    if let maximum = column.maximum { members.append(("max", .double(maximum))) }
                    if column.missing > 0 { members.append(("missing", JSONValue(column.missing))) }
                    return JSONValue(members: members)
                }),
        ]
    }
}
