// The file saved_model.pb: a graph with the variables and the call of the model, and what loaders need to know of it.
import Protobuf
import TensorEngine

/// What `saved_model.pb` says.
struct SavedModelContents {
    let model: InferenceModel
    let objects: ObjectGraph
    private let function: TensorFlowFunction
    /// In the order of the names, in which TensorFlow flattens dictionaries.
    private let inputs: [InferenceModel.Port]
    private let outputs: [InferenceModel.Port]
    /// The node of each parameter's variable.
    private let variableNodes: [String]

    private static let functionName = "__inference_\(ObjectGraph.signatureName)"

    init(_ model: InferenceModel, _ operations: SavedModel.Operations) throws {
        self.model = model
        objects = ObjectGraph(model.parameters)
        inputs = model.inputs.sorted { $0.name < $1.name }
        outputs = model.outputs.sorted { $0.name < $1.name }
        // Named as their parameters: TF Lite's converter looks for a variable under the name that it is shared by.
        var names = UniqueNames()
        let ownNodes = [Self.fileName, Self.restoring, Self.saving, Self.initializing, Self.call]
        for taken in ownNodes + inputs.map(Self.placeholder) { _ = names.make(taken) }
        variableNodes = model.parameters.map { names.make($0.path) }
        function = try Self.function(of: model, inputs, outputs, operations)
    }

    // MARK: The function

    /// TensorFlow takes names that differ in case for the same, so that arguments have numbers.
    private static func argumentNames(_ inputs: [InferenceModel.Port]) -> [String: String] {
        let names = inputs.indices.map { (inputs[$0].name, "input_\($0)") }
        return Dictionary(uniqueKeysWithValues: names)
    }

    private static func function(
        of model: InferenceModel, _ inputs: [InferenceModel.Port], _ outputs: [InferenceModel.Port],
        _ operations: SavedModel.Operations
    ) throws -> TensorFlowFunction {
        let names = argumentNames(inputs)
        var arguments = inputs.map { input in
            TensorFlowFunction.Argument(
                name: names[input.name] ?? input.name, type: TensorFlowType(input.dtype),
                shape: input.dimensions.tensorFlowShape, callerName: input.name)
        }
        var nodes: [TensorFlowNode] = []
        var parameters: [String] = []
        for (index, parameter) in model.parameters.enumerated() {
            let type = TensorFlowType(parameter.type.dtype)
            let argument = TensorFlowFunction.Argument(
                name: "variable_\(index)", type: .resource, shape: [], callerName: parameter.path,
                variable: (type, parameter.type.shape.dimensions))
            arguments.append(argument)
            let name = "read_variable_\(index)"
            nodes.append(
                TensorFlowNode(name, "ReadVariableOp", [argument.name], ["dtype": .type(type)]))
            parameters.append("\(name):value:0")
        }
        let operands = parameters + model.inputs.map { names[$0.name] ?? $0.name }
        let body = try body(of: model, operands, operations)
        nodes += body.nodes
        var results: [TensorFlowFunction.Result] = []
        for output in outputs {
            guard let position = model.outputs.firstIndex(of: output) else { continue }
            let type = TensorFlowType(output.dtype)
            let name = "output_\(results.count)"
            nodes.append(TensorFlowNode(name, "Identity", [body.results[position]], ["T": .type(type)]))
            results.append(
                TensorFlowFunction.Result(
                    name: "result_\(results.count)", type: type, source: "\(name):output:0"))
        }
        return TensorFlowFunction(
            name: functionName, arguments: arguments, results: results, nodes: nodes)
    }

    /// The nodes that compute the model from operands in the program's order, and what its outputs are called.
    private static func body(
        of model: InferenceModel, _ operands: [String], _ operations: SavedModel.Operations
    ) throws -> (nodes: [TensorFlowNode], results: [String]) {
        switch operations {
        case .native:
            let graph = try TensorFlowGraph(try model.program.operatorGraph(), inputs: operands)
            return (graph.nodes, try graph.graph.outputs.map { try graph.reference($0) })
        case .stablehlo:
            let text = try model.program.stableHLO(inputNames: model.parameters.map(\.path))
            let types = model.parameters.map(\.type.dtype) + model.inputs.map(\.dtype)
            let name = "xla_call_module"
            let node = TensorFlowNode(
                name, "XlaCallModule", operands,
                [
                    // The version of the call that jax.export 0.4.20 and later make.
                    "version": .integer(9), "module": .text(text), "platforms": .texts(["CPU"]),
                    // It runs on other platforms as well.
                    "disabled_checks": .texts(["platform"]),
                    "Tin": .types(types.map { TensorFlowType($0) }),
                    "Tout": .types(model.outputs.map { TensorFlowType($0.dtype) }),
                    "Sout": .shapes(model.outputs.map(\.dimensions.tensorFlowShape)),
                ])
            return ([node], model.outputs.indices.map { "\(name):output:\($0)" })
        }
    }

    // MARK: The graph around it

    private static let fileName = "saver_filename"
    private static let restoring = "restore_all"
    private static let saving = "save"
    private static let initializing = "init"
    private static let call = "StatefulPartitionedCall"

    private static func placeholder(_ input: InferenceModel.Port) -> String {
        "\(ObjectGraph.signatureName)_\(input.name)"
    }

    /// Variables, the call of the function, and the operations that restore and save the variables.
    private func nodes() -> [TensorFlowNode] {
        var nodes: [TensorFlowNode] = []
        let types = model.parameters.map { TensorFlowType($0.type.dtype) }
        for (parameter, node) in zip(model.parameters, variableNodes) {
            nodes.append(
                TensorFlowNode(
                    node, "VarHandleOp", [],
                    [
                        "dtype": .type(TensorFlowType(parameter.type.dtype)),
                        "shape": .shape(parameter.type.shape.dimensions),
                        "shared_name": .text(node),
                    ]))
        }
        for input in inputs {
            nodes.append(
                TensorFlowNode(
                    Self.placeholder(input), "Placeholder", [],
                    [
                        "dtype": .type(TensorFlowType(input.dtype)),
                        "shape": .shape(input.dimensions.tensorFlowShape),
                    ]))
        }
        nodes.append(
            TensorFlowNode(
                Self.call, "StatefulPartitionedCall", inputs.map(Self.placeholder) + variableNodes,
                [
                    "Tin": .types(
                        inputs.map { TensorFlowType($0.dtype) } + variableNodes.map { _ in .resource }),
                    "Tout": .types(outputs.map { TensorFlowType($0.dtype) }),
                    "f": .function(Self.functionName),
                ]))
        nodes.append(TensorFlowNode(Self.initializing, "NoOp"))
        nodes.append(
            TensorFlowNode(
                Self.fileName, "Placeholder", [], ["dtype": .type(.string), "shape": .shape([])]))
        if !model.parameters.isEmpty { nodes += transfers(types) }
        nodes.append(
            TensorFlowNode(
                Self.restoring, "NoOp", variableNodes.indices.map { "^\(Self.restoring)/assign_\($0)" }))
        nodes.append(
            TensorFlowNode(
                Self.saving, "Identity",
                [Self.fileName] + (model.parameters.isEmpty ? [] : ["^\(Self.saving)/write"]),
                ["T": .type(.string)]))
        return nodes
    }

    /// From the bundle into the variables, and back.
    private func transfers(_ types: [TensorFlowType]) -> [TensorFlowNode] {
        let keys = model.parameters.map { ObjectGraph.checkpointKey($0.path) }
        func texts(_ name: String, _ values: [String]) -> TensorFlowNode {
            TensorFlowNode(name, "Const", [], ["value": .textTensor(values), "dtype": .type(.string)])
        }
        var nodes = [texts("save/names", keys), texts("save/slices", keys.map { _ in "" })]
        nodes.append(
            TensorFlowNode(
                "restore_all/read", "RestoreV2", [Self.fileName, "save/names", "save/slices"],
                ["dtypes": .types(types)]))
        for (index, (node, type)) in zip(variableNodes, types).enumerated() {
            nodes.append(
                TensorFlowNode(
                    "restore_all/assign_\(index)", "AssignVariableOp",
                    [node, "restore_all/read:\(index)"], ["dtype": .type(type)]))
            nodes.append(
                TensorFlowNode("save/read_\(index)", "ReadVariableOp", [node], ["dtype": .type(type)]))
        }
        nodes.append(
            TensorFlowNode(
                "save/write", "SaveV2",
                [Self.fileName, "save/names", "save/slices"] + types.indices.map { "save/read_\($0)" },
                ["dtypes": .types(types)]))
        return nodes
    }

    // MARK: The file

    /// The SavedModel message.
    func encoded() throws -> [UInt8] {
        var message = ProtobufWriter()
        message.integer(1, 1)  // the schema's version
        try message.message(2) { meta in
            meta.message(1) { info in
                for (key, text) in model.metadata.sorted(by: { $0.key < $1.key }) {
                    info.message(8) {
                        $0.string(1, "spindle/\(key)")
                        $0.string(2, text)
                    }
                }
                info.string(4, "serve")
                info.string(5, "2.21.0")
                info.bool(7, true)  // attributes with default values are left out
            }
            try meta.message(2) { graph in
                for node in nodes() { try graph.message(1) { try node.encode(to: &$0) } }
                try graph.message(2) { try $0.message(1) { try function.encode(to: &$0) } }
                graph.message(4) {
                    $0.integer(1, 1882)  // the graph version of TensorFlow 2.17
                    $0.integer(2, 12)
                }
            }
            meta.message(3) { saver in
                saver.string(1, "\(Self.fileName):0")
                saver.string(2, "\(Self.saving):0")
                saver.string(3, Self.restoring)
                saver.integer(7, 2)  // tensor bundles
            }
            encodeSignatures(to: &meta)
            meta.message(7) {
                objects.encode(inputs: inputs, outputs: outputs, function: Self.functionName, to: &$0)
            }
        }
        return message.bytes
    }

    private func encodeSignatures(to meta: inout ProtobufWriter) {
        func info(_ port: InferenceModel.Port, _ tensor: String, _ message: inout ProtobufWriter) {
            message.string(1, tensor)
            message.integer(2, TensorFlowType(port.dtype).rawValue)
            message.message(3) { TensorFlowType.encode(port.dimensions.tensorFlowShape, to: &$0) }
        }
        meta.entry(5, ObjectGraph.signatureName) { signature in
            for input in inputs {
                signature.entry(1, input.name) { info(input, "\(Self.placeholder(input)):0", &$0) }
            }
            for (index, output) in outputs.enumerated() {
                signature.entry(2, output.name) { info(output, "\(Self.call):\(index)", &$0) }
            }
            signature.string(3, "tensorflow/serving/predict")
        }
        meta.entry(5, "__saved_model_init_op") { signature in
            signature.entry(2, "__saved_model_init_op") {
                $0.string(1, Self.initializing)
                $0.message(3) { $0.bool(3, true) }  // of no rank
            }
        }
    }
}
