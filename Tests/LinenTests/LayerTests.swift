// Layers where golden cases do not reach: training flags, caches, lengths, odd shapes.
import TensorEngine
import Testing

@testable import Linen

@Suite("Layers")
struct LayerTests {
    private func close(_ a: Tensor, _ b: Tensor, _ tolerance: Double = 1e-5) throws -> Bool {
        guard a.type == b.type else { return false }
        return zip(try a.doubles(), try b.doubles()).allSatisfy { abs($0 - $1) <= tolerance }
    }

    @Test("BatchNorm does what apply's training says, and refuses to guess")
    func batchNormModes() throws {
        let model = Sequential {
            BatchNorm(momentum: 0)
            Dropout(rate: 0)
        }
        let x = try sampleInput()
        let variables = try model.initialize(key(), x, training: true)
        let (_, updates) = try model.apply(variables, x, mutable: ["batch_stats"], training: true)
        // With momentum 0, use after one step normalizes that step's batch.
        let trained = try model.apply(variables, x, mutable: ["batch_stats"], training: true).output
        let used = try model.apply(variables.merging(updates), x, training: false)
        #expect(try close(trained, used))
        #expect(moduleError { _ = try model.apply(variables, x) }?.kind == .argument)
    }

    @Test("a normalization's mask leaves out what it hides")
    func masks() throws {
        let x = try Tensor([1, 2, 3, 100] as [Float], shape: [1, 4])
        let mask = try Tensor([true, true, true, false], shape: [1, 4])
        let norm = LayerNorm()
        let variables = try norm.initialize(key(), x)
        let masked = try norm.apply(variables) { try $0(x, mask: mask) }.doubles()
        let alone = try LayerNorm(useBias: false, useScale: false)
            .apply([:], Tensor([1, 2, 3] as [Float], shape: [1, 3])).doubles()
        for (a, b) in zip(masked, alone) { #expect(abs(a - b) < 1e-5) }
    }

    @Test("decoding position by position is causal attention to all at once")
    func decoding() throws {
        let x = try key(3).normal([2, 5, 4])
        let full = MultiHeadDotProductAttention(heads: 2)
        let variables = try full.initialize(key(), x)
        let expected = try full.apply(variables) { try $0(x, mask: makeCausalMask(zeros([2, 5]))) }
        let decoder = MultiHeadDotProductAttention(heads: 2, decode: true)
        var state = try decoder.initialize(key(), x)
        #expect(state["params"] != nil)
        var steps: [Tensor] = []
        for index in 0..<5 {
            let position = try slice(x, axis: 1, index..<(index + 1))
            let (output, updates) = try decoder.apply(
                state.merging(["params": try #require(variables["params"])]), position, mutable: ["cache"])
            state = state.merging(updates)
            steps.append(output)
        }
        #expect(try close(concatenate(steps, axis: 1), expected))
        #expect(try state.tensor(at: "cache/cache_index").item() == 5)
        #expect(moduleError { _ = try decoder.apply(state, x, mutable: ["cache"]) }?.kind == .argument)
    }

    @Test("an RNN runs its cell step by step; beyond a sequence's length its carry stands still")
    func recurrent() throws {
        let rnn = RNN(GRUCell(features: 3))
        let x = try key(1).normal([2, 4, 2])
        let variables = try rnn.initialize(key(), x)
        let lengths = try Tensor([2, 4] as [Int32])
        let (carry, outputs) = try rnn.apply(variables) {
            try $0.withCarry(x, RNN<GRUCell>.Options(lengths: lengths))
        }
        #expect(paths(variables).first == "params/cell/hn/bias")
        let cell: FrozenDict = ["params": try #require(variables.value(at: "params/cell"))]
        var state = try zeros([2, 3])
        for step in 0..<4 {
            let slice = try squeeze(TensorEngine.slice(x, axis: 1, step..<(step + 1)), axes: [1])
            state = try GRUCell(features: 3).apply(cell) { try $0(state, slice).carry }
            let output = try squeeze(TensorEngine.slice(outputs, axis: 1, step..<(step + 1)), axes: [1])
            #expect(try close(output, state))
            if step == 1 { #expect(try Array(carry.doubles()[..<3]) == Array(output.doubles()[..<3])) }
        }
        #expect(try Array(carry.doubles()[3...]) == Array(state.doubles()[3...]))
    }

    @Test("sequences of no steps give no outputs, but parameters")
    func noSteps() throws {
        let rnn = RNN(LSTMCell(features: 3))
        let x = try zeros([2, 0, 4])
        let (output, variables) = try rnn.initializeWithOutput(rngs: ["params": key()], x)
        #expect(output.shape == [2, 0, 3])
        #expect(try variables.tensor(at: "params/cell/ii/kernel").shape == [4, 3])
    }

    @Test("a cell made in a call belongs to the caller, unless made without parent")
    func cellPlacement() throws {
        func names(_ make: @escaping () -> RNN<SimpleCell>) throws -> Set<String> {
            let variables = try Custom { _, x in try make()(x) }.initialize(key(), zeros([1, 2, 3]))
            return Set(paths(variables).map { $0.split(separator: "/").dropLast(2).joined(separator: "/") })
        }
        #expect(try names { RNN(SimpleCell(features: 2)) } == ["params/SimpleCell_0"])
        #expect(
            try names { RNN(Module.withoutParent { SimpleCell(features: 2) }) } == ["params/RNN_0/cell"])
    }

    @Test("a module in another one's place has its path and variables")
    func sharing() throws {
        final class Wrapper: Module, Layer {
            let dense: Dense
            init(_ dense: Dense) {
                self.dense = dense
                super.init(sharing: dense)
            }
            func forward(_ x: Tensor) throws -> Tensor { try param("gain", .ones, []) * dense(x) }
        }
        let model = Custom { _, x in try Wrapper(Dense(features: 2))(x) }
        #expect(
            try paths(model.initialize(key(), sampleInput())) == [
                "params/Wrapper_0/bias", "params/Wrapper_0/gain", "params/Wrapper_0/kernel",
            ])
    }
}
