// Metrics: the values that scikit-learn gives for the same numbers, whatever the batches.
import JobSpec
import TensorEngine
import Testing

@testable import Training

@Suite struct MetricTests {
    /// The metric over batches that end at `cuts`.
    private func evaluate(_ json: JSONValue, _ output: Tensor, _ target: Tensor, cuts: [Int]) throws -> Double
    {
        let metric = try MetricBuilder.metric(SpecDecoding.entry(json, .metric).get())
        var sums: [[Double]] = []
        var start = 0
        for end in cuts + [output.shape[0]] {
            let parts = try metric.parts(
                slice(output, axis: 0, start..<end), slice(target, axis: 0, start..<end))
            for (index, part) in parts.enumerated() {
                let values: [Double] = try part.astype(.float64).elements()
                if sums.count == index {
                    sums.append(values)
                } else if metric.accumulation == .concatenate {
                    sums[index] += values
                } else {
                    sums[index] = zip(sums[index], values).map { $0 + $1 }
                }
            }
            start = end
        }
        return metric.value(sums)
    }

    @Test("the values are those of the definitions", arguments: [[], [2], [1, 4]] as [[Int]])
    func values(cuts: [Int]) throws {
        let logits = try Tensor(
            [2, 1, 0, 0, 1, 2, 1, 0, 3, 0, 2, 1, 3, 1, 1, 1, 2, 0] as [Float], shape: [6, 3])
        let labels = try Tensor([0, 2, 0, 1, 1, 1] as [Int32])
        func near(_ json: JSONValue, _ output: Tensor, _ target: Tensor, _ expected: Double) throws {
            let value = try evaluate(json, output, target, cuts: cuts)
            #expect(abs(value - expected) < 1e-6, "\(json): \(value)")
        }
        // Predictions 0 2 2 1 0 1.
        try near("accuracy", logits, labels, 4.0 / 6)
        // The third label has rank 2, the fifth is second with its first equal.
        try near(["type": "top_k_accuracy", "k": 2], logits, labels, 1)
        // Class 0: 1 of 2 found, 2 said; 1: 2 of 3 found, 2 said; 2: 1 of 1 found, 2 said.
        try near("f1_macro", logits, labels, (0.5 + 0.8 + 2.0 / 3) / 3)
        let scores = try Tensor([0.1, 0.4, 0.35, 0.8, 0.4, 0.9] as [Float], shape: [6, 1])
        let truth = try Tensor([0, 0, 1, 1, 1, 1] as [Int32])
        // 8 pairs: one wrong, one tied.
        try near("auc", scores, truth, 6.5 / 8)
        let values = try Tensor([1, 10, 2, 20, 3, 30, 4, 40, 5, 50, 6, 60] as [Float], shape: [6, 2])
        let predictions = try Tensor([1, 10, 2, 20, 3, 30, 4, 40, 5, 50, 5, 30] as [Float], shape: [6, 2])
        try near("mean_squared_error", predictions, values, 901.0 / 12)
        try near("mean_absolute_error", predictions, values, 31.0 / 12)
        // Squared distances from the means: 17.5 and 1750.
        try near("r2", predictions, values, (1 - 1 / 17.5 + 1 - 900 / 1750) / 2)
        try near("perplexity", zeros([6, 4]), zeros([6], dtype: .int32), 4)
    }

    @Test("without two classes there is no area under a curve")
    func oneClass() {
        #expect(MetricBuilder.areaUnderCurve(scores: [1, 2], labels: [1, 1]).isNaN)
    }
}
