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

    /// Copies a batch. `order` is the row at each position of the epoch, nil for the order of the rows. The
    /// buffers hold at least [count, features] and [count, outputs]; `count` is that of `positions`.
    package func copyInputs(
        ofBatch index: Int, order: [Int32]?, into buffer: UnsafeMutableBufferPointer<Float>
    ) throws {
        let batch = try Batch(self, index, order: order)
        try batch.check(width: data.features, buffer: buffer.count)
        data.inputs.withUnsafeBytes {
            batch.copy($0, width: data.features, into: UnsafeMutableRawBufferPointer(buffer))
        }
    }

    package func copyLabels(
        ofBatch index: Int, order: [Int32]?, into buffer: UnsafeMutableBufferPointer<Int32>
    ) throws {
        guard case .classes(let labels) = data.target else {
            throw DatasetError("the target has numbers, not class labels")
        }
        let batch = try Batch(self, index, order: order)
        try batch.check(width: 1, buffer: buffer.count)
        labels.withUnsafeBytes { batch.copy($0, width: 1, into: UnsafeMutableRawBufferPointer(buffer)) }
    }

    package func copyValues(
        ofBatch index: Int, order: [Int32]?, into buffer: UnsafeMutableBufferPointer<Float>
    ) throws {
        guard case .values(let values, let outputs) = data.target else {
            throw DatasetError("the target has class labels, not numbers")
        }
        let batch = try Batch(self, index, order: order)
        try batch.check(width: outputs, buffer: buffer.count)
        values.withUnsafeBytes { batch.copy($0, width: outputs, into: UnsafeMutableRawBufferPointer(buffer)) }
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

    /// Throws unless a buffer of so many elements holds the batch.
    func check(width: Int, buffer elements: Int) throws {
        guard elements >= positions.count * width else {
            throw DatasetError(
                "a batch of \(positions.count) rows of \(width) does not fit a buffer of \(elements)")
        }
    }

    /// Copies the rows of `width` elements from the whole source, whose rows lie one after the other.
    func copy(_ source: UnsafeRawBufferPointer, width: Int, into target: UnsafeMutableRawBufferPointer) {
        let rowBytes = width * Batch.elementBytes
        guard rowBytes > 0, let from = source.baseAddress, let to = target.baseAddress else { return }
        guard let order else {
            to.copyMemory(from: from + positions.lowerBound * rowBytes, byteCount: positions.count * rowBytes)
            return
        }
        for (offset, position) in positions.enumerated() {
            (to + offset * rowBytes).copyMemory(
                from: from + Int(order[position]) * rowBytes, byteCount: rowBytes)
        }
    }
}
