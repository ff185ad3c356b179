// TensorFlow's SavedModel: a folder that TensorFlow, its Serving, TF Lite's and TF.js's converters load.
// https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/protobuf/saved_model.proto and meta_graph.proto
import TensorEngine

/// Writes models as SavedModels.
///
/// A model becomes the signature `serving_default` with its named inputs and outputs. Parameters are variables with their Flax
/// paths, and are restored by name: by TensorFlow 2 (`tf.saved_model.load(folder).signatures["serving_default"]`, whose
/// variables are at `loaded.params.Dense_0.kernel`) and by TensorFlow 1's loader, which Serving has.
public enum SavedModel {
    /// What the graph computes with.
    public enum Operations: String, Sendable, CaseIterable {
        /// TensorFlow's own operations (MatMul, Conv2D, …), which TF Lite and TF.js need. Loops are unrolled.
        case native
        /// One `XlaCallModule` with the StableHLO text of the model: everything that Spindle computes, for TensorFlow and Serving.
        case stablehlo
    }

    /// Writes a folder, which must not exist: `saved_model.pb`, `variables/variables.index` and
    /// `variables/variables.data-00000-of-00001`. Parameters are written one after the other; none is copied.
    ///
    /// - Throws: `SerializationError` and `TensorError` for operations that TensorFlow does not have, with their name and module
    ///   path; `CheckpointError` where the folder exists or cannot be written.
    public static func write(
        _ model: InferenceModel, to folder: String, ops: Operations = .native
    ) throws {
        let contents = try SavedModelContents(model, ops)
        try makeFolder(folder)
        try makeFolder("\(folder)/variables")
        let data = try CheckpointFile(creating: "\(folder)/variables/variables.data-00000-of-00001")
        var bundle = TensorBundle(data: CheckpointFileSink(file: data))
        for parameter in model.parameters {
            try bundle.append(ObjectGraph.checkpointKey(parameter.path), parameter)
        }
        try bundle.append(ObjectGraph.checkpointEntry, text: contents.objects.trackable())
        _ = try data.finish()
        try writeFile("\(folder)/variables/variables.index", bundle.index())
        try writeFile("\(folder)/saved_model.pb", try contents.encoded())
    }
}
