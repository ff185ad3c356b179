// The presets as StableHLO with an open batch size, for XLA to run: see deploy/interop/stablehlo.py.
import Linen
import TensorEngine
import TestSupport
import Testing

/// A preset, and an input for a batch of some size.
private struct Preset: Sendable, CustomTestStringConvertible {
    let name: String
    let make: @Sendable () -> any Layer<Tensor, Tensor>
    /// The shape of one example.
    let shape: [Int]
    /// For tokens, how many kinds there are.
    var vocabulary: Int?

    var testDescription: String { name }

    func input(_ batchSize: Int) throws -> Tensor {
        let shape = Shape([batchSize] + shape)
        let key = try PRNGKey(seed: batchSize)
        guard let vocabulary else { return try key.normal(shape) }
        return try key.randint(shape, low: 0, high: vocabulary)
    }
}

private let presets: [Preset] =
    [
        Preset(name: "MLP", make: { MLP(features: [16, 10]) }, shape: [20]),
        Preset(
            name: "CNN", make: { CNN(classes: 10, features: [4, 6], denseFeatures: [12]) },
            shape: [12, 12, 1]),
        Preset(
            name: "ResNet", make: { ResNet(classes: 5, stageSizes: [1, 1], filters: 4) }, shape: [16, 16, 3]),
        Preset(
            name: "bottleneck ResNet",
            make: { ResNet(classes: 5, stageSizes: [1, 1], filters: 4, bottleneck: true, stem: .small) },
            shape: [8, 8, 3]),
        Preset(
            name: "TransformerLM",
            make: {
                TransformerLM(vocabulary: 11, layers: 2, heads: 2, features: 8, mlpFeatures: 16, longest: 12)
            }, shape: [9], vocabulary: 11),
        Preset(name: "Autoencoder", make: { Autoencoder(features: [12, 4]) }, shape: [5, 5]),
        Preset(name: "VariationalAutoencoder", make: { VAE(features: [12], latents: 3) }, shape: [5, 5]),
    ]
    + RecurrentLM.Cell.allCases.map { cell in
        Preset(
            name: "RecurrentLM of \(cell)",
            make: { RecurrentLM(vocabulary: 11, cell: cell, hidden: 8, layers: 2) },
            shape: [7], vocabulary: 11)
    }

@Suite struct PresetStableHLOTests {
    @Test("a preset has StableHLO for any batch size", arguments: presets)
    fileprivate func anyBatchSize(preset: Preset) throws {
        var cases = StableHLOCaseFile("preset")
        try add(preset, to: &cases, batchSizes: [2])
        #expect(cases.count == 1)
    }

    @Test("presets are written for XLA", .enabled(if: StableHLOCaseFile.folder != nil))
    func casesForXLA() throws {
        var cases = StableHLOCaseFile("presets")
        for preset in presets { try add(preset, to: &cases, batchSizes: [1, 5, 64]) }
        try cases.write()
        print("stablehlo: \(cases.count) presets")
    }

    /// The parameters are arguments before the input, as they are in a SavedModel.
    private func add(_ preset: Preset, to cases: inout StableHLOCaseFile, batchSizes: [Int]) throws {
        let model = preset.make()
        let variables = try model.initialize(PRNGKey(seed: 0), preset.input(2), training: false)
        func run(_ tensors: [Tensor]) throws -> [Tensor] {
            [
                try model.apply(
                    variables.replacingLeaves(Array(tensors.dropLast())), tensors[tensors.count - 1],
                    training: false)
            ]
        }
        let program = try BatchPolymorphicProgram { batchSize in
            try makeProgram(run, variables.leaves + [preset.input(batchSize)])
        }
        let text = try program.stableHLO(name: "model", inputNames: variables.paths)
        for batchSize in batchSizes {
            let operands = try variables.leaves + [preset.input(batchSize)]
            cases.add(
                "\(preset.name) ×\(batchSize)", text: text, inputs: try operands.map { try $0.caseArray },
                outputs: try run(operands).map { try $0.caseArray }, relative: 1e-5, absolute: 1e-5)
        }
    }
}
