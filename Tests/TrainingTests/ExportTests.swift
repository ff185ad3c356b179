// Models as others get them: the model of every example, with baked transforms, and checkpoints in the formats of arrays.
import Datasets
import Foundation
import Hashing
import JobSpec
import Optax
import Serialization
import TensorEngine
import TestSupport
import Testing

@testable import Training

@Suite(.serialized) struct ExportTests {
    /// The folders of the tests' runs, which go with them.
    private final class Fixtures {
        var all: [RunFixture] = []
    }

    private let fixtures = Fixtures()

    /// An example after two steps, and where its checkpoint is.
    private struct Trained {
        let fixture: RunFixture
        let source: TrainedModel.Source
        let state: StateDict
        let digest: String
    }

    private func trained(_ spec: JSONValue) throws -> Trained {
        let short = spec.setting("/budget", to: ["steps": 2]).setting("/data/validation", to: nil)
            .setting("/checkpoint", to: nil).setting("/metrics", to: nil).setting("/evaluation", to: nil)
        let fixture = try RunFixture(short)
        fixtures.all.append(fixture)
        let checkpoint = try #require(try fixture.train().checkpoints.last)
        let folder = CheckpointFolder(path: checkpoint.folder)
        return Trained(
            fixture: fixture,
            source: TrainedModel.Source(
                spec: fixture.spec, datasets: fixture.datasets, statePath: folder.statePath,
                resumePath: folder.resumePath),
            state: try folder.read(stateSHA256: nil, resumeSHA256: nil).state,
            digest: checkpoint.stateSHA256)
    }

    private static func example(_ name: String) throws -> JSONValue {
        try JSONValue(parsing: Repository.bytes(Repository.example(name + ".json")))
    }

    /// A batch that the model of a source takes.
    private static func batch(_ input: TrainedModel.Input, rows: Int) throws -> Tensor {
        let shape = Shape([rows] + input.shape)
        guard input.dtype.isFloating else {
            return try PRNGKey(seed: 5).randint(shape, low: 0, high: 20)
        }
        return try PRNGKey(seed: 5).uniform(shape)
    }

    /// One row, with its batch dimension.
    private static func row(_ index: Int, of x: Tensor) throws -> Tensor {
        let type = TensorType(x.dtype, Shape([1] + x.shape.dimensions.dropFirst()))
        return try x.withUnsafeBytes { bytes in
            let range = index * type.byteCount..<(index + 1) * type.byteCount
            return try Tensor(bytes: UnsafeRawBufferPointer(rebasing: bytes[range]), type: type)
        }
    }

    @Test(
        "the model of an example is one function of any batch, whose rows do not know of each other",
        arguments: [
            "digits", "cnn", "resnet", "transformer", "recurrent", "autoencoder", "vae", "flax-basics",
        ])
    func examples(name: String) throws {
        let trained = try self.trained(try Self.example(name))
        let model = try TrainedModel(trained.source, bakesTransforms: false)
        let x = try Self.batch(model.input, rows: 3)
        let whole = try model(model.variables(), x)
        #expect(whole.count == model.outputNames.count)
        for row in 0..<3 {
            let one = try model(model.variables(), try Self.row(row, of: x))
            for (all, alone) in zip(whole, one) {
                let expected = try Self.row(row, of: all)
                #expect(try expected.elements(as: Float.self) == alone.elements(as: Float.self))
            }
        }
        let graph = try model.inferenceModel()
        #expect(graph.parameters.map(\.path) == model.parameters.map(\.path))
        #expect(graph.program.isPolymorphic)
        #expect(graph.outputs.map(\.name) == (name == "vae" ? ["mean", "logvar"] : ["outputs"]))
    }

    @Test("an export has the variables that its outputs need: running statistics, and no decoder")
    func neededVariables() throws {
        let resnet = try self.trained(try Self.example("resnet"))
        let statistics = try TrainedModel(resnet.source, bakesTransforms: false).parameters.map(\.path)
        #expect(statistics.contains("batch_stats/bn_init/mean"))
        let vae = try trained(try Self.example("vae"))
        #expect(
            Set(try TrainedModel(vae.source, bakesTransforms: false).parameters.map(\.path))
                == Set(
                    ["Dense_0", "mean", "logvar"].flatMap { ["params/\($0)/bias", "params/\($0)/kernel"] }))
    }

    @Test("a schedule-free optimizer's model is the average that evaluations use, not where it trains")
    func scheduleFree() throws {
        let spec = try Self.example("digits").setting(
            "/optimizer", to: ["type": "schedule_free_adamw", "learning_rate": 0.1])
        let trained = try self.trained(spec)
        let model = try TrainedModel(trained.source, bakesTransforms: false)
        let path = "params/Dense_0/kernel"
        let trainedAt = try NamedArrays(trained.state, separator: "/").tensor(path).doubles()
        let exported = try model.variables().tensor(at: path).doubles()
        #expect(exported != trainedAt)
        #expect(zip(exported, trainedAt).allSatisfy { abs($0 - $1) < 1 })
    }

    // MARK: Transforms

    @Test("with its transforms in front, a model takes rows as they are in the file and gives the same bits")
    func bakedNumbers() throws {
        let spec = try Self.example("digits").setting(
            "/data/transforms",
            to: [
                "standardize", ["type": "scale", "by": 0.5],
                ["type": "normalize", "mean": [0.25], "std": [2.0]],
                ["type": "reshape", "shape": [8, 8, 1]],
            ]
        ).setting("/model", to: ["type": "CNN", "num_classes": 10, "features": [4], "dense_features": [8]])
        let trained = try self.trained(spec)
        let plain = try TrainedModel(trained.source, bakesTransforms: false)
        let baked = try TrainedModel(trained.source, bakesTransforms: true)
        #expect(plain.input.shape == [8, 8, 1] && baked.input.shape == [64])

        var data = ArrayDataset(
            rows: 2, features: 64, inputs: (0..<128).map { Float($0 % 17) }, target: .classes([0, 1]))
        let raw = try Tensor((0..<128).map { Float($0 % 17) }, shape: [2, 64])
        let fitted = try ResumeState.transforms(
            of: try msgpackRestore(fileAt: try #require(trained.source.resumePath)))
        for transform in fitted { try transform.apply(to: &data) }
        guard case .float(let values) = data.inputs.values else { return }
        let expected = try plain(plain.variables(), try Tensor(values, shape: [2, 8, 8, 1]))
        let got = try baked(baked.variables(), raw)
        #expect(try got[0].elements(as: Float.self) == expected[0].elements(as: Float.self))

        // Without the resume file what the transforms have learned is learned again.
        var offline = trained.source
        offline.resumePath = nil
        let again = try TrainedModel(offline, bakesTransforms: true)
        #expect(
            try again(again.variables(), raw)[0].elements(as: Float.self) == got[0].elements(as: Float.self))
    }

    @Test("characters become tokens as the data's do, unknown ones too", arguments: [true, false])
    func bakedCharacters(hasUnknown: Bool) throws {
        let text = Array("the cat".unicodeScalars.map(\.value))
        let transform = FittedTransform.tokenize(vocabulary: Set(text).sorted(), hasUnknown: hasUnknown)
        let input = hasUnknown ? text + [0x1F600, 0x20AC, 1] : text
        var data = ArrayDataset(
            rows: input.count, inputs: DataColumn(.integer(input.map { Int32($0) }), shape: []), shift: 1,
            content: .characters)
        try transform.apply(to: &data)
        let baked = try BakedTransforms([transform, .window(length: input.count, stride: 1)])(
            try Tensor(input.map { Int32($0) }, shape: [1, input.count]))
        #expect(try baked.elements(as: Int32.self) == data.inputs.integers)
    }

    // MARK: Files

    @Test("safetensors and npz hold the variables of the checkpoint, bit for bit, without the optimizer")
    func arrayFiles() throws {
        let trained = try self.trained(try Self.example("resnet"))
        let folder = trained.fixture.folder
        let (safetensors, npz) = (folder.path("a.safetensors"), folder.path("a.npz"))
        let summary = try CheckpointExport.writeFile(
            trained.source, ExportOptions(format: .safetensors), to: safetensors)
        _ = try CheckpointExport.writeFile(trained.source, ExportOptions(format: .npz), to: npz)
        let bytes = try Repository.bytes(URL(filePath: safetensors))
        #expect(SHA256.hash(bytes) == summary.sha256)
        let (dotted, metadata) = try safetensorsRestore(bytes)
        #expect(metadata == ["format": "flax", "step": "2"])
        let slashed = try npzRestore(try Repository.bytes(URL(filePath: npz)))
        let expected = try NamedArrays(trained.state, separator: "/")
        let names = expected.names.filter { $0.hasPrefix("params/") || $0.hasPrefix("batch_stats/") }
        #expect(Set(slashed.names) == Set(names) && !names.isEmpty)
        #expect(Set(dotted.names) == Set(names.map { $0.replacing("/", with: ".") }))
        for name in names {
            let value = try expected.tensor(name).doubles()
            #expect(try slashed.tensor(name).doubles() == value)
            #expect(try dotted.tensor(name.replacing("/", with: ".")).doubles() == value)
        }
    }

    @Test("what cannot be is a problem with a code and a place")
    func problems() throws {
        let trained = try self.trained(try Self.example("digits"))
        func refusal(_ change: (inout ExportCommand) -> Void) throws -> SpecProblem {
            var command = ExportCommand(
                options: ExportOptions(format: .onnx), spec: trained.source.spec,
                datasets: trained.source.datasets, state: trained.source.statePath,
                stateSHA256: trained.digest, resume: nil,
                output: trained.fixture.folder.path("out-\(UUID().uuidString)"))
            change(&command)
            guard case .refused(let problems) = FileWork.report({ try CheckpointExport.answer(command) })
            else {
                throw SpecErrors(problems: [])
            }
            return try #require(problems.first)
        }
        let changed = try refusal { $0.stateSHA256 = String(repeating: "0", count: 64) }
        #expect(changed.code == "checkpoint_corrupt")
        let without = try refusal { $0.spec = nil }
        #expect(without.code == "not_exportable" && without.pointer == "?format")
        let other = try refusal {
            $0.spec = $0.spec?.setting("/model/features", to: [64, 32, 10])
        }
        #expect(other.code == "checkpoint_incompatible")
        #expect(other.detail.contains("Dense_1"), "\(other.detail)")
    }

    @Test("an import is checked by the worker, which says what it found or where the file is wrong")
    func imports() throws {
        let trained = try self.trained(try Self.example("digits"))
        let folder = trained.fixture.folder
        let file = folder.path("weights.npz")
        _ = try CheckpointExport.writeFile(trained.source, ExportOptions(format: .npz), to: file)
        let command = ImportCommand(input: file, maximumBytes: 1 << 30, output: folder.path("state"))
        guard case .written(let written) = FileWork.report({ try CheckpointImport.answer(command) }) else {
            Issue.record("the import was refused")
            return
        }
        #expect(written.contents["arrays"]?.intValue == 6 && written.contents["elements"]?.intValue == 8970)
        // A job starts from it: every parameter is there under its name.
        let initialized = try Initialization(
            try JobSpec.decode(
                trained.source.spec.setting("/init", to: ["checkpoint": "weights", "load": ["params"]])),
            trained.source.datasets.merging([
                "weights": DatasetLocation(path: folder.path("state"), format: "flax")
            ]) {
                $1
            })
        #expect(initialized != nil)

        let cut = try folder.write("cut.npz", Array(try Repository.bytes(URL(filePath: file)).dropLast(9)))
        let bad = ImportCommand(input: cut, maximumBytes: 1 << 30, output: folder.path("other"))
        guard case .refused(let problems) = FileWork.report({ try CheckpointImport.answer(bad) }) else {
            Issue.record("a damaged file was taken")
            return
        }
        #expect(problems.first?.code == "invalid_checkpoint")
        #expect(problems.first?.pointer.hasPrefix("#byte=") == true)
    }
}
