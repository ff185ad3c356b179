// An operator graph as nodes of a TensorFlow function: what the operators share. The operators are in TensorFlowOperators.swift.
import TensorEngine

/// Collects the nodes of a function. Values are named as functions name them: `node:output:0`.
struct TensorFlowGraph {
    let graph: OperatorGraph
    private(set) var nodes: [TensorFlowNode] = []
    private var references: [OperatorGraph.Value: String] = [:]
    private var names = UniqueNames()
    /// Constants of numbers, such as axes, which many nodes share.
    private var numberConstants: [[Int]: String] = [:]
    private var scalarNumberConstants: [Int: String] = [:]
    private var shapeVectors: [[SymbolicDimension]: String] = [:]
    private var batchSize: String?
    /// The node that is being mapped, for names and errors.
    private(set) var current: OperatorGraph.Node?

    /// - Parameter inputs: what the graph's inputs are called in the function.
    init(_ graph: OperatorGraph, inputs: [String]) throws {
        self.graph = graph
        for (value, name) in zip(graph.inputs, inputs) {
            references[value] = name
            _ = names.make(name)
        }
        for (value, tensor) in graph.constants {
            references[value] = add(
                "Const", "output", [],
                ["value": .tensor(tensor), "dtype": .type(TensorFlowType(tensor.dtype))])
        }
        for node in graph.nodes {
            current = node
            references[node.output] = try map(node)
        }
        current = nil
    }

    func reference(_ value: OperatorGraph.Value) throws -> String {
        guard let reference = references[value] else {
            throw SerializationError(
                .structure, "SavedModel", expected: "value \(value.index) to be defined", got: "no node")
        }
        return reference
    }

    /// Adds a node, and names its first output.
    mutating func add(
        _ operation: String, _ output: String, _ inputs: [String],
        _ attributes: KeyValuePairs<String, TensorFlowNode.Attribute>
    ) -> String {
        let name = names.make(current.map { "\($0.path)/\(operation)" } ?? operation)
        nodes.append(TensorFlowNode(name, operation, inputs, attributes))
        return "\(name):\(output):0"
    }

    func refusal(_ what: String) -> SerializationError {
        SerializationError(
            .unsupported, "SavedModel", path: current?.path ?? "",
            expected: "operations that TensorFlow has itself",
            got: "\(current?.primitive ?? ""): \(what)", fix: "Write the model with ops stablehlo.")
    }

    // MARK: Numbers and sizes

    /// An int32 vector.
    mutating func constant(_ numbers: [Int]) throws -> String {
        if let known = numberConstants[numbers] { return known }
        let reference = add(
            "Const", "output", [],
            ["value": .tensor(try Tensor(try numbers.map(int32))), "dtype": .type(.int32)])
        numberConstants[numbers] = reference
        return reference
    }

    /// An int32 scalar.
    mutating func constant(_ number: Int) throws -> String {
        if let known = scalarNumberConstants[number] { return known }
        let reference = add(
            "Const", "output", [], ["value": .tensor(try Tensor(int32(number))), "dtype": .type(.int32)])
        scalarNumberConstants[number] = reference
        return reference
    }

    private func int32(_ number: Int) throws -> Int32 {
        guard let short = Int32(exactly: number) else { throw refusal("the size \(number)") }
        return short
    }

    /// Sizes as an int32 vector.
    mutating func vector(_ dimensions: [SymbolicDimension]) throws -> String {
        if dimensions.allSatisfy(\.isStatic) { return try constant(dimensions.map(\.fixed)) }
        if let known = shapeVectors[dimensions] { return known }
        let sizes = try dimensions.map { try scalar($0) }
        let reference = add(
            "Pack", "output", sizes, ["N": .integer(sizes.count), "T": .type(.int32), "axis": .integer(0)])
        shapeVectors[dimensions] = reference
        return reference
    }

    /// A size as an int32 scalar.
    mutating func scalar(_ size: SymbolicDimension) throws -> String {
        if let number = size.staticSize { return try constant(number) }
        var reference = try batch()
        if size.perBatch != 1 {
            reference = add("Mul", "z", [reference, try constant(size.perBatch)], ["T": .type(.int32)])
        }
        if size.fixed != 0 {
            reference = add("AddV2", "z", [reference, try constant(size.fixed)], ["T": .type(.int32)])
        }
        return reference
    }

    /// The batch size, read from an input that has it.
    private mutating func batch() throws -> String {
        if let batchSize { return batchSize }
        for value in graph.inputs {
            let type = graph.type(of: value)
            guard let axis = type.dimensions.firstIndex(of: SymbolicDimension(fixed: 0, perBatch: 1)) else {
                continue
            }
            let shape = add(
                "Shape", "output", [try reference(value)],
                ["T": .type(TensorFlowType(type.dtype)), "out_type": .type(.int32)])
            let reference = add(
                "StridedSlice", "output",
                [shape, try constant([axis]), try constant([axis + 1]), try constant([1])],
                ["T": .type(.int32), "Index": .type(.int32), "shrink_axis_mask": .integer(1)])
            batchSize = reference
            return reference
        }
        throw refusal("a size that depends on the batch, without an input that has it")
    }
}
