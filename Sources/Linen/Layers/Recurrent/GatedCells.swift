// Recurrent cells whose carry is one tensor: gated units, and the simple cell.
import TensorEngine

/// A step of a gated recurrent unit:
///
/// ```
/// r, z = gate(ir x + hr h), gate(iz x + hz h);  n = activation(in x + r · (hn h))
/// h' = (1 - z) · n + z · h
/// ```
///
/// Submodules: `ir`, `iz`, `in` with kernel and bias, `hr`, `hz` with a kernel, `hn` with kernel and bias.
public final class GRUCell: Module, RecurrentCell {
    private let configuration: CellConfiguration
    public var featureAxisCount: Int { 1 }

    /// - Parameters:
    ///   - recurrentInitializer: for the kernels of the last output.
    ///   - dtype: the type to compute in; nil: what inputs and parameters promote to.
    ///   - carryInitializer: makes the first carry.
    public init(
        features: Int, gate: Activation = .sigmoid, activation: Activation = .tanh,
        kernelInitializer: Initializer = .lecunNormal(), recurrentInitializer: Initializer = .orthogonal(),
        biasInitializer: Initializer = .zeros, dtype: DType? = nil, paramDType: DType = .float32,
        carryInitializer: Initializer = .zeros, name: String? = nil
    ) {
        configuration = CellConfiguration(
            features: features, gate: gate, activation: activation, kernelInitializer: kernelInitializer,
            recurrentInitializer: recurrentInitializer, biasInitializer: biasInitializer, dtype: dtype,
            paramDType: paramDType, carryInitializer: carryInitializer)
        super.init(name: name)
    }

    public func forward(_ h: Tensor, _ x: Tensor) throws -> (carry: Tensor, output: Tensor) {
        let width = try CellConfiguration.width(h, of: className)
        func input(_ part: String) throws -> Tensor {
            try configuration.input("i" + part, useBias: true, features: width)(x)
        }
        func recurrent(_ part: String, useBias: Bool = false) throws -> Tensor {
            try configuration.recurrent("h" + part, useBias: useBias, features: width)(h)
        }
        let reset = try configuration.gate(input("r") + recurrent("r"))
        let update = try configuration.gate(input("z") + recurrent("z"))
        let candidate = try configuration.activation(input("n") + reset * recurrent("n", useBias: true))
        let next = try (1.0 - update) * candidate + update * h
        return (next, next)
    }

    public func initializeCarry(_ key: PRNGKey, inputShape: Shape) throws -> Tensor {
        try configuration.carry(key, inputShape: inputShape)
    }
}

/// A step of a minimal gated unit:
///
/// ```
/// f = gate(if x + hf h);  n = activation(in x + f · (hn h))
/// h' = (1 - f) · n + f · h
/// ```
///
/// Submodules: `if`, `in` with kernel and bias, `hf` with a kernel, `hn` with a kernel and, with `resetGate`, a bias. Without
/// `resetGate`, `hn h` is not multiplied by f.
public final class MGUCell: Module, RecurrentCell {
    public let resetGate: Bool
    private let configuration: CellConfiguration
    private let forgetBiasInitializer: Initializer
    public var featureAxisCount: Int { 1 }

    /// - Parameters:
    ///   - recurrentInitializer: for the kernels of the last output.
    ///   - forgetBiasInitializer: for the bias of `if`.
    ///   - activationBiasInitializer: for the biases of `in` and `hn`.
    ///   - dtype: the type to compute in; nil: what inputs and parameters promote to.
    ///   - carryInitializer: makes the first carry.
    public init(
        features: Int, gate: Activation = .sigmoid, activation: Activation = .tanh,
        kernelInitializer: Initializer = .lecunNormal(), recurrentInitializer: Initializer = .orthogonal(),
        forgetBiasInitializer: Initializer = .ones, activationBiasInitializer: Initializer = .zeros,
        dtype: DType? = nil, paramDType: DType = .float32, carryInitializer: Initializer = .zeros,
        resetGate: Bool = true, name: String? = nil
    ) {
        self.resetGate = resetGate
        self.forgetBiasInitializer = forgetBiasInitializer
        configuration = CellConfiguration(
            features: features, gate: gate, activation: activation, kernelInitializer: kernelInitializer,
            recurrentInitializer: recurrentInitializer, biasInitializer: activationBiasInitializer,
            dtype: dtype, paramDType: paramDType, carryInitializer: carryInitializer)
        super.init(name: name)
    }

    public func forward(_ h: Tensor, _ x: Tensor) throws -> (carry: Tensor, output: Tensor) {
        let width = try CellConfiguration.width(h, of: className)
        let forget = try configuration.gate(
            configuration.input("if", useBias: true, bias: forgetBiasInitializer, features: width)(x)
                + configuration.recurrent("hf", useBias: false, features: width)(h))
        var recurrent = try configuration.recurrent("hn", useBias: resetGate, features: width)(h)
        if resetGate { recurrent = try recurrent * forget }
        let candidate = try configuration.activation(
            configuration.input("in", useBias: true, features: width)(x) + recurrent)
        let next = try (1.0 - forget) * candidate + forget * h
        return (next, next)
    }

    public func initializeCarry(_ key: PRNGKey, inputShape: Shape) throws -> Tensor {
        try configuration.carry(key, inputShape: inputShape)
    }
}

/// A step of the simple recurrent network: `h' = activation(i x + h h)`, with `residual` `activation(i x + h h + h)`.
///
/// Submodules: `i` with kernel and bias, `h` with a kernel.
public final class SimpleCell: Module, RecurrentCell {
    public let residual: Bool
    private let configuration: CellConfiguration
    public var featureAxisCount: Int { 1 }

    /// - Parameters:
    ///   - recurrentInitializer: for the kernel of the last output.
    ///   - dtype: the type to compute in; nil: what inputs and parameters promote to.
    ///   - carryInitializer: makes the first carry.
    public init(
        features: Int, activation: Activation = .tanh, kernelInitializer: Initializer = .lecunNormal(),
        recurrentInitializer: Initializer = .orthogonal(), biasInitializer: Initializer = .zeros,
        dtype: DType? = nil, paramDType: DType = .float32, carryInitializer: Initializer = .zeros,
        residual: Bool = false, name: String? = nil
    ) {
        self.residual = residual
        configuration = CellConfiguration(
            features: features, gate: activation, activation: activation,
            kernelInitializer: kernelInitializer,
            recurrentInitializer: recurrentInitializer, biasInitializer: biasInitializer, dtype: dtype,
            paramDType: paramDType, carryInitializer: carryInitializer)
        super.init(name: name)
    }

    public func forward(_ h: Tensor, _ x: Tensor) throws -> (carry: Tensor, output: Tensor) {
        let width = try CellConfiguration.width(h, of: className)
        var sum =
            try configuration.input("i", useBias: true, features: width)(x)
            + configuration.recurrent("h", useBias: false, features: width)(h)
        if residual { sum = try sum + h }
        let next = try configuration.activation(sum)
        return (next, next)
    }

    public func initializeCarry(_ key: PRNGKey, inputShape: Shape) throws -> Tensor {
        try configuration.carry(key, inputShape: inputShape)
    }
}
