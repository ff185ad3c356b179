// Adding updates to parameters.
import TensorEngine

/// `params + updates`, in the types of the parameters.
public func applyUpdates(_ params: Tree, _ updates: Tree) throws -> Tree {
    try mapLeaves("applyUpdates", params, updates) { p, u in try (p + u).astype(p.dtype) }
}

/// `params + updates`, in the types of the parameters.
public func applyUpdates(_ params: FrozenDict, _ updates: FrozenDict) throws -> FrozenDict {
    try applyUpdates(.dictionary(params), .dictionary(updates)).dictionary ?? params
}

/// `stepSize * new + (1 - stepSize) * old`: moves slowly towards new parameters (Polyak averaging).
public func incrementalUpdate(_ new: Tree, _ old: Tree, stepSize: Double) throws -> Tree {
    try mapLeaves("incrementalUpdate", new, old) { new, old in try stepSize * new + (1 - stepSize) * old }
}

/// `new` in every `period`-th step, `old` otherwise.
public func periodicUpdate(_ new: Tree, _ old: Tree, steps: Tensor, period: Int) throws -> Tree {
    try Tree.select(equal(rem(steps, period), 0), new, old)
}
