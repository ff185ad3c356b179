// A transformation of some parameters only, and different transformations for different parameters.
import TensorEngine

/// Applies `inner` to the parameters that the mask selects; the updates of the others pass unchanged, and the state holds an
/// empty `MaskedNode` in their place.
public func masked(_ inner: GradientTransformation, _ mask: ParameterMask) -> GradientTransformation {
    /// The tree with what the mask leaves out replaced.
    @Sendable func select(_ tree: Tree, _ isSelected: [Bool]) throws -> Tree {
        try expandLeaves(tree) { isSelected[$0] ? .tensor($1) : MaskedNode.tree }
    }
    return GradientTransformation { params in
        let isSelected = try mask.values(for: params, operation: "masked")
        return .state(
            "MaskedState", ["inner_state": try inner.initialize(params: select(params, isSelected))])
    } update: { updates, state, params, context in
        let isSelected = try mask.values(for: updates, operation: "masked")
        let (changed, innerState) = try inner.update(
            updates: try select(updates, isSelected), state: try state.field("inner_state", of: "masked"),
            params: try params.map { try select($0, isSelected) }, context: context)
        var remaining = changed.leaves[...]
        guard remaining.count == isSelected.count(where: { $0 }) else {
            throw TensorError(
                .structure, "masked", expected: "as many updates as selected parameters",
                got: "\(remaining.count) updates")
        }
        let merged = try expandLeaves(updates) { index, update in
            .tensor(isSelected[index] ? remaining.removeFirst() : update)
        }
        return (merged, .state("MaskedState", ["inner_state": innerState]))
    }
}

/// Applies to each parameter the transformation of its label (Optax's `partition` and `multi_transform`).
///
///     partition(["train": adam(learningRate: 0.01), "freeze": setToZero()], labels: .rule { path, _ in
///         path.hasPrefix("encoder/") ? "freeze" : "train"
///     })
///
/// - Throws, when used: `TensorError` for a label without a transformation.
public func partition(
    _ transformations: [String: GradientTransformation], labels: ParameterSelection<String>
) -> GradientTransformation {
    let groups = transformations.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map {
        label, inner in
        (label: label, inner: masked(inner, labels.mapped { $0 == label }))
    }
    return GradientTransformation { params in
        let unknown = Set(try labels.values(for: params, operation: "partition")).subtracting(
            transformations.keys)
        guard unknown.isEmpty else {
            throw TensorError(
                .argument, "partition", expected: "labels among \(transformations.keys.sorted())",
                got: "\(unknown.sorted())", fix: "Add a transformation for each label.")
        }
        let states = try groups.map { ($0.label, try $0.inner.initialize(params: params)) }
        return .state("PartitionState", ["inner_states": .dictionary(FrozenDict(states))])
    } update: { updates, state, params, context in
        let states = try state.field("inner_states", of: "partition")
        var (updates, next) = (updates, [(String, Tree)]())
        for (label, inner) in groups {
            let (changed, newState) = try inner.update(
                updates: updates, state: try states.field(label, of: "partition"), params: params,
                context: context)
            updates = changed
            next.append((label, newState))
        }
        return (updates, .state("PartitionState", ["inner_states": .dictionary(FrozenDict(next))]))
    }
}

/// Leaves the selected parameters as they are, by replacing their updates by zeros.
public func freeze(_ mask: ParameterMask) -> GradientTransformation { masked(setToZero(), mask) }

/// Applies `optimizer` to the parameters that the mask does not select; the selected ones stay, and need no state.
public func selectiveTransform(
    _ optimizer: GradientTransformation, freezing mask: ParameterMask
) -> GradientTransformation {
    partition(
        ["train": optimizer, "freeze": setToZero()], labels: mask.mapped { $0 ? "freeze" : "train" })
}
