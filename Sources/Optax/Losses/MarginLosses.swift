// Losses that ask for a margin between right and wrong: hinge, perceptron, triplets.
import TensorEngine

/// `max(0, 1 - y * f)` for scores f and labels y of -1 or 1.
public func hingeLoss(_ scores: Tensor, _ labels: Tensor) throws -> Tensor {
    try requireFloats(scores, for: "hingeLoss")
    return try maximum(0.0, 1 - labels * scores)
}

/// `max(0, -y * f)` for scores f and labels y of -1 or 1.
public func perceptronLoss(_ scores: Tensor, _ labels: Tensor) throws -> Tensor {
    try requireFloats(scores, for: "perceptronLoss")
    return try maximum(0.0, 0 - labels * scores)
}

/// `max over classes c of (f_c + 1 if c is not the label) - f_label` (Crammer & Singer, 2001).
///
/// - Parameters:
///   - scores: `[..., classes]`.
///   - labels: integers, `[...]`.
public func multiclassHingeLoss(_ scores: Tensor, _ labels: Tensor) throws -> Tensor {
    let truth = try oneHot(labels, scores, for: "multiclassHingeLoss")
    return try TensorEngine.max(scores + 1 - truth, axes: [-1]) - sum(scores * truth, axes: [-1])
}

/// `max over classes of f - f_label`. Shapes as in `multiclassHingeLoss`.
public func multiclassPerceptronLoss(_ scores: Tensor, _ labels: Tensor) throws -> Tensor {
    let truth = try oneHot(labels, scores, for: "multiclassPerceptronLoss")
    return try TensorEngine.max(scores, axes: [-1]) - sum(scores * truth, axes: [-1])
}

/// The binary sparsemax loss (Blondel et al., 2020, arXiv:1901.02324): quadratic within 1 of the boundary, then linear or zero.
///
/// - Parameter labels: 0 or 1.
public func sparsemaxLoss(_ logits: Tensor, _ labels: Tensor) throws -> Tensor {
    try requireFloats(logits, for: "sparsemaxLoss")
    let x = try select(labels.astype(.bool), 0 - logits, logits)
    let curve = try square(x + 1) / 4
    return try select(lessEqual(x, -1), 0.0, select(greaterEqual(x, 1), x, curve))
}

/// The multiclass sparsemax loss (Martins & Astudillo, 2016, arXiv:1602.02068), whose prediction, the nearest point of the simplex, can
/// be exactly zero for most classes. Shapes as in `multiclassHingeLoss`.
public func multiclassSparsemaxLoss(_ scores: Tensor, _ labels: Tensor) throws -> Tensor {
    let truth = try oneHot(labels, scores, for: "multiclassSparsemaxLoss")
    let probabilities = try unitSimplex(scores)
    let shifted = try scores - sum(scores * truth, axes: [-1], keepDims: true)
    // Scores of minus infinity have no probability, and must not make 0 * infinity.
    let used = try select(equal(probabilities, 0), 0.0, shifted)
    return try sum(probabilities * used, axes: [-1]) + 0.5 * (1 - sum(square(probabilities), axes: [-1]))
}

/// `max(0, |a - p| - |a - n| + margin)`: an anchor must be nearer to the positive than to the negative example.
///
/// - Parameters:
///   - axis: the axis of the embeddings' components.
///   - epsilon: added under the root, so that its derivative stays finite.
public func tripletMarginLoss(
    _ anchors: Tensor, _ positives: Tensor, _ negatives: Tensor, axis: Int = -1, margin: Double = 1,
    epsilon: Double = 1e-6
) throws -> Tensor {
    func distance(_ others: Tensor) throws -> Tensor {
        try sqrt(sum(square(errors(anchors, others, for: "tripletMarginLoss")), axes: [axis]) + epsilon)
    }
    return try maximum(distance(positives) - distance(negatives) + margin, 0.0)
}

private func oneHot(_ labels: Tensor, _ scores: Tensor, for operation: String) throws -> Tensor {
    try requireFloats(scores, for: operation)
    guard let classes = scores.shape.last, labels.dtype.isInteger,
        labels.shape == scores.shape.removing(axes: [scores.rank - 1])
    else {
        throw TensorError(
            .shape, operation, expected: "scores [..., classes] and integer labels [...]",
            got: "\(scores.type) and \(labels.type)")
    }
    return try TensorEngine.oneHot(labels, count: classes, dtype: scores.dtype)
}
