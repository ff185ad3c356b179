// Long short-term memory.
import TensorEngine

/// A step of long short-term memory:
///
/// ```
/// i, f, o = gate(ii x + hi h), gate(if x + hf h), gate(io x + ho h);  g = activation(ig x + hg h)
/// c' = f · c + i · g;  h' = o · activation(c')
/// ```
///
/// Submodules: `ii`, `if`, `ig`, `io` with a kernel `[inputs, features]`, and `hi`, `hf`, `hg`, `ho` with a kernel
/// `[features, features]` and a bias.
public final class LSTMCell: Module, RecurrentCell {
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

    public func forward(_ carry: LSTMCarry, _ x: Tensor) throws -> (carry: LSTMCarry, output: Tensor) {
        let width = try CellConfiguration.width(carry.hidden, of: className)
        func sum(_ part: String) throws -> Tensor {
            try configuration.input("i" + part, useBias: false, features: width)(x)
                + configuration.recurrent("h" + part, useBias: true, features: width)(carry.hidden)
        }
        return try lstmStep(
            carry.cell, [sum("i"), sum("f"), sum("g"), sum("o")], configuration)
    }

    public func initializeCarry(_ key: PRNGKey, inputShape: Shape) throws -> LSTMCarry {
        try configuration.lstmCarry(key, inputShape: inputShape)
    }
}

/// `LSTMCell` with the four products of the input made at once, and those of the last output: the same parameters and values,
/// faster for small sizes.
public final class OptimizedLSTMCell: Module, RecurrentCell {
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

    public func forward(_ carry: LSTMCarry, _ x: Tensor) throws -> (carry: LSTMCarry, output: Tensor) {
        let width = try CellConfiguration.width(carry.hidden, of: className)
        let parts = ["i", "f", "g", "o"]
        var (inputKernels, recurrentKernels, biases): ([Tensor], [Tensor], [Tensor]) = ([], [], [])
        for part in parts {
            inputKernels.append(
                try DenseParams(configuration.input("i" + part, useBias: false, features: width))(x).kernel)
            let recurrent = try DenseParams(
                configuration.recurrent("h" + part, useBias: true, features: width))(carry.hidden)
            recurrentKernels.append(recurrent.kernel)
            if let bias = recurrent.bias { biases.append(bias) }
        }
        func product(_ x: Tensor, _ kernels: [Tensor], _ biases: [Tensor]) throws -> Tensor {
            var operands = [x, try concatenate(kernels, axis: 1)]
            if !biases.isEmpty { operands.append(try concatenate(biases)) }
            operands = try promoted(operands, to: configuration.dtype)
            let y = try dotGeneral(operands[0], operands[1], contracting: ([x.rank - 1], [0]))
            return operands.count > 2 ? try y + operands[2] : y
        }
        let both = try product(carry.hidden, recurrentKernels, biases) + product(x, inputKernels, [])
        let last = both.rank - 1
        return try lstmStep(
            carry.cell,
            parts.indices.map { try slice(both, axis: last, ($0 * width)..<(($0 + 1) * width)) },
            configuration)
    }

    public func initializeCarry(_ key: PRNGKey, inputShape: Shape) throws -> LSTMCarry {
        try configuration.lstmCarry(key, inputShape: inputShape)
    }
}

/// From the sums for input gate, forget gate, candidate and output gate to the next carry.
private func lstmStep(
    _ cell: Tensor, _ sums: [Tensor], _ configuration: CellConfiguration
) throws -> (carry: LSTMCarry, output: Tensor) {
    let gate = configuration.gate
    let (input, forget, output) = (try gate(sums[0]), try gate(sums[1]), try gate(sums[3]))
    let next = try forget * cell + input * configuration.activation(sums[2])
    let hidden = try output * configuration.activation(next)
    return (LSTMCarry(cell: next, hidden: hidden), hidden)
}

/// The parameters of a `Dense`, without what it does with them.
private final class DenseParams: Module {
    private let dense: Dense

    /// In the place of `dense`.
    init(_ dense: Dense) {
        self.dense = dense
        super.init(name: dense.name, sharing: dense)
    }

    func callAsFunction(_ x: Tensor) throws -> (kernel: Tensor, bias: Tensor?) {
        try compact {
            guard let inputs = x.shape.last else {
                throw ModuleError(
                    .argument, "OptimizedLSTMCell", expected: "an input [batch…, features]", got: "\(x.type)")
            }
            let kernel = try param(
                "kernel", dense.kernelInitializer, [inputs, dense.features], dtype: dense.paramDType)
            guard dense.useBias else { return (kernel, nil) }
            return (
                kernel, try param("bias", dense.biasInitializer, [dense.features], dtype: dense.paramDType)
            )
        }
    }
}
