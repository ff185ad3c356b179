// Connectionist temporal classification: the loss of sequences whose alignment with the labels is not known.
import TensorEngine

/// What `ctcLossWithForwardProbabilities` computes.
public struct CTCForward: Sendable {
    /// The loss of each sequence, `[batch]`.
    public let losses: Tensor
    /// Log probabilities of the first t frames ending in a blank after n labels, `[frames, batch, labels + 1]`.
    public let blank: Tensor
    /// Log probabilities of the first t frames ending in the nth label, `[frames, batch, labels]`.
    public let emit: Tensor
}

/// Connectionist temporal classification (Graves et al., 2006): minus the log probability that a sequence of frames, with blanks and
/// repetitions removed, reads as the labels.
///
/// - Parameters:
///   - logits: `[batch, frames, classes]`, the blank among the classes.
///   - logitPaddings: `[batch, frames]`, 1 for frames beyond a sequence's end and 0 elsewhere.
///   - labels: integers, `[batch, labels]`.
///   - labelPaddings: `[batch, labels]`, 1 for labels beyond the end, which must come last, and 0 elsewhere.
///   - blank: the class of the blank.
///   - logEpsilon: what stands for the logarithm of zero.
/// - Returns: the loss of each sequence, `[batch]`.
public func ctcLoss(
    _ logits: Tensor, _ logitPaddings: Tensor, _ labels: Tensor, _ labelPaddings: Tensor, blank: Int = 0,
    logEpsilon: Double = -1e5
) throws -> Tensor {
    try ctcLossWithForwardProbabilities(
        logits, logitPaddings, labels, labelPaddings, blank: blank, logEpsilon: logEpsilon
    ).losses
}

/// `ctcLoss` with the log probabilities of the forward algorithm.
public func ctcLossWithForwardProbabilities(
    _ logits: Tensor, _ logitPaddings: Tensor, _ labels: Tensor, _ labelPaddings: Tensor, blank: Int = 0,
    logEpsilon: Double = -1e5
) throws -> CTCForward {
    let name = "ctcLoss"
    try requireFloats(logits, for: name)
    guard logits.rank == 3, labels.rank == 2, labels.dtype.isInteger, labels.shape[0] == logits.shape[0],
        logits.shape[1] > 0, labelPaddings.shape == labels.shape,
        logitPaddings.shape == logits.shape.removing(axes: [2])
    else {
        throw TensorError(
            .shape, name,
            expected:
                "logits [batch, frames, classes], integer labels [batch, labels], and paddings [batch, frames] and "
                + "[batch, labels]",
            got: "\(logits.type), \(labels.type), \(logitPaddings.shape) and \(labelPaddings.shape)")
    }
    guard (0..<logits.shape[2]).contains(blank) else {
        throw TensorError(
            .argument, name, expected: "a blank among \(logits.shape[2]) classes", got: "\(blank)")
    }
    let (batch, frames, count) = (logits.shape[0], logits.shape[1], labels.shape[1])
    let dtype = logits.dtype
    let logProbabilities = try logSoftmax(logits)
    let blankScores = try transpose(
        slice(logProbabilities, starts: [0, 0, blank], limits: [batch, frames, blank + 1]), axes: [1, 0, 2])
    // A product with one-hot labels instead of a gather: its derivative is a product, too.
    let oneHotLabels = try oneHot(labels, count: logits.shape[2], dtype: dtype)
    let emitScores = try transpose(
        matmul(logProbabilities, transpose(oneHotLabels, axes: [0, 2, 1])), axes: [1, 0, 2])
    // Between two equal labels there must be a blank, otherwise they would be one.
    let isRepeated = try repetitions(labels).astype(dtype)
    let isPadding = try transpose(logitPaddings.astype(dtype), axes: [1, 0])

    /// After a blank: as before, or after the label before it.
    func afterBlank(_ blank: Tensor, _ added: Tensor) throws -> Tensor {
        let first = try slice(blank, axis: 1, 0..<1)
        return try concatenate([first, logAddExp(slice(blank, axis: 1, 1..<(count + 1)), added)], axis: 1)
    }
    let blankStart = try concatenate(
        [zeros([batch, 1], dtype: dtype), full([batch, count], logEpsilon, dtype: dtype)], axis: 1)
    let emitStart = try full([batch, count], logEpsilon, dtype: dtype)
    let (_, forward) = try scan(
        { (previous: [Tensor], frame: [Tensor]) in
            let (blank, emit) = (previous[0], previous[1])
            let (emitScore, blankScore) = (frame[0], frame[1])
            let isPadding = try expandDims(frame[2], axis: 1)
            let ready = try afterBlank(blank, emit + logEpsilon * isRepeated)
            let nextEmit = try logAddExp(
                slice(ready, axis: 1, 0..<count) + emitScore, emit + emitScore)
            let nextBlank = try afterBlank(
                ready + blankScore, emit + blankScore + logEpsilon * (1 - isRepeated))
            let next = [
                try isPadding * blank + (1 - isPadding) * nextBlank,
                try isPadding * emit + (1 - isPadding) * nextEmit,
            ]
            return (next, next)
        }, initial: [blankStart, emitStart], over: [emitScores, blankScores, isPadding])

    // The end is reached after the last label, or after blanks behind it.
    func frame(_ x: Tensor, _ range: Range<Int>) throws -> Tensor { try slice(x, axis: 0, range) }
    let last = try afterBlank(
        squeeze(frame(forward[0], (frames - 1)..<frames), axes: [0]),
        squeeze(frame(forward[1], (frames - 1)..<frames), axes: [0]))
    let lengths = try count - sum(labelPaddings.astype(dtype), axes: [1]).astype(.int32)
    let isEnd = try oneHot(lengths, count: count + 1, dtype: dtype)
    return CTCForward(
        losses: try 0 - sum(last * isEnd, axes: [1]),
        blank: try concatenate([frame(forward[0], 0..<(frames - 1)), expandDims(last, axis: 0)]),
        emit: forward[1])
}

/// True where a label is followed by an equal one.
private func repetitions(_ labels: Tensor) throws -> Tensor {
    let (batch, count) = (labels.shape[0], labels.shape[1])
    guard count > 0 else { return try zeros([batch, 0], dtype: .bool) }
    let isRepeated = try equal(slice(labels, axis: 1, 0..<(count - 1)), slice(labels, axis: 1, 1..<count))
    return try concatenate([isRepeated, zeros([batch, 1], dtype: .bool)], axis: 1)
}
