// Metrics of a spec: what each batch contributes, and the value that the contributions of all batches have.
import JobSpec
import Optax
import TensorEngine

/// A metric over a whole evaluation, whatever the batches.
struct Metric: Sendable {
    enum Accumulation: Sendable {
        /// The parts of the batches are added, element by element.
        case sum
        /// They are put one after the other.
        case concatenate
    }

    let accumulation: Accumulation
    let partCount: Int
    /// The parts of a batch, each a vector or a scalar.
    let parts: @Sendable (_ output: Tensor, _ target: Tensor) throws -> [Tensor]
    /// The value, from the parts of all batches.
    let value: @Sendable (_ parts: [[Double]]) -> Double
}

enum MetricBuilder {
    static func metric(_ spec: MetricSpec) throws -> Metric { try table.builder(spec).build(spec.arguments) }

    static let table = BuildTable<Arguments, Metric>([classifications, regressions])

    /// The mean of one number for each label.
    private static func meanOf(_ each: @escaping BatchScore) -> Metric {
        Metric(accumulation: .sum, partCount: 2) { output, target in
            let values = try each(output, target)
            return [try sum(values.astype(.float32)), try full([], Double(values.shape.elementCount))]
        } value: { parts in
            (parts[0].first ?? 0) / (parts[1].first ?? 1)
        }
    }

    /// Predicted and true labels: of the largest logit, or of the sign of a single one.
    private static func labels(_ output: Tensor, _ target: Tensor) throws -> (
        predicted: Tensor, truth: Tensor
    ) {
        if target.dtype.isInteger {
            return (try argmax(output, axis: -1).astype(.int32), try target.astype(.int32))
        }
        guard output.shape.last == 1 else {
            return (try argmax(output, axis: -1).astype(.int32), try argmax(target, axis: -1).astype(.int32))
        }
        return (try greater(output, 0).astype(.int32), try greater(target, 0.5).astype(.int32))
    }

    private static func flat(_ x: Tensor) throws -> Tensor { try reshape(x, [x.shape.elementCount]) }

    private static let classifications: [Builder<Arguments, Metric>] = [
        .init("accuracy") { _ in
            meanOf {
                let (predicted, truth) = try labels($0, $1)
                return try equal(predicted, truth)
            }
        },
        .init("top_k_accuracy") { a in
            let k = try a.integer("k")
            return meanOf { output, target in
                // The label's rank: how many logits are larger, with ties in the order of the classes.
                let label = try expandDims(target, axis: -1)
                let own = try takeAlongAxis(output, label, axis: -1)
                let index = try iota(.int32, shape: output.shape, dimension: output.rank - 1)
                let wide = try broadcastTo(label, output.shape)
                let precedes = try or(
                    greater(output, own), and(equal(output, own), less(index, wide)))
                return try less(sum(precedes.astype(.int32), axes: [-1]), k)
            }
        },
        .init("perplexity") { _ in
            let entropy = meanOf { try softmaxCrossEntropyWithIntegerLabels($0, $1) }
            return Metric(accumulation: .sum, partCount: 2, parts: entropy.parts) {
                exponential(entropy.value($0))
            }
        },
        .init("f1_macro") { _ in
            Metric(accumulation: .sum, partCount: 3) { output, target in
                let (predicted, truth) = try labels(output, target)
                let count = max(2, output.shape.last ?? 2)
                let (p, t) = (
                    try oneHot(flat(predicted), count: count), try oneHot(flat(truth), count: count)
                )
                return [try sum(p * t, axes: [0]), try sum(p, axes: [0]), try sum(t, axes: [0])]
            } value: { parts in
                let scores = zip(parts[0], zip(parts[1], parts[2])).compactMap { hits, totals in
                    let both = totals.0 + totals.1
                    return both > 0 ? 2 * hits / both : nil
                }
                return scores.isEmpty ? .nan : scores.reduce(0, +) / Double(scores.count)
            }
        },
        .init("auc") { _ in
            Metric(accumulation: .concatenate, partCount: 2) { output, target in
                guard let width = output.shape.last, width <= 2 else {
                    throw TensorError(
                        .shape, "auc", expected: "two classes: 1 or 2 outputs", got: "\(output.shape)",
                        fix: "auc is for two classes; use f1_macro or accuracy for more.")
                }
                let score =
                    try width == 1 ? output : slice(output, axis: -1, 1..<2) - slice(output, axis: -1, 0..<1)
                return [try flat(score), try flat(labels(output, target).truth).astype(.float32)]
            } value: { parts in
                areaUnderCurve(scores: parts[0], labels: parts[1])
            }
        },
    ]

    private static let regressions: [Builder<Arguments, Metric>] = [
        .init("mean_squared_error") { _ in meanOf { try squaredError($0, $1) } },
        .init("mean_absolute_error") { _ in meanOf { try abs($0 - $1) } },
        .init("r2") { _ in
            // By output, in double precision: the sums of squares are much larger than their difference.
            Metric(accumulation: .sum, partCount: 4) { output, target in
                let width = target.shape.last ?? 1
                func rows(_ x: Tensor) throws -> Tensor {
                    try reshape(x, [x.shape.elementCount / max(1, width), width]).astype(.float64)
                }
                let (prediction, truth) = (try rows(output), try rows(target))
                return [
                    try sum(square(truth - prediction), axes: [0]), try sum(truth, axes: [0]),
                    try sum(square(truth), axes: [0]),
                    try full([], Double(truth.shape[0]), dtype: .float64),
                ]
            } value: { parts in
                let rows = parts[3].first ?? 1
                let scores = parts[0].indices.map { output in
                    let spread = parts[2][output] - parts[1][output] * parts[1][output] / rows
                    if spread > 0 { return 1 - parts[0][output] / spread }
                    // A constant target: foretold exactly or not.
                    return parts[0][output] == 0 ? 1 : 0
                }
                return scores.isEmpty ? .nan : scores.reduce(0, +) / Double(scores.count)
            }
        },
    ]

    /// How often a positive example has a larger score than a negative one, ties counted half; NaN without a pair.
    static func areaUnderCurve(scores: [Double], labels: [Double]) -> Double {
        let order = scores.indices.sorted { scores[$0] < scores[$1] }
        var (rankSum, positives) = (0.0, 0.0)
        var start = 0
        while start < order.count {
            var end = start + 1
            while end < order.count, scores[order[end]] == scores[order[start]] { end += 1 }
            // Ranks from 1; equal scores share the mean of theirs.
            let rank = Double(start + 1 + end) / 2
            for index in order[start..<end] where labels[index] > 0.5 {
                rankSum += rank
                positives += 1
            }
            start = end
        }
        let negatives = Double(order.count) - positives
        guard positives > 0, negatives > 0 else { return .nan }
        return (rankSum - positives * (positives + 1) / 2) / (positives * negatives)
    }
}
