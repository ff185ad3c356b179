// The standard workloads of `spindle bench`: what is trained, from the public modules and optimizers that jobs use.
import Linen
import Optax
import TensorEngine

/// A workload; its definition is that of the JAX peer program.
package enum Workload: String, CaseIterable, Sendable {
    case linreg
    case mlpSmall = "mlp_small"
    case mlpMNIST = "mlp_mnist"
    case mlpWide = "mlp_wide"
    case cnnMNIST = "cnn_mnist"
    case resnet20
    case gptNano = "gpt_nano"
    case gptMini = "gpt_mini"
    case lstm
}

/// Model, data, loss and optimizer of a workload.
struct WorkloadDefinition {
    let model: any Layer<Tensor, Tensor>
    let x: Tensor
    let y: Tensor
    let loss: (Tensor, Tensor) throws -> Tensor
    let optimizer: GradientTransformation
}

private func crossEntropy(_ logits: Tensor, _ labels: Tensor) throws -> Tensor {
    try mean(softmaxCrossEntropyWithIntegerLabels(logits, labels))
}

extension WorkloadDefinition {
    /// An MLP for ten classes, with Adam.
    static func classifier(_ features: [Int], inputs: Int, batch: Int) throws -> WorkloadDefinition {
        let key = try PRNGKey(seed: 0)
        return WorkloadDefinition(
            model: MLP(features: features), x: try key.normal([batch, inputs]),
            y: try key.randint([batch], low: 0, high: 10), loss: crossEntropy,
            optimizer: adam(learningRate: 1e-3))
    }
}

extension Workload {
    func definition() throws -> WorkloadDefinition {
        let key = try PRNGKey(seed: 0)
        func halfSquaredError(_ prediction: Tensor, _ y: Tensor) throws -> Tensor {
            try mean(sum(square(y - prediction), axes: [-1]) / 2)
        }
        func classifier(_ features: [Int], inputs: Int, batch: Int) throws -> WorkloadDefinition {
            try .classifier(features, inputs: inputs, batch: batch)
        }
        func images(_ model: any Layer<Tensor, Tensor>, _ shape: Shape) throws -> WorkloadDefinition {
            WorkloadDefinition(
                model: model, x: try key.normal(shape), y: try key.randint([shape[0]], low: 0, high: 10),
                loss: crossEntropy, optimizer: sgd(learningRate: 0.1, momentum: 0.9))
        }
        func language(
            _ model: any Layer<Tensor, Tensor>, vocabulary: Int, batch: Int, time: Int,
            _ optimizer: GradientTransformation
        ) throws -> WorkloadDefinition {
            let tokens = try key.randint([batch, time], low: 0, high: vocabulary)
            return WorkloadDefinition(
                model: model, x: tokens, y: tokens, loss: crossEntropy, optimizer: optimizer)
        }
        return switch self {
        case .linreg:
            WorkloadDefinition(
                model: Dense(features: 5), x: try key.normal([20, 10]), y: try key.normal([20, 5]),
                loss: halfSquaredError, optimizer: sgd(learningRate: 0.3))
        case .mlpSmall: try classifier([64, 64, 10], inputs: 64, batch: 64)
        case .mlpMNIST: try classifier([512, 512, 10], inputs: 784, batch: 128)
        case .mlpWide: try classifier([2048, 2048, 10], inputs: 1024, batch: 256)
        case .cnnMNIST: try images(CNN(classes: 10), [64, 28, 28, 1])
        case .resnet20:
            try images(
                ResNet(classes: 10, stageSizes: [3, 3, 3], filters: 16, stem: .small), [32, 32, 32, 3])
        case .gptNano:
            try language(
                GPT(vocabulary: 65, layers: 4, heads: 4, features: 128, context: 64), vocabulary: 65,
                batch: 12,
                time: 64, adamw(learningRate: 1e-3))
        case .gptMini:
            try language(
                GPT(vocabulary: 4096, layers: 6, heads: 6, features: 384, context: 256), vocabulary: 4096,
                batch: 4, time: 256, adamw(learningRate: 1e-3))
        case .lstm:
            try language(
                CharacterLSTM(), vocabulary: 64, batch: 32, time: 64, adam(learningRate: 1e-3))
        }
    }
}

/// A transformer as the peer programs have it: the blocks of `TransformerLM`, and a last layer without a bias.
private final class GPT: Module, Layer {
    private let vocabulary: Int
    private let layers: Int
    private let heads: Int
    private let features: Int
    private let context: Int

    init(vocabulary: Int, layers: Int, heads: Int, features: Int, context: Int) {
        self.vocabulary = vocabulary
        self.layers = layers
        self.heads = heads
        self.features = features
        self.context = context
        super.init(name: nil)
    }

    func forward(_ tokens: Tensor) throws -> Tensor {
        var x = try Embed(count: vocabulary, features: features)(tokens)
        x = try x + param("pos", .normal(stddev: 0.02), [context, features])
        for _ in 0..<layers { x = try TransformerBlock(heads: heads, mlpFeatures: 4 * features)(x) }
        return try Dense(features: vocabulary, useBias: false)(LayerNorm()(x))
    }
}

/// 64 kinds of tokens embedded in 128 features, an LSTM of 256, and a dense layer.
private final class CharacterLSTM: Module, Layer {
    init() { super.init(name: nil) }

    func forward(_ tokens: Tensor) throws -> Tensor {
        let x = try Embed(count: 64, features: 128)(tokens)
        return try Dense(features: 64)(RNN(OptimizedLSTMCell(features: 256))(x))
    }
}
