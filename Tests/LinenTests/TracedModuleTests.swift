// Modules inside of transformations.
import TensorEngine
import Testing

@testable import Linen

@Suite("Modules inside jit, grad, vmap and evalShape")
struct TracedModuleTests {
    private let model = CompactMLP(features: [4, 2])

    @Test("initialize under jit gives the same bits as outside")
    func jittedInitialize() throws {
        let x = try sampleInput()
        let eager = try model.initialize(key(7), x)
        let compiled = try jit { (key: PRNGKey, x: Tensor) in try model.initialize(key, x) }(key(7), x)
        #expect(paths(compiled) == paths(eager))
        for (a, b) in zip(eager.leaves, compiled.leaves) { #expect(try a.doubles() == b.doubles()) }
    }

    @Test("evalShape of initialize gives the types and no values")
    func abstractInitialize() throws {
        let shapes = try evalShape({ (key: PRNGKey) in try model.initialize(key, sampleInput()) }, key())
        #expect(paths(shapes).count == 4)
        #expect(shapes.leaves.allSatisfy { $0.isTraced })
        #expect(try shapes.tensor(at: "params/layers_1/kernel").shape == [4, 2])
    }

    @Test("apply under jit, and its gradient, agree with the eager ones")
    func jittedApply() throws {
        let x = try sampleInput()
        let variables = try model.initialize(key(), x)
        let loss = { (variables: FrozenDict, x: Tensor) in try mean(square(model.apply(variables, x))) }
        let (value, gradient) = try valueAndGrad(loss)(variables, x)
        let compiled = jit { (variables: FrozenDict, x: Tensor) in
            let (value, gradient) = try valueAndGrad(loss)(variables, x)
            return (value, gradient)
        }
        let (compiledValue, compiledGradient) = try compiled(variables, x)
        #expect(abs(try value.item() - compiledValue.item()) < 1e-6)
        #expect(paths(gradient) == paths(compiledGradient))
        for (a, b) in zip(gradient.leaves, compiledGradient.leaves) {
            for (p, q) in zip(try a.doubles(), try b.doubles()) { #expect(abs(p - q) < 1e-6) }
        }
        #expect(gradient.leaves.contains { ((try? $0.doubles()) ?? []).contains { $0 != 0 } })
    }

    @Test("vmap over keys makes an ensemble, each member with the parameters of its own key")
    func ensemble() throws {
        let x = try sampleInput()
        let keys = try key(3).split(3)
        let batched = try PRNGKeyBatch(keys).initialize(model, x)
        for (index, key) in keys.enumerated() {
            let alone = try model.initialize(key, x)
            for (a, b) in zip(batched.leaves, alone.leaves) {
                let member = try slice(a, axis: 0, index..<(index + 1))
                for (p, q) in zip(try member.doubles(), try b.doubles()) { #expect(abs(p - q) < 1e-6) }
            }
        }
    }

    /// The words of several keys, `[count, 2]`, for vmap.
    private struct PRNGKeyBatch {
        let words: Tensor

        init(_ keys: [PRNGKey]) throws { words = try stack(keys.map(\.data)) }

        func initialize(_ model: CompactMLP, _ x: Tensor) throws -> FrozenDict {
            try vmap { (words: Tensor) in try model.initialize(PRNGKey(data: words), x) }(words)
        }
    }

    @Test("a table of modules has paths, types, output shapes and own parameters, and computes nothing")
    func table() throws {
        let rows = try Custom { _, x in try CompactMLP(features: [4, 2])(x) }.tabulate(sampleInput())
        #expect(rows.map(\.path) == ["", "CompactMLP_0", "CompactMLP_0/layers_0", "CompactMLP_0/layers_1"])
        #expect(rows.map(\.type) == ["Custom", "CompactMLP", "Dense", "Dense"])
        #expect(rows.map(\.parameterCount) == [0, 0, 16, 10])
        #expect(rows.map { $0.output.first?.shape ?? [] } == [[2, 2], [2, 2], [2, 4], [2, 2]])
        // Without its submodules': a product's terms count twice, the bias once; new parameters' random numbers not.
        let first: Double = 2 * 4 * (2 * 3 + 1)
        let second: Double = 2 * 2 * (2 * 4 + 1)
        #expect(rows.dropFirst(2).map(\.operations) == [first, second])
    }
}
