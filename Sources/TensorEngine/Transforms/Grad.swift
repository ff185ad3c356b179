// Gradients of scalar functions: grad and valueAndGrad.

/// A function with its gradient with respect to the first argument. Made by `valueAndGrad`.
public struct ValueAndGrad<Root: TensorTree, each Rest: TensorTree> {
    fileprivate let function: (Root, repeat each Rest) throws -> Tensor

    /// The value, and the gradient as a tree like the first argument.
    public func callAsFunction(_ root: Root, _ rest: repeat each Rest) throws -> (
        value: Tensor, gradient: Root
    ) {
        let (value, gradient, _) = try differentiate(root) { root in
            (try function(root, repeat each rest), [Tensor]())
        }
        return (value, gradient)
    }
}

/// A function that also returns something else, with its gradient. Made by `valueAndGrad(hasAux:)`.
public struct ValueAndGradWithAux<Aux: TensorTree, Root: TensorTree, each Rest: TensorTree> {
    fileprivate let function: (Root, repeat each Rest) throws -> (Tensor, Aux)

    /// The value, what else the function returned, and the gradient as a tree like the first argument.
    public func callAsFunction(
        _ root: Root, _ rest: repeat each Rest
    ) throws -> (value: Tensor, aux: Aux, gradient: Root) {
        let (value, gradient, aux) = try differentiate(root) { root in try function(root, repeat each rest) }
        return (value, aux, gradient)
    }
}

/// A function's gradient with respect to its first argument. Made by `grad`.
public struct Gradient<Root: TensorTree, each Rest: TensorTree> {
    fileprivate let valueAndGrad: ValueAndGrad<Root, repeat each Rest>

    public func callAsFunction(_ root: Root, _ rest: repeat each Rest) throws -> Root {
        try valueAndGrad(root, repeat each rest).gradient
    }
}

/// The function that gives `function`'s value and its gradient with respect to the first argument, whose tensors must be
/// floating-point. `function` must return a float scalar.
public func valueAndGrad<Root: TensorTree, each Rest: TensorTree>(
    _ function: @escaping (Root, repeat each Rest) throws -> Tensor
) -> ValueAndGrad<Root, repeat each Rest> {
    ValueAndGrad(function: function)
}

/// As `valueAndGrad`, for a function that returns something besides the scalar, such as new batch statistics.
public func valueAndGrad<Aux: TensorTree, Root: TensorTree, each Rest: TensorTree>(
    hasAux function: @escaping (Root, repeat each Rest) throws -> (Tensor, Aux)
) -> ValueAndGradWithAux<Aux, Root, repeat each Rest> {
    ValueAndGradWithAux(function: function)
}

/// The function that gives `function`'s gradient with respect to the first argument.
public func grad<Root: TensorTree, each Rest: TensorTree>(
    _ function: @escaping (Root, repeat each Rest) throws -> Tensor
) -> Gradient<Root, repeat each Rest> {
    Gradient(valueAndGrad: ValueAndGrad(function: function))
}

/// Value, gradient and extra results of a scalar function of one tree.
private func differentiate<Root: TensorTree, Aux: TensorTree>(
    _ root: Root, _ function: (Root) throws -> (Tensor, Aux)
) throws -> (Tensor, Root, Aux) {
    let leaves = root.leaves
    for (k, leaf) in leaves.enumerated() where !leaf.dtype.isFloating {
        throw TensorError(
            .dtype, "grad", expected: "floating-point tensors to differentiate with respect to",
            got: "\(leaf.type) at leaf \(k)", fix: "Pass integers as another argument.")
    }
    let recorded = try Trace.record(leaves.map(\.type)) { traced in
        let (value, aux) = try function(try root.replacingLeaves(traced))
        return ([value] + aux.leaves, aux)
    }
    let result = recorded.program.type(of: recorded.program.outputs[0])
    guard result.shape.rank == 0, result.dtype.isFloating else {
        throw TensorError(
            .shape, "grad", expected: "a function with a float scalar as its value", got: "\(result)",
            fix: "Take the mean or the sum of the losses.")
    }
    let linearized = try Linearization(
        recorded.program, at: leaves + recorded.captures,
        isActive: leaves.map { _ in true } + recorded.captures.map { _ in false })
    var cotangents = [Tensor?](repeating: nil, count: linearized.outputs.count)
    cotangents[0] = try ones([], dtype: result.dtype)
    let gradients = try linearized.transpose(cotangents)
    let gradient = try root.replacingLeaves(try zip(leaves, gradients).map { try $1 ?? zerosLike($0) })
    let aux = try recorded.extra.replacingLeaves(Array(linearized.outputs.dropFirst()))
    return (linearized.outputs[0], gradient, aux)
}
