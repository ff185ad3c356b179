// Element types and shapes as TensorFlow's messages have them.
import Protobuf
import TensorEngine

/// An element type of TensorFlow, by its number in types.proto.
enum TensorFlowType: Int {
    case float = 1
    case double = 2
    case int32 = 3
    case uint8 = 4
    case int16 = 5
    case int8 = 6
    case string = 7
    case int64 = 9
    case bool = 10
    case bfloat16 = 14
    case uint16 = 17
    case half = 19
    case resource = 20
    case uint32 = 22
    case uint64 = 23

    init(_ dtype: DType) {
        self =
            switch dtype {
            case .bool: .bool
            case .int8: .int8
            case .int16: .int16
            case .int32: .int32
            case .int64: .int64
            case .uint8: .uint8
            case .uint16: .uint16
            case .uint32: .uint32
            case .uint64: .uint64
            case .float16: .half
            case .bfloat16: .bfloat16
            case .float32: .float
            case .float64: .double
            }
    }

    /// The fields of a TensorShapeProto; -1 is a size that is not known.
    static func encode(_ dimensions: [Int], to message: inout ProtobufWriter) {
        for size in dimensions { message.message(2) { $0.integer(1, size) } }
    }
}

extension [SymbolicDimension] {
    /// The sizes, -1 where they depend on the batch.
    var tensorFlowShape: [Int] { map { $0.staticSize ?? -1 } }
}
