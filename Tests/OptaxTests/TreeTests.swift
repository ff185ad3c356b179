// Functions on trees, masks by pattern, projections and measurements.
import Optax
import TensorEngine
import Testing

private func tree(_ a: [Float], _ b: [Float]) throws -> Tree {
    .dictionary(["a": .tensor(try Tensor(a)), "b": .tensor(try Tensor(b))])
}

private func numbers(_ tree: Tree) throws -> [Double] { try tree.leaves.flatMap { try $0.doubles() } }

private func isClose(_ a: [Double], _ b: [Double]) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) <= 1e-5 * max(1, abs($1)) }
}

@Suite struct TreeTests {
    @Test("norms, sums and extrema go over all leaves together")
    func reductions() throws {
        let x = try tree([3, -4], [12])
        #expect(try Tree.norm(x).item() == 13)
        #expect(try Tree.norm(x, order: .one).item() == 19)
        #expect(try Tree.norm(x, order: .infinity).item() == 12)
        #expect(try Tree.sum(x).item() == 11)
        #expect(try Tree.max(x).item() == 12)
        #expect(try Tree.min(x).item() == -4)
        #expect(try Tree.vdot(x, x).item() == 169)
        #expect(Tree.size(x) == 3)
        let empty = Tree.dictionary(["e": .tensor(try zeros([0]))])
        #expect(try Tree.max(empty).item() == -.infinity)
        #expect(try Tree.norm(empty).item() == 0)
    }

    @Test("trees of another structure are refused with the difference")
    func structures() throws {
        let error = #expect(throws: TensorError.self) {
            try Tree.add(try tree([1], [2]), .dictionary(["a": .tensor(try zeros([1]))]))
        }
        #expect(error?.operation == "Tree.add")
    }

    @Test("equal infinities are close, numbers that are none are not")
    func allClose() throws {
        #expect(
            try Tree.allClose(try tree([1, .infinity], [2]), try tree([1.000001, .infinity], [2])).item() == 1
        )
        #expect(try Tree.allClose(try tree([.nan], [2]), try tree([.nan], [2])).item() == 0)
        #expect(try Tree.allClose(try tree([1], [2]), try tree([.infinity], [2])).item() == 0)
    }

    @Test("values of a state are found and replaced by name; several, or none, are an error")
    func states() throws {
        let params = try tree([1], [2])
        let optimizer = chain(
            clipByGlobalNorm(1),
            injectHyperparameters(["learning_rate": 0.5]) { adam(learningRate: try $0["learning_rate"]) },
            scaleByAdam())
        let state = try optimizer.initialize(params: params)
        #expect(try Tree.get(state, "learning_rate")?.tensor?.item() == 0.5)
        #expect(try Tree.get(state, "no such name") == nil)
        #expect(
            Tree.getAll(state, "ScaleByAdamState").map(\.path) == ["1/inner_state/0", "2"])
        let error = #expect(throws: TensorError.self) { try Tree.get(state, "mu") }
        #expect(error?.got == "2, at 1/inner_state/0/mu, 2/mu")

        let changed = try Tree.set(state, ["learning_rate": .tensor(try full([], 2))])
        #expect(try Tree.get(changed, "learning_rate")?.tensor?.item() == 2)
        let one = try Tree.set(state, ["count": .tensor(try full([], 9, dtype: .int32))]) { path, _ in
            path == "2/count"
        }
        #expect(try one["2"]?["count"]?.tensor?.item() == 9)
        #expect(try one["1"]?["count"]?.tensor?.item() == 0)
        #expect(throws: TensorError.self) { try Tree.set(state, ["learnign_rate": .none]) }
    }

    @Test("random trees have a key for each leaf")
    func random() throws {
        let template = try tree([0, 0], [0, 0])
        let noise = try Tree.randomLike(try PRNGKey(seed: 1), template)
        let keys = try PRNGKey(seed: 1).split(2)
        #expect(try numbers(noise) == keys[0].normal([2]).doubles() + keys[1].normal([2]).doubles())
    }
}

@Suite struct PatternTests {
    private func params() throws -> Tree {
        let leaf = Tree.tensor(try ones([1]))
        return .dictionary([
            "encoder": .dictionary([
                "Dense_0": .dictionary(["bias": leaf, "kernel": leaf]),
                "LayerNorm_0": .dictionary(["scale": leaf]),
            ]), "bias": leaf,
        ])
    }

    /// The paths that a mask selects.
    private func selected(_ mask: ParameterMask) throws -> Set<String> {
        let (params, optimizer) = (try params(), masked(setToZero(), mask))
        let (updates, _) = try optimizer.update(
            updates: params, state: try optimizer.initialize(params: params), params: params)
        return Set(try updates.leavesWithPaths().filter { try $0.tensor.item() == 0 }.map(\.path))
    }

    @Test("a star matches any run of characters, and a leading star with its slash nothing as well")
    func patterns() throws {
        #expect(try selected(.matching("*/bias")) == ["bias", "encoder/Dense_0/bias"])
        #expect(
            try selected(.matching("encoder/*/bias", "*scale")) == [
                "encoder/Dense_0/bias", "encoder/LayerNorm_0/scale",
            ])
        #expect(try selected(.matching("encoder")) == [])
        #expect(try selected(.matching("*/Dense_?/k*l")) == ["encoder/Dense_0/kernel"])
        #expect(try selected(.matching("*")).count == 4)
        #expect(try selected(.notMatching("*/bias", "*/scale")) == ["encoder/Dense_0/kernel"])
    }

    @Test("labels go by the first pattern that matches")
    func labels() throws {
        let params = try params()
        let optimizer = partition(
            ["fast": scale(10), "slow": scale(2), "frozen": setToZero()],
            labels: .patterns([("*/kernel", "fast"), ("encoder/*", "frozen")], otherwise: "slow"))
        let (updates, _) = try optimizer.update(
            updates: params, state: try optimizer.initialize(params: params), params: params)
        let values = try Dictionary(
            uniqueKeysWithValues: updates.leavesWithPaths().map { ($0.path, try $0.tensor.item()) })
        #expect(
            values == [
                "bias": 2, "encoder/Dense_0/bias": 0, "encoder/Dense_0/kernel": 10,
                "encoder/LayerNorm_0/scale": 0,
            ])
    }
}

/// Values from Optax 0.2.8.
@Suite struct ProjectionTests {
    @Test("projections give the nearest points")
    func nearest() throws {
        let x = try tree([0.5, -1, 2], [0.25])
        #expect(isClose(try numbers(projectionSimplex(x, scale: 1.5)), [0, 0, 1.5, 0]))
        #expect(isClose(try numbers(projectionL1Sphere(x, scale: 1.5)), [0, -0.25, 1.25, 0]))
        #expect(isClose(try numbers(projectionL1Ball(x, scale: 1.5)), [0, -0.25, 1.25, 0]))
        #expect(try numbers(projectionL1Ball(x, scale: 4)) == numbers(x))
        let onSphere = [0.32539567, -0.65079135, 1.3015827, 0.16269784]
        #expect(isClose(try numbers(projectionL2Sphere(x, scale: 1.5)), onSphere))
        #expect(isClose(try numbers(projectionL2Ball(x, scale: 1.5)), onSphere))
        #expect(try numbers(projectionLInfinityBall(x, scale: 1.5)) == [0.5, -1, 1.5, 0.25])
        #expect(try numbers(projectionHypercube(x, scale: 1.5)) == [0.5, 0, 1.5, 0.25])
        #expect(try numbers(projectionNonNegative(x)) == [0.5, 0, 2, 0.25])
        let normal = try tree([1, 2, 0], [-1])
        #expect(
            isClose(
                try numbers(projectionHyperplane(x, normal: normal, offset: 0.5)), [0.875, -0.25, 2, -0.125]))
        #expect(
            isClose(
                try numbers(projectionHalfspace(x, normal: normal, offset: -3)),
                [0.29166669, -1.4166666, 2, 0.45833331]))
        #expect(try numbers(projectionHalfspace(x, normal: normal, offset: 0)) == numbers(x))
        #expect(
            isClose(
                try numbers(projectionVector(x, onto: normal)), [-0.29166666, -0.58333331, 0, 0.29166666]))
        #expect(throws: TensorError.self) { try projectionSimplex(x, scale: 0) }
    }

    @Test("roots and eigenvalues of matrices")
    func matrices() throws {
        let matrix = try Tensor([4, 1, 0, 1, 3, 0.5, 0, 0.5, 2] as [Float], shape: [3, 3])
        #expect(isClose([try powerIteration(matrix).eigenvalue.item()], [4.6449733]))
        let (root, error) = try jit { (m: Tensor) in
            let (root, error) = try matrixInversePthRoot(m, p: 4)
            return (root, error)
        }(matrix)
        #expect(
            isClose(
                try root.doubles(),
                [
                    0.71632004, -0.05595579, 0.00769115, -0.05595579, 0.7761214, -0.04336019, 0.00769115,
                    -0.04336019,
                    0.84745944,
                ]))
        #expect(try error.item() < 1e-5)
        let x = try nnls(
            try Tensor([1, 2, 3, 1, 0, 1] as [Float], shape: [3, 2]), try Tensor([1, -1, 2] as [Float]),
            iterations: 50)
        #expect(isClose(try x.doubles(), [0, 0.5]))
        #expect(throws: TensorError.self) { try matrixInversePthRoot(matrix, p: 3) }
    }

    @Test("second derivatives of a loss")
    func secondOrder() throws {
        let loss: @Sendable (Tree) throws -> Tensor = { params in
            let (a, b) = (params.leaves[0], params.leaves[1])
            return try sum(a * a * a) + sum(a) * sum(b)
        }
        let params = try tree([1, -2], [3])
        #expect(isClose(try numbers(hessianDiagonal(loss, params)), [6, -12, 0]))
        let product = try hessianVectorProduct(loss, params, try tree([1, 0], [2]))
        #expect(isClose(try numbers(product), [8, 2, 1]))
        #expect(isClose(try numbers(fisherDiagonal(loss, params)), [36, 225, 1]))
    }
}

@Suite struct MonitoringTests {
    @Test("measurements are in the state, and updates pass")
    func measurements() throws {
        let params = try tree([3, -4], [12])
        let optimizer = chain(
            snapshot("last") { .tensor(try globalNorm($0)) },
            try monitor([
                "smooth": measureWithEMA(decay: 0.9) { .tensor(try globalNorm($0)) },
                "largest": .stateless { updates, _ in .tensor(try Tree.norm(updates, order: .infinity)) },
            ]))
        var state = try optimizer.initialize(params: params)
        #expect(try Tree.get(state, "last")?.tensor?.item() == 13)
        let step = jit { (updates: Tree, state: Tree) in
            let (updates, next) = try optimizer.update(updates: updates, state: state)
            return (updates, next)
        }
        for scale in [1.0, 2.0] {
            let gradients = try Tree.scale(.constant(scale), params)
            let (updates, next) = try step(gradients, state)
            #expect(try numbers(updates) == numbers(gradients))
            state = next
        }
        #expect(try Tree.get(state, "last")?.tensor?.item() == 26)
        #expect(try Tree.get(state, "largest")?.tensor?.item() == 24)
        // (0.09 * 13 + 0.1 * 26) / 0.19
        #expect(isClose([try #require(try Tree.get(state, "smooth")?.tensor).item()], [19.842105]))
    }

    @Test("per-example gradients are clipped each, and the noise is Optax's")
    func privacy() throws {
        let gradients = Tree.dictionary([
            "w": .tensor(try Tensor([1, 2, 0.1, 0, 0, 0] as [Float], shape: [3, 2]))
        ])
        let (sum, count) = try perExampleGlobalNormClip(gradients, maxNorm: 0.5)
        #expect(isClose(try numbers(sum), [0.5 / 5.0.squareRoot() + 0.1, 1 / 5.0.squareRoot()]))
        #expect(try count.item() == 1)
        let optimizer = differentiallyPrivateAggregate(
            maxNorm: 0.5, noiseMultiplier: 0.3, key: try PRNGKey(seed: 5))
        let (updates, _) = try optimizer.update(
            updates: gradients, state: try optimizer.initialize(params: gradients))
        #expect(isClose(try numbers(updates), [0.03887542709708214, 0.11199918389320374]))
        #expect(throws: TensorError.self) { try perExampleGlobalNormClip(try tree([1], [1, 2]), maxNorm: 1) }
    }

    @Test("a scaled gradient leaves the value alone")
    func scaledGradient() throws {
        let gradient = try grad { (x: Tree) in
            try sum(square(scaleGradient(x, by: -0.5).leaves[0]))
        }(.tensor(try Tensor([3] as [Float])))
        #expect(try numbers(gradient) == [-3])
    }

    @Test("half-precision gradients are gathered in float32")
    func accumulator() throws {
        let optimizer = try multiSteps(sgd(learningRate: 1), every: 3)
        let params = Tree.tensor(try ones([1], dtype: .bfloat16))
        var state = try optimizer.initialize(params: params)
        var updates = params
        for gradient in [256.0, 1, 1] {
            #expect(try multiStepsHasUpdated(state).item() == 0)
            (updates, state) = try optimizer.update(
                updates: .tensor(try full([1], gradient, dtype: .bfloat16)), state: state, params: params)
        }
        #expect(try multiStepsHasUpdated(state).item() == 1)
        #expect(updates.leaves[0].dtype == .bfloat16)
        #expect(try updates.leaves[0].item() == -86)
    }
}
