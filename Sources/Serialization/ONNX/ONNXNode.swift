// Nodes, tensors and types as ONNX's messages have them: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
import Protobuf
import TensorEngine

/// An operation of an ONNX graph, with one output.
struct ONNXNode {
    enum Attribute {
        case integer(Int)
        case integers([Int])
        case text(String)
    }

    var operation: String
    var inputs: [String]
    var output: String
    var attributes: [(name: String, value: Attribute)]

    /// The fields of a NodeProto.
    func encode(to message: inout ProtobufWriter) {
        for input in inputs { message.string(1, input) }
        message.string(2, output)
        message.string(3, output)
        message.string(4, operation)
        for (name, value) in attributes {
            message.message(5) { attribute in
                attribute.string(1, name)
                switch value {
                case .integer(let value):
                    attribute.integer(3, value)
                    attribute.integer(20, 2)
                case .integers(let values):
                    for value in values { attribute.integer(8, value) }
                    attribute.integer(20, 7)
                case .text(let text):
                    attribute.string(4, text)
                    attribute.integer(20, 3)
                }
            }
        }
    }
}

/// An element type of ONNX, by its number in onnx.proto.
enum ONNXType: Int {
    case float = 1
    case uint8 = 2
    case int8 = 3
    case uint16 = 4
    case int16 = 5
    case int32 = 6
    case int64 = 7
    case bool = 9
    case float16 = 10
    case double = 11
    case uint32 = 12
    case uint64 = 13
    case bfloat16 = 16

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
            case .float16: .float16
            case .bfloat16: .bfloat16
            case .float32: .float
            case .float64: .double
            }
    }
}

/// A tensor that is part of the file.
struct ONNXInitializer {
    let name: String
    let type: TensorType
    let array: StateArray

    /// The fields of a TensorProto up to the elements' bytes, which follow.
    var header: [UInt8] {
        var message = ProtobufWriter()
        if type.shape.rank > 0 { message.packed(1, type.shape.dimensions) }
        message.integer(2, ONNXType(type.dtype).rawValue)
        message.string(8, name)
        message.header(9, byteCount: array.byteCount)
        return message.bytes
    }
}

extension InferenceModel.Port {
    /// The fields of a ValueInfoProto.
    func encodeONNX(to message: inout ProtobufWriter) {
        message.string(1, name)
        message.message(2) { type in
            type.message(1) { tensor in
                tensor.integer(1, ONNXType(dtype).rawValue)
                tensor.message(2) { shape in
                    for size in dimensions {
                        shape.message(1) { dimension in
                            if let number = size.staticSize {
                                dimension.integer(1, number)
                            } else {
                                dimension.string(2, size.onnxName)
                            }
                        }
                    }
                }
            }
        }
    }
}

extension SymbolicDimension {
    /// The name of a size that depends on the batch: `batch` for the batch size itself.
    fileprivate var onnxName: String {
        let factor = perBatch == 1 ? "batch" : "\(perBatch)*batch"
        return fixed == 0 ? factor : fixed > 0 ? "\(factor)+\(fixed)" : "\(factor)-\(-fixed)"
    }
}
