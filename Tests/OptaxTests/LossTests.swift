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

/// Values from Optax 0.2.8, for arguments that the golden cases leave at their defaults.
@Suite struct LossOptionTests {
    private let logits = [1, 2, -1, 0.5, 0, 3] as [Float]
    private let targets = [0.5, 0.5, 0, 0.2, 0.3, 0.5] as [Float]
    private let mask = [true, true, false, true, true, true]

    private func expect(_ x: Tensor, _ expected: [Double], sourceLocation: SourceLocation = #_sourceLocation)
        throws
    {
        let got = try x.doubles()
        #expect(
            got.count == expected.count && zip(got, expected).allSatisfy { abs($0 - $1) < 1e-5 }, "\(got)",
            sourceLocation: sourceLocation)
    }

    @Test("classes that a mask leaves out have no part in value and gradient")
    func masks() throws {
        let (x, y) = (try Tensor(logits, shape: [2, 3]), try Tensor(targets, shape: [2, 3]))
        let mask = try Tensor(mask, shape: [2, 3])
        try expect(softmaxCrossEntropy(x, y, mask: mask), [0.8132616, 1.523873])
        try expect(
            softmaxCrossEntropyWithIntegerLabels(x, try Tensor([1, 2] as [Int32]), mask: mask),
            [0.3132615, 0.123873])
        try expect(klDivergence(logSoftmax(x), y, mask: mask), [0.15586497, 0.49421993])
        let gradient = try grad { (x: Tensor) in try sum(softmaxCrossEntropy(x, y, mask: mask)) }(x).doubles()
        #expect(gradient[2] == 0 && gradient.allSatisfy(\.isFinite))
    }

    @Test("lists without items do not count in a ranking")
    func ranking() throws {
        let loss = try rankingSoftmaxLoss(
            try Tensor(logits, shape: [2, 3]), try Tensor([1, 0, 2, 0, 1, 2] as [Float], shape: [2, 3]),
            mask: try Tensor([true, true, false, false, false, false], shape: [2, 3]),
            weights: try Tensor([2, 1, 1] as [Float]))
        try expect(loss, [2.6265233])
    }

    @Test("the Dice loss of probabilities with class weights")
    func dice() throws {
        let probabilities = try softmax(try Tensor(logits, shape: [1, 2, 3]))
        let truth = try Tensor([1, 0, 0, 0, 0, 1] as [Float], shape: [1, 2, 3])
        let loss = try diceLoss(
            probabilities, truth, classWeights: try Tensor([1, 2, 3] as [Float]), appliesSoftmax: false,
            reduction: .sum)
        try expect(loss, [0.9052078])
    }

    @Test("frames and labels beyond their ends have no part in CTC, and equal labels need a blank between")
    func ctc() throws {
        let logits = try arange(24, dtype: .float32) / 7
        let loss = try ctcLoss(
            reshape(logits, [2, 3, 4]), try Tensor([0, 0, 0, 0, 0, 1] as [Float], shape: [2, 3]),
            try Tensor([1, 1, 2, 0] as [Int32], shape: [2, 2]),
            try Tensor([0, 0, 0, 1] as [Float], shape: [2, 2]))
        try expect(loss, [4.554181, 1.7376966])
        #expect(throws: TensorError.self) {
            try ctcLoss(
                try zeros([1, 2, 3]), try zeros([1, 2]), try zeros([1, 1], dtype: .int32), try zeros([1, 1]),
                blank: 3)
        }
    }

    @Test("the Fenchel-Young loss of the log-sum-exp is the cross entropy")
    func fenchelYoung() throws {
        let (x, y) = (try Tensor(logits, shape: [2, 3]), try Tensor(targets, shape: [2, 3]))
        let loss = try fenchelYoungLoss(x, y) { try logSumExp($0, axes: [-1]) }
        try expect(loss, softmaxCrossEntropy(x, y).doubles())
    }
}
