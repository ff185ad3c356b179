// Normalizations, attention, recurrent networks and lifted modules from the module specs of golden cases.
import JobSpec
import Linen
import TensorEngine

/// The constructor arguments of a module in a case.
struct ModuleParameters {
    let type: String
    let arguments: JSONValue
    let name: String?

    func boolean(_ key: String, _ fallback: Bool) -> Bool { arguments[key]?.boolValue ?? fallback }
    func integer(_ key: String) -> Int? { arguments[key]?.intValue }
    func number(_ key: String, _ fallback: Double) -> Double { arguments[key]?.doubleValue ?? fallback }
    func list(_ key: String) -> [Int]? {
        arguments[key].flatMap { $0.integers ?? $0.intValue.map { [$0] } }
    }
    func initializer(_ key: String, _ fallback: Initializer) throws -> Initializer {
        try arguments[key]?.initializer() ?? fallback
    }
    func dtype(_ key: String) throws -> DType? { try arguments[key]?.dtype() }
    func activation(_ key: String, _ fallback: Activation) throws -> Activation {
        try arguments[key].map(SpecModule.activation) ?? fallback
    }
    var paramDType: DType { get throws { try dtype("param_dtype") ?? .float32 } }

    func only(_ known: [String]) throws {
        for key in arguments.objectValue?.keys ?? [] where !known.contains(key) {
            throw NotBuilt("\(type)(\(key):)")
        }
    }

    /// The module in `{"$module": …}`.
    func module(_ key: String) throws -> SpecModule {
        try SpecModule.build(try arguments.member(key).member("$module"))
    }

    /// The module in `{"$module": …}` as a layer.
    func layer(_ key: String) throws -> any Layer<Tensor, Tensor> {
        guard let layer = try module(key).module as? any Layer<Tensor, Tensor> else {
            throw NotBuilt("\(type) of a module that is no layer")
        }
        return layer
    }
}

// MARK: - Normalizations

extension ModuleParameters {
    private static let shared = [
        "epsilon", "dtype", "param_dtype", "use_bias", "use_scale", "bias_init", "scale_init",
        "use_fast_variance", "force_float32_reductions",
    ]

    func normalization() throws -> SpecModule? {
        switch type {
        case "BatchNorm":
            try only(ModuleParameters.shared + ["use_running_average", "axis", "momentum"])
            let norm = BatchNorm(
                useRunningAverage: arguments["use_running_average"]?.boolValue, axes: list("axis") ?? [-1],
                momentum: number("momentum", 0.99), epsilon: number("epsilon", 1e-5),
                dtype: try dtype("dtype"),
                paramDType: try paramDType, useBias: boolean("use_bias", true),
                useScale: boolean("use_scale", true),
                biasInitializer: try initializer("bias_init", .zeros),
                scaleInitializer: try initializer("scale_init", .ones),
                useFastVariance: boolean("use_fast_variance", true),
                forceFloat32Reductions: boolean("force_float32_reductions", true), name: name)
            var result = SpecModule(norm) { call in
                try call.only("use_running_average", "mask")
                return .tensor(
                    try norm(
                        call.one(type), useRunningAverage: call.flag("use_running_average"),
                        mask: call.tensor("mask")))
            }
            result.lifted = .layer(norm)
            return result
        case "LayerNorm":
            try only(ModuleParameters.shared + ["reduction_axes", "feature_axes"])
            let norm = LayerNorm(
                epsilon: number("epsilon", 1e-6), dtype: try dtype("dtype"), paramDType: try paramDType,
                useBias: boolean("use_bias", true), useScale: boolean("use_scale", true),
                biasInitializer: try initializer("bias_init", .zeros),
                scaleInitializer: try initializer("scale_init", .ones),
                reductionAxes: list("reduction_axes") ?? [-1], featureAxes: list("feature_axes") ?? [-1],
                useFastVariance: boolean("use_fast_variance", true), name: name)
            return masked(norm) { try norm($0, mask: $1) }
        case "RMSNorm":
            try only(ModuleParameters.shared + ["reduction_axes", "feature_axes"])
            let norm = RMSNorm(
                epsilon: number("epsilon", 1e-6), dtype: try dtype("dtype"), paramDType: try paramDType,
                useScale: boolean("use_scale", true), scaleInitializer: try initializer("scale_init", .ones),
                reductionAxes: list("reduction_axes") ?? [-1], featureAxes: list("feature_axes") ?? [-1],
                name: name)
            return masked(norm) { try norm($0, mask: $1) }
        case "GroupNorm":
            try only(ModuleParameters.shared + ["num_groups", "group_size", "reduction_axes"])
            let norm = GroupNorm(
                groups: arguments["num_groups"]?.isNull == true ? nil : integer("num_groups") ?? 32,
                groupSize: integer("group_size"), epsilon: number("epsilon", 1e-6), dtype: try dtype("dtype"),
                paramDType: try paramDType, useBias: boolean("use_bias", true),
                useScale: boolean("use_scale", true),
                biasInitializer: try initializer("bias_init", .zeros),
                scaleInitializer: try initializer("scale_init", .ones), reductionAxes: list("reduction_axes"),
                useFastVariance: boolean("use_fast_variance", true), name: name)
            return masked(norm) { try norm($0, mask: $1) }
        case "InstanceNorm":
            try only(ModuleParameters.shared + ["feature_axes"])
            let norm = InstanceNorm(
                epsilon: number("epsilon", 1e-6), dtype: try dtype("dtype"), paramDType: try paramDType,
                useBias: boolean("use_bias", true), useScale: boolean("use_scale", true),
                biasInitializer: try initializer("bias_init", .zeros),
                scaleInitializer: try initializer("scale_init", .ones),
                featureAxes: list("feature_axes") ?? [-1],
                useFastVariance: boolean("use_fast_variance", true), name: name)
            return masked(norm) { try norm($0, mask: $1) }
        case "WeightNorm":
            try only([
                "layer_instance", "epsilon", "dtype", "param_dtype", "use_scale", "scale_init",
                "feature_axes",
            ])
            return SpecModule(
                WeightNorm(
                    try layer("layer_instance"), epsilon: number("epsilon", 1e-12), dtype: try dtype("dtype"),
                    paramDType: try paramDType, useScale: boolean("use_scale", true),
                    scaleInitializer: try initializer("scale_init", .ones),
                    featureAxes: list("feature_axes") ?? [-1], name: name))
        case "SpectralNorm":
            try only([
                "layer_instance", "n_steps", "epsilon", "dtype", "param_dtype", "error_on_non_matrix",
                "collection_name",
            ])
            let norm = SpectralNorm(
                try layer("layer_instance"), steps: integer("n_steps") ?? 1,
                epsilon: number("epsilon", 1e-12),
                dtype: try dtype("dtype"), paramDType: try paramDType,
                errorOnNonMatrix: boolean("error_on_non_matrix", false),
                collection: arguments["collection_name"]?.stringValue ?? "batch_stats", name: name)
            return SpecModule(norm) { call in
                try call.only("update_stats")
                guard let updates = call.flag("update_stats") else { throw ParityMismatch("no update_stats") }
                return .tensor(try norm(call.one(type), updateStats: updates))
            }
        default: return nil
        }
    }

    private func masked(
        _ layer: any Layer<Tensor, Tensor>, _ call: @escaping (Tensor, Tensor?) throws -> Tensor
    ) -> SpecModule {
        var result = SpecModule(layer) { arguments in
            try arguments.only("mask")
            return .tensor(try call(arguments.one(type), arguments.tensor("mask")))
        }
        result.lifted = .layer(layer)
        return result
    }
}

// MARK: - Attention

extension ModuleParameters {
    func attention() throws -> SpecModule? {
        let types: [String: MultiHeadDotProductAttention.Type] = [
            "MultiHeadDotProductAttention": MultiHeadDotProductAttention.self,
            "MultiHeadAttention": MultiHeadAttention.self, "SelfAttention": SelfAttention.self,
        ]
        guard let kind = types[type] else { return nil }
        try only([
            "num_heads", "dtype", "param_dtype", "qkv_features", "out_features", "broadcast_dropout",
            "dropout_rate", "deterministic", "kernel_init", "out_kernel_init", "bias_init", "out_bias_init",
            "use_bias", "decode", "normalize_qk", "force_fp32_for_softmax",
        ])
        let attention = kind.init(
            heads: integer("num_heads") ?? 0, dtype: try dtype("dtype"), paramDType: try paramDType,
            qkvFeatures: integer("qkv_features"), outFeatures: integer("out_features"),
            broadcastDropout: boolean("broadcast_dropout", true), dropoutRate: number("dropout_rate", 0),
            deterministic: arguments["deterministic"]?.boolValue,
            kernelInitializer: try initializer("kernel_init", .lecunNormal()),
            outKernelInitializer: try arguments["out_kernel_init"]?.initializer(),
            biasInitializer: try initializer("bias_init", .zeros),
            outBiasInitializer: try arguments["out_bias_init"]?.initializer(),
            useBias: boolean("use_bias", true), decode: boolean("decode", false),
            normalizeQK: boolean("normalize_qk", false),
            forceFloat32Softmax: boolean("force_fp32_for_softmax", false), name: name)
        return SpecModule(attention) { call in
            try call.only("mask", "deterministic", "sow_weights")
            let inputs = call.inputs.compactMap(\.tensor)
            guard let query = inputs.first, inputs.count == call.inputs.count, inputs.count <= 3 else {
                throw ParityMismatch("\(type) takes one to three tensors")
            }
            return .tensor(
                try attention(
                    query, inputs.count > 1 ? inputs[1] : nil, inputs.count > 2 ? inputs[2] : nil,
                    mask: call.tensor("mask"), deterministic: call.flag("deterministic"),
                    sowsWeights: call.flag("sow_weights") ?? false))
        }
    }
}

// MARK: - Recurrent networks

extension ModuleParameters {
    private static let cell = [
        "features", "kernel_init", "recurrent_kernel_init", "bias_init", "dtype", "param_dtype", "carry_init",
        "activation_fn",
    ]

    func recurrent() throws -> SpecModule? {
        let features = integer("features") ?? 0
        let kernel = try initializer("kernel_init", .lecunNormal())
        let recurrent = try initializer("recurrent_kernel_init", .orthogonal())
        let bias = try initializer("bias_init", .zeros)
        let carry = try initializer("carry_init", .zeros)
        switch type {
        case "LSTMCell":
            try only(ModuleParameters.cell + ["gate_fn"])
            return step(
                LSTMCell(
                    features: features, gate: try activation("gate_fn", .sigmoid),
                    activation: try activation("activation_fn", .tanh), kernelInitializer: kernel,
                    recurrentInitializer: recurrent, biasInitializer: bias, dtype: try dtype("dtype"),
                    paramDType: try paramDType, carryInitializer: carry, name: name))
        case "OptimizedLSTMCell":
            try only(ModuleParameters.cell + ["gate_fn"])
            return step(
                OptimizedLSTMCell(
                    features: features, gate: try activation("gate_fn", .sigmoid),
                    activation: try activation("activation_fn", .tanh), kernelInitializer: kernel,
                    recurrentInitializer: recurrent, biasInitializer: bias, dtype: try dtype("dtype"),
                    paramDType: try paramDType, carryInitializer: carry, name: name))
        case "GRUCell":
            try only(ModuleParameters.cell + ["gate_fn"])
            return step(
                GRUCell(
                    features: features, gate: try activation("gate_fn", .sigmoid),
                    activation: try activation("activation_fn", .tanh), kernelInitializer: kernel,
                    recurrentInitializer: recurrent, biasInitializer: bias, dtype: try dtype("dtype"),
                    paramDType: try paramDType, carryInitializer: carry, name: name))
        case "MGUCell":
            try only(
                ModuleParameters.cell + ["gate_fn", "forget_bias_init", "activation_bias_init", "reset_gate"])
            return step(
                MGUCell(
                    features: features, gate: try activation("gate_fn", .sigmoid),
                    activation: try activation("activation_fn", .tanh), kernelInitializer: kernel,
                    recurrentInitializer: recurrent,
                    forgetBiasInitializer: try initializer("forget_bias_init", .ones),
                    activationBiasInitializer: try initializer("activation_bias_init", .zeros),
                    dtype: try dtype("dtype"), paramDType: try paramDType, carryInitializer: carry,
                    resetGate: boolean("reset_gate", true), name: name))
        case "SimpleCell":
            try only(ModuleParameters.cell + ["residual"])
            return step(
                SimpleCell(
                    features: features, activation: try activation("activation_fn", .tanh),
                    kernelInitializer: kernel, recurrentInitializer: recurrent, biasInitializer: bias,
                    dtype: try dtype("dtype"), paramDType: try paramDType, carryInitializer: carry,
                    residual: boolean("residual", false), name: name))
        case "ConvLSTMCell":
            try only(["features", "kernel_size", "use_bias", "dtype", "param_dtype", "carry_init"])
            return step(
                ConvLSTMCell(
                    features: features, kernelSize: list("kernel_size") ?? [],
                    useBias: boolean("use_bias", true), dtype: try dtype("dtype"), paramDType: try paramDType,
                    carryInitializer: carry, name: name))
        case "RNN":
            try only(["cell", "time_major", "return_carry", "reverse", "keep_order"])
            guard let cell = try module("cell").cell else { throw NotBuilt("RNN of another module") }
            return network(cell)
        case "Bidirectional":
            try only(["forward_rnn", "backward_rnn", "return_carry", "time_major"])
            let (ahead, back) = (try module("forward_rnn").module, try module("backward_rnn").module)
            guard let ahead = ahead as? RNN<GRUCell>, let back = back as? RNN<GRUCell> else {
                throw NotBuilt("Bidirectional of other cells than GRUCell")
            }
            let both = Bidirectional(
                forward: ahead, backward: back, timeMajor: boolean("time_major", false), name: name)
            return SpecModule(both) { call in
                try call.only()
                guard boolean("return_carry", false) else { return .tensor(try both(call.one(type))) }
                let (carry, outputs) = try both.withCarry(try call.one(type))
                return .tuple([.tuple([carry.forward.asCase, carry.backward.asCase]), .tensor(outputs)])
            }
        default: return nil
        }
    }

    /// A cell that is called with its carry and an input.
    private func step<Cell: RecurrentCell>(_ cell: Cell) -> SpecModule {
        var result = SpecModule(cell) { call in
            try call.only()
            guard call.inputs.count == 2, let x = call.inputs[1].tensor else {
                throw ParityMismatch("\(type) takes a carry and a tensor")
            }
            let template = try cell.initializeCarry(PRNGKey(seed: 0), inputShape: x.shape)
            let (carry, output) = try cell(template.replacingLeaves(call.inputs[0].leaves), x)
            return .tuple([carry.asCase, .tensor(output)])
        }
        result.cell = cell
        result.lifted = .step(cell)
        return result
    }

    private func network<Cell: RecurrentCell>(_ cell: Cell) -> SpecModule {
        let isTimeMajor = boolean("time_major", false)
        let rnn = RNN(
            cell, timeMajor: isTimeMajor, reverse: boolean("reverse", false),
            keepOrder: boolean("keep_order", false), name: name)
        return SpecModule(rnn) { call in
            try call.only("return_carry", "seq_lengths", "initial_carry")
            let x = try call.one(type)
            var options = RNN<Cell>.Options(lengths: call.tensor("seq_lengths"))
            if let initial = call.tensors["initial_carry"] {
                var shape = x.shape.dimensions
                shape.remove(at: isTimeMajor ? 0 : shape.count - cell.featureAxisCount - 1)
                options.initialCarry = try cell.initializeCarry(PRNGKey(seed: 0), inputShape: Shape(shape))
                    .replacingLeaves(initial.leaves)
            }
            guard call.flag("return_carry") ?? boolean("return_carry", false) else {
                return .tensor(try rnn(x, options))
            }
            let (carry, outputs) = try rnn.withCarry(x, options)
            return .tuple([carry.asCase, .tensor(outputs)])
        }
    }
}

extension TensorTree {
    /// A carry as the cases write it: a tensor, or a list.
    fileprivate var asCase: Tree {
        let leaves = leaves
        return leaves.count == 1 ? .tensor(leaves[0]) : .tuple(leaves.map { .tensor($0) })
    }
}

// MARK: - Lifted modules

extension ModuleParameters {
    /// A lifted transformation of the module that a spec describes.
    func lifted(_ target: JSONValue) throws -> SpecModule {
        if type == "scan", target["type"]?.stringValue == "remat" {
            guard case .graph(let graph) = try SpecModule.build(try target.member("target")).lifted else {
                throw NotBuilt("scan of remat of another module than a graph")
            }
            return try looped(RematStep(graph))
        }
        let built = try SpecModule.build(target)
        switch (type, built.lifted) {
        case ("remat", .layer(let layer)): return SpecModule(rematerialized(layer))
        case ("remat", .graph(let graph)): return graphLayer(Remat(graph, name: name))
        case ("jit", .layer(let layer)): return SpecModule(compiled(layer))
        case ("jit", .graph(let graph)): return graphLayer(JIT(graph, name: name))
        case ("vmap", .layer(let layer)): return SpecModule(try vectorized(layer))
        case ("scan", .step(let step)): return try looped(step)
        case ("scan", .graph(let graph)): return try looped(graph)
        default: throw NotBuilt("\(type) of \(built.module.className)")
        }
    }

    private func rematerialized<L: Layer<Tensor, Tensor>>(_ layer: L) -> any Layer<Tensor, Tensor> {
        Remat(layer, name: name)
    }

    private func compiled<L: Layer<Tensor, Tensor>>(_ layer: L) -> any Layer<Tensor, Tensor> {
        JIT(layer, name: name)
    }

    private func vectorized<L: Layer<Tensor, Tensor>>(_ layer: L) throws -> any Layer<Tensor, Tensor> {
        try only(["variable_axes", "split_rngs", "in_axes", "out_axes", "axis_size"])
        return VMap(
            layer, inAxis: arguments["in_axes"]?.isNull == true ? nil : integer("in_axes") ?? 0,
            outAxis: integer("out_axes") ?? 0, axisSize: integer("axis_size"), variableAxes: variableAxes,
            splitRNGs: splitRNGs, name: name)
    }

    private func graphLayer(_ layer: some Layer<Tree, Tree>) -> SpecModule {
        SpecModule(layer) { call in
            try call.only()
            return try layer(call.inputs.count == 1 ? call.inputs[0] : .tuple(call.inputs))
        }
    }

    private func looped<Step: CarryLayer>(_ step: Step) throws -> SpecModule {
        try only([
            "variable_axes", "variable_broadcast", "variable_carry", "split_rngs", "in_axes", "out_axes",
            "length", "reverse",
        ])
        let scan = Scan(
            step,
            variables: ScanVariables(
                axes: variableAxes, broadcast: try LinenCase.filter(arguments["variable_broadcast"]),
                carry: try LinenCase.filter(arguments["variable_carry"]), splitRNGs: splitRNGs),
            inAxis: integer("in_axes") ?? 0, outAxis: integer("out_axes") ?? 0, length: integer("length"),
            reverse: boolean("reverse", false), name: name)
        return SpecModule(scan) { call in
            try call.only()
            guard call.inputs.count == 2 else { throw ParityMismatch("scan takes a carry and a sequence") }
            let (carry, outputs) = try loop(scan, call.inputs[0], call.inputs[1])
            return .tuple([carry, outputs])
        }
    }

    /// Calls a loop whose carry and sequence are trees, or those of an LSTM.
    private func loop<Step: CarryLayer>(
        _ scan: Scan<Step>, _ carry: Tree, _ sequence: Tree
    ) throws -> (Tree, Tree) {
        if let scan = scan as? Scan<GraphModule> {
            let (carry, outputs) = try scan(carry, sequence)
            return (carry, outputs)
        }
        if let scan = scan as? Scan<RematStep<GraphModule>> {
            let (carry, outputs) = try scan(carry, sequence)
            return (carry, outputs)
        }
        if let scan = scan as? Scan<LSTMCell>, let xs = sequence.tensor {
            let leaves = carry.leaves
            guard leaves.count == 2 else { throw ParityMismatch("no LSTM carry") }
            let (carry, outputs) = try scan(LSTMCarry(cell: leaves[0], hidden: leaves[1]), xs)
            return (carry.asCase, .tensor(outputs))
        }
        throw NotBuilt("scan of \(scan.step.className)")
    }

    private var variableAxes: VariableAxes {
        VariableAxes(
            (arguments["variable_axes"]?.objectValue ?? [:]).map {
                (collections: CollectionFilter.only([$0.key]), axis: $0.value.intValue)
            })
    }

    private var splitRNGs: SplitRNGs {
        SplitRNGs(
            (arguments["split_rngs"]?.objectValue ?? [:]).map {
                (streams: CollectionFilter.only([$0.key]), isSplit: $0.value.boolValue ?? false)
            })
    }
}
