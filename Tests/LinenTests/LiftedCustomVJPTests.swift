// Derivatives of the user's own for modules, against the derivatives that the same module has without them.
import TensorEngine
import Testing

@testable import Linen

@Suite("Lifted custom derivatives")
struct LiftedCustomVJPTests {
    /// The example of Flax's documentation: a dense layer whose parameters get only the signs of their gradients.
    private final class SignedGradients: Module, Layer {
        func forward(_ x: Tensor) throws -> Tensor {
            let dense = Dense(features: 2)
            return try dense.lifted.customVJP(
                x, { try dense($0) },
                forward: { (x: Tensor) -> (Tensor, Tree) in
                    (try dense(x), .tuple([.dictionary(try dense.boundVariables), .tensor(x)]))
                },
                backward: { (kept: Tree, cotangent: Tensor) in
                    let inputs = Pair(
                        variables: kept["0"]?.dictionary ?? FrozenDict(),
                        x: try kept["1"]?.tensor ?? zeros([]))
                    let (_, pullback) = try vjp(
                        { (both: Pair) in try Dense(features: 2).apply(both.variables, both.x) }, inputs)
                    let result = try pullback(cotangent)
                    return (variables: try result.variables.map { try sign($0) }, input: result.x)
                })
        }
    }

    private func gradients(
        _ model: some Layer<Tensor, Tensor>, _ variables: FrozenDict, _ x: Tensor
    ) throws -> Pair {
        try grad { (both: Pair) in try sum(square(model.apply(both.variables, both.x))) }(
            Pair(variables: variables, x: x))
    }

    private struct Pair: TensorTree {
        var variables: FrozenDict
        var x: Tensor
        func appendLeaves(to leaves: inout [Tensor]) {
            variables.appendLeaves(to: &leaves)
            x.appendLeaves(to: &leaves)
        }
        func replacingLeaves(from leaves: inout LeafCursor) throws -> Pair {
            Pair(
                variables: try variables.replacingLeaves(from: &leaves),
                x: try x.replacingLeaves(from: &leaves))
        }
    }

    @Test(
        "the rule is used for gradients, and the variables, values and input's gradient are the layer's own")
    func signs() throws {
        let x = try sampleInput()
        let model = SignedGradients()
        let plain = Custom { _, x in try Dense(features: 2)(x) }
        let variables = try model.initialize(key(), x)
        #expect(paths(variables) == paths(try plain.initialize(key(), x)))
        #expect(try model.apply(variables, x).doubles() == plain.apply(variables, x).doubles())
        let (signed, expected) = (try gradients(model, variables, x), try gradients(plain, variables, x))
        for (a, b) in zip(signed.variables.leaves, expected.variables.leaves) {
            #expect(try a.doubles() == sign(b).doubles())
        }
        for (a, b) in zip(try signed.x.doubles(), try expected.x.doubles()) { #expect(abs(a - b) < 1e-5) }
    }

    @Test("gradients are the same compiled")
    func compiled() throws {
        let x = try sampleInput()
        let model = SignedGradients()
        let variables = try model.initialize(key(), x)
        // Modules are not sendable; jit traces on this thread.
        nonisolated(unsafe) let traced = model
        let step = jit { (variables: FrozenDict, x: Tensor) in
            try grad { (variables: FrozenDict) in try sum(square(traced.apply(variables, x))) }(variables)
        }
        let eager = try gradients(model, variables, x).variables
        for (a, b) in zip(try step(variables, x).leaves, eager.leaves) {
            #expect(try a.doubles() == b.doubles())
        }
    }

    @Test("mutable collections change, and random streams draw what they draw without the rule")
    func sideEffects() throws {
        final class Noisy: Module, Layer {
            let isLifted: Bool
            init(isLifted: Bool) {
                self.isLifted = isLifted
                super.init()
            }
            func forward(_ x: Tensor) throws -> Tensor {
                let inner = Custom(name: "inner") { module, x in
                    let count = try module.variable("counter", "n") { try zeros([]) }
                    if !module.isInitializing { try count.set(count.value + 1) }
                    return try Dropout(rate: 0.5)(Dense(features: 4)(x), deterministic: module.isInitializing)
                }
                guard isLifted else { return try inner(x) }
                return try inner.lifted.customVJP(
                    x, { try inner($0) },
                    forward: { (x: Tensor) -> (Tensor, Tree) in
                        (try inner(x), .tuple([.dictionary(try inner.boundVariables), .tensor(x)]))
                    },
                    backward: { (kept: Tree, _: Tensor) in
                        let params = kept["0"]?.dictionary?["params"] ?? .none
                        return (
                            variables: FrozenDict([("params", try params.map { try zerosLike($0) + 7 })]),
                            input: try zerosLike(kept["1"]?.tensor ?? zeros([]))
                        )
                    })
            }
        }
        let x = try sampleInput()
        let (lifted, plain) = (Noisy(isLifted: true), Noisy(isLifted: false))
        let variables = try lifted.initialize(key(), x)
        #expect(paths(variables) == paths(try plain.initialize(key(), x)))
        func run(_ model: Noisy, _ params: Tree) throws -> (Tensor, FrozenDict) {
            var all = variables
            all["params"] = params
            let (output, updates) = try model.apply(
                all, x, mutable: ["counter"], rngs: ["dropout": PRNGKey(seed: 5)])
            return (try sum(square(output)), updates)
        }
        let params = try #require(variables["params"])
        let (value, updates, gradient) = try valueAndGrad(hasAux: { (params: Tree) in try run(lifted, params)
        })(
            params)
        let expected = try run(plain, params)
        #expect(try abs(value.item() - expected.0.item()) < 1e-5)
        #expect(try updates.tensor(at: "counter/inner/n").item() == 1)
        #expect(try gradient.leaves.allSatisfy { try $0.doubles().allSatisfy { $0 == 7 } })
    }

    @Test("a rule that gives cotangents of other variables is an error that names the difference")
    func wrongCotangents() throws {
        let model = Custom { _, x in
            let dense = Dense(features: 2)
            return try dense.lifted.customVJP(
                x, { try dense($0) }, forward: { (x: Tensor) -> (Tensor, Tensor) in (try dense(x), x) },
                backward: { (x: Tensor, _: Tensor) in (variables: FrozenDict(), input: x) })
        }
        let x = try sampleInput()
        let variables = try model.initialize(key(), x)
        let error = moduleError { _ = try gradients(model, variables, x) }
        #expect(error?.operation == "customVJP")
    }
}
