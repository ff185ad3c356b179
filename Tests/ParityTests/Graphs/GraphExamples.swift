// The models whose exports real software judges: every preset, and the modules of the Flax guide.
import Linen
import Serialization
import TensorEngine

/// A model with variables that no initializer would give, so that nothing is zero by accident, and inputs for it.
struct GraphExample {
    let name: String
    let variables: FrozenDict
    let input: InferenceModel.Input
    let outputs: [String]
    /// Where ONNX has all of its operations, as TensorFlow always does.
    var hasONNX = true
    private let tokens: Int?
    private let function: (FrozenDict, Tensor) throws -> [Tensor]

    init(
        _ name: String, _ variables: FrozenDict, _ input: InferenceModel.Input, outputs: [String],
        tokens: Int? = nil, _ function: @escaping (FrozenDict, Tensor) throws -> [Tensor]
    ) throws {
        self.name = name
        var key = try PRNGKey(seed: 7)
        let kept = FrozenDict(variables.entries.filter { ["params", "batch_stats"].contains($0.key) })
        self.variables = try kept.mapLeaves { leaf in
            let keys = try key.split()
            key = keys[0]
            return try leaf + 0.1 * abs(keys[1].normal(leaf.shape))
        }
        self.input = input
        self.outputs = outputs
        self.tokens = tokens
        self.function = function
    }

    /// A module whose main call takes and returns one tensor.
    init<Model: Layer & Module>(
        _ name: String, _ model: Model, _ input: InferenceModel.Input, output: String = "output",
        tokens: Int? = nil
    ) throws where Model.Input == Tensor, Model.Output == Tensor {
        let example = try zeros(Shape([2] + input.shape.dimensions), dtype: input.dtype)
        try self.init(
            name, model.initialize(PRNGKey(seed: 3), example, training: false), input, outputs: [output],
            tokens: tokens
        ) { variables, x in
            // What becomes of running means is left.
            [try model.apply(variables, x, mutable: ["batch_stats"], training: false).output]
        }
    }

    /// The first half of a variational autoencoder: the mean and the logarithm of the variance of the code.
    static func encoder(_ name: String, _ model: VAE, _ input: InferenceModel.Input) throws -> GraphExample {
        let example = try zeros(Shape([2] + input.shape.dimensions))
        let variables = try model.initialize(PRNGKey(seed: 3), example, training: false)
        return try GraphExample(
            name, variables, input, outputs: ["mean", "logvar"]
        ) { variables, x in
            let seen = try model.apply(
                variables, x, mutable: .none, training: false, captureIntermediates: true)
            return try ["mean", "logvar"].map {
                try seen.updates.tensor(at: "intermediates/\($0)/__call__/0")
            }
        }
    }

    func model() throws -> InferenceModel {
        try InferenceModel(
            name: name, variables: variables, inputs: [input], outputs: outputs,
            metadata: ["made_by": "spindle"]
        ) { try function($0, $1[0]) }
    }

    /// An input of a batch: normally distributed, or token numbers.
    func batch(_ size: Int) throws -> Tensor {
        let shape = Shape([size] + input.shape.dimensions)
        let key = try PRNGKey(seed: size)
        guard let tokens else { return try key.normal(shape) }
        return try (key.uniform(shape) * Double(tokens)).astype(.int32)
    }

    func callAsFunction(_ x: Tensor) throws -> [Tensor] { try function(variables, x) }

    static func all() throws -> [GraphExample] {
        let image = InferenceModel.Input("image", .float32, [8, 8, 1])
        let row = InferenceModel.Input("x", .float32, [12])
        let pixels = InferenceModel.Input("pixels", .float32, [64])
        let sequence = InferenceModel.Input("tokens", .int32, [9])
        let models = [
            try GraphExample("mlp", MLP(features: [32, 16, 10]), pixels, output: "logits"),
            try GraphExample(
                "cnn", CNN(classes: 10, features: [8, 16], denseFeatures: [32]), image, output: "logits"),
            try GraphExample(
                "cnn_max", CNN(classes: 10, features: [8], denseFeatures: [], pooling: .maximum), image),
            try GraphExample(
                "resnet", ResNet(classes: 10, stageSizes: [1, 1], filters: 8, stem: .small), image),
            try GraphExample(
                "resnet_imagenet", ResNet(classes: 5, stageSizes: [1, 1], filters: 4, bottleneck: true),
                .init("image", .float32, [32, 32, 3])),
            try GraphExample(
                "transformer",
                TransformerLM(
                    vocabulary: 30, layers: 2, heads: 2, features: 16, mlpFeatures: 32, longest: 16),
                sequence, output: "logits", tokens: 30),
            try GraphExample(
                "recurrent", RecurrentLM(vocabulary: 30, hidden: 16), sequence, output: "logits", tokens: 30),
            try GraphExample(
                "recurrent_gru", RecurrentLM(vocabulary: 30, cell: .gru, hidden: 16, layers: 2), sequence,
                tokens: 30),
            try GraphExample("autoencoder", Autoencoder(features: [16, 8, 4]), pixels),
            try encoder("vae_encoder", VAE(features: [16], latents: 3), pixels),
            try GraphExample("vae", VAE(features: [16], latents: 3), pixels),
            try GraphExample("dense", Dense(features: 5), row),
            try GraphExample("explicit_mlp", ExplicitMLP(features: [3, 4, 5]), row),
            try GraphExample("simple_mlp", SimpleMLP(features: [3, 4, 5]), row),
            try GraphExample("simple_dense", SimpleDense(features: 3), row),
            try GraphExample("bias_adder", BiasAdderWithRunningMean(), row),
        ]
        return try models + operations()
    }
}
