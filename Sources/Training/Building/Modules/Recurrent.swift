// Recurrent layers and their cells.
import JobSpec
import Linen
import TensorEngine

extension ModelBuilder {
    static let recurrentLayers: [ModuleBuilder] = [
        .init("RNN") { a in
            let (timeMajor, reverse) = (try a.flag("time_major"), try a.flag("reverse"))
            let keepOrder = try a.flag("keep_order")
            func along(_ cell: some RecurrentCell) -> Model {
                RNN(cell, timeMajor: timeMajor, reverse: reverse, keepOrder: keepOrder, name: a.name)
            }
            return along(try cell(try a.inner("cell"), a.builder))
        },
        .init("Bidirectional") { a in
            let timeMajor = try a.flag("time_major")
            func both(_ forward: some RecurrentCell, _ backward: some RecurrentCell) -> Model {
                Bidirectional(
                    forward: RNN(forward), backward: RNN(backward), timeMajor: timeMajor, name: a.name)
            }
            return both(
                try cell(try a.inner("forward_cell"), a.builder),
                try cell(try a.inner("backward_cell"), a.builder))
        },
    ]

    /// The cell that a spec names.
    static func cell(_ spec: TypedSpec, _ builder: ModelBuilder) throws -> any RecurrentCell {
        try cells.builder(spec).build(ModuleArguments(spec, builder))
    }

    static let cells = BuildTable<ModuleArguments, any RecurrentCell>([
        [
            .init("ConvLSTMCell") { a in
                let size = try a.integers("kernel_size")
                return ConvLSTMCell(
                    features: try a.integer("features"), kernelSize: size,
                    strides: a.optionalIntegers("strides"), padding: try a.convPadding(rank: size.count),
                    useBias: try a.flag("use_bias"), dtype: try a.dtype, paramDType: try a.paramDType,
                    carryInitializer: try a.initializer("carry_init"))
            },
            .init("LSTMCell") { a in
                LSTMCell(
                    features: try a.integer("features"), gate: try a.activation("gate_fn"),
                    activation: try a.activation("activation_fn"),
                    kernelInitializer: try a.initializer("kernel_init"),
                    recurrentInitializer: try a.initializer("recurrent_kernel_init"),
                    biasInitializer: try a.initializer("bias_init"), dtype: try a.dtype,
                    paramDType: try a.paramDType,
                    carryInitializer: try a.initializer("carry_init"))
            },
            .init("OptimizedLSTMCell") { a in
                OptimizedLSTMCell(
                    features: try a.integer("features"), gate: try a.activation("gate_fn"),
                    activation: try a.activation("activation_fn"),
                    kernelInitializer: try a.initializer("kernel_init"),
                    recurrentInitializer: try a.initializer("recurrent_kernel_init"),
                    biasInitializer: try a.initializer("bias_init"), dtype: try a.dtype,
                    paramDType: try a.paramDType,
                    carryInitializer: try a.initializer("carry_init"))
            },
            .init("GRUCell") { a in
                GRUCell(
                    features: try a.integer("features"), gate: try a.activation("gate_fn"),
                    activation: try a.activation("activation_fn"),
                    kernelInitializer: try a.initializer("kernel_init"),
                    recurrentInitializer: try a.initializer("recurrent_kernel_init"),
                    biasInitializer: try a.initializer("bias_init"), dtype: try a.dtype,
                    paramDType: try a.paramDType,
                    carryInitializer: try a.initializer("carry_init"))
            },
            .init("MGUCell") { a in
                MGUCell(
                    features: try a.integer("features"), gate: try a.activation("gate_fn"),
                    activation: try a.activation("activation_fn"),
                    kernelInitializer: try a.initializer("kernel_init"),
                    recurrentInitializer: try a.initializer("recurrent_kernel_init"),
                    forgetBiasInitializer: try a.initializer("forget_bias_init"),
                    activationBiasInitializer: try a.initializer("activation_bias_init"), dtype: try a.dtype,
                    paramDType: try a.paramDType, carryInitializer: try a.initializer("carry_init"),
                    resetGate: try a.flag("reset_gate"))
            },
            .init("SimpleCell") { a in
                SimpleCell(
                    features: try a.integer("features"), activation: try a.activation("activation_fn"),
                    kernelInitializer: try a.initializer("kernel_init"),
                    recurrentInitializer: try a.initializer("recurrent_kernel_init"),
                    biasInitializer: try a.initializer("bias_init"), dtype: try a.dtype,
                    paramDType: try a.paramDType,
                    carryInitializer: try a.initializer("carry_init"), residual: try a.flag("residual"))
            },
        ]
    ])
}
