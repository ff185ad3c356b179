// Lifted transformations against the same thing written out.
import TensorEngine
import Testing

@testable import Linen

@Suite("Lifted transformations")
struct LiftedTests {
    private func expectEqual(_ a: Tensor, _ b: Tensor, _ tolerance: Double = 1e-6) throws {
        #expect(a.type == b.type)
        for (x, y) in zip(try a.doubles(), try b.doubles()) { #expect(abs(x - y) <= tolerance) }
    }

    private func member(_ variables: FrozenDict, _ index: Int, axis: Int = 0) throws -> FrozenDict {
        try variables.map { try squeeze(slice($0, axis: axis, index..<(index + 1)), axes: [axis]) }
    }

    @Test("vmap gives each member parameters of its own, and its result with them")
    func ensemble() throws {
        let model = VMap(
            Dense(features: 4), inAxis: nil, axisSize: 3, variableAxes: ["params": 0],
            splitRNGs: ["params": true])
        let x = try sampleInput()
        let variables = try model.initialize(key(), x)
        #expect(try variables.tensor(at: "params/kernel").shape == [3, 3, 4])
        let outputs = try model.apply(variables, x)
        for index in 0..<3 {
            let alone = try Dense(features: 4).apply(member(variables, index), x)
            try expectEqual(squeeze(slice(outputs, axis: 0, index..<(index + 1)), axes: [0]), alone)
        }
        let kernels = try variables.tensor(at: "params/kernel").doubles()
        #expect(Array(kernels[..<12]) != Array(kernels[12..<24]))
    }

    /// A residual layer with dropout.
    private final class Block: Module, Layer {
        let rate: Double

        init(rate: Double = 0) {
            self.rate = rate
            super.init()
        }

        func forward(_ x: Tensor) throws -> Tensor { try Block.residual(x, rate) }

        static func residual(_ x: Tensor, _ rate: Double) throws -> Tensor {
            try x + Dropout(rate: rate, deterministic: false)(tanh(Dense(features: 3)(x)))
        }
    }

    /// The same as a step of a loop.
    private final class Step: Module, CarryLayer {
        let rate: Double

        init(rate: Double = 0) {
            self.rate = rate
            super.init()
        }

        func forward(_ x: Tensor, _: [Tensor]) throws -> (carry: Tensor, output: Tensor) {
            let next = try Block.residual(x, rate)
            return (next, try sum(next))
        }
    }

    private func stack(rate: Double = 0) -> Scan<Step> {
        Scan(
            Step(rate: rate),
            variables: ScanVariables(axes: ["params": 0], splitRNGs: ["params": true, "dropout": true]),
            length: 4)
    }

    @Test("a scan over layers is the layers one after the other, in values and gradients")
    func scanOverLayers() throws {
        let model = stack()
        let x = try sampleInput()
        let variables = try model.initializeWithOutput(rngs: ["params": key()]) { try $0(x, []).carry }
            .variables
        #expect(paths(variables) == ["params/Dense_0/bias", "params/Dense_0/kernel"])
        #expect(try variables.tensor(at: "params/Dense_0/kernel").shape == [4, 3, 3])
        func looped(_ variables: FrozenDict) throws -> Tensor {
            try sum(square(model.apply(variables) { try $0(x, []).carry }))
        }
        func unrolled(_ variables: FrozenDict) throws -> Tensor {
            try sum(
                square(
                    (0..<4).reduce(x) { x, index in try Block().apply(self.member(variables, index), x) }))
        }
        let (value, gradient) = try valueAndGrad(looped)(variables)
        let (expected, expectedGradient) = try valueAndGrad(unrolled)(variables)
        try expectEqual(value, expected, 1e-4)
        for (a, b) in zip(gradient.leaves, expectedGradient.leaves) { try expectEqual(a, b, 1e-4) }
    }

    @Test("iterations of a scan drop different values where their keys are split, the same with the same key")
    func scanDropout() throws {
        let model = stack(rate: 0.5)
        let x = try ones([2, 3])
        let rngs = ["params": try key(), "dropout": try key(1)]
        let variables = try model.initializeWithOutput(rngs: rngs) { try $0(x, []).carry }.variables
        func run(_ seed: Int) throws -> [Double] {
            try model.apply(variables, rngs: ["dropout": key(seed)]) { try $0(x, []).carry }.doubles()
        }
        #expect(try run(1) == run(1))
        #expect(try run(1) != run(2))
    }

    @Test(
        "remat changes neither values, gradients nor random numbers, and its program computes the layer again"
    )
    func remat() throws {
        let x = try sampleInput()
        let (plain, lifted) = (Block(rate: 0.5), Remat(Block(rate: 0.5)))
        let rngs = ["params": try key(), "dropout": try key(1)]
        let variables = try plain.initialize(rngs: rngs, x)
        let own = try lifted.initialize(rngs: rngs, x)
        for (a, b) in zip(variables.leaves, own.leaves) { #expect(try a.doubles() == b.doubles()) }
        func loss(_ model: some Layer<Tensor, Tensor>) -> (FrozenDict) throws -> Tensor {
            { try sum(square(model.apply($0, x, rngs: ["dropout": key(2)]))) }
        }
        let expected = try grad(loss(plain))(variables)
        let got = try grad(loss(lifted))(variables)
        for (a, b) in zip(got.leaves, expected.leaves) { #expect(try a.doubles() == b.doubles()) }
        func tanhCount(_ function: @escaping (FrozenDict) throws -> Tensor) throws -> Int {
            let program = try makeProgram({ try grad(function)($0) }, variables)
            return program.description.split(separator: "\n").count { $0.contains("= tanh") }
        }
        #expect(try tanhCount(loss(lifted)) > tanhCount(loss(plain)))
    }

    @Test("remat_scan stacks variables once for each length and is the same layers in a row")
    func rematScan() throws {
        let model = RematScan(Block(), lengths: [2, 3])
        let x = try sampleInput()
        let variables = try model.initialize(key(), x)
        #expect(try variables.tensor(at: "params/Dense_0/kernel").shape == [2, 3, 3, 3])
        var y = x
        for outer in 0..<2 {
            for inner in 0..<3 { y = try Block().apply(member(member(variables, outer), inner), y) }
        }
        try expectEqual(model.apply(variables, x), y, 1e-5)
    }

    @Test("initialize may be compiled and gives the same bits, also where it makes variables before a loop")
    func compiledInitialization() throws {
        let x = try key(4).normal([2, 5, 3])
        let rnn = RNN(LSTMCell(features: 4))
        let eager = try rnn.initialize(key(), x)
        let compiled = try jit { (key: PRNGKey, x: Tensor) in try rnn.initialize(key, x) }(key(), x)
        #expect(paths(eager) == paths(compiled))
        for (a, b) in zip(eager.leaves, compiled.leaves) { #expect(try a.doubles() == b.doubles()) }
        let output = try jit { (v: FrozenDict, x: Tensor) in try rnn.apply(v, x) }(compiled, x)
        #expect(try output.doubles() == rnn.apply(eager, x).doubles())
    }

    @Test("the table of modules shows a lifted module once, with its stacked parameters")
    func table() throws {
        let rows = try stack().tabulate { try $0(sampleInput(), []).carry }
        #expect(rows.map(\.path) == ["", "Dense_0", "Dropout_0"])
        #expect(rows.map(\.type) == ["ScanStep", "Dense", "Dropout"])
        #expect(rows.map(\.parameterCount) == [0, 4 * 12, 0])
    }

    @Test("a module may use a derivative of its submodule, and be differentiated itself")
    func derivativesInside() throws {
        /// The force of a learned energy.
        final class Force: Module, Layer {
            let energy = Dense(features: 1)
            func forward(_ x: Tensor) throws -> Tensor {
                try energy.lifted.valueAndGrad(x) { try sum(square(tanh(self.energy($0)))) }.gradient
            }
        }
        let x = try sampleInput()
        let model = Force()
        let variables = try model.initialize(key(), x)
        #expect(paths(variables) == ["params/energy/bias", "params/energy/kernel"])
        let inner: FrozenDict = ["params": try #require(variables.value(at: "params/energy"))]
        let expected = try grad { (x: Tensor) in try sum(square(tanh(Dense(features: 1).apply(inner, x)))) }(
            x)
        try expectEqual(model.apply(variables, x), expected)
        let second = try grad { (variables: FrozenDict) in try sum(square(model.apply(variables, x))) }(
            variables)
        #expect(try second.tensor(at: "params/energy/kernel").doubles().contains { $0 != 0 })
    }

    @Test("vjp pulls back to variables and input, jvp pushes both forward, and they agree")
    func vectorJacobian() throws {
        let x = try sampleInput()
        let dense = Dense(features: 2)
        let variables = try dense.initialize(key(), x)
        let cotangent = try sampleInput(width: 2)
        let (pulled, pushed) = try dense.apply(variables) { dense in
            let (_, pullback) = try dense.lifted.vjp(x) { try dense($0) }
            let (_, tangent) = try dense.lifted.jvp(x, tangent: x, variableTangents: variables) {
                try dense($0)
            }
            return (try pullback(cotangent), tangent)
        }
        let expected = try grad { (v: FrozenDict, x: Tensor) in
            try sum(Dense(features: 2).apply(v, x) * cotangent)
        }(variables, x)
        for (a, b) in zip(pulled.variables.leaves, expected.leaves) { try expectEqual(a, b) }
        // ⟨cotangent, J v⟩ = ⟨Jᵀ cotangent, v⟩.
        let left = try sum(cotangent * pushed).item()
        let right = try zip(pulled.variables.leaves + [pulled.input], variables.leaves + [x]).reduce(0.0) {
            $0 + (try sum($1.0 * $1.1).item())
        }
        #expect(abs(left - right) < 1e-4)
    }

    @Test("cond runs the branch that the value says, with that branch's parameters")
    func cond() throws {
        final class Choice: Module, Layer {
            let yes = Dense(features: 2)
            let no = Dense(features: 2)
            func forward(_ x: Tensor) throws -> Tensor {
                if isInitializing { return try yes(x) + no(x) }
                return try lifted.cond(
                    greater(sum(x), 0), x, onTrue: { try self.yes($0) }, onFalse: { try self.no($0) })
            }
        }
        let x = try sampleInput()
        let model = Choice()
        let variables = try model.initialize(key(), x)
        func alone(_ name: String, _ x: Tensor) throws -> Tensor {
            try Dense(features: 2).apply(["params": try #require(variables.value(at: "params/\(name)"))], x)
        }
        #expect(try sum(x).item() > 0)
        try expectEqual(model.apply(variables, x), alone("yes", x))
        try expectEqual(model.apply(variables, -x), alone("no", -x))
    }

    @Test("whileLoop passes variables on from iteration to iteration")
    func whileLoop() throws {
        final class Doubling: Module, Layer {
            func forward(_ x: Tensor) throws -> Tensor {
                if isInitializing {
                    _ = try variable("counter", "n") { try zeros([], dtype: .int32) }
                    return x
                }
                return try lifted.whileLoop(
                    initial: x, carry: ["counter"], condition: { try less(sum($0), 100) }
                ) { x in
                    try self.compact {
                        let count = try self.variable("counter", "n") { try zeros([], dtype: .int32) }
                        try count.set(count.value + 1)
                        return try x * 2
                    }
                }
            }
        }
        let x = try ones([4])
        let model = Doubling()
        let variables = try model.initialize(key(), x)
        let (y, updates) = try model.apply(variables, x, mutable: ["counter"])
        #expect(try y.doubles() == [32, 32, 32, 32])
        #expect(try updates.tensor(at: "counter/n").item() == 5)
    }

    @Test("names of lifted modules say the transformation, and do not count the module inside")
    func names() throws {
        let variables = try Custom { _, x in
            let first = Dense(features: 3)
            let lifted = Remat(Dense(features: 3, useBias: false))
            let named = JIT(Dense(features: 3, useBias: false, name: "head"))
            return try Dense(features: 3, useBias: false)(named(lifted(first(x))))
        }.initialize(key(), sampleInput())
        #expect(
            paths(variables) == [
                "params/CheckpointDense_0/kernel", "params/Dense_0/bias", "params/Dense_0/kernel",
                "params/Dense_1/kernel", "params/head/kernel",
            ])
    }

    @Test("a lifted jit draws the same numbers wherever it is")
    func foldedKeys() throws {
        func kernel(_ model: some Layer<Tensor, Tensor>, _ path: String) throws -> [Double] {
            try model.initialize(key(), sampleInput()).tensor(at: path).doubles()
        }
        let inner = { Custom(name: "inner") { _, x in try JIT(Dense(features: 2), name: "d")(x) } }
        let outer = Custom { _, x in try inner()(x) }
        let other = Custom { _, x in try JIT(Dense(features: 2), name: "d")(x) }
        // Paths start anew, but the base key is the module's own draw.
        #expect(try kernel(outer, "params/inner/d/kernel") != kernel(other, "params/d/kernel"))
        #expect(try kernel(outer, "params/inner/d/kernel").count == 6)
    }

    @Test("modules outside of a lifted one cannot be changed in it, and what it lacks is named")
    func mistakes() throws {
        let x = try sampleInput(width: 1)
        let read = moduleError {
            _ = try Custom { _, x in
                let (dense, shared) = (Dense(features: 2), Dense(features: 1))
                let y = try shared(x)
                return try dense.lifted.remat(y) { try dense(shared($0)) }
            }.initialize(key(), x)
        }
        #expect(read == nil)
        let changed = moduleError {
            _ = try Custom { _, x in
                let (dense, late) = (Dense(features: 2), Dense(features: 3))
                return try dense.lifted.remat(x) { try dense(late($0)) }
            }.initialize(key(), x)
        }
        #expect(changed?.kind == .misplaced)
        #expect(changed?.path == "/Dense_1")
        let stream = moduleError {
            _ = try VMap(Dense(features: 2), variableAxes: ["params": 0]).initialize(key(), x)
        }
        #expect(stream?.fix.contains("splitRNGs") == true)
        let model = VMap(Dense(features: 2), variableAxes: ["cache": 0])
        let variables = try VMap(
            Dense(features: 2), variableAxes: ["params": nil], splitRNGs: ["params": false]
        ).initialize(key(), x)
        let collection = moduleError { _ = try model.apply(variables, x) }
        #expect(collection?.fix.contains("variableAxes") == true)
    }
}
