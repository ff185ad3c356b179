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
        try copy(data.inputs, width: data.features, ofBatch: index, order: order, into: buffer)
    }

    package func copyLabels(
        ofBatch index: Int, order: [Int32]?, into buffer: UnsafeMutableBufferPointer<Int32>
    ) throws {
        guard case .classes(let labels) = data.target else {
            throw DatasetError("the target has numbers, not class labels")
        }
        try copy(labels, width: 1, ofBatch: index, order: order, into: buffer)
    }

    package func copyValues(
        ofBatch index: Int, order: [Int32]?, into buffer: UnsafeMutableBufferPointer<Float>
    ) throws {
        guard case .values(let values, let outputs) = data.target else {
            throw DatasetError("the target has class labels, not numbers")
        }
        try copy(values, width: outputs, ofBatch: index, order: order, into: buffer)
    }

    private func copy<Element>(
        _ source: [Element], width: Int, ofBatch index: Int, order: [Int32]?,
        into buffer: UnsafeMutableBufferPointer<Element>
    ) throws {
        let positions = positions(ofBatch: index)
        guard buffer.count >= positions.count * width,
            order.map({ $0.count >= positions.upperBound }) ?? true,
            source.count >= data.rows * width
        else {
            throw DatasetError(
                "a batch of \(positions.count) rows of \(width) does not fit a buffer of \(buffer.count), or the order is too short"
            )
        }
        if let order {
            for row in order[positions] where !(0..<data.rows).contains(Int(row)) {
                throw DatasetError("the order has row \(row) of \(data.rows)")
            }
        }
        // Nothing throws in here: the release compiler of Swift 6.3.1 takes a register that the copy leaves behind for an
        // error when it inlines a closure that may throw on one of its paths only.
        source.withUnsafeBufferPointer { source in
            guard let from = source.baseAddress, let to = buffer.baseAddress else { return }
            guard let order else {
                to.update(from: from + positions.lowerBound * width, count: positions.count * width)
                return
            }
            for (offset, position) in positions.enumerated() {
                (to + offset * width).update(from: from + Int(order[position]) * width, count: width)
            }
        }
    }
}
