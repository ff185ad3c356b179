// Second derivatives of losses, without ever making a whole Hessian.
import TensorEngine

/// The product of a function's Hessian at `params` and a vector, for the price of about two gradients (forward over reverse).
public func hessianVectorProduct(
    _ function: @escaping @Sendable (Tree) throws -> Tensor, _ params: Tree, _ vector: Tree
) throws -> Tree {
    let gradient = grad(function)
    return try jvp({ try gradient($0) }, params, vector).tangent
}

/// The diagonal of a function's Hessian at `params`: one Hessian-vector product for each number, all at once. Hutchinson's estimate
/// (`hutchinsonEstimatorDiagonalHessian`) is what large models can pay for.
public func hessianDiagonal(
    _ function: @escaping @Sendable (Tree) throws -> Tensor, _ params: Tree
) throws -> Tree {
    let name = "hessianDiagonal"
    let point = try vector(params, for: name)
    let gradient = grad { (x: Tensor) in try function(splitting(x, like: params)) }
    let positions = try arange(point.shape.elementCount)
    let diagonal = try vmap { (position: Tensor) in
        let direction = try equal(positions, position).astype(point.dtype)
        let product = try jvp({ try gradient($0) }, point, direction).tangent
        return try sum(direction * product)
    }(positions)
    return try splitting(diagonal, like: params)
}

/// The diagonal of the empirical Fisher information: the squares of the gradient of a negative log likelihood.
public func fisherDiagonal(
    _ negativeLogLikelihood: @escaping @Sendable (Tree) throws -> Tensor, _ params: Tree
) throws -> Tree {
    try grad(negativeLogLikelihood)(params).map { try square($0) }
}
