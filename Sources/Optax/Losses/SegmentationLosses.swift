// Losses of segmentations, which compare regions instead of pixels: the Dice coefficient and its relatives.
import TensorEngine

/// One minus the soft Dice coefficient of each class (Milletari et al., 2016, arXiv:1606.04797), or with other weights of the two kinds
/// of mistake the Tversky index (Salehi et al., 2017, arXiv:1706.05721):
/// `1 - (i + smooth) / (i + alpha * (p - i) + beta * (t - i) + smooth)`, with the sums i of `probability * target`, p of the
/// probabilities and t of the targets over all places.
///
/// - Parameters:
///   - predictions: logits, `[batch, ..., classes]`; one class stands for a yes-or-no decision. Without `appliesSoftmax`, probabilities.
///   - targets: one-hot, of the same shape. Either may lack the axis of a single class.
///   - classWeights: a factor for each class, `[classes]`.
///   - alpha, beta: the weights of false positives and of false negatives.
///   - reduction: over the classes.
///   - ignoresBackground: leaves out class 0, unless it is the only one.
///   - axes: the places; by default everything but the batch and the classes.
/// - Returns: `[batch]`, or `[batch, classes]` without reduction.
public func diceLoss(
    _ predictions: Tensor, _ targets: Tensor, classWeights: Tensor? = nil, smooth: Double = 1,
    alpha: Double = 0.5, beta: Double = 0.5, appliesSoftmax: Bool = true, reduction: LossReduction = .mean,
    ignoresBackground: Bool = false, axes: [Int]? = nil
) throws -> Tensor {
    let name = "diceLoss"
    try requireFloats(predictions, for: name)
    let logits =
        predictions.rank == targets.rank - 1 ? try expandDims(predictions, axis: -1) : predictions
    let truth = targets.rank == logits.rank - 1 ? try expandDims(targets, axis: -1) : targets
    guard logits.shape == truth.shape, logits.rank >= 2, let classes = logits.shape.last else {
        throw TensorError(
            .shape, name, expected: "predictions and targets of one shape [batch, ..., classes]",
            got: "\(predictions.shape) and \(targets.shape)")
    }
    if let classWeights, classWeights.shape != [classes] {
        throw TensorError(
            .shape, name, expected: "\(classes) class weights", got: "shape \(classWeights.shape)")
    }
    var probabilities = logits
    if appliesSoftmax { probabilities = classes == 1 ? try logistic(logits) : try softmax(logits) }
    let places = axes ?? Array(1..<(logits.rank - 1))
    func total(_ x: Tensor) throws -> Tensor { places.isEmpty ? x : try sum(x, axes: places) }
    let shared = try total(probabilities * truth)
    let falsePositives = try total(probabilities) - shared
    let falseNegatives = try total(truth).astype(shared.dtype) - shared
    let coefficient =
        try (shared + smooth) / (shared + alpha * falsePositives + beta * falseNegatives + smooth)
    var losses = try 1 - coefficient
    if let classWeights { losses = try losses * classWeights }
    if ignoresBackground, classes > 1 { losses = try slice(losses, axis: losses.rank - 1, 1..<classes) }
    return try reduction.apply(losses, axes: [-1])
}

/// The Dice loss of yes-or-no decisions.
///
/// - Parameters:
///   - predictions: logits, `[batch, ...]`, with or without a last axis of one class. Without `appliesSigmoid`, probabilities.
///   - targets: 0 or 1, of the same shape.
/// - Returns: `[batch]`.
public func binaryDiceLoss(
    _ predictions: Tensor, _ targets: Tensor, smooth: Double = 1, appliesSigmoid: Bool = true
) throws -> Tensor {
    let lacksClass = predictions.rank == targets.rank && predictions.shape.last != 1
    return try diceLoss(
        lacksClass ? expandDims(predictions, axis: -1) : predictions,
        lacksClass ? expandDims(targets, axis: -1) : targets, smooth: smooth, appliesSoftmax: appliesSigmoid)
}

/// The Dice loss with classes weighted by the inverse squares of their frequencies among the targets (Sudre et al., 2017,
/// arXiv:1707.03237), a scalar. Arguments as for `diceLoss`.
public func multiclassGeneralizedDiceLoss(
    _ predictions: Tensor, _ targets: Tensor, smooth: Double = 1, appliesSoftmax: Bool = true,
    ignoresBackground: Bool = false
) throws -> Tensor {
    guard predictions.shape == targets.shape, let classes = targets.shape.last else {
        throw TensorError(
            .shape, "multiclassGeneralizedDiceLoss",
            expected: "predictions and targets of one shape [batch, ..., classes]",
            got: "\(predictions.shape) and \(targets.shape)")
    }
    let frequencies = try sum(targets.astype(targets.dtype.floating), axes: Array(0..<(targets.rank - 1)))
    let inverse = try 1 / (square(frequencies) + 1e-7)
    let weights = try inverse / sum(inverse) * Double(classes)
    return try mean(
        diceLoss(
            predictions, targets, classWeights: weights, smooth: smooth, appliesSoftmax: appliesSoftmax,
            reduction: .none, ignoresBackground: ignoresBackground))
}
