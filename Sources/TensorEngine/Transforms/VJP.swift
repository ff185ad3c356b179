// Reverse mode for functions of trees: vjp and linearize.

/// The pullback of a function at a point: maps a cotangent of its value to the cotangent of its argument.
public struct Pullback<In: TensorTree, Out: TensorTree> {
    private let linearized: Linearization
    private let argument: In

    fileprivate init(_ linearized: Linearization, _ argument: In) {
        self.linearized = linearized
        self.argument = argument
    }

    public func callAsFunction(_ cotangent: Out) throws -> In {
        let cotangents = cotangent.leaves
        try checkTangents(linearized.outputs.map(\.type), cotangents.map(\.type), for: "vjp")
        let results = try linearized.transpose(cotangents)
        return try argument.replacingLeaves(try zip(argument.leaves, results).map { try $1 ?? zerosLike($0) })
    }
}

/// The value of `function` and its pullback there (reverse mode).
public func vjp<In: TensorTree, Out: TensorTree>(
    _ function: (In) throws -> Out, _ argument: In
) throws -> (value: Out, pullback: Pullback<In, Out>) {
    let traced = try TracedFunction(argument, function)
    let leaves = argument.leaves
    let linearized = try Linearization(
        traced.program, at: leaves + traced.captures,
        isActive: leaves.map(\.dtype.isFloating) + traced.captures.map { _ in false })
    let pullback = Pullback<In, Out>(linearized, try argument.replacingLeaves(leaves))
    return (try traced.output.replacingLeaves(linearized.outputs), pullback)
}

/// The value of `function` and its derivative there as a function of the tangent (forward mode, evaluated many times).
public func linearize<In: TensorTree, Out: TensorTree>(
    _ function: (In) throws -> Out, _ argument: In
) throws -> (value: Out, derivative: (In) throws -> Out) {
    let traced = try TracedFunction(argument, function)
    let leaves = argument.leaves
    let linearized = try Linearization(
        traced.program, at: leaves + traced.captures,
        isActive: leaves.map { _ in true } + traced.captures.map { _ in false })
    let output = traced.output
    return (
        try output.replacingLeaves(linearized.outputs),
        { tangent in
            try checkTangents(leaves.map(\.type), tangent.leaves.map(\.type), for: "linearize")
            return try output.replacingLeaves(try linearized(tangent.leaves))
        }
    )
}
