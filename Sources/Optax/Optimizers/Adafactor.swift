// Adafactor: second moments of matrices kept as one number for each row and column.
import TensorEngine

/// Adafactor's rescaling (Shazeer & Stern, 2018, arXiv:1804.04235). For parameters whose two largest dimensions are at least
/// `minimumDimension` the second moment is kept as the averages over rows and over columns, otherwise whole; the decay in step t is
/// `1 - t^-decayRate`.
///
/// - Parameter stepOffset: subtracted from the step count, for fine-tuning.
public func scaleByFactoredRMS(
    factored: Bool = true, decayRate: Double = 0.8, stepOffset: Int = 0, minimumDimension: Int = 128,
    epsilon: Double = 1e-30
) -> GradientTransformation {
    let name = "scaleByFactoredRMS"
    /// The second largest and the largest axis, where the moment of this shape is factored; of equal ones the last is larger.
    @Sendable func factoredAxes(_ shape: Shape) -> (smaller: Int, larger: Int)? {
        guard factored, shape.rank >= 2 else { return nil }
        let axes = shape.indices.sorted { (shape[$0], $0) < (shape[$1], $1) }
        let (smaller, larger) = (axes[axes.count - 2], axes[axes.count - 1])
        return shape[smaller] >= minimumDimension ? (smaller, larger) : nil
    }
    return GradientTransformation { params in
        func moments(_ shape: (Shape, (smaller: Int, larger: Int)?) -> Shape) throws -> Tree {
            try params.map {
                try zeros(shape($0.shape, factoredAxes($0.shape)), dtype: $0.dtype)
            }
        }
        return .state(
            "FactoredState",
            [
                "count": try .counter(),
                "v_row": try moments { shape, axes in axes.map { shape.removing(axes: [$0.larger]) } ?? [1] },
                "v_col": try moments { shape, axes in axes.map { shape.removing(axes: [$0.smaller]) } ?? [1]
                },
                "v": try moments { shape, axes in axes == nil ? shape : [1] },
            ])
    } update: { updates, state, _, _ in
        let count = try state.scalar("count", of: name)
        let step = try (count - stepOffset).astype(.float32) + 1
        let decay = Hyperparameter.tensor(try 1 - pow(step, -decayRate))
        let complement = try decay.complement()
        let (rows, columns, whole) = (
            try state.field("v_row", of: name), try state.field("v_col", of: name),
            try state.field("v", of: name)
        )
        var (results, newRows, newColumns, newWhole) = ([Tensor](), [Tensor](), [Tensor](), [Tensor]())
        let moments = zip(rows.leaves, zip(columns.leaves, whole.leaves))
        guard rows.leaves.count == updates.leaves.count else {
            throw TensorError(
                .structure, name, expected: "updates and state of one structure",
                got: "\(rows.leaves.count) moments")
        }
        for (g, (row, (column, v))) in zip(updates.leaves, moments) {
            let squared = try square(g) + epsilon
            guard let axes = factoredAxes(g.shape) else {
                let next = try decay * v + complement * squared
                results.append(try g * rsqrt(next))
                newRows.append(row)
                newColumns.append(column)
                newWhole.append(next)
                continue
            }
            let nextRow = try decay * row + complement * mean(squared, axes: [axes.larger])
            let nextColumn = try decay * column + complement * mean(squared, axes: [axes.smaller])
            let remaining = axes.smaller > axes.larger ? axes.smaller - 1 : axes.smaller
            let rowFactor = try rsqrt(nextRow / mean(nextRow, axes: [remaining], keepDims: true))
            results.append(
                try g * expandDims(rowFactor, axis: axes.larger)
                    * expandDims(rsqrt(nextColumn), axis: axes.smaller))
            newRows.append(nextRow)
            newColumns.append(nextColumn)
            newWhole.append(v)
        }
        return (
            try updates.replacingLeaves(results),
            .state(
                "FactoredState",
                [
                    "count": .tensor(try safeIncrement(count)), "v_row": try rows.replacingLeaves(newRows),
                    "v_col": try columns.replacingLeaves(newColumns),
                    "v": try whole.replacingLeaves(newWhole),
                ])
        )
    }
}

/// Adafactor (Shazeer & Stern, 2018, arXiv:1804.04235), with the parts of it that are switched on.
///
/// - Parameters:
///   - learningRate: none for steps relative to the size of the parameters alone.
///   - multiplyByParameterScale: scales updates by the parameter's root mean square.
///   - clippingThreshold: the largest root mean square of an update; none for no bound.
///   - momentum: an average of the updates; none by default, to save memory.
///   - weightDecay: the rate of decay, not multiplied by the learning rate.
public func adafactor(
    learningRate: Hyperparameter? = nil, minimumDimension: Int = 128, decayRate: Double = 0.8,
    decayOffset: Int = 0, multiplyByParameterScale: Bool = true, clippingThreshold: Hyperparameter? = 1,
    momentum: Hyperparameter? = nil, momentumDType: DType = .float32, weightDecay: Hyperparameter? = nil,
    epsilon: Double = 1e-30, factored: Bool = true, decayMask: ParameterMask? = nil
) -> GradientTransformation {
    var parts = [
        scaleByFactoredRMS(
            factored: factored, decayRate: decayRate, stepOffset: decayOffset,
            minimumDimension: minimumDimension,
            epsilon: epsilon)
    ]
    if let clippingThreshold { parts.append(clipByBlockRMS(clippingThreshold)) }
    if let learningRate { parts.append(scaleByLearningRate(learningRate, flipsSign: false)) }
    if multiplyByParameterScale { parts.append(scaleByParameterRMS()) }
    if let momentum { parts.append(ema(decay: momentum, debias: false, accumulatorDType: momentumDType)) }
    if let weightDecay { parts.append(addDecayedWeights(weightDecay, mask: decayMask)) }
    parts.append(scale(-1))
    return chain(parts)
}
