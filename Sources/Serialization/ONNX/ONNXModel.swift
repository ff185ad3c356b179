// ONNX: one file with a graph of operations and its parameters, which onnxruntime and many others run.
import Protobuf
import TensorEngine

/// Writes models as ONNX files of opset 18, with a batch dimension named `batch`.
///
/// Parameters that the model reads are initializers under their Flax paths. Loops are unrolled; an operation that ONNX does not have is refused with
/// its name and module path.
public enum ONNXModel {
    /// The largest file that protocol buffers allow.
    private static let largestByteCount = Int(Int32.max)

    /// Writes a file, which must not exist. Parameters are written one after the other; none is copied.
    ///
    /// - Throws: `SerializationError` and `TensorError` for operations that ONNX does not have; `SerializationError` (limit) from
    ///   2 GiB on; `CheckpointError` where the file exists or cannot be written.
    public static func write(_ model: InferenceModel, to path: String) throws {
        _ = try writeFile(model, to: path)
    }

    /// `write`, with the digest of what was written.
    package static func writeFile(_ model: InferenceModel, to path: String) throws -> FileSummary {
        let contents = try ONNXContents(model)
        guard contents.byteCount <= largestByteCount else {
            throw SerializationError(
                .limit, "ONNXModel", expected: "at most \(largestByteCount) bytes, as protocol buffers have",
                got: "\(contents.byteCount)", fix: "Write a SavedModel or safetensors instead.")
        }
        let file = try CheckpointFile(creating: path)
        var sink = CheckpointFileSink(file: file)
        try contents.write(to: &sink)
        return try file.finish()
    }
}

/// A ModelProto, of which only what is not an element of a tensor is in memory.
struct ONNXContents {
    private static let intermediateVersion = 8
    private static let opset = 18

    private let model: InferenceModel
    /// The fields of the graph that are no initializers.
    private let graph: [UInt8]
    private let initializers: [(header: [UInt8], array: StateArray)]

    init(_ model: InferenceModel) throws {
        self.model = model
        let nodes = try ONNXGraph(
            try model.program.operatorGraph(),
            arguments: model.parameters.map(\.path) + model.inputs.map(\.name),
            outputs: model.outputs.map(\.name))
        // What the function does not read would only be warned about.
        let read = Set(nodes.nodes.flatMap(\.inputs))
        let parameters = model.parameters.filter { read.contains($0.path) }
            .map { ONNXInitializer(name: $0.path, type: $0.type, array: $0.value) }
        initializers = (parameters + nodes.initializers).map { ($0.header, $0.array) }
        var message = ProtobufWriter()
        for node in nodes.nodes { message.message(1) { node.encode(to: &$0) } }
        message.string(2, model.name)
        for input in model.inputs { message.message(11) { input.encodeONNX(to: &$0) } }
        for output in model.outputs { message.message(12) { output.encodeONNX(to: &$0) } }
        graph = message.bytes
    }

    /// The tag and length of an initializer, with the fields in front of its elements.
    private func prefix(_ header: [UInt8], _ array: StateArray) -> [UInt8] {
        var field = ProtobufWriter()
        field.header(5, byteCount: header.count + array.byteCount)
        return field.bytes + header
    }

    private var graphByteCount: Int {
        initializers.reduce(graph.count) {
            $0 + prefix($1.header, $1.array).count + $1.array.byteCount
        }
    }

    /// The fields of the model, up to the length of the graph.
    private var head: [UInt8] {
        var message = ProtobufWriter()
        message.integer(1, Self.intermediateVersion)
        message.string(2, "spindle")
        message.message(8) { $0.integer(2, Self.opset) }
        for (key, text) in model.metadata.sorted(by: { $0.key < $1.key }) {
            message.message(14) {
                $0.string(1, key)
                $0.string(2, text)
            }
        }
        message.header(7, byteCount: graphByteCount)
        return message.bytes
    }

    var byteCount: Int { head.count + graphByteCount }

    func write(to sink: inout some ByteSink) throws {
        try sink.write(head)
        try sink.write(graph)
        for (header, array) in initializers {
            try sink.write(prefix(header, array))
            try sink.write(0..<array.byteCount, of: array)
        }
    }
}
