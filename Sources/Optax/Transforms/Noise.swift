// Noise added to gradients.
import TensorEngine

/// Adds Gaussian noise of variance `eta / t^gamma` in step t, from 1 (Neelakantan et al., 2015, arXiv:1511.06807).
///
/// - Parameter key: where the noise comes from; the state holds what is left of it.
public func addNoise(eta: Double, gamma: Double, key: PRNGKey) -> GradientTransformation {
    let name = "addNoise"
    return GradientTransformation { _ in
        .state("AddNoiseState", ["count": try .counter(), "rng_key": .tensor(key.data)])
    } update: { updates, state, _, _ in
        let count = try safeIncrement(state.scalar("count", of: name))
        let deviation = try sqrt(eta / pow(count.astype(.float32), gamma))
        let keys = try PRNGKey(data: state.scalar("rng_key", of: name)).split()
        var leafKeys = try keys[1].split(updates.leaves.count)[...]
        let noisy = try updates.map { g in
            let noise = try leafKeys.removeFirst().normal(g.shape, dtype: g.dtype)
            return try g + deviation.astype(g.dtype) * noise
        }
        return (noisy, .state("AddNoiseState", ["count": .tensor(count), "rng_key": .tensor(keys[0].data)]))
    }
}

/// Gradient descent with annealed noise (Neelakantan et al., 2015, arXiv:1511.06807). See `addNoise`.
public func noisySGD(
    learningRate: Hyperparameter, eta: Double = 0.01, gamma: Double = 0.55, key: PRNGKey
) -> GradientTransformation {
    chain(addNoise(eta: eta, gamma: gamma, key: key), scaleByLearningRate(learningRate))
}
