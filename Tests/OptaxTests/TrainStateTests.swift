// TrainState: updates, trees, and what does not fit.
import Optax
import TensorEngine
import Testing

@Suite struct TrainStateTests {
    private func state() throws -> TrainState {
        try TrainState.create(
            params: ["w": .tensor(try Tensor([1, 2] as [Float]))], transformation: adam(learningRate: 0.1),
            collections: [.init("batch_stats", ["mean": .tensor(try zeros([2]))])])
    }

    @Test("an update counts, moves the parameters and replaces the collections it is given")
    func applyGradients() throws {
        let next = try state().applyGradients(
            ["w": .tensor(try Tensor([1, -1] as [Float]))],
            replacing: ["batch_stats": .dictionary(["mean": .tensor(try ones([2]))])])
        #expect(try next.step.item() == 1)
        let w = try next.params.tensor(at: "w").doubles()
        #expect((w[0] - 0.9).magnitude < 1e-6 && (w[1] - 2.1).magnitude < 1e-6)
        #expect(try next[collection: "batch_stats"]?.tensor(at: "mean").doubles() == [1, 1])
        #expect(
            next.tree.leavesWithPaths().map(\.path) == [
                "step", "params/w", "opt_state/0/count", "opt_state/0/mu/w", "opt_state/0/nu/w",
                "batch_stats/mean",
            ])
    }

    @Test("a state passes through a compiled function")
    func compiled() throws {
        let step = jit { (state: TrainState, gradient: Tensor) in
            try state.applyGradients(["w": .tensor(gradient)])
        }
        var state = try state()
        for _ in 0..<3 { state = try step(state, try ones([2])) }
        #expect(try state.step.item() == 3)
        #expect(try state.optState["0"]?["count"]?.tensor?.item() == 3)
    }

    @Test("an unknown collection is named")
    func unknownCollection() throws {
        let error = #expect(throws: TensorError.self) {
            try state().applyGradients(["w": .tensor(try ones([2]))], replacing: ["cache": .dictionary([:])])
        }
        #expect(error?.got == "'cache'")
    }

    @Test("a tree of another structure or other shapes is refused with the place")
    func otherTree() throws {
        let mine = try state()
        let other = try TrainState.create(
            params: ["w": .tensor(try ones([3]))], transformation: adam(learningRate: 0.1),
            collections: mine.collections)
        let shape = #expect(throws: TensorError.self) { try mine.replacing(tree: other.tree) }
        #expect(shape?.kind == .shape)
        #expect(shape?.path == "params/w")
        let sgdState = try TrainState.create(
            params: mine.params, transformation: sgd(learningRate: 0.1), collections: mine.collections)
        let structure = #expect(throws: TensorError.self) { try mine.replacing(tree: sgdState.tree) }
        #expect(structure?.kind == .structure)
    }
}
