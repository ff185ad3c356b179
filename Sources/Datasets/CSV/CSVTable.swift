// The operations on a CSV file: its schema, its first rows, and columns of it as numbers.

import JobSpec

package struct CSVTable: Sendable {
    package let path: String
    package let limits: CSVLimits
    private let chunkBytes: Int

    package init(path: String, limits: CSVLimits = CSVLimits(), chunkBytes: Int = 1 << 20) {
        self.path = path
        self.limits = limits
        self.chunkBytes = chunkBytes
    }

    private func reader() throws(DatasetError) -> CSVReader {
        try CSVReader(path: path, limits: limits, chunkBytes: chunkBytes)
    }

    /// Reads the whole file: every row is checked, every cell counted.
    package func inspect() throws(DatasetError) -> TableSchema {
        let reader = try reader()
        var sink = SchemaSink(columns: reader.names.count)
        let rows = try reader.read(into: &sink)
        guard rows > 0 else { throw DatasetError("the file has a header, but no rows") }
        return sink.schema(reader.names, rows: rows)
    }

    /// The first rows, at most `rows` and at most 100,000 cells:
    /// `{"columns": [names], "rows": [[cells]], "truncated": is there more}`. Long texts are cut.
    package func preview(rows: Int) throws(DatasetError) -> JSONValue {
        let reader = try reader()
        var sink = PreviewSink(
            columns: reader.names.count, rows: max(0, min(rows, 100_000 / max(1, reader.names.count))))
        _ = try reader.read(into: &sink)
        return [
            "columns": JSONValue(reader.names), "rows": .array(sink.rows),
            "truncated": .bool(sink.isTruncated),
        ]
    }

    /// Loads input columns (nil: all but the target) as one matrix, and the target column, if there is one.
    package func load(
        inputs: [String]?, target: String?, as kind: TargetKind
    ) throws(DatasetError) -> (data: ArrayDataset, inputs: [String]) {
        let reader = try reader()
        let inputs = inputs ?? reader.names.filter { $0 != target }
        var sink = MatrixSink(
            inputs: inputs, target: target, kind: kind, maximumBytes: limits.maximumLoadedBytes)
        try sink.assignSlots(reader.names)
        let rows = try reader.read(into: &sink)
        guard rows > 0 else { throw DatasetError("the file has a header, but no rows") }
        guard !sink.isTooLarge else {
            throw DatasetError(
                "the table would take more than \(limits.maximumLoadedBytes) bytes of memory", row: rows)
        }
        return (sink.dataset(rows: rows), inputs)
    }
}
