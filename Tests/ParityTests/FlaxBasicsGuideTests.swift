// Every snippet of the guide "Flax basics in Swift" (Sources/Linen/Linen.docc), run, with JAX's numbers.
import JobSpec
import Linen
import Optax
import Serialization
import TensorEngine
import Testing

// The guide's modules.

final class ExplicitMLP: Module, Layer {
    let layers: [Dense]

    init(features: [Int]) {
        layers = features.map { Dense(features: $0) }
        super.init()
    }

    func forward(_ x: Tensor) throws -> Tensor {
        var x = x
        for (k, layer) in layers.enumerated() { x = try layer(k == 0 ? x : relu(x)) }
        return x
    }
}

final class SimpleMLP: Module, Layer {
    let features: [Int]

    init(features: [Int]) {
        self.features = features
        super.init()
    }

    func forward(_ x: Tensor) throws -> Tensor {
        var x = x
        for (k, size) in features.enumerated() {
            x = try Dense(features: size, name: "layers_\(k)")(k == 0 ? x : relu(x))
        }
        return x
    }
}

final class SimpleDense: Module, Layer {
    let features: Int

    init(features: Int) {
        self.features = features
        super.init()
    }

    func forward(_ x: Tensor) throws -> Tensor {
        let kernel = try param("kernel", .lecunNormal(), [x.shape[x.rank - 1], features])
        let bias = try param("bias", .zeros, [features])
        return try matmul(x, kernel) + bias
    }
}

final class BiasAdderWithRunningMean: Module, Layer {
    let decay = 0.99

    func forward(_ x: Tensor) throws -> Tensor {
        let isReady = try hasVariable("batch_stats", "mean")
        let running = try variable("batch_stats", "mean") { try zeros([1, x.shape[1]]) }
        let bias = try param("bias", .zeros, [x.shape[1]])
        if isReady {
            try running.set(decay * running.value + (1 - decay) * mean(x, axes: [0], keepDims: true))
        }
        return try x - running.value + bias
    }
}

@Suite("The guide \"Flax basics in Swift\"")
struct FlaxBasicsGuideTests {
    private func golden(_ name: String) throws -> JSONValue {
        let cases = try ParitySuite.load("end_to_end", "flax_basics")
        return try #require(cases.first { $0.name == name }).expected
    }

    private func expectNear(_ got: Tensor, _ want: Double, _ tolerance: Double = 1e-5) throws {
        #expect(abs(try got.item() - want) <= tolerance * max(1, abs(want)))
    }

    @Test("one dense layer, linear regression by hand and with Optax, and its bytes")
    func linearRegression() throws {
        let model = Dense(features: 5)

        let keys = try PRNGKey(seed: 0).split()
        let dummy = try keys[0].normal([10])
        let variables = try model.initialize(keys[1], dummy)
        let shapes = Tree.dictionary(variables).leavesWithPaths().map { "\($0.path): \($0.tensor.type)" }

        #expect(shapes == ["params/bias: float32[5]", "params/kernel: float32[10,5]"])

        let output = try model.apply(variables, dummy)

        #expect(output.shape == [5])

        let dataKeys = try keys[0].split()
        let (trueKernel, trueBias) = (try keys[0].normal([10, 5]), try keys[1].normal([5]))
        let x = try dataKeys[0].normal([20, 10])
        let y = try matmul(x, trueKernel) + trueBias + 0.1 * dataKeys[1].normal([20, 5])

        func meanSquaredError(_ variables: FrozenDict, _ x: Tensor, _ y: Tensor) throws -> Tensor {
            let squaredError = vmap { (x: Tensor, y: Tensor) in
                let error = try y - model.apply(variables, x)
                return try inner(error, error) / 2
            }
            return try mean(squaredError(x, y))
        }

        let lossAndGrad = valueAndGrad(meanSquaredError)
        let descend = jit { (variables: FrozenDict, x: Tensor, y: Tensor) in
            let (loss, gradients) = try lossAndGrad(variables, x, y)
            return (try variables.map(gradients) { try $0 - 0.3 * $1 }, loss)
        }
        var trained = variables
        var losses: [Tensor] = []
        for _ in 0..<101 {
            let (next, loss) = try descend(trained, x, y)
            trained = next
            losses.append(loss)
        }

        let expected = try golden("flax_basics_linear_regression")
        let wanted = try expected.member("losses_gd").tensor().doubles()
        for (loss, want) in zip(losses, wanted) { try expectNear(loss, want) }

        let optimizer = adam(learningRate: 0.3)
        var params = trained
        var state = try optimizer.initialize(params: .dictionary(params))
        let step = jit { (params: FrozenDict, state: Tree, x: Tensor, y: Tensor) in
            let (loss, gradients) = try lossAndGrad(params, x, y)
            let (updates, state) = try optimizer.update(
                updates: .dictionary(gradients), state: state, params: .dictionary(params))
            return (try applyUpdates(.dictionary(params), updates), state, loss)
        }
        var adamLosses: [Tensor] = []
        for _ in 0..<101 {
            let (next, nextState, loss) = try step(params, state, x, y)
            (params, state) = (next.dictionary ?? params, nextState)
            adamLosses.append(loss)
        }

        let wantedAdam = try expected.member("losses_tx").tensor().doubles()
        for (loss, want) in zip(adamLosses, wantedAdam) { try expectNear(loss, want) }

        let bytes = try toBytes(params)
        let template = try model.initialize(PRNGKey(seed: 1), dummy)
        let restored = try fromBytes(template, bytes)
        let stateDict = try toStateDict(params)

        #expect(
            try restored.tensor(at: "params/kernel").doubles() == params.tensor(at: "params/kernel").doubles()
        )
        #expect(try toBytes(fromStateDict(template, stateDict)) == toBytes(restored))
    }

    @Test("modules of one's own: with setup, compact, with parameters, and what an unbound one says")
    func modules() throws {
        let keys = try PRNGKey(seed: 0).split()
        let x = try keys[0].uniform([4, 4])
        let explicit = try ExplicitMLP(features: [3, 4, 5]).initialize(keys[1], x)
        let simple = try SimpleMLP(features: [3, 4, 5]).initialize(keys[1], x)
        let paths = Tree.dictionary(explicit).leavesWithPaths().map(\.path)

        #expect(paths.first == "params/layers_0/bias" && paths.count == 6)
        #expect(try toBytes(explicit) == toBytes(simple))

        let unbound = #expect(throws: ModuleError.self) { try SimpleMLP(features: [3, 4, 5])(x) }

        #expect(unbound?.description.contains("model.initialize(key, x)") == true)

        let dense = SimpleDense(features: 3)
        let variables = try dense.initialize(keys[1], x)

        #expect(try variables.tensor(at: "params/kernel").shape == [4, 3])
        let wanted = try golden("flax_basics_simple_dense").member("variables").member("params").member(
            "kernel")
        try expectClose(
            variables.tensor(at: "params/kernel"), wanted, ParityTolerance(relative: 1e-5, absolute: 1e-6))
    }

    @Test("a running mean in a collection of its own, and the update step with an optimizer and a TrainState")
    func collections() throws {
        let model = BiasAdderWithRunningMean()
        let variables = try model.initialize(PRNGKey(seed: 0), ones([10, 5]))
        let (output, updates) = try model.apply(variables, ones([10, 5]), mutable: ["batch_stats"])

        #expect(abs(try updates.tensor(at: "batch_stats/mean").doubles()[0] - 0.01) < 1e-8)
        #expect(abs(try output.doubles()[0] - 0.99) < 1e-6)

        var current = variables
        for k in 1...3 {
            let batch = try ones([10, 5]) * Double(k)
            current = current.merging(try model.apply(current, batch, mutable: ["batch_stats"]).updates)
        }

        let wanted = try golden("flax_basics_bias_adder").member("calls").arrayValue ?? []
        let mean = try current.tensor(at: "batch_stats/mean")
        try expectClose(
            mean, try #require(wanted.last).member("updates").member("batch_stats").member("mean"),
            ParityTolerance(relative: 1e-6, absolute: 1e-7))

        let update = jit { (state: TrainState, x: Tensor) in
            let statistics = state[collection: "batch_stats"] ?? [:]
            let lossAndGrad = valueAndGrad(hasAux: { (params: FrozenDict) in
                let (y, updates) = try model.apply(
                    ["params": .dictionary(params), "batch_stats": .dictionary(statistics)], x,
                    mutable: ["batch_stats"])
                return (try sum(square(x - y)), updates)
            })
            let (_, updates, gradients) = try lossAndGrad(state.params)
            return try state.applyGradients(gradients, replacing: updates)
        }
        var state = try TrainState.create(
            params: variables["params"]?.dictionary ?? [:], transformation: sgd(learningRate: 0.1),
            collections: [.init("batch_stats", variables["batch_stats"]?.dictionary ?? [:])])
        for _ in 0..<3 { state = try update(state, ones([10, 5])) }

        #expect(try state.step.item() == 3)
        #expect(try state[collection: "batch_stats"]?.tensor(at: "mean").doubles()[0] ?? 0 > 0.029)
    }
}
