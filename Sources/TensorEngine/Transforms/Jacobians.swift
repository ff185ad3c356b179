// Whole derivatives: jacfwd, jacrev, hessian.

/// The matrix whose rows are the unit vectors of a space, each in the space's shape: `[count, shape…]`.
private func unitVectors(_ type: TensorType) throws -> Tensor {
    let count = type.shape.elementCount
    return try reshape(identity(count, dtype: type.dtype), Shape([count] + type.shape.dimensions))
}

private func checkFloating(_ type: TensorType, _ what: String, for operation: String) throws {
    guard type.dtype.isFloating else {
        throw TensorError(
            .dtype, operation, expected: "a floating-point \(what)", got: "\(type)",
            fix: "Convert with astype(.float32).")
    }
}

/// The Jacobian by forward mode, one pass for each input element: for tall Jacobians (jax.jacfwd).
///
/// - Returns: the function that gives, for an argument of shape `[in…]` and a value of shape `[out…]`, the derivatives as
///   `[out…, in…]`.
public func jacfwd(_ function: @escaping (Tensor) throws -> Tensor) -> (Tensor) throws -> Tensor {
    { x in
        try checkFloating(x.type, "argument", for: "jacfwd")
        let columns = try vmap(
            { (direction: Tensor) in try jvp(function, x, direction).tangent }, outAxis: -1)(
                unitVectors(x.type))
        return try reshape(columns, Shape(columns.shape.dropLast() + x.shape.dimensions))
    }
}

/// The Jacobian by reverse mode, one pass for each element of the value: for wide Jacobians (jax.jacrev).
///
/// - Returns: the function that gives a tree like the argument, whose leaves are `[out…, leaf…]` for a value of shape
///   `[out…]`.
public func jacrev<Root: TensorTree>(
    _ function: @escaping (Root) throws -> Tensor
) -> (Root) throws -> Root {
    { root in
        let (value, pullback) = try vjp(function, root)
        try checkFloating(value.type, "value", for: "jacrev")
        let rows = try vmap({ (cotangent: Tensor) in try pullback(cotangent) })(unitVectors(value.type))
        return try rows.mapLeaves {
            try reshape($0, Shape(value.shape.dimensions + $0.shape.dropFirst()))
        }
    }
}

/// The second derivatives of a function with a scalar value: `[in…, in…]` for an argument of shape `[in…]` (jax.hessian:
/// forward mode over reverse mode).
public func hessian(_ function: @escaping (Tensor) throws -> Tensor) -> (Tensor) throws -> Tensor {
    jacfwd(jacrev(function))
}
