// Vectorisation: a function of one example, applied to a batch at once.

extension Program {
    /// Evaluates the program for all `size` members at once.
    func evaluate(batched arguments: [Batched], size: Int) throws -> [Batched] {
        var values = [Batched?](repeating: nil, count: types.count)
        for (variable, argument) in zip(inputs, arguments) { values[variable.index] = argument }
        for (variable, value) in constants { values[variable.index] = Batched(value, isMapped: false) }
        for equation in equations {
            let operands = try equation.inputs.map { try Program.defined(values[$0.index], $0) }
            let results = try ModulePath.$current.withValue(equation.path) {
                operands.contains { $0.isMapped }
                    ? try equation.primitive.batch(operands, size: size)
                    : try equation.primitive.run(operands.map(\.tensor)).map { Batched($0, isMapped: false) }
            }
            for (variable, result) in zip(equation.outputs, results) { values[variable.index] = result }
        }
        return try outputs.map { try Program.defined(values[$0.index], $0) }
    }
}

/// A vectorised function. Made by `vmap`.
public struct Vectorized<each In: TensorTree, Out> {
    fileprivate let body: (repeat each In) throws -> Out

    public func callAsFunction(_ arguments: repeat each In) throws -> Out { try body(repeat each arguments) }
}

/// The function that applies `function` to each member of a batch.
///
/// - Parameters:
///   - inAxes: by argument, the axis of its tensors that counts the members, nil for an argument that all members share;
///     by default axis 0 of every argument.
///   - outAxis: the axis of the results that counts the members.
public func vmap<each In: TensorTree, Out: TensorTree>(
    _ function: @escaping (repeat each In) throws -> Out, inAxes: [Int?]? = nil, outAxis: Int = 0
) -> Vectorized<repeat each In, Out> {
    Vectorized { (arguments: repeat each In) in
        var groups: [[Tensor]] = []
        for argument in repeat each arguments { groups.append(argument.leaves) }
        let axes = inAxes ?? groups.map { _ in 0 }
        guard axes.count == groups.count else {
            throw TensorError(
                .argument, "vmap", expected: "inAxes for \(groups.count) arguments", got: "\(axes.count)")
        }
        // Every mapped leaf with its member axis in front.
        var leaves: [Batched] = []
        var size: Int?
        for (group, axis) in zip(groups, axes) {
            for leaf in group {
                guard let axis else {
                    leaves.append(Batched(leaf, isMapped: false))
                    continue
                }
                let moved = try moveAxis(leaf, from: axis, to: 0)
                guard size == nil || size == moved.shape[0] else {
                    throw TensorError(
                        .shape, "vmap", expected: "mapped axes of one size, \(size ?? 0)",
                        got: "\(leaf.type), axis \(axis)")
                }
                size = moved.shape[0]
                leaves.append(Batched(moved, isMapped: true))
            }
        }
        guard let size else {
            throw TensorError(.argument, "vmap", expected: "at least one mapped tensor", got: "none")
        }
        let recorded = try Trace.record(leaves.map(\.memberType)) { members in
            var cursor = LeafCursor(members)
            let output = try function(repeat try (each arguments).replacingLeaves(from: &cursor))
            return (output.leaves, output)
        }
        let results = try recorded.program.evaluate(
            batched: leaves + recorded.captures.map { Batched($0, isMapped: false) }, size: size)
        return try recorded.extra.replacingLeaves(
            try results.map { try moveAxis($0.materialized(size: size), from: 0, to: outAxis) })
    }
}
