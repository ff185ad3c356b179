// Losses: what they refuse, and that they stay finite where it is hard.
import Optax
import TensorEngine
import Testing

@Suite struct LossTests {
    @Test("targets of another shape are refused instead of broadcast")
    func shapes() throws {
        let error = #expect(throws: TensorError.self) { try l2Loss(try zeros([4, 1]), try zeros([4])) }
        #expect(error?.kind == .shape)
        #expect(throws: TensorError.self) {
            try softmaxCrossEntropyWithIntegerLabels(try zeros([4, 3]), try zeros([3], dtype: .int32))
        }
    }

    @Test("integer predictions and float labels are refused")
    func types() throws {
        #expect(throws: TensorError.self) { try squaredError(try zeros([2], dtype: .int32)) }
        #expect(throws: TensorError.self) {
            try softmaxCrossEntropyWithIntegerLabels(try zeros([4, 3]), try zeros([4]))
        }
    }

    @Test("cross entropies and their gradients stay finite for huge logits")
    func hugeLogits() throws {
        let logits = try Tensor([1e30, -1e30, 3e4] as [Float], shape: [1, 3])
        let gradient = try grad { (x: Tensor) in
            try sum(softmaxCrossEntropyWithIntegerLabels(x, try Tensor([0 as Int32])))
        }(logits)
        #expect(try gradient.doubles().allSatisfy(\.isFinite))
        let binary = try sigmoidBinaryCrossEntropy(
            try Tensor([1e4, -1e4] as [Float]), try Tensor([0, 0] as [Float]))
        #expect(try binary.doubles() == [1e4, 0])
    }
}
