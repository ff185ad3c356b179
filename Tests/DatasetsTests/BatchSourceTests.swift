// Batches: which rows they have, in the order that is given.

import Datasets
import Testing

struct BatchSourceTests {
    static let data = ArrayDataset(
        rows: 5, features: 2, inputs: [0, 1, 10, 11, 20, 21, 30, 31, 40, 41],
        target: .classes([0, 1, 2, 3, 4]))

    static func inputs(_ source: BatchSource, _ index: Int, _ order: [Int32]?) throws -> [Float] {
        var batch = [Float](repeating: -1, count: source.positions(ofBatch: index).count * 2)
        try batch.withUnsafeMutableBufferPointer {
            try source.copyInputs(ofBatch: index, order: order, into: UnsafeMutableRawBufferPointer($0))
        }
        return batch
    }

    static func labels(_ source: BatchSource, _ index: Int, _ order: [Int32]?) throws -> [Int32] {
        var batch = [Int32](repeating: -1, count: source.positions(ofBatch: index).count)
        try batch.withUnsafeMutableBufferPointer {
            try source.copyTargets(ofBatch: index, order: order, into: UnsafeMutableRawBufferPointer($0))
        }
        return batch
    }

    @Test("without an order the rows come as they are, and the rest is dropped or short")
    func plain() throws {
        let dropping = BatchSource(data: Self.data, batchSize: 2, dropRemainder: true)
        #expect(dropping.batchesPerEpoch == 2)
        #expect(try Self.inputs(dropping, 1, nil) == [20, 21, 30, 31])
        let keeping = BatchSource(data: Self.data, batchSize: 2, dropRemainder: false)
        #expect(keeping.batchesPerEpoch == 3)
        #expect(try Self.inputs(keeping, 2, nil) == [40, 41])
        #expect(try Self.labels(keeping, 2, nil) == [4])
        #expect(try Self.inputs(keeping, 3, nil) == [])
    }

    @Test("an order chooses the rows of inputs and labels alike")
    func ordered() throws {
        let source = BatchSource(data: Self.data, batchSize: 3, dropRemainder: true)
        #expect(try Self.inputs(source, 0, [4, 0, 2, 1, 3]) == [40, 41, 0, 1, 20, 21])
        #expect(try Self.labels(source, 0, [4, 0, 2, 1, 3]) == [4, 0, 2])
    }

    @Test("orders and buffers that do not fit are errors")
    func wrong() throws {
        let source = BatchSource(data: Self.data, batchSize: 3, dropRemainder: true)
        #expect(throws: DatasetError.self) { try Self.inputs(source, 0, [0, 1]) }
        #expect(throws: DatasetError.self) { try Self.inputs(source, 0, [0, 5, 1, 2, 3]) }
        #expect(throws: DatasetError.self) { try Self.inputs(source, 0, [0, -1, 1, 2, 3]) }
        var small: [Float] = [0]
        #expect(throws: DatasetError.self) {
            try small.withUnsafeMutableBufferPointer {
                try source.copyInputs(ofBatch: 0, order: nil, into: UnsafeMutableRawBufferPointer($0))
            }
        }
    }

    @Test("a slice has its rows of inputs and target")
    func slices() {
        let slice = Self.data.slice(3..<99)
        #expect(slice.rows == 2)
        #expect(slice.inputs.floats == [30, 31, 40, 41])
        #expect(slice.target.integers == [3, 4])
        #expect(Self.data.slice(7..<9).rows == 0)
        let values = ArrayDataset(
            rows: 2, features: 1, inputs: [1, 2], target: .values([1, 2, 3, 4], outputs: 2))
        #expect(values.slice(1..<2).target.floats == [3, 4])
    }
}
