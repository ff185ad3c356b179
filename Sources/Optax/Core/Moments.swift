// Exponential moving averages of gradients and of their squares, and the correction of their start at zero.
import TensorEngine

/// `(1 - decay) * g + decay * moment`.
func updateMoment(_ updates: Tree, _ moments: Tree, _ decay: Hyperparameter, operation: String) throws -> Tree
{
    let complement = try decay.complement()
    return try mapLeaves(operation, updates, moments) { g, moment in
        try complement * g + decay * moment
    }
}

/// `(1 - decay) * g² + decay * moment`.
func updateSquareMoment(
    _ updates: Tree, _ moments: Tree, _ decay: Hyperparameter, operation: String
) throws -> Tree {
    let complement = try decay.complement()
    return try mapLeaves(operation, updates, moments) { g, moment in
        try complement * square(g) + decay * moment
    }
}

/// `decay^count`, a float32 scalar that is rounded once. `1 - decay^count` loses most digits in the first steps (0.999 squared is
/// 0.998), so the last bit counts; hence float64, which costs nothing for one number.
func power(_ decay: Hyperparameter, _ count: Tensor) throws -> Tensor {
    try pow(decay.scalar().astype(.float64), count.astype(.float64)).astype(.float32)
}

/// `moment / (1 - decayᵗ)`: undoes the pull towards the zero that the average started at. t is computed in float32, also for
/// moments of smaller types, where `decayᵗ` could round to 1.
func biasCorrection(_ moments: Tree, _ decay: Hyperparameter, _ count: Tensor) throws -> Tree {
    let correction = try 1 - power(decay, count)
    return try moments.map { try $0 / correction.astype($0.dtype) }
}
