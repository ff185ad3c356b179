// Norms of trees and tensors, with gradients that stay finite at zero.
import TensorEngine

/// The Euclidean norm of all leaves taken together, a scalar.
public func globalNorm(_ tree: Tree) throws -> Tensor { try Tree.norm(tree) }

/// The Euclidean norm, at least `minimum`; where the norm is smaller its gradient is 0 instead of NaN.
public func safeNorm(_ x: Tensor, minimum: Double) throws -> Tensor {
    try safeRoot(x, of: { try sum(square($0)) }, minimum: minimum)
}

/// The root of the mean square, at least `minimum`; where it is smaller its gradient is 0 instead of NaN.
public func safeRootMeanSquare(_ x: Tensor, minimum: Double) throws -> Tensor {
    try safeRoot(x, of: { try mean(square($0)) }, minimum: minimum)
}

private func safeRoot(_ x: Tensor, of squares: (Tensor) throws -> Tensor, minimum: Double) throws -> Tensor {
    let root = try sqrt(squares(x))
    let isSmall = try lessEqual(root, minimum)
    // Ones where the result is not used: the root's derivative there must not be infinite.
    let safe = try select(isSmall, onesLike(x), x)
    return try select(isSmall, minimum, sqrt(squares(safe)))
}

/// `x` itself, with its gradient multiplied by `factor`: 0 stops it, -1 reverses it (adversarial training).
public func scaleGradient(_ x: Tree, by factor: Double) throws -> Tree {
    try customVJP(
        { (x: Tree) in x }, forward: { (x: Tree) in (x, [Tensor]()) },
        backward: { (_: [Tensor], cotangent: Tree) in try cotangent.map { try factor * $0 } })(x)
}
