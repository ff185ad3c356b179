// Collects columns of a CSV file as a float32 matrix and a target vector.

import JobSpec

struct MatrixSink: CSVSink {
    private let inputs: [String]
    /// Nil if there is none.
    private let target: String?
    private let kind: TargetKind
    private let maximumBytes: Int

    /// By column: place in a row of the matrix, `targetSlot`, or -1 for a column that is not wanted.
    private var slots: [Int32] = []
    private static let targetSlot = Int32.max

    private var matrix: [Float] = []
    /// The row being read.
    private var row: [Float] = []
    private var labels: [Int32] = []
    private var values: [Float] = []

    /// Class labels index logits: more classes than this cannot be meant.
    static let maximumLabel = 1_000_000

    init(inputs: [String], target: String?, kind: TargetKind, maximumBytes: Int) {
        self.inputs = inputs
        self.target = target
        self.kind = kind
        self.maximumBytes = maximumBytes
    }

    mutating func assignSlots(_ names: [String]) throws(DatasetError) {
        var columns: [String: Int] = [:]
        for (column, name) in names.enumerated() { columns[name] = column }
        slots = Array(repeating: -1, count: names.count)
        guard !inputs.isEmpty else {
            throw DatasetError("there is no input column: the only column is the target")
        }
        for (slot, name) in (inputs + [target].compactMap { $0 }).enumerated() {
            guard let column = columns[name] else {
                throw DatasetError(
                    "there is no column \"\(excerpt(name))\"\(suggestion(for: name, among: names))")
            }
            guard slots[column] == -1 else {
                throw DatasetError("the column \"\(excerpt(name))\" is asked for twice")
            }
            slots[column] = slot < inputs.count ? Int32(slot) : Self.targetSlot
        }
        row = Array(repeating: 0, count: inputs.count)
    }

    func wantedColumns(_ names: [String]) throws(DatasetError) -> [Bool] {
        slots.map { $0 >= 0 }
    }

    @inline(__always)
    mutating func number(_ value: Double, isInteger: Bool, column: Int) throws(CellError) {
        let slot = Int(slots[column])
        // `targetSlot` is beyond any row.
        guard slot < row.count else { return try appendTarget(value) }
        let narrow = Float(value)
        guard narrow.isFinite else { throw Self.tooLarge(value) }
        row[slot] = narrow
    }

    @inline(never)
    private static func tooLarge(_ value: Double) -> CellError {
        CellError("\(value) is too large for float32 (3.4e38)")
    }

    @inline(never)
    private mutating func appendTarget(_ value: Double) throws(CellError) {
        switch kind {
        case .values, .either:
            let narrow = Float(value)
            guard narrow.isFinite else { throw Self.tooLarge(value) }
            values.append(narrow)
        case .classes, .groups, .labelSequences:
            guard let label = Int32(exactly: value), (0...Self.maximumLabel).contains(Int(label)) else {
                throw CellError(
                    "a class label is an integer from 0 to \(Self.maximumLabel), got \(value)")
            }
            labels.append(label)
        }
    }

    mutating func text(_ bytes: UnsafeBufferPointer<UInt8>, column: Int) throws(CellError) {
        if bytes.isEmpty { throw CellError("the cell is empty; expected a number") }
        throw CellError("expected a number, got \"\(excerpt(try cellText(bytes)))\"")
    }

    mutating func endRow() -> Bool {
        guard (matrix.count + row.count) * MemoryLayout<Float>.stride <= maximumBytes else {
            isTooLarge = true
            return false
        }
        matrix.append(contentsOf: row)
        return true
    }

    private(set) var isTooLarge = false

    consuming func dataset(rows: Int) -> ArrayDataset {
        guard target != nil else {
            return ArrayDataset(
                rows: rows, inputs: DataColumn(.float(matrix), shape: [inputs.count]), shift: 0,
                content: .numbers)
        }
        return ArrayDataset(
            rows: rows, features: inputs.count, inputs: matrix,
            target: kind == .values || kind == .either ? .values(values, outputs: 1) : .classes(labels))
    }
}
