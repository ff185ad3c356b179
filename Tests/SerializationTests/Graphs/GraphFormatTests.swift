// What SavedModel and ONNX refuse, and how they write. That real software loads what they write is for deploy/interop to say.
import Foundation
import TensorEngine
import TestSupport
import Testing

@testable import Serialization

@Suite("Graph formats")
struct GraphFormatTests {
    /// A dense layer of so many outputs, and what stands behind it.
    private func model(
        width: Int = 3, inputs: [String] = ["x"], outputs: [String] = ["y"],
        then: (Tensor) throws -> Tensor = { $0 }
    ) throws -> InferenceModel {
        let kernel = try ones([4, width])
        return try InferenceModel(
            name: "dense", variables: ["params": ["Dense_0": ["kernel": .tensor(kernel)]]],
            inputs: inputs.map { .init($0, .float32, [4]) }, outputs: outputs
        ) { variables, x in
            [try then(try matmul(x[0], variables.tensor(at: "params/Dense_0/kernel")))]
        }
    }

    private func sorting() throws -> InferenceModel {
        try model { x in
            try ModulePath.$current.withValue("/Encoder_0/Sort_1") {
                try argsort(x, axis: -1).astype(.float32)
            }
        }
    }

    @Test("an operation without a counterpart is refused with its name and its module path")
    func refusal() throws {
        let folder = try TemporaryFolder()
        let native = #expect(throws: TensorError.self) {
            try SavedModel.write(sorting(), to: folder.path("native"), ops: .native)
        }
        #expect(native?.path == "/Encoder_0/Sort_1")
        #expect(native?.operation == "argsort")
        #expect(native?.description.contains("stablehlo") == true)
        #expect(throws: TensorError.self) { try ONNXModel.write(sorting(), to: folder.path("model.onnx")) }
        // Nothing is left of what could not be written.
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
        try SavedModel.write(sorting(), to: folder.path("stablehlo"), ops: .stablehlo)
    }

    @Test(
        "an operation that TensorFlow has and ONNX does not is refused by ONNX, with its name and module path"
    )
    func refusedByONNX() throws {
        let folder = try TemporaryFolder()
        let written = try model { x in try ModulePath.$current.withValue("/Gamma_0") { try lgamma(x) } }
        try SavedModel.write(written, to: folder.path("native"), ops: .native)
        let error = #expect(throws: SerializationError.self) {
            try ONNXModel.write(written, to: folder.path("model.onnx"))
        }
        #expect(error?.path == "/Gamma_0")
        #expect(error?.got.contains("lgamma") == true)
    }

    @Test(
        "names that other languages could not use as arguments are refused",
        arguments: ["", "2x", "a b", "ä"])
    func names(_ name: String) {
        #expect(throws: SerializationError.self) { try model(inputs: [name]) }
        #expect(throws: SerializationError.self) { try model(outputs: [name]) }
    }

    @Test("inputs and outputs of one name: of the same kind refused at once, across kinds by ONNX alone")
    func repeatedNames() throws {
        #expect(throws: SerializationError.self) { try model(inputs: ["x", "x"]) }
        let folder = try TemporaryFolder()
        let written = try model(inputs: ["x"], outputs: ["x"])
        try SavedModel.write(written, to: folder.path("native"))
        let error = #expect(throws: SerializationError.self) {
            try ONNXModel.write(written, to: folder.path("model.onnx"))
        }
        #expect(error?.got == "'x'")
    }

    @Test("a loop that is too long to unroll is refused, with what to do")
    func longLoop() throws {
        let written = try model { x in
            try foriLoop(0, 100_000, { _, x in try tanh(x) }, initial: x)
        }
        let error = #expect(throws: TensorError.self) { try written.program.operatorGraph() }
        #expect(error?.description.contains("shorter sequences") == true)
    }

    @Test("a folder that exists is left as it is")
    func existingFolder() throws {
        let folder = try TemporaryFolder()
        #expect(throws: CheckpointError.self) { try SavedModel.write(model(), to: folder.path) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }

    @Test("the files of a SavedModel have the names that TensorFlow looks for")
    func fileNames() throws {
        let folder = try TemporaryFolder()
        try SavedModel.write(model(), to: folder.path("m"))
        let names = try FileManager.default.subpathsOfDirectory(atPath: folder.path("m")).sorted()
        #expect(
            names == [
                "saved_model.pb", "variables", "variables/variables.data-00000-of-00001",
                "variables/variables.index",
            ])
    }

    @Test("an ONNX file is as long as it says, and what is in memory of it does not grow with the parameters")
    func streaming() throws {
        func written(_ width: Int) throws -> RecordingSink {
            let contents = try ONNXContents(model(width: width))
            var sink = RecordingSink()
            try contents.write(to: &sink)
            #expect(sink.bytes.count == contents.byteCount)
            return sink
        }
        let (small, large) = (try written(3), try written(30_000))
        #expect(large.bytes.count - small.bytes.count > 4 * 4 * 29_000)
        // Lengths and sizes take a few bytes more.
        #expect(large.plainByteCount - small.plainByteCount < 32)
    }

    @Test("the same model is written with the same bytes")
    func sameBytes() throws {
        let contents = try (SavedModelContents(model(), .native), SavedModelContents(model(), .native))
        #expect(try contents.0.encoded() == contents.1.encoded())
    }
}
