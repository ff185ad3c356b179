// Nodes and functions as TensorFlow's messages have them: NodeDef, AttrValue, FunctionDef.
// https://github.com/tensorflow/tensorflow/tree/master/tensorflow/core/framework
import Protobuf
import TensorEngine

/// An operation of a TensorFlow graph or function.
struct TensorFlowNode {
    enum Attribute {
        case type(TensorFlowType)
        case types([TensorFlowType])
        case shape([Int])
        case shapes([[Int]])
        case text(String)
        case texts([String])
        case integer(Int)
        case integers([Int])
        case flag(Bool)
        case tensor(Tensor)
        case textTensor([String])
        case function(String)
    }

    var name: String
    var operation: String
    var inputs: [String]
    var attributes: [(name: String, value: Attribute)]

    init(
        _ name: String, _ operation: String, _ inputs: [String] = [],
        _ attributes: KeyValuePairs<String, Attribute> = [:]
    ) {
        self.name = name
        self.operation = operation
        self.inputs = inputs
        self.attributes = attributes.map { ($0.key, $0.value) }
    }

    /// The fields of a NodeDef.
    func encode(to message: inout ProtobufWriter) throws {
        message.string(1, name)
        message.string(2, operation)
        for input in inputs { message.string(3, input) }
        for (name, value) in attributes { try message.entry(5, name) { try value.encode(to: &$0) } }
    }
}

extension TensorFlowNode.Attribute {
    /// The fields of an AttrValue.
    func encode(to message: inout ProtobufWriter) throws {
        switch self {
        case .type(let type): message.integer(6, type.rawValue)
        case .types(let types): message.message(1) { $0.packed(6, types.map(\.rawValue)) }
        case .shape(let sizes): message.message(7) { TensorFlowType.encode(sizes, to: &$0) }
        case .shapes(let shapes):
            message.message(1) { list in
                for sizes in shapes { list.message(7) { TensorFlowType.encode(sizes, to: &$0) } }
            }
        case .text(let text): message.string(2, text)
        case .texts(let texts): message.message(1) { list in for text in texts { list.string(2, text) } }
        case .integer(let value): message.integer(3, value)
        case .integers(let values): message.message(1) { $0.packed(3, values) }
        case .flag(let value): message.bool(5, value)
        case .function(let name): message.message(10) { $0.string(1, name) }
        case .tensor(let tensor):
            try message.message(8) { proto in
                proto.integer(1, TensorFlowType(tensor.dtype).rawValue)
                proto.message(2) { TensorFlowType.encode(tensor.shape.dimensions, to: &$0) }
                try proto.bytes(4, of: .tensor(tensor))
            }
        case .textTensor(let texts):
            message.message(8) { proto in
                proto.integer(1, TensorFlowType.string.rawValue)
                proto.message(2) { TensorFlowType.encode([texts.count], to: &$0) }
                for text in texts { proto.string(8, text) }
            }
        }
    }
}

/// A function of a graph's library: how TensorFlow 2 calls a signature.
struct TensorFlowFunction {
    struct Argument {
        /// The name inside of the function.
        var name: String
        var type: TensorFlowType
        var shape: [Int]
        /// The name that callers use.
        var callerName: String
        /// Of a variable's handle: the type and the shape of the variable.
        var variable: (type: TensorFlowType, shape: [Int])?
    }

    struct Result {
        var name: String
        var type: TensorFlowType
        /// Such as `MatMul:product:0`.
        var source: String
    }

    var name: String
    var arguments: [Argument]
    var results: [Result]
    var nodes: [TensorFlowNode]

    /// The fields of a FunctionDef.
    func encode(to message: inout ProtobufWriter) throws {
        message.message(1) { signature in
            signature.string(1, name)
            for argument in arguments {
                signature.message(2) { definition in
                    definition.string(1, argument.name)
                    definition.integer(3, argument.type.rawValue)
                    guard let variable = argument.variable else { return }
                    definition.message(7) { handle in
                        handle.integer(1, variable.type.rawValue)
                        handle.message(2) { TensorFlowType.encode(variable.shape, to: &$0) }
                    }
                }
            }
            for result in results {
                signature.message(3) {
                    $0.string(1, result.name)
                    $0.integer(3, result.type.rawValue)
                }
            }
            signature.bool(17, true)  // reads variables: is stateful
        }
        for node in nodes { try message.message(3) { try node.encode(to: &$0) } }
        for result in results {
            message.message(4) {
                $0.string(1, result.name)
                $0.string(2, result.source)
            }
        }
        let shapes = TensorFlowNode.Attribute.shapes(arguments.map(\.shape))
        try message.entry(5, "_input_shapes") { try shapes.encode(to: &$0) }
        for (index, argument) in arguments.enumerated() {
            try message.message(7) { entry in
                entry.integer(1, index)
                try entry.message(2) { attributes in
                    try attributes.entry(1, "_user_specified_name") {
                        try TensorFlowNode.Attribute.text(argument.callerName).encode(to: &$0)
                    }
                }
            }
        }
    }
}
