// Arithmetic on whole trees: Optax's `optax.tree` as functions of Tree, so that none of them is mistaken for one on tensors.
import TensorEngine

extension Tree {
    /// The sums of the trees' leaves.
    public static func add(_ first: Tree, _ others: Tree...) throws -> Tree {
        try mapLists("Tree.add", [first] + others) { leaves in
            try leaves.dropFirst().reduce(leaves[0]) { try $0 + $1 }
        }
    }

    /// The differences of the leaves.
    public static func sub(_ a: Tree, _ b: Tree) throws -> Tree {
        try Optax.mapLeaves("Tree.sub", a, b) { try $0 - $1 }
    }

    /// The products of the leaves, element by element.
    public static func mul(_ a: Tree, _ b: Tree) throws -> Tree {
        try Optax.mapLeaves("Tree.mul", a, b) { try $0 * $1 }
    }

    /// The quotients of the leaves, element by element.
    public static func div(_ a: Tree, _ b: Tree) throws -> Tree {
        try Optax.mapLeaves("Tree.div", a, b) { try $0 / $1 }
    }

    /// `factor * leaf`, in the leaves' types.
    public static func scale(_ factor: Hyperparameter, _ tree: Tree) throws -> Tree {
        try tree.map { try factor * $0 }
    }

    /// `a + factor * b`.
    public static func addScale(_ a: Tree, _ factor: Hyperparameter, _ b: Tree) throws -> Tree {
        try Optax.mapLeaves("Tree.addScale", a, b) { try $0 + factor * $1 }
    }

    /// The sum of the products of all elements, a scalar.
    public static func vdot(_ a: Tree, _ b: Tree) throws -> Tensor {
        try sumOverLeaves("Tree.vdot", a, b) { try TensorEngine.sum($0 * $1) }
    }

    /// The sum of all elements, a scalar.
    public static func sum(_ tree: Tree) throws -> Tensor {
        try sumOverLeaves(tree) { try TensorEngine.sum($0) }
    }

    /// The largest of all elements; minus infinity where there are none.
    public static func max(_ tree: Tree) throws -> Tensor {
        try tree.leaves.filter { $0.shape.elementCount > 0 }
            .reduce(full([], -.infinity)) { try maximum($0, TensorEngine.max($1)) }
    }

    /// The smallest of all elements; infinity where there are none.
    public static func min(_ tree: Tree) throws -> Tensor {
        try tree.leaves.filter { $0.shape.elementCount > 0 }
            .reduce(full([], .infinity)) { try minimum($0, TensorEngine.min($1)) }
    }

    /// The number of all elements.
    public static func size(_ tree: Tree) -> Int { tree.leaves.reduce(0) { $0 + $1.shape.elementCount } }

    /// Which norm of all elements taken together.
    public enum NormOrder: Sendable, Hashable, CaseIterable {
        case one, two, infinity
    }

    /// A norm of all elements taken together, a scalar.
    public static func norm(_ tree: Tree, order: NormOrder = .two) throws -> Tensor {
        switch order {
        case .one: try sumOverLeaves(tree) { try TensorEngine.sum(TensorEngine.abs($0)) }
        case .two: try sqrt(squaredNorm(tree))
        case .infinity: try max(tree.map { try TensorEngine.abs($0) })
        }
    }

    /// The square of the Euclidean norm: the sum of the squares of all elements.
    public static func squaredNorm(_ tree: Tree) throws -> Tensor {
        try sumOverLeaves(tree) { try TensorEngine.sum(square($0)) }
    }

    /// Each element between the bounds; a bound that is missing does not bind.
    public static func clip(_ tree: Tree, low: Double? = nil, high: Double? = nil) throws -> Tree {
        try tree.map { leaf in
            let bounded = try low.map { try maximum(leaf, $0) } ?? leaf
            return try high.map { try minimum(bounded, $0) } ?? bounded
        }
    }

    /// Zeros of the leaves' shapes, in their own types or in `dtype`.
    public static func zerosLike(_ tree: Tree, dtype: DType? = nil) throws -> Tree {
        try fullLike(tree, 0, dtype: dtype)
    }

    /// Ones of the leaves' shapes, in their own types or in `dtype`.
    public static func onesLike(_ tree: Tree, dtype: DType? = nil) throws -> Tree {
        try fullLike(tree, 1, dtype: dtype)
    }

    /// One value everywhere, in the leaves' own types or in `dtype`.
    public static func fullLike(_ tree: Tree, _ value: Double, dtype: DType? = nil) throws -> Tree {
        try tree.map { try full($0.shape, value, dtype: dtype ?? $0.dtype) }
    }

    /// The leaves converted to `dtype`; unchanged where that is nil.
    public static func cast(_ tree: Tree, to dtype: DType?) throws -> Tree {
        guard let dtype else { return tree }
        return try tree.map { try $0.astype(dtype) }
    }

    /// The leaves converted to the types of another tree's.
    public static func cast(_ tree: Tree, like other: Tree) throws -> Tree {
        try Optax.mapLeaves("Tree.cast", tree, other) { try $0.astype($1.dtype) }
    }

    /// The leaves of `onTrue` where a condition holds, and of `onFalse`, whose types count, elsewhere. The condition is a scalar, or
    /// has a shape that broadcasts to every leaf's. (Not `where`, which is a word of the language: the engine's name for it.)
    public static func select(_ condition: Tensor, _ onTrue: Tree, _ onFalse: Tree) throws -> Tree {
        try Optax.mapLeaves("Tree.select", onTrue, onFalse) {
            try TensorEngine.select(condition, $0.astype($1.dtype), $1)
        }
    }

    /// The exponential moving average `(1 - decay) * g^order + decay * moment`.
    ///
    /// - Parameter order: 1 for the average of the updates, 2 for that of their squares.
    public static func updateMoment(
        _ updates: Tree, _ moments: Tree, decay: Hyperparameter, order: Int = 1
    ) throws -> Tree {
        let name = "Tree.updateMoment"
        switch order {
        case 1: return try Optax.updateMoment(updates, moments, decay, operation: name)
        case 2: return try updateSquareMoment(updates, moments, decay, operation: name)
        default:
            return try Optax.updateMoment(
                updates.map { try integerPow($0, order) }, moments, decay, operation: name)
        }
    }

    /// The decaying maximum `max(|g| + epsilon, decay * moment)`.
    public static func updateInfinityMoment(
        _ updates: Tree, _ moments: Tree, decay: Hyperparameter, epsilon: Hyperparameter
    ) throws -> Tree {
        try Optax.mapLeaves("Tree.updateInfinityMoment", updates, moments) { g, moment in
            try maximum(TensorEngine.abs(g) + epsilon, decay * moment)
        }
    }

    /// `moment / (1 - decay^count)`: undoes the pull towards the zero that a moving average started at.
    public static func biasCorrection(_ moments: Tree, decay: Hyperparameter, count: Tensor) throws -> Tree {
        try Optax.biasCorrection(moments, decay, count)
    }

    /// True, as a bool scalar, where all elements agree within `absolute + relative * |b|`.
    public static func allClose(
        _ a: Tree, _ b: Tree, relative: Double = 1e-5, absolute: Double = 1e-8
    ) throws -> Tensor {
        let close = try Optax.mapLeaves("Tree.allClose", a, b) { x, y in
            // Equal infinities are close, though their difference is not a number.
            try all(
                or(
                    equal(x, y),
                    and(
                        isFinite(y),
                        lessEqual(TensorEngine.abs(x - y), absolute + relative * TensorEngine.abs(y)))))
        }
        return try close.leaves.reduce(full([], 1, dtype: .bool)) { try and($0, $1) }
    }

    /// Keys for each leaf, from one: as `key.split(count)` gives them to the leaves in their order.
    public static func splitKey(_ key: PRNGKey, like tree: Tree) throws -> [PRNGKey] {
        try key.split(tree.leaves.count)
    }

    /// Random numbers of the leaves' shapes, each leaf with a key of its own.
    ///
    /// - Parameters:
    ///   - dtype: the numbers' type; the leaves' own by default.
    ///   - sampler: standard normal numbers by default.
    public static func randomLike(
        _ key: PRNGKey, _ tree: Tree, dtype: DType? = nil,
        sampler: (PRNGKey, Shape, DType) throws -> Tensor = { try $0.normal($1, dtype: $2) }
    ) throws -> Tree {
        var keys = try splitKey(key, like: tree)[...]
        return try tree.map { try sampler(keys.removeFirst(), $0.shape, dtype ?? $0.dtype) }
    }

    /// The smallest type of the leaves, the one that promotes to all others; float32 for no leaves. Scalars of states have it.
    static func lowestDType(_ tree: Tree) -> DType {
        let types = tree.leaves.map(\.dtype)
        return types.dropFirst().reduce(types.first ?? .float32) {
            DType.promote($0, $1) == $0 ? $1 : $0
        }
    }
}
