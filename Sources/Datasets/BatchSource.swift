// Batches of a data set: which rows each has, and copying them out. The order of an epoch is the caller's, who has
// the random numbers.

package struct BatchSource: Sendable {
    package let data: ArrayDataset
    package let batchSize: Int
    package let dropRemainder: Bool

    package init(data: ArrayDataset, batchSize: Int, dropRemainder: Bool) {
        self.data = data
        self.batchSize = max(1, batchSize)
        self.dropRemainder = dropRemainder
    }

    package var batchesPerEpoch: Int {
        Self.batches(rows: data.rows, batchSize: batchSize, dropRemainder: dropRemainder)
    }

    package static func batches(rows: Int, batchSize: Int, dropRemainder: Bool) -> Int {
        let (whole, rest) = rows.quotientAndRemainder(dividingBy: max(1, batchSize))
        return whole + (rest > 0 && !dropRemainder ? 1 : 0)
    }

    /// Positions in the order of an epoch that batch number `index` has; the last may be shorter.
    package func positions(ofBatch index: Int) -> Range<Int> {
        let start = min(data.rows, index * batchSize)
        return start..<min(data.rows, start + batchSize)
    }

    /// Copies a batch. `order` is the row at each position of the epoch, nil for the order of the rows. The buffers hold at least
    /// `count` rows of inputs and of targets, all of whose elements are 4 bytes wide; `count` is that of `positions`.
    package func copyInputs(
        ofBatch index: Int, order: [Int32]?, into buffer: UnsafeMutableRawBufferPointer
    ) throws {
        try Batch(self, index, order: order).copy(data.inputs, into: buffer)
    }

    package func copyTargets(
        ofBatch index: Int, order: [Int32]?, into buffer: UnsafeMutableRawBufferPointer
    ) throws {
        try Batch(self, index, order: order).copy(data.target, into: buffer)
    }
}

/// The rows of one batch, checked. Copies bytes, not elements of a generic type: of a generic function that throws, the release
/// compiler of Swift 6.3.1 merges the versions for Float and Int32 into one that returns an error where there is none.
private struct Batch {
    /// Both element types, Float and Int32, are this wide.
    private static let elementBytes = 4

    private let positions: Range<Int>
    private let order: [Int32]?

    init(_ source: BatchSource, _ index: Int, order: [Int32]?) throws {
        positions = source.positions(ofBatch: index)
        self.order = order
        guard let order else { return }
        guard order.count >= positions.upperBound else {
            throw DatasetError("the order has \(order.count) rows, the batch ends at \(positions.upperBound)")
        }
        for row in order[positions] where !(0..<source.data.rows).contains(Int(row)) {
            throw DatasetError("the order has row \(row) of \(source.data.rows)")
        }
    }

    /// Copies the rows of a column.
    func copy(_ column: DataColumn, into target: UnsafeMutableRawBufferPointer) throws {
        let (width, stride) = (column.width * Batch.elementBytes, column.stride * Batch.elementBytes)
        guard target.count >= positions.count * width else {
            throw DatasetError(
                "a batch of \(positions.count) rows of \(column.width) does not fit a buffer of \(target.count) bytes"
            )
        }
        guard width > 0, let to = target.baseAddress else { return }
        try column.values.withBytes { source in
            let first = column.offset * Batch.elementBytes
            guard positions.isEmpty || first + (largestRow * stride) + width <= source.count,
                let from = source.baseAddress
            else { throw DatasetError("the data has \(source.count) bytes, a row ends behind them") }
            for (offset, position) in positions.enumerated() {
                let row = order.map { Int($0[position]) } ?? position
                (to + offset * width).copyMemory(from: from + first + row * stride, byteCount: width)
            }
        }
    }

    private var largestRow: Int {
        guard let order else { return max(0, positions.upperBound - 1) }
        return order[positions].max().map { Int($0) } ?? 0
    }
}
