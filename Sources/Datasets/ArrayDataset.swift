// A data set in memory: inputs and targets, rows in order.

package struct ArrayDataset: Sendable {
    package enum Content: Sendable {
        case numbers
        /// Unicode scalars of a text; tokenize_chars makes them tokens.
        case characters
        /// Numbers from 0 that stand for something; arithmetic with them means nothing.
        case tokens
    }

    package enum Target: Sendable, Hashable {
        /// Class labels from 0, one a row.
        case classes([Int32])
        /// Row-major [rows, outputs].
        case values([Float], outputs: Int)
    }

    package internal(set) var rows: Int
    package internal(set) var inputs: DataColumn
    package internal(set) var target: DataColumn
    package internal(set) var content: Content
    /// The target is the inputs so many places ahead; nil if it is something of its own.
    package internal(set) var shift: Int?

    package init(rows: Int, inputs: DataColumn, target: DataColumn) {
        self.rows = rows
        self.inputs = inputs
        self.target = target
        content = .numbers
    }

    /// Inputs whose target is themselves, at this distance.
    package init(rows: Int, inputs: DataColumn, shift: Int, content: Content) {
        self.rows = rows
        self.inputs = inputs
        self.shift = shift
        self.content = content
        target = DataColumn(.integer([]), shape: [])
    }

    /// A matrix and its target.
    package init(rows: Int, features: Int, inputs: [Float], target: Target) {
        let column: DataColumn =
            switch target {
            case .classes(let labels): DataColumn(.integer(labels), shape: [])
            case .values(let values, let outputs): DataColumn(.float(values), shape: [outputs])
            }
        self.init(rows: rows, inputs: DataColumn(.float(inputs), shape: [features]), target: column)
    }

    /// The rows of a range, copied; the range is clamped to the rows that there are.
    package func slice(_ range: Range<Int>) -> ArrayDataset {
        let range = range.clamped(to: 0..<rows)
        if range == 0..<rows { return self }
        var slice = self
        slice.rows = range.count
        slice.inputs = inputs.slice(range)
        if shift == nil { slice.target = target.slice(range) }
        return slice
    }

    /// After all transforms: with the target of a shifted one, and without text that no model can take.
    func completed() throws(DatasetError) -> ArrayDataset {
        guard content != .characters else {
            throw DatasetError("the dataset is text; add tokenize_chars and window to data.transforms")
        }
        guard let shift else { return self }
        var result = self
        if shift == 0 {
            result.target = inputs
        } else {
            guard content == .tokens, inputs.shape.count == 1 else {
                throw DatasetError("a target with a shift needs the transform window")
            }
            result.target = inputs
            result.target.offset += shift
        }
        return result
    }

    /// Elements of the inputs of one row.
    package var features: Int { inputs.width }

    /// Number of classes that the labels speak of: the largest and one more. Nil if the target is no label.
    package var classes: Int? { target.count }

    /// Elements of the target of one row: 1 for class labels.
    package var outputs: Int { target.width }
}
