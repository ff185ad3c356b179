// Differentially private gradient descent: clip each example's gradient, add noise.
import TensorEngine

/// The sum of per-example gradients after each was scaled so that its global norm is at most `maxNorm`.
///
/// - Parameter gradients: with the examples along axis 0, as `vmap(grad(…))` gives them.
/// - Returns: the sum, without axis 0, and how many examples were clipped, an int32 scalar.
public func perExampleGlobalNormClip(
    _ gradients: Tree, maxNorm: Double
) throws -> (sum: Tree, clippedCount: Tensor) {
    let leaves = gradients.leaves
    guard let count = leaves.first?.shape.first, leaves.allSatisfy({ $0.shape.first == count }) else {
        throw TensorError(
            .shape, "perExampleGlobalNormClip", expected: "gradients with the examples along axis 0",
            got: "shapes \(leaves.map(\.shape))", fix: "Take gradients of one example each: vmap(grad(loss))."
        )
    }
    var squares = try zeros([count])
    for leaf in leaves {
        squares = try squares + sum(square(leaf.astype(.float32)), axes: Array(1..<leaf.rank))
    }
    let isZero = try equal(squares, 0)
    let norm = try sqrt(select(isZero, 1.0, squares))
    // A gradient of zero stays; one that is no number, too.
    let factors = try select(isZero, 1.0, minimum(maxNorm / norm, 1.0))
    let safe = try select(isNaN(factors), 1.0, factors)
    let clipped = try gradients.map { leaf in
        let factor = try reshape(safe, Shape([count] + leaf.shape.dimensions.dropFirst().map { _ in 1 }))
        return try sum(factor.astype(leaf.dtype) * leaf, axes: [0])
    }
    return (clipped, try sum(less(safe, 1).astype(.int32)))
}

/// The sum of per-example gradients after each parameter's was scaled by itself. The bounds together amount to `maxNorm`.
///
/// - Parameter isUniform: one bound for all parameters, or bounds by the roots of their sizes.
/// - Returns: the sum, and how many examples were clipped for each parameter.
public func perExampleLayerNormClip(
    _ gradients: Tree, maxNorm: Double, isUniform: Bool = true
) throws -> (sum: Tree, clippedCounts: Tree) {
    let leaves = gradients.leaves
    func size(_ leaf: Tensor) -> Int { leaf.shape.dropFirst().reduce(1, *) }
    let total = leaves.reduce(0) { $0 + size($1) }
    var (sums, counts) = ([Tensor](), [Tensor]())
    for leaf in leaves {
        let share = isUniform ? 1 / Double(leaves.count) : Double(size(leaf)) / Double(max(total, 1))
        let (sum, count) = try perExampleGlobalNormClip(.tensor(leaf), maxNorm: maxNorm * share.squareRoot())
        sums += sum.leaves
        counts.append(count)
    }
    return (try gradients.replacingLeaves(sums), try gradients.replacingLeaves(counts))
}

/// The mean of per-example gradients, each clipped to `maxNorm`, with Gaussian noise of the deviation `maxNorm * noiseMultiplier` added to
/// their sum (Abadi et al., 2016, arXiv:1607.00133). Updates must have the examples along axis 0; put it first in a chain.
///
/// - Parameter key: where the noise comes from; the state holds what is left of it.
public func differentiallyPrivateAggregate(
    maxNorm: Double, noiseMultiplier: Double, key: PRNGKey
) -> GradientTransformation {
    let name = "differentiallyPrivateAggregate"
    return GradientTransformation { _ in
        .state("DifferentiallyPrivateAggregateState", ["rng_key": .tensor(key.data)])
    } update: { updates, state, _, _ in
        let (clipped, _) = try perExampleGlobalNormClip(updates, maxNorm: maxNorm)
        let count = updates.leaves.first?.shape.first ?? 1
        let keys = try PRNGKey(data: state.scalar("rng_key", of: name)).split(updates.leaves.count + 1)
        var leafKeys = keys.dropFirst()
        let noisy = try clipped.map { g in
            let noise = try leafKeys.removeFirst().normal(g.shape, dtype: g.dtype)
            return try (g + maxNorm * noiseMultiplier * noise) / Double(count)
        }
        return (noisy, .state("DifferentiallyPrivateAggregateState", ["rng_key": .tensor(keys[0].data)]))
    }
}

/// Differentially private gradient descent (Abadi et al., 2016, arXiv:1607.00133). See `differentiallyPrivateAggregate`.
public func dpsgd(
    learningRate: Hyperparameter, maxNorm: Double, noiseMultiplier: Double, key: PRNGKey,
    momentum: Hyperparameter? = nil, nesterov: Bool = false
) -> GradientTransformation {
    chain(
        differentiallyPrivateAggregate(maxNorm: maxNorm, noiseMultiplier: noiseMultiplier, key: key),
        momentum.map { trace(decay: $0, nesterov: nesterov) } ?? identity(), scaleByLearningRate(learningRate)
    )
}
