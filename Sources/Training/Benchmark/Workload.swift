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
}

/// Model, data, loss and optimizer of a workload.
struct WorkloadDefinition {
    let model: any Layer<Tensor, Tensor>
    let x: Tensor
    let y: Tensor
    let loss: (Tensor, Tensor) throws -> Tensor
    let optimizer: GradientTransformation
}

extension Workload {
    func definition() throws -> WorkloadDefinition {
        let key = try PRNGKey(seed: 0)
        func crossEntropy(_ logits: Tensor, _ labels: Tensor) throws -> Tensor {
            try mean(softmaxCrossEntropyWithIntegerLabels(logits, labels))
        }
        func halfSquaredError(_ prediction: Tensor, _ y: Tensor) throws -> Tensor {
            try mean(sum(square(y - prediction), axes: [-1]) / 2)
        }
        func classifier(_ features: [Int], inputs: Int, batch: Int) throws -> WorkloadDefinition {
            WorkloadDefinition(
                model: MLP(features: features), x: try key.normal([batch, inputs]),
                y: try key.randint([batch], low: 0, high: 10), loss: crossEntropy,
                optimizer: adam(learningRate: 1e-3))
        }
        return switch self {
        case .linreg:
            WorkloadDefinition(
                model: Dense(features: 5), x: try key.normal([20, 10]), y: try key.normal([20, 5]),
                loss: halfSquaredError, optimizer: sgd(learningRate: 0.3))
        case .mlpSmall: try classifier([64, 64, 10], inputs: 64, batch: 64)
        case .mlpMNIST: try classifier([512, 512, 10], inputs: 784, batch: 128)
        case .mlpWide: try classifier([2048, 2048, 10], inputs: 1024, batch: 256)
        }
    }
}
