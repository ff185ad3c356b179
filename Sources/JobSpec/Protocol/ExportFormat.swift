// What a checkpoint can be taken away as: the formats, and the choices that go with them. Shared by the API, the worker and the command
// line.

package enum ExportFormat: String, Sendable, Hashable, CaseIterable {
    /// The whole TrainState, as it was written.
    case flaxMsgpack = "flax-msgpack"
    /// The variables of the model, arrays by name.
    case safetensors
    case npz
    /// The model as a program with its parameters.
    case savedModel = "saved_model"
    case onnx
    case stablehlo

    /// Whether it needs the model and not only its variables.
    package var isProgram: Bool {
        switch self {
        case .flaxMsgpack, .safetensors, .npz: false
        case .savedModel, .onnx, .stablehlo: true
        }
    }

    /// Of what is sent: a SavedModel is a folder, and comes as a tar archive.
    package var mediaType: String {
        switch self {
        case .flaxMsgpack: "application/vnd.msgpack"
        case .safetensors: "application/vnd.safetensors"
        case .npz: "application/zip"
        case .savedModel: "application/x-tar"
        case .onnx: "application/onnx"
        case .stablehlo: "text/plain; charset=utf-8"
        }
    }

    package var fileExtension: String {
        switch self {
        case .flaxMsgpack: "msgpack"
        case .safetensors: "safetensors"
        case .npz: "npz"
        case .savedModel: "saved_model.tar"
        case .onnx: "onnx"
        case .stablehlo: "mlir"
        }
    }

    package var doc: String {
        switch self {
        case .flaxMsgpack: "the whole TrainState, for flax.serialization.from_bytes"
        case .safetensors: "the model's variables, for the safetensors package"
        case .npz: "the model's variables, for numpy.load"
        case .savedModel: "a TensorFlow SavedModel, with a serving_default signature for any batch size"
        case .onnx: "an ONNX model, for onnxruntime"
        case .stablehlo: "the model as StableHLO text, the parameters its first arguments"
        }
    }
}

/// The operations that a SavedModel is made of.
package enum ExportOperations: String, Sendable, Hashable, CaseIterable {
    /// One XlaCallModule: every model, the same numbers.
    case stablehlo
    /// TensorFlow's own operations, which TF Lite and TF.js need: the layers that have them.
    case native
}

/// How a checkpoint is to be exported.
package struct ExportOptions: Sendable, Hashable {
    package var format: ExportFormat
    package var operations: ExportOperations
    /// Whether the model takes the data as it was before the job's transforms.
    package var bakesTransforms: Bool

    package init(
        format: ExportFormat, operations: ExportOperations = .stablehlo, bakesTransforms: Bool = false
    ) {
        self.format = format
        self.operations = operations
        self.bakesTransforms = bakesTransforms
    }
}

extension ExportOptions {
    var json: JSONValue {
        [
            "format": .string(format.rawValue), "ops": .string(operations.rawValue),
            "bake_transforms": .bool(bakesTransforms),
        ]
    }

    init(_ reader: MessageReader) throws(WorkerProtocolError) {
        let (format, operations) = (try reader.string("format"), try reader.string("ops"))
        guard let format = ExportFormat(rawValue: format),
            let operations = ExportOperations(rawValue: operations)
        else {
            throw WorkerProtocolError(
                "\(reader.message): no format \(excerpt(format)) of ops \(excerpt(operations))")
        }
        self.init(
            format: format, operations: operations, bakesTransforms: try reader.boolean("bake_transforms"))
    }
}
