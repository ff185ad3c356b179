// What every optimizer must do, and what misuse says.
import Optax
import TensorEngine
import Testing

/// One row for each optimizer: add a row with the optimizer.
private let optimizers: [(name: String, make: @Sendable () throws -> GradientTransformation)] = [
    ("sgd", { sgd(learningRate: 0.1) }),
    ("sgd with momentum", { sgd(learningRate: 0.05, momentum: 0.9, nesterov: true) }),
    ("adam", { adam(learningRate: 0.1) }), ("adamw", { adamw(learningRate: 0.1, mask: .rankAboveOne) }),
    ("nadam", { nadam(learningRate: 0.1) }), ("nadamw", { nadamw(learningRate: 0.1) }),
    ("adamax", { adamax(learningRate: 0.1) }), ("adamaxw", { adamaxw(learningRate: 0.1) }),
    ("amsgrad", { amsgrad(learningRate: 0.1) }), ("adan", { adan(learningRate: 0.1) }),
    ("adabelief", { adabelief(learningRate: 0.1) }), ("yogi", { yogi(learningRate: 0.1) }),
    ("radam", { radam(learningRate: 0.1) }), ("adagrad", { adagrad(learningRate: 0.5) }),
    ("adadelta", { adadelta(learningRate: 20) }), ("rmsprop", { rmsprop(learningRate: 0.05) }),
    ("rmsprop centered", { rmsprop(learningRate: 0.05, centered: true, momentum: 0.5) }),
    ("adafactor", { adafactor(learningRate: 0.3) }), ("lamb", { lamb(learningRate: 0.1) }),
    ("lars", { lars(learningRate: 20, momentum: 0.5) }), ("lion", { lion(learningRate: 0.05) }),
    ("novograd", { novograd(learningRate: 0.1) }), ("sm3", { sm3(learningRate: 0.5) }),
    ("sign sgd", { signSGD(learningRate: 0.05) }), ("signum", { signum(learningRate: 0.02) }),
    ("fromage", { fromage(learningRate: 0.05) }), ("rprop", { rprop(learningRate: 0.05) }),
    ("optimistic", { optimisticGradientDescent(learningRate: 0.1) }),
    ("optimistic adam", { optimisticAdam(learningRate: 0.05) }),
    ("muon", { try muon(learningRate: 0.05) }),
    ("prodigy", { prodigy(learningRate: 1, initialEstimate: 1e-2) }),
    ("dadapt adamw", { dadaptAdamW(initialEstimate: 1e-2) }),
    ("ademamix", { ademamix(learningRate: 0.05, b3: 0.9) }),
    ("simplified ademamix", { simplifiedAdEMAMix(learningRate: 0.01, b1: 0.9) }),
    ("adopt", { adopt(learningRate: 0.1) }),
    ("acprop", { acprop(learningRate: 0.05) }), ("cocob", { cocob() }), ("dog", { dog() }),
    ("dowg", { dowg() }), ("madgrad", { madgrad(learningRate: 0.1) }),
    ("mechanic", { try mechanize(sgd(learningRate: 0.1), initialScale: 0.1) }),
    ("galore", { try galore(learningRate: 0.1, rank: 1, projectionPeriod: 10) }),
    ("L-BFGS", { try lbfgs(learningRate: 0.1, lineSearch: nil) }),
]

private func loss(_ params: Tree) throws -> Tensor {
    var total = try zeros([])
    for leaf in params.leaves { total = try total + sum(square(leaf - 0.5)).astype(.float32) }
    return total
}

private func start(_ dtype: DType = .float32) throws -> Tree {
    .dictionary([
        "bias": .tensor(try Tensor([1, -1] as [Float], shape: [2]).astype(dtype)),
        "kernel": .tensor(try Tensor([2, 0, -1, 1, 0.25, -2] as [Float], shape: [3, 2]).astype(dtype)),
    ])
}

@Suite struct OptimizerTests {
    @Test("every optimizer brings a simple loss down", arguments: optimizers.indices)
    func converges(index: Int) throws {
        let optimizer = try optimizers[index].make()
        let step = jit { (params: Tree, state: Tree) in
            let gradients = try grad { (params: Tree) in try loss(params) }(params)
            let (updates, next) = try optimizer.update(updates: gradients, state: state, params: params)
            return (try applyUpdates(params, updates), next)
        }
        var params = try start()
        var state = try optimizer.initialize(params: params)
        let before = try loss(params).item()
        for _ in 0..<150 { (params, state) = try step(params, state) }
        #expect(try loss(params).item() < 0.2 * before, "\(optimizers[index].name)")
    }

    @Test("every optimizer keeps the types of half-precision parameters", arguments: optimizers.indices)
    func keepsTypes(index: Int) throws {
        let optimizer = try optimizers[index].make()
        let params = try start(.bfloat16)
        let state = try optimizer.initialize(params: params)
        let (updates, next) = try optimizer.update(updates: params, state: state, params: params)
        let changed = try applyUpdates(params, updates)
        #expect(changed.leaves.allSatisfy { $0.dtype == .bfloat16 }, "\(optimizers[index].name)")
        #expect(state.structureDifference(from: next) == nil, "\(optimizers[index].name)")
        for (old, new) in zip(state.leavesWithPaths(), next.leavesWithPaths()) {
            #expect(old.tensor.type == new.tensor.type, "\(optimizers[index].name): \(old.path)")
        }
    }

    @Test("the step counter stays at its largest value instead of wrapping")
    func saturates() throws {
        #expect(try safeIncrement(try Tensor(Int32.max)).item() == Double(Int32.max))
        #expect(try safeIncrement(try Tensor(Int32.max - 1)).item() == Double(Int32.max))
        #expect(try safeIncrement(try Tensor(UInt8.max)).item() == 255)
    }

    @Test("without the parameters that it needs, an optimizer says so")
    func withoutParameters() throws {
        let params = try start()
        let optimizer = adamw(learningRate: 0.1)
        let state = try optimizer.initialize(params: params)
        let error = #expect(throws: TensorError.self) { try optimizer.update(updates: params, state: state) }
        #expect(error?.operation == "addDecayedWeights")
        #expect(error?.fix == "Pass params to update.")
    }

    @Test("another optimizer's state is refused")
    func otherState() throws {
        let params = try start()
        let state = try sgd(learningRate: 0.1).initialize(params: params)
        #expect(throws: TensorError.self) {
            try adam(learningRate: 0.1).update(updates: params, state: state, params: params)
        }
    }

    @Test("gradients of other parameters are refused with the first difference")
    func otherGradients() throws {
        let params = try start()
        let optimizer = adam(learningRate: 0.1)
        let state = try optimizer.initialize(params: params)
        let error = #expect(throws: TensorError.self) {
            try optimizer.update(
                updates: .dictionary(["bias": .tensor(try zeros([2]))]), state: state, params: params)
        }
        #expect(error?.got.contains("kernel") == true)
    }

    @Test("a label without a transformation is named, with the labels there are")
    func unknownLabel() throws {
        let optimizer = partition(
            ["train": sgd(learningRate: 0.1)],
            labels: .rule { path, _ in path == "bias" ? "frozen" : "train" })
        let error = #expect(throws: TensorError.self) { try optimizer.initialize(params: try start()) }
        #expect(error?.got == #"["frozen"]"#)
    }

    @Test("a mask by rule sees paths, and what it leaves out does not change")
    func maskByRule() throws {
        let params = try start()
        let optimizer = chain(
            scale(-1), masked(scale(100), .rule { path, _ in path == "kernel" }),
            freeze(.rule { path, _ in path == "bias" }))
        let (updates, _) = try optimizer.update(
            updates: params, state: try optimizer.initialize(params: params), params: params)
        #expect(try updates["kernel"]?.tensor?.doubles() == [-200, 0, 100, -100, -25, 200])
        #expect(try updates["bias"]?.tensor?.doubles() == [0, 0])
    }

    @Test("an injected rate can be changed in the state")
    func injected() throws {
        let params = try start()
        let optimizer = injectHyperparameters(["learning_rate": 0.5]) { values in
            sgd(learningRate: try values["learning_rate"])
        }
        var state = try optimizer.initialize(params: params)
        #expect(try state["hyperparams"]?["learning_rate"]?.tensor?.item() == 0.5)
        state = try state.mapWithPath { path, tensor in
            path == "hyperparams/learning_rate" ? try full([], 2) : tensor
        }
        let (updates, _) = try optimizer.update(updates: params, state: state, params: params)
        #expect(try updates["bias"]?.tensor?.doubles() == [-2, 2])
    }

    @Test("a step inside jit gives the same bits as outside of it")
    func sameBits() throws {
        let optimizer = chain(clipByGlobalNorm(1), adamw(learningRate: 0.01))
        let params = try start()
        let state = try optimizer.initialize(params: params)
        let eager = try optimizer.update(updates: params, state: state, params: params)
        let compiled = try jit { (params: Tree, state: Tree) in
            let (updates, next) = try optimizer.update(updates: params, state: state, params: params)
            return (updates, next)
        }(params, state)
        for (a, b) in zip(eager.updates.leaves, compiled.0.leaves) {
            #expect(try a.elements(as: Float.self) == b.elements(as: Float.self))
        }
    }
}
