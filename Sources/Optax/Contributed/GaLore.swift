// GaLore: optimizer states of a low rank.
import TensorEngine

/// Gives `base` gradients of matrices projected onto their `rank` most important directions, so that its state is small, and projects its
/// updates back (Zhao et al., 2024, arXiv:2403.03507). The directions are the gradient's singular vectors, taken anew every
/// `projectionPeriod` steps. Parameters of another rank than 2 pass to `base` as they are.
///
/// - Parameters:
///   - scale: multiplies the updates of matrices.
///   - base: may not need the parameters. Adam by default.
public func scaleByGaLore(
    rank: Int = 128, projectionPeriod: Int = 200, scale: Double = 1,
    base: GradientTransformation = scaleByAdam()
) throws -> GradientTransformation {
    let name = "scaleByGaLore"
    guard rank > 0, projectionPeriod > 0, Int32(exactly: projectionPeriod) != nil else {
        throw TensorError(
            .argument, name, expected: "a rank and a period of 1 or more",
            got: "\(rank) and \(projectionPeriod)")
    }
    /// Whether rows are projected, or columns: the longer side.
    @Sendable func projectsRows(_ shape: Shape) -> Bool { shape[0] >= shape[1] }
    @Sendable func low(_ gradient: Tensor, _ projector: Tensor) throws -> Tensor {
        guard gradient.rank == 2 else { return gradient }
        return projectsRows(gradient.shape)
            ? try matmul(transpose(projector), gradient) : try matmul(gradient, projector)
    }
    return GradientTransformation { params in
        let projectors = try params.map { leaf in
            guard leaf.rank == 2 else { return try zeros([0, 0], dtype: leaf.dtype) }
            let (rows, columns) = (leaf.shape[0], leaf.shape[1])
            return try zeros([max(rows, columns), min(rank, rows, columns)], dtype: leaf.dtype)
        }
        // Parameters of the projected shapes; their values do not matter to an optimizer that does not need them.
        let projected = try mapLeaves(name, Tree.zerosLike(params), projectors, low)
        return .state(
            "GaLoreState",
            [
                "count": try .counter(), "base_optimizer_state": try base.initialize(params: projected),
                "projector": projectors,
            ])
    } update: { updates, state, _, context in
        let count = try state.scalar("count", of: name)
        let isNew = try equal(rem(count, projectionPeriod), 0)
        let projectors = try mapLeaves(name, updates, state.field("projector", of: name)) {
            gradient, projector in
            guard gradient.rank == 2 else { return projector }
            return try cond(
                isNew,
                { (operands: [Tensor]) in
                    let (u, _, vt) = try svd(operands[0].astype(.float32))
                    let vectors = projectsRows(gradient.shape) ? u : try transpose(vt)
                    return try slice(vectors, axis: 1, 0..<projector.shape[1]).astype(projector.dtype)
                }, { (operands: [Tensor]) in operands[1] }, [gradient, projector])
        }
        let (changed, baseState) = try base.update(
            updates: mapLeaves(name, updates, projectors, low),
            state: state.field("base_optimizer_state", of: name), params: nil, context: context)
        let result = try mapLeaves(name, changed, projectors, updates) { update, projector, gradient in
            guard gradient.rank == 2 else { return update }
            let full =
                projectsRows(gradient.shape)
                ? try matmul(projector, update) : try matmul(update, transpose(projector))
            return try scale * full
        }
        return (
            result,
            .state(
                "GaLoreState",
                [
                    "count": .tensor(try safeIncrement(count)), "base_optimizer_state": baseState,
                    "projector": projectors,
                ])
        )
    }
}

/// Adam, or another `base`, with states of a low rank (Zhao et al., 2024, arXiv:2403.03507). See `scaleByGaLore`.
public func galore(
    learningRate: Hyperparameter, rank: Int = 128, projectionPeriod: Int = 200, scale: Double = 1,
    base: GradientTransformation = scaleByAdam(), weightDecay: Hyperparameter = 0, mask: ParameterMask? = nil
) throws -> GradientTransformation {
    chain(
        try scaleByGaLore(rank: rank, projectionPeriod: projectionPeriod, scale: scale, base: base),
        addDecayedWeights(weightDecay, mask: mask), scaleByLearningRate(learningRate))
}
