// A checkpoint as a file of another format.
import Foundation
import Hashing
import JobSpec
import OrderedCollections
import Serialization

package enum CheckpointExport {
    /// Writes a checkpoint as one new file; a SavedModel, which is a folder, as a tar archive.
    ///
    /// - Parameter source: its spec is null for values without a model, which can only be written as arrays.
    /// - Throws: `SpecErrors`, `TensorError` or `SerializationError` where the model cannot be expressed in the format, with its place;
    ///   `CheckpointError` where a file cannot be read or written.
    package static func writeFile(
        _ source: TrainedModel.Source, _ options: ExportOptions, to output: String
    ) throws -> FileSummary {
        guard !options.format.isProgram || !source.spec.isNull else {
            throw SpecErrors(problems: [
                SpecProblem(
                    code: "not_exportable", pointer: "?format",
                    detail:
                        "this checkpoint was imported and no job's model belongs to it; it can be had as flax-msgpack, safetensors and npz"
                )
            ])
        }
        switch options.format {
        case .flaxMsgpack:
            return try StateFile.writeMessagePack(
                try msgpackRestore(fileAt: source.statePath), to: output)
        case .safetensors:
            let (arrays, step) = try variables(source.statePath, separator: ".")
            var metadata = ["format": "flax"]
            if let step { metadata["step"] = String(step) }
            return try StateFile.writeSafeTensors(arrays, metadata: metadata, to: output)
        case .npz:
            return try StateFile.writeNPZ(try variables(source.statePath, separator: "/").arrays, to: output)
        case .savedModel:
            let folder = output + ".folder"
            defer { try? FileManager.default.removeItem(atPath: folder) }
            try writeSavedModel(source, options, to: folder)
            return try TarArchive.write(folder, to: output)
        case .onnx:
            let model = try TrainedModel(source, bakesTransforms: options.bakesTransforms)
            return try ONNXModel.writeFile(try model.inferenceModel(), to: output)
        case .stablehlo:
            let model = try TrainedModel(source, bakesTransforms: options.bakesTransforms).inferenceModel()
            let names = model.parameters.map(\.path) + model.inputs.map(\.name)
            return try StateFile.writeText(
                try model.program.stableHLO(inputNames: names), to: output)
        }
    }

    /// Writes a SavedModel as the new folder that TensorFlow loads.
    package static func writeSavedModel(
        _ source: TrainedModel.Source, _ options: ExportOptions, to folder: String
    ) throws {
        let model = try TrainedModel(source, bakesTransforms: options.bakesTransforms).inferenceModel()
        try SavedModel.write(model, to: folder, ops: options.operations == .native ? .native : .stablehlo)
    }

    /// The collections of a TrainState besides the optimizer's state, named by their paths.
    private static func variables(
        _ path: String, separator: String
    ) throws -> (arrays: NamedArrays, step: Int64?) {
        let state = try msgpackRestore(fileAt: path)
        let entries = (state.entries ?? []).filter {
            !["step", "opt_state"].contains($0.key.description)
        }
        let variables = StateDict.dictionary(entries)
        // A key that has a dot in it would be read as two.
        let hasDots = hasKey(variables) { $0.contains(".") }
        return (
            try NamedArrays(variables, separator: hasDots ? "/" : separator), state["step"]?.intValue
        )
    }

    private static func hasKey(_ state: StateDict, _ test: (String) -> Bool) -> Bool {
        (state.entries ?? []).contains { test($0.key.description) || hasKey($0.value, test) }
    }

    static func answer(_ command: ExportCommand) throws -> WrittenFile {
        guard let expected = Digest(hex: command.stateSHA256) else {
            throw WorkerProtocolError("export: \(excerpt(command.stateSHA256)) is no SHA-256")
        }
        let found = try SHA256.hash(file: command.state)
        guard found == expected else {
            throw CheckpointError.digestMismatch(path: command.state, expected: expected, got: found)
        }
        let source = TrainedModel.Source(
            spec: command.spec ?? .null, datasets: command.datasets, statePath: command.state,
            resumePath: command.resume)
        let file = try writeFile(source, command.options, to: command.output)
        return WrittenFile(sha256: file.sha256.hex, bytes: file.byteCount)
    }
}
