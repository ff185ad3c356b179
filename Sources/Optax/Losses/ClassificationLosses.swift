// Losses between scores and classes.
import TensorEngine

/// Cross entropy of a softmax over logits and integer labels: `-log softmax(logits)[label]`.
///
/// - Parameters:
///   - logits: unnormalised log probabilities, `[..., classes]`.
///   - labels: integers, `[...]`. An out-of-range label gives NaN, a negative one counts from the end.
/// - Parameter mask: true for the classes that there are, of a shape that broadcasts to the logits'; all by default.
/// - Returns: the loss of each label, `[...]`.
public func softmaxCrossEntropyWithIntegerLabels(
    _ logits: Tensor, _ labels: Tensor, axis: Int = -1, mask: Tensor? = nil
) throws -> Tensor {
    let name = "softmaxCrossEntropyWithIntegerLabels"
    guard logits.dtype.isFloating, labels.dtype.isInteger else {
        throw TensorError(
            .dtype, name, expected: "logits in floats and labels in integers",
            got: "\(logits.type) and \(labels.type)")
    }
    let resolved = axis < 0 ? axis + logits.rank : axis
    guard (0..<logits.rank).contains(resolved), labels.shape == logits.shape.removing(axes: [resolved]) else {
        throw TensorError(
            .shape, name, expected: "labels of the logits' shape without its axis \(axis)",
            got: "logits \(logits.shape), labels \(labels.shape)")
    }
    let logits = try mask.map { try select($0, logits, -Double.infinity) } ?? logits
    // The largest logit is a constant of the sum: its derivative cancels.
    let shifted = try logits - stopGradient(TensorEngine.max(logits, axes: [resolved], keepDims: true))
    let chosen = try squeeze(
        takeAlongAxis(shifted, expandDims(labels, axis: resolved), axis: resolved), axes: [resolved])
    return try log(sum(exp(shifted), axes: [resolved])) - chosen
}

/// Cross entropy of a softmax over logits and distributions: `-Σ labels * log softmax(logits)`.
///
/// - Parameters:
///   - logits: unnormalised log probabilities, `[..., classes]`.
///   - labels: probabilities that sum to 1, such as one-hot or smoothed labels, of the same shape.
///   - mask: true for the classes that there are, of a shape that broadcasts to the logits'; all by default.
public func softmaxCrossEntropy(
    _ logits: Tensor, _ labels: Tensor, axis: Int = -1, mask: Tensor? = nil
) throws -> Tensor {
    try requireFloats(logits, for: "softmaxCrossEntropy")
    guard let mask else { return try 0 - sum(labels * logSoftmax(logits, axis: axis), axes: [axis]) }
    // Classes that are not there have a logit of minus infinity, and none in the sum: 0 times infinity is no number.
    let logProbabilities = try logSoftmax(select(mask, logits, -Double.infinity), axis: axis)
    return try 0 - sum(labels * select(mask, logProbabilities, 0.0), axes: [axis])
}

/// `softmaxCrossEntropy` for logits that may be minus infinity where the label is 0.
public func safeSoftmaxCrossEntropy(_ logits: Tensor, _ labels: Tensor, axis: Int = -1) throws -> Tensor {
    try requireFloats(logits, for: "safeSoftmaxCrossEntropy")
    let isUsed = try notEqual(labels, 0)
    let terms = try select(isUsed, labels * logSoftmax(logits, axis: axis), 0.0)
    return try 0 - sum(terms, axes: [axis])
}

/// Cross entropy of independent yes-or-no decisions: `-y log σ(x) - (1 - y) log(1 - σ(x))`, element by element.
///
/// - Parameter labels: 0 or 1, or probabilities.
public func sigmoidBinaryCrossEntropy(_ logits: Tensor, _ labels: Tensor) throws -> Tensor {
    try requireFloats(logits, for: "sigmoidBinaryCrossEntropy")
    let y = try labels.astype(logits.dtype)
    return try (0 - y) * logSigmoid(logits) - (1 - y) * logSigmoid(0 - logits)
}

/// Cross entropy of decisions with a weight on hard examples (Lin et al., 2017, arXiv:1708.02002):
/// `crossEntropy * (1 - p)^gamma`, where p is the probability given to the truth.
///
/// - Parameter alpha: the weight of the label 1, with 1 - alpha for 0; none for no weighting.
public func sigmoidFocalLoss(
    _ logits: Tensor, _ labels: Tensor, alpha: Double? = nil, gamma: Double = 2
) throws -> Tensor {
    let y = try labels.astype(logits.dtype)
    let p = try logistic(logits)
    let crossEntropy = try sigmoidBinaryCrossEntropy(logits, y)
    let truth = try p * y + (1 - p) * (1 - y)
    let loss = try crossEntropy * pow(1 - truth, gamma)
    guard let alpha else { return loss }
    return try (alpha * y + (1 - alpha) * (1 - y)) * loss
}

/// Cross entropy with a first term of its expansion weighted anew (Leng et al., 2022, arXiv:2204.12511):
/// `softmaxCrossEntropy + epsilon * (1 - Σ labels * softmax(logits))`.
public func polyLossCrossEntropy(
    _ logits: Tensor, _ labels: Tensor, epsilon: Double = 2, axis: Int = -1
) throws -> Tensor {
    let remaining = try 1 - sum(labels * softmax(logits, axis: axis), axes: [axis])
    return try softmaxCrossEntropy(logits, labels, axis: axis) + epsilon * remaining
}

/// Labels with `alpha` of their weight spread over all classes: `(1 - alpha) * labels + alpha / classes`.
public func smoothLabels(_ labels: Tensor, alpha: Double) throws -> Tensor {
    guard let classes = labels.shape.last, classes > 0 else {
        throw TensorError(.shape, "smoothLabels", expected: "labels [..., classes]", got: "\(labels.shape)")
    }
    try requireFloats(labels, for: "smoothLabels")
    return try (1 - alpha) * labels + alpha / Double(classes)
}

/// `log σ(x)`, without overflow: `-log(1 + exp(-x))`.
func logSigmoid(_ x: Tensor) throws -> Tensor { try 0 - softplus(0 - x) }

/// `log(1 + exp(x))`, without overflow.
func softplus(_ x: Tensor) throws -> Tensor { try logAddExp(x, zerosLike(x)) }

func requireFloats(_ x: Tensor, for operation: String) throws {
    guard x.dtype.isFloating else {
        throw TensorError(
            .dtype, operation, expected: "floats", got: "\(x.type)", fix: "Convert first: x.astype(.float32)."
        )
    }
}
