// An operator graph as nodes of an ONNX graph: what the operators share. The operators are in ONNXOperators.swift.
import TensorEngine

/// Collects nodes and the constants that they need. Values are named by the nodes that make them.
struct ONNXGraph {
    let graph: OperatorGraph
    private(set) var nodes: [ONNXNode] = []
    private(set) var initializers: [ONNXInitializer] = []
    private var references: [OperatorGraph.Value: String] = [:]
    private var names = UniqueNames()
    private var numberConstants: [[Int]: String] = [:]
    private var scalarConstants: [Scalar: String] = [:]
    private var batchSize: String?
    /// The node that is being mapped, for names and errors.
    private var current: OperatorGraph.Node?

    private struct Scalar: Hashable {
        let value: Double
        let dtype: DType
    }

    /// - Parameters:
    ///   - arguments: the names of the graph's inputs: parameters, then inputs.
    ///   - outputs: the names of the graph's outputs.
    init(_ graph: OperatorGraph, arguments: [String], outputs: [String]) throws {
        self.graph = graph
        for name in arguments + outputs where !names.take(name) {
            throw SerializationError(
                .unsupported, "ONNXModel", expected: "parameters, inputs and outputs of different names",
                got: "'\(name)'",
                fix: "ONNX has one name for each value of a graph: rename the input or output.")
        }
        for (value, name) in zip(graph.inputs, arguments) { references[value] = name }
        for (value, tensor) in graph.constants { references[value] = constant(tensor) }
        for node in graph.nodes {
            current = node
            references[node.output] = try map(node)
        }
        current = nil
        for (value, name) in zip(graph.outputs, outputs) {
            nodes.append(
                ONNXNode(operation: "Identity", inputs: [try reference(value)], output: name, attributes: []))
        }
    }

    func reference(_ value: OperatorGraph.Value) throws -> String {
        guard let reference = references[value] else {
            throw SerializationError(
                .structure, "ONNXModel", expected: "value \(value.index) to be defined", got: "no node")
        }
        return reference
    }

    /// Adds a node, and names its output.
    mutating func add(
        _ operation: String, _ inputs: [String],
        _ attributes: KeyValuePairs<String, ONNXNode.Attribute> = [:]
    ) -> String {
        let output = names.make(current.map { "\($0.path)/\(operation)" } ?? operation)
        nodes.append(
            ONNXNode(
                operation: operation, inputs: inputs, output: output,
                attributes: attributes.map { ($0.key, $0.value) }))
        return output
    }

    func refusal(_ what: String) -> SerializationError {
        SerializationError(
            .unsupported, "ONNXModel", path: current?.path ?? "", expected: "operations that ONNX has",
            got: "\(current?.primitive ?? ""): \(what)")
    }

    // MARK: Constants and sizes

    mutating func constant(_ tensor: Tensor) -> String {
        let name = names.make("constant")
        initializers.append(ONNXInitializer(name: name, type: tensor.type, array: .tensor(tensor)))
        return name
    }

    /// An int64 vector.
    mutating func constant(_ numbers: [Int]) throws -> String {
        if let known = numberConstants[numbers] { return known }
        let name = constant(try Tensor(numbers.map { Int64($0) }))
        numberConstants[numbers] = name
        return name
    }

    /// A scalar.
    mutating func scalar(_ value: Double, _ dtype: DType) throws -> String {
        let key = Scalar(value: value, dtype: dtype)
        if let known = scalarConstants[key] { return known }
        let name = constant(try full([], value, dtype: dtype))
        scalarConstants[key] = name
        return name
    }

    /// Sizes as an int64 vector.
    mutating func vector(_ dimensions: [SymbolicDimension]) throws -> String {
        if dimensions.allSatisfy(\.isStatic) { return try constant(dimensions.map(\.fixed)) }
        let sizes = try dimensions.map { try size($0) }
        return sizes.count == 1 ? sizes[0] : add("Concat", sizes, ["axis": .integer(0)])
    }

    /// A size as an int64 vector of one number.
    mutating func size(_ size: SymbolicDimension) throws -> String {
        if let number = size.staticSize { return try constant([number]) }
        var reference = try batch()
        if size.perBatch != 1 { reference = add("Mul", [reference, try constant([size.perBatch])]) }
        if size.fixed != 0 { reference = add("Add", [reference, try constant([size.fixed])]) }
        return reference
    }

    /// The batch size, read from an input that has it.
    private mutating func batch() throws -> String {
        if let batchSize { return batchSize }
        for value in graph.inputs {
            let dimensions = graph.type(of: value).dimensions
            guard let axis = dimensions.firstIndex(of: SymbolicDimension(fixed: 0, perBatch: 1)) else {
                continue
            }
            let shape = add("Shape", [try reference(value)])
            let size = add("Gather", [shape, try constant([axis])], ["axis": .integer(0)])
            batchSize = size
            return size
        }
        throw refusal("a size that depends on the batch, without an input that has it")
    }
}
