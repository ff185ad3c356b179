// Arrays in protocol buffers.
import Protobuf

extension ProtobufWriter {
    /// The elements of an array, as they lie in memory.
    mutating func bytes(_ field: Int, of array: StateArray) throws {
        header(field, byteCount: array.byteCount)
        try array.withUnsafeBytes { append($0) }
    }
}
