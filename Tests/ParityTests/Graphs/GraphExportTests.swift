// Exports for real software to judge: deploy/interop/graphs.py reads what this writes.
import Foundation
import Serialization
import TensorEngine
import Testing

@Suite("Exports of graphs")
struct GraphExportTests {
    /// Where to write, from the environment.
    private static let folder = ProcessInfo.processInfo.environment["SPINDLE_GRAPH_EXPORTS"]
    private static let batchSizes = [1, 5, 64]

    @Test(
        "every preset and every module of the Flax guide is written for TensorFlow and ONNX, with inputs and outputs",
        .enabled(if: folder != nil, "SPINDLE_GRAPH_EXPORTS names no folder"))
    func writeExamples() throws {
        let folder = try #require(Self.folder)
        for example in try GraphExample.all() {
            let place = "\(folder)/\(example.name)"
            try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
            let model = try example.model()
            try SavedModel.write(model, to: "\(place)/native", ops: .native)
            try SavedModel.write(model, to: "\(place)/stablehlo", ops: .stablehlo)
            if example.hasONNX { try ONNXModel.write(model, to: "\(place)/model.onnx") }
            var arrays = NamedArrays()
            for size in Self.batchSizes {
                let x = try example.batch(size)
                arrays["\(size)/in/\(example.input.name)"] = .tensor(x)
                for (name, y) in zip(example.outputs, try example(x)) {
                    arrays["\(size)/out/\(name)"] = .tensor(y)
                }
            }
            try Data(npzSerialize(arrays)).write(to: URL(filePath: "\(place)/values.npz"))
            try Data(toBytes(example.variables)).write(to: URL(filePath: "\(place)/variables.msgpack"))
        }
    }
}
