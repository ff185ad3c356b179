// TensorFlow's tensor bundle: a data file with the tensors' bytes one after the other, and an index of where each lies.
// https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/protobuf/tensor_bundle.proto
import Hashing
import Protobuf
import TensorEngine

/// Writes tensors to the data file as they come, and keeps of each only its entry of the index.
struct TensorBundle<Data: ByteSink> {
    private(set) var data: Data
    private var offset = 0
    private var entries: [(key: [UInt8], value: [UInt8])] = []

    init(data: Data) { self.data = data }

    mutating func append(_ name: String, _ parameter: InferenceModel.Parameter) throws {
        var checksum = CRC32C()
        try parameter.value.withUnsafeBytes {
            checksum.update($0)
            try data.write($0)
        }
        append(
            name, TensorFlowType(parameter.type.dtype), parameter.type.shape.dimensions,
            parameter.type.byteCount, checksum.masked)
    }

    /// A scalar of type string: its length, the checksum of that, and then the bytes.
    mutating func append(_ name: String, text: [UInt8]) throws {
        var checksum = CRC32C()
        var length: [UInt8] = []
        // The checksum takes lengths as four bytes, or eight where four are not enough.
        if let short = UInt32(exactly: text.count) {
            appendLittleEndian(short, to: &length)
        } else {
            appendLittleEndian(UInt64(text.count), to: &length)
        }
        checksum.update(length)
        var bytes: [UInt8] = []
        ProtobufWriter.append(varint: UInt64(text.count), to: &bytes)
        var lengthChecksum: [UInt8] = []
        appendLittleEndian(checksum.masked, to: &lengthChecksum)
        checksum.update(lengthChecksum)
        checksum.update(text)
        bytes += lengthChecksum
        bytes += text
        try data.write(bytes)
        append(name, .string, [], bytes.count, checksum.masked)
    }

    private mutating func append(
        _ name: String, _ type: TensorFlowType, _ dimensions: [Int], _ byteCount: Int, _ checksum: UInt32
    ) {
        var entry = ProtobufWriter()
        entry.integer(1, type.rawValue)
        entry.message(2) { TensorFlowType.encode(dimensions, to: &$0) }
        if offset > 0 { entry.integer(4, offset) }
        entry.integer(5, byteCount)
        entry.fixed32(6, checksum)
        entries.append((Array(name.utf8), entry.bytes))
        offset += byteCount
    }

    /// The index file, of the tensors in the order of their names.
    func index() -> [UInt8] {
        var header = ProtobufWriter()
        header.integer(1, 1)  // one data file
        header.message(3) { $0.integer(1, 1) }  // the version of the format
        var table = SortedTable()
        table.append(key: [], value: header.bytes)
        for entry in entries.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            table.append(key: entry.key, value: entry.value)
        }
        return table.finish()
    }
}
