// Losses that compare: items of a list, and embeddings of one thing seen in several ways.
import TensorEngine

/// The cross entropy of a softmax over the items of each list, weighted by their relevance (ListNet; Cao et al., 2007).
///
/// - Parameters:
///   - logits: the items' scores, `[..., items]`.
///   - labels: their relevance, 0 or more, of the same shape.
///   - mask: true for the items that count; all by default.
///   - weights: factors on the labels.
///   - reduction: over the lists that have items.
public func rankingSoftmaxLoss(
    _ logits: Tensor, _ labels: Tensor, mask: Tensor? = nil, weights: Tensor? = nil,
    reduction: LossReduction = .mean
) throws -> Tensor {
    let name = "rankingSoftmaxLoss"
    try requireFloats(logits, for: name)
    guard logits.rank > 0, labels.shape == logits.shape, mask.map({ $0.shape == logits.shape }) ?? true else {
        throw TensorError(
            .shape, name, expected: "scores, labels and mask of one shape [..., items]",
            got: "\(logits.shape), \(labels.shape)" + (mask.map { ", \($0.shape)" } ?? ""))
    }
    var relevance = try labels.astype(logits.dtype)
    var scores = logits
    if let mask {
        relevance = try select(mask, relevance, 0.0)
        scores = try select(mask, logits, -Double.infinity)
    }
    if let weights { relevance = try relevance * weights }
    var terms = try relevance * logSoftmax(scores)
    if let mask { terms = try select(mask, terms, 0.0) }
    let losses = try 0 - sum(terms, axes: [-1])
    guard let mask else { return try reduction.apply(losses) }
    let hasItems = try any(mask, axes: [-1])
    let counted = try select(hasItems, losses, 0.0)
    guard reduction == .mean else { return try reduction.apply(counted) }
    return try sum(counted) / maximum(sum(hasItems.astype(.int32)), 1)
}

/// The normalised temperature-scaled cross entropy of contrastive learning (SimCLR; Chen et al., 2020, arXiv:2002.05709): of the
/// similarities of an embedding to all others, those to embeddings of its own label should be largest.
///
/// - Parameters:
///   - embeddings: `[examples, features]`.
///   - labels: `[examples]`; equal ones mark views of one thing.
///   - temperature: the scale of the similarities, which are cosines.
/// - Returns: the mean over all pairs of one label, a scalar.
public func ntxent(_ embeddings: Tensor, _ labels: Tensor, temperature: Double = 0.07) throws -> Tensor {
    let name = "ntxent"
    try requireFloats(embeddings, for: name)
    guard embeddings.rank == 2, labels.shape == [embeddings.shape[0]] else {
        throw TensorError(
            .shape, name, expected: "embeddings [examples, features] and labels [examples]",
            got: "\(embeddings.shape) and \(labels.shape)")
    }
    let unit = try normalized(embeddings, axis: -1, epsilon: unitRoundoff(embeddings.dtype))
    let similarities = try matmul(unit, transpose(unit)) / temperature
    let isSame = try equal(expandDims(labels, axis: 1), expandDims(labels, axis: 0))
    let examples = try arange(embeddings.shape[0])
    let isItself = try equal(expandDims(examples, axis: 1), expandDims(examples, axis: 0))
    let isMatch = try and(isSame, logicalNot(isItself))
    let others = try select(isSame, -Double.infinity, similarities)
    let matches = try select(isMatch, similarities, -Double.infinity)
    // The largest similarity is a constant of the quotient: its derivative cancels.
    let largest = try stopGradient(
        TensorEngine.max(concatenate([others, matches], axis: 1), axes: [1], keepDims: true))
    let numerators = try matches - largest
    let denominators = try sum(exp(others - largest), axes: [1], keepDims: true) + exp(numerators)
    let terms = try select(isMatch, numerators - log(denominators), 0.0)
    return try 0 - sum(terms) / sum(isMatch.astype(.int32))
}

/// The Fenchel-Young loss of a regularised maximum (Blondel et al., 2020, arXiv:1901.02324): `maximum(scores) - <scores, targets>` along
/// the last axis. `logSumExp` gives the cross entropy.
///
/// - Parameters:
///   - scores, targets: `[..., classes]`.
///   - maximum: from scores `[..., classes]` to their regularised maximum `[...]`; its gradient is the prediction.
public func fenchelYoungLoss(
    _ scores: Tensor, _ targets: Tensor, maximum: (Tensor) throws -> Tensor
) throws -> Tensor {
    guard scores.shape == targets.shape, scores.rank > 0 else {
        throw TensorError(
            .shape, "fenchelYoungLoss", expected: "scores and targets of one shape [..., classes]",
            got: "\(scores.shape) and \(targets.shape)")
    }
    return try maximum(scores) - sum(scores * targets, axes: [-1])
}

/// The distance from 1 to the next number of a floating type: NumPy's `finfo.eps`.
private func unitRoundoff(_ dtype: DType) -> Double {
    switch dtype {
    case .float16: 0x1p-10
    case .bfloat16: 0x1p-7
    case .float64: 0x1p-52
    default: 0x1p-23
    }
}
