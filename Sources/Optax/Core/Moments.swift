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

/// `decay^count`, a float32 scalar, by repeated squaring in float32: how JAX raises a Python number to an integer array, as Optax does in
/// some places. Where the small difference of large numbers is made of it, even the rounding of each product shows in the updates.
func powerBySquaring(_ decay: Hyperparameter, _ count: Tensor) throws -> Tensor {
    var result = try full([], 1)
    /// Multiplies by `square`, which is decay^(2^bit), where that bit of the count is set.
    func multiply(_ square: some TensorConvertible, bit: Int) throws {
        let isSet = try notEqual(and(count, 1 << bit), 0)
        result = try result * select(isSet, square, 1.0)
    }
    guard case .constant(let value) = decay else {
        var square = try decay.scalar()
        for bit in 0..<31 {
            try multiply(square, bit: bit)
            square = try square * square
        }
        return result
    }
    var (square, bit) = (Float(value), 0)
    // Beyond this the power is 0 for every use of it: `1 - power` is 1.
    while bit < 31, square.magnitude > 1e-30 {
        try multiply(Double(square), bit: bit)
        square *= square
        bit += 1
    }
    return bit < 31 ? try select(less(count, 1 << bit), result, 0.0) : result
}
