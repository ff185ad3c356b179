// Convolution layers from the module specs of golden cases.
import JobSpec
import Linen
import TensorEngine

extension SpecModule {
    static func convolution(_ type: String, _ arguments: JSONValue, name: String?) throws -> any Layer<
        Tensor, Tensor
    > {
        let common: Set = [
            "features", "kernel_size", "strides", "padding", "kernel_dilation", "use_bias", "mask", "dtype",
            "param_dtype", "kernel_init", "bias_init",
        ]
        let own: [String: Set<String>] = [
            "Conv": ["input_dilation", "feature_group_count"], "ConvLocal": ["input_dilation"],
            "ConvTranspose": ["transpose_kernel"],
        ]
        for key in arguments.objectValue?.keys ?? []
        where !common.contains(key) && own[type]?.contains(key) != true {
            throw NotBuilt("\(type)(\(key):)")
        }
        let sizes = try arguments.member("kernel_size")
        let kernel = sizes.integers ?? sizes.intValue.map { [$0] } ?? []
        // A number counts for every dimension.
        func list(_ key: String) -> [Int]? {
            arguments[key].flatMap { value in
                value.integers ?? value.intValue.map { Array(repeating: $0, count: kernel.count) }
            }
        }
        let features = try arguments.member("features").intValue ?? 0
        let padding = try ConvPadding(arguments["padding"], rank: kernel.count)
        let useBias = arguments["use_bias"]?.boolValue ?? true
        let mask = try arguments["mask"]?.tensor()
        let dtype = try arguments["dtype"]?.dtype()
        let paramDType = try arguments["param_dtype"]?.dtype() ?? .float32
        let kernelInitializer = try arguments["kernel_init"]?.initializer() ?? .lecunNormal()
        let biasInitializer = try arguments["bias_init"]?.initializer() ?? .zeros
        switch type {
        case "Conv":
            return Conv(
                features: features, kernelSize: kernel, strides: list("strides"), padding: padding,
                inputDilation: list("input_dilation"), kernelDilation: list("kernel_dilation"),
                featureGroupCount: arguments["feature_group_count"]?.intValue ?? 1, useBias: useBias,
                mask: mask, dtype: dtype, paramDType: paramDType, kernelInitializer: kernelInitializer,
                biasInitializer: biasInitializer, name: name)
        case "ConvLocal":
            return ConvLocal(
                features: features, kernelSize: kernel, strides: list("strides"), padding: padding,
                inputDilation: list("input_dilation"), kernelDilation: list("kernel_dilation"),
                useBias: useBias, mask: mask, dtype: dtype, paramDType: paramDType,
                kernelInitializer: kernelInitializer, biasInitializer: biasInitializer, name: name)
        default:
            return ConvTranspose(
                features: features, kernelSize: kernel, strides: list("strides"), padding: padding,
                kernelDilation: list("kernel_dilation"), useBias: useBias, mask: mask,
                transposeKernel: arguments["transpose_kernel"]?.boolValue ?? false, dtype: dtype,
                paramDType: paramDType, kernelInitializer: kernelInitializer,
                biasInitializer: biasInitializer, name: name)
        }
    }
}

extension ConvPadding {
    /// A name, a number, or pairs; SAME without.
    init(_ json: JSONValue?, rank: Int) throws {
        switch json?.stringValue {
        case "SAME": self = .same
        case "VALID": self = .valid
        case "CIRCULAR": self = .circular
        case "REFLECT": self = .reflect
        case "CAUSAL": self = .causal
        case nil:
            if let amount = json?.intValue {
                self = .explicit(amount, rank: rank)
            } else if json != nil, case .explicit(let pairs) = try WindowPadding(json) {
                self = .explicit(pairs)
            } else {
                self = .same
            }
        case let name?: throw NotBuilt("padding \(name)")
        }
    }
}
