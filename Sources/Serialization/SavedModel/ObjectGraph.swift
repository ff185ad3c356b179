// The objects that `tf.saved_model.load` builds: modules with the variables of their paths, and the signature.
// https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/protobuf/saved_object_graph.proto and
// trackable_object_graph.proto.
import Protobuf
import TensorEngine

/// Objects by number; number 0 is the root.
struct ObjectGraph {
    enum Kind {
        case module
        case variable(InferenceModel.Parameter)
        case signatures
        case signature
    }

    struct Object {
        var kind: Kind
        var children: [(name: String, number: Int)] = []
    }

    private(set) var objects = [Object(kind: .module)]
    /// The number of each parameter's variable.
    private(set) var variables: [Int] = []
    private var numbers: [String: Int] = ["": 0]

    /// A tree of modules along the parameters' paths: `params/Dense_0/kernel` is `loaded.params.Dense_0.kernel`.
    init(_ parameters: [InferenceModel.Parameter]) {
        variables = parameters.map { number(of: $0.path, .variable($0)) }
        let signature = objects.count + 1
        append(
            Object(kind: .signatures, children: [(ObjectGraph.signatureName, signature)]), "signatures", to: 0
        )
        objects.append(Object(kind: .signature))
    }

    static let signatureName = "serving_default"

    /// The number of the object at a path, which is made with those above it.
    private mutating func number(of path: String, _ kind: Kind) -> Int {
        if let known = numbers[path] { return known }
        let end = path.lastIndex(of: "/")
        let parent = number(of: end.map { String(path[..<$0]) } ?? "", .module)
        let name = end.map { String(path[path.index(after: $0)...]) } ?? path
        append(Object(kind: kind), name, to: parent)
        numbers[path] = objects.count - 1
        return objects.count - 1
    }

    private mutating func append(_ object: Object, _ name: String, to parent: Int) {
        objects[parent].children.append((name, objects.count))
        objects.append(object)
    }

    /// The name of a variable's value in the tensor bundle.
    static func checkpointKey(_ path: String) -> String { "\(path)/.ATTRIBUTES/VARIABLE_VALUE" }

    static let checkpointEntry = "_CHECKPOINTABLE_OBJECT_GRAPH"

    /// A TrackableObjectGraph: which tensor of the bundle belongs to which object.
    func trackable() -> [UInt8] {
        var graph = ProtobufWriter()
        for object in objects {
            graph.message(1) { message in
                encodeChildren(of: object, to: &message)
                guard case .variable(let parameter) = object.kind else { return }
                message.message(2) {
                    $0.string(1, "VARIABLE_VALUE")
                    $0.string(2, parameter.path)
                    $0.string(3, Self.checkpointKey(parameter.path))
                }
            }
        }
        return graph.bytes
    }

    private func encodeChildren(of object: Object, to message: inout ProtobufWriter) {
        for child in object.children {
            message.message(1) {
                $0.integer(1, child.number)
                $0.string(2, child.name)
            }
        }
    }

    /// The fields of a SavedObjectGraph.
    func encode(
        inputs: [InferenceModel.Port], outputs: [InferenceModel.Port], function: String,
        to message: inout ProtobufWriter
    ) {
        for object in objects {
            message.message(1) { saved in
                encodeChildren(of: object, to: &saved)
                encode(object.kind, inputs, function, to: &saved)
            }
        }
        message.entry(2, function) { concrete in
            concrete.packed(2, variables)
            // Called with keywords only: ((), {name: type}).
            concrete.message(3) { signature in
                signature.message(52) { tuple in
                    tuple.message(1) { $0.message(52) { _ in } }
                    tuple.message(1) { Self.encodeDictionary(inputs, to: &$0) }
                }
            }
            concrete.message(4) { Self.encodeDictionary(outputs, to: &$0) }
        }
    }

    private func encode(
        _ kind: Kind, _ inputs: [InferenceModel.Port], _ function: String, to saved: inout ProtobufWriter
    ) {
        func userObject(_ identifier: String) {
            saved.message(4) { object in
                object.string(1, identifier)
                object.message(2) { version in
                    version.integer(1, 1)
                    version.integer(2, 1)
                }
            }
        }
        switch kind {
        case .module: userObject("_generic_user_object")
        case .signatures: userObject("signature_map")
        case .variable(let parameter):
            saved.message(7) { variable in
                variable.integer(1, TensorFlowType(parameter.type.dtype).rawValue)
                variable.message(2) {
                    TensorFlowType.encode(parameter.type.shape.dimensions, to: &$0)
                }
                variable.bool(3, parameter.path.hasPrefix("params/"))
                variable.string(6, parameter.path)
            }
        case .signature:
            saved.message(8) { bare in
                bare.string(1, function)
                for input in inputs { bare.string(2, input.name) }
                bare.integer(3, inputs.count)
            }
        }
    }

    /// A StructuredValue: a dictionary of TensorSpecs.
    private static func encodeDictionary(_ ports: [InferenceModel.Port], to message: inout ProtobufWriter) {
        message.message(53) { dictionary in
            for port in ports {
                dictionary.entry(1, port.name) { value in
                    value.message(33) { spec in
                        spec.string(1, port.name)
                        spec.message(2) {
                            TensorFlowType.encode(port.dimensions.tensorFlowShape, to: &$0)
                        }
                        spec.integer(3, TensorFlowType(port.dtype).rawValue)
                    }
                }
            }
        }
    }
}
