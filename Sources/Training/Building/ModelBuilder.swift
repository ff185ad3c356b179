// Models of a spec as linen modules.
import JobSpec
import Linen
import TensorEngine

/// A model as training sees it: from a batch of inputs to a batch of outputs.
typealias Model = any Layer<Tensor, Tensor>

struct ModelBuilder {
    /// What "auto" stands for where a number of tokens is asked for.
    let vocabulary: Int?

    /// The module that a spec names.
    func model(_ spec: ModuleSpec) throws -> Model {
        let arguments = spec.arguments
        let name = arguments.optionalText("name")
        switch spec.name {
        case "Dense":
            return Dense(
                features: try arguments.integer("features"), useBias: try arguments.boolean("use_bias"),
                kernelInitializer: try initializer(try arguments.spec("kernel_init")),
                biasInitializer: try initializer(try arguments.spec("bias_init")), name: name)
        case "Sequential":
            return Sequential(try arguments.specs("layers").map(step), name: name)
        case "MLP":
            return MLP(
                features: try arguments.integers("features"),
                activation: try activation(try arguments.spec("activation")),
                name: name)
        default: throw ModelBuilder.unbuilt(spec)
        }
    }

    private func step(_ spec: TypedSpec) throws -> Sequential.Step {
        guard spec.kind == .activation else { return .module(try model(spec)) }
        let function = try activation(spec)
        return .function { try function($0) }
    }

    /// An activation function.
    func activation(_ spec: TypedSpec) throws -> Activation {
        let arguments = spec.arguments
        switch spec.name {
        case "leaky_relu": return .leakyReLU(negativeSlope: try arguments.number("negative_slope"))
        case "elu": return .elu(alpha: try arguments.number("alpha"))
        case "gelu": return .gelu(approximate: try arguments.boolean("approximate"))
        case "softmax": return .softmax(axis: try arguments.integer("axis"))
        case "log_softmax": return .logSoftmax(axis: try arguments.integer("axis"))
        default:
            guard let activation = Activation.byName[spec.name] else { throw ModelBuilder.unbuilt(spec) }
            return activation
        }
    }

    /// An initializer of parameters.
    func initializer(_ spec: InitializerSpec) throws -> Initializer {
        let arguments = spec.arguments
        switch spec.name {
        case "zeros": return .zeros
        case "ones": return .ones
        case "constant": return .constant(try arguments.number("value"))
        case "normal": return .normal(stddev: try arguments.number("stddev"))
        case "uniform": return .uniform(scale: try arguments.number("scale"))
        case "lecun_normal": return .lecunNormal()
        case "lecun_uniform": return .lecunUniform()
        case "he_normal": return .heNormal()
        case "he_uniform": return .heUniform()
        case "glorot_normal": return .glorotNormal()
        case "glorot_uniform": return .glorotUniform()
        case "variance_scaling":
            guard let fan = Initializer.Fan(rawValue: try arguments.text("mode")),
                let distribution = Initializer.Distribution(rawValue: try arguments.text("distribution"))
            else { throw ModelBuilder.unbuilt(spec) }
            return .varianceScaling(try arguments.number("scale"), fan, distribution)
        default: throw ModelBuilder.unbuilt(spec)
        }
    }

    private static func unbuilt(_ spec: TypedSpec) -> SpecErrors {
        SpecErrors(problems: [
            spec.problem("unsupported", "\(spec.kind.rawValue) \(spec.name) has no implementation")
        ])
    }
}
