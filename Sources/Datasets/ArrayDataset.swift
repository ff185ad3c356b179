// A data set in memory: one matrix of inputs and one target, rows in order.

package struct ArrayDataset: Sendable {
    package enum Target: Sendable, Hashable {
        /// Class labels from 0, one a row.
        case classes([Int32])
        /// Row-major [rows, outputs].
        case values([Float], outputs: Int)
    }

    package let rows: Int
    package let features: Int
    /// Row-major [rows, features].
    package var inputs: [Float]
    package let target: Target

    package init(rows: Int, features: Int, inputs: [Float], target: Target) {
        self.rows = rows
        self.features = features
        self.inputs = inputs
        self.target = target
    }

    /// The rows of a range, copied; the range is clamped to the rows that there are.
    package func slice(_ range: Range<Int>) -> ArrayDataset {
        let range = range.clamped(to: 0..<rows)
        if range == 0..<rows { return self }
        let target: Target =
            switch self.target {
            case .classes(let labels): .classes(Array(labels[range]))
            case .values(let values, let outputs):
                .values(
                    Array(values[range.lowerBound * outputs..<range.upperBound * outputs]), outputs: outputs)
            }
        return ArrayDataset(
            rows: range.count, features: features,
            inputs: Array(inputs[range.lowerBound * features..<range.upperBound * features]), target: target)
    }

    /// Number of classes that the labels speak of: the largest and one more. Nil if the target is no label.
    package var classes: Int? {
        if case .classes(let labels) = target { Int(labels.max() ?? -1) + 1 } else { nil }
    }

    /// Length of a row of the target: 1 for class labels.
    package var outputs: Int {
        if case .values(_, let outputs) = target { outputs } else { 1 }
    }
}
