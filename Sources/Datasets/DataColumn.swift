// The inputs or the targets of a data set: rows of one shape and type, cut from one array.

package struct DataColumn: Sendable, Hashable {
    package enum Values: Sendable, Hashable {
        case float([Float])
        case integer([Int32])

        var count: Int {
            switch self {
            case .float(let values): values.count
            case .integer(let values): values.count
            }
        }

        func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
            switch self {
            case .float(let values): try values.withUnsafeBytes(body)
            case .integer(let values): try values.withUnsafeBytes(body)
            }
        }

        fileprivate func slice(_ range: Range<Int>) -> Values {
            switch self {
            case .float(let values): .float(Array(values[range]))
            case .integer(let values): .integer(Array(values[range]))
            }
        }
    }

    /// What the rows are cut from.
    package internal(set) var values: Values
    /// Of one row; empty for a number.
    package internal(set) var shape: [Int]
    /// Elements from the beginning of a row to that of the next: fewer than a row has where rows overlap, as windows of a text do.
    package internal(set) var stride: Int
    /// Where the first row begins.
    package internal(set) var offset: Int

    /// Rows one after the other.
    package init(_ values: Values, shape: [Int]) {
        self.values = values
        self.shape = shape
        stride = shape.reduce(1, *)
        offset = 0
    }

    package init(_ values: Values, shape: [Int], stride: Int, offset: Int) {
        self.values = values
        self.shape = shape
        self.stride = stride
        self.offset = offset
    }

    /// Elements of a row.
    package var width: Int { shape.reduce(1, *) }

    package var isInteger: Bool {
        if case .integer = values { true } else { false }
    }

    /// All values, if they are floats.
    package var floats: [Float] {
        if case .float(let values) = values { values } else { [] }
    }

    /// All values, if they are integers.
    package var integers: [Int32] {
        if case .integer(let values) = values { values } else { [] }
    }

    /// The largest integer and one more: how many classes or tokens there are, if these are any.
    package var count: Int? {
        if case .integer(let values) = values { Int(values.max() ?? -1) + 1 } else { nil }
    }

    /// Some rows, with values of their own.
    func slice(_ rows: Range<Int>) -> DataColumn {
        guard !rows.isEmpty else { return DataColumn(values.slice(0..<0), shape: shape) }
        let first = offset + rows.lowerBound * stride
        return DataColumn(
            values.slice(first..<first + (rows.count - 1) * stride + width), shape: shape, stride: stride,
            offset: 0)
    }
}
