// The model of a job with the values of a checkpoint, as others call it: inference mode, parameters by their Flax paths.
import Datasets
import JobSpec
import Linen
import OrderedCollections
import Serialization
import TensorEngine

/// A trained model as a function: no dropout, running statistics, the parameters that evaluations use.
///
/// A variational autoencoder is its encoder, which gives the mean and the logarithm of the variance of a code.
package struct TrainedModel {
    /// What one row of an input is.
    package struct Input: Sendable, Hashable {
        package let name: String
        package let dtype: DType
        /// Without the batch, which is the first dimension.
        package let shape: [Int]
    }

    /// Where everything that makes up a trained model is found.
    package struct Source: Sendable {
        /// Submitted or effective.
        package var spec: JSONValue
        /// By the references in the spec.
        package var datasets: OrderedDictionary<String, DatasetLocation>
        /// The checkpoint's TrainState.
        package var statePath: String
        /// The checkpoint's second file, with what the transforms have learned; nil to learn it again from the data.
        package var resumePath: String?

        package init(
            spec: JSONValue, datasets: OrderedDictionary<String, DatasetLocation>, statePath: String,
            resumePath: String?
        ) {
            self.spec = spec
            self.datasets = datasets
            self.statePath = statePath
            self.resumePath = resumePath
        }
    }

    package let name: String
    /// Only those that the outputs depend on. Their values stay in the checkpoint's file until they are asked for.
    package let parameters: [InferenceModel.Parameter]
    package let input: Input
    package let outputNames: [String]
    private let model: Model
    private let transforms: BakedTransforms
    /// The structure that the parameters are the leaves of.
    private let template: FrozenDict

    /// - Parameter bakesTransforms: whether the model takes the data as it is in the job's files.
    /// - Throws: `SpecErrors` where the spec has problems, or the checkpoint is another model's.
    package init(_ source: Source, bakesTransforms: Bool) throws {
        let spec = try JobSpec.decode(source.spec)
        let shape = try TrainedModel.shape(of: spec, source.datasets)
        let types = BatchTypes(shape)
        let programs = try TrainingPrograms(spec, types)
        name = spec.name
        model = programs.model
        if bakesTransforms {
            transforms = BakedTransforms(try TrainedModel.fitted(spec, source))
            // Without its transforms, a row is what it is in the file.
            var raw = spec
            raw.data.transforms = []
            let isRaw = spec.data.transforms.isEmpty || transforms.takesCharacters
            let rawShape =
                isRaw ? types.inputShape : try TrainedModel.shape(of: raw, source.datasets).inputShape
            input = Input(name: "inputs", dtype: types.inputs(rows: 1).dtype, shape: rawShape)
        } else {
            transforms = BakedTransforms()
            input = Input(name: "inputs", dtype: types.inputs(rows: 1).dtype, shape: types.inputShape)
        }
        outputNames = model is VAE ? ["mean", "logvar"] : ["outputs"]
        let all = try programs.evaluatedParameters(of: try msgpackRestore(fileAt: source.statePath))
        let needed = try TrainedModel.needed(all.template) { [model, transforms, input] variables in
            let x = try zeros(Shape([1] + input.shape), dtype: input.dtype)
            return try TrainedModel.outputs(model, transforms, variables, x)
        }
        template = TrainedModel.pruned(all.template, "", needed)
        parameters = all.parameters.filter { needed.contains($0.path) }
    }

    /// The variables with their values, in memory.
    package func variables() throws -> FrozenDict {
        try template.replacingLeaves(
            parameters.map { try NamedArrays([($0.path, $0.value)]).tensor($0.path) })
    }

    /// The outputs for a batch, one for each of `outputNames`.
    package func callAsFunction(_ variables: FrozenDict, _ x: Tensor) throws -> [Tensor] {
        try TrainedModel.outputs(model, transforms, variables, x)
    }

    /// The model traced for any batch size, as the exporters of graphs take it.
    package func inferenceModel() throws -> InferenceModel {
        try InferenceModel(
            name: name, parameters: parameters, inputs: [.init(input.name, input.dtype, Shape(input.shape))],
            outputs: outputNames
        ) { leaves, inputs in try self(try template.replacingLeaves(leaves), inputs[0]) }
    }

    private static func outputs(
        _ model: Model, _ transforms: BakedTransforms, _ variables: FrozenDict, _ x: Tensor
    ) throws -> [Tensor] {
        let x = try transforms(x)
        guard let autoencoder = model as? VAE else {
            return [try model.apply(variables, x, training: false)]
        }
        let code = try autoencoder.apply(variables, training: false) { try $0.encode(x) }
        return [code.mean, code.logVariance]
    }

    /// The paths of the variables that a function's outputs depend on: not the decoder of a variational autoencoder.
    private static func needed(
        _ variables: FrozenDict, _ function: (FrozenDict) throws -> [Tensor]
    ) throws -> Set<String> {
        let program = try makeProgram(variables.leaves.map(\.type)) { leaves in
            try function(variables.replacingLeaves(leaves))
        }
        var needed = Set(program.outputs)
        for equation in program.equations.reversed() where !needed.isDisjoint(with: equation.outputs) {
            needed.formUnion(equation.inputs)
        }
        return Set(zip(variables.paths, program.inputs).filter { needed.contains($0.1) }.map { $0.0 })
    }

    private static func pruned(_ variables: FrozenDict, _ prefix: String, _ kept: Set<String>) -> FrozenDict {
        FrozenDict(
            variables.entries.compactMap { key, value -> (String, Tree)? in
                let path = prefix.isEmpty ? key : prefix + "/" + key
                guard let inner = value.dictionary else { return kept.contains(path) ? (key, value) : nil }
                let rest = pruned(inner, path, kept)
                return rest.isEmpty ? nil : (key, .dictionary(rest))
            })
    }

    // MARK: The job's data

    private static func shape(
        of spec: JobSpec, _ datasets: OrderedDictionary<String, DatasetLocation>
    ) throws(SpecErrors) -> DataShape {
        try DataShape(spec) { (reference) throws(DatasetError) in
            try JobData.file(of: reference, in: datasets).inspect()
        }
    }

    /// The transforms as the run had them.
    private static func fitted(_ spec: JobSpec, _ source: Source) throws -> [FittedTransform] {
        if let path = source.resumePath {
            return try ResumeState.transforms(of: try msgpackRestore(fileAt: path))
        }
        return try JobData(spec, datasets: source.datasets, generate: generateData).transforms
    }
}
