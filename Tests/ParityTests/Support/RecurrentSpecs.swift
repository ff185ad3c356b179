// Recurrent networks from the module specs of golden cases.
import JobSpec
import Linen
import TensorEngine

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
    var asCase: Tree {
        let leaves = leaves
        return leaves.count == 1 ? .tensor(leaves[0]) : .tuple(leaves.map { .tensor($0) })
    }
}
