// Projections: the nearest point of a set, for parameters that must stay in it.
import TensorEngine

/// The nearest tree without negative elements.
public func projectionNonNegative(_ tree: Tree) throws -> Tree { try tree.map { try relu($0) } }

/// The nearest tree with all elements between two bounds.
public func projectionBox(_ tree: Tree, low: Double, high: Double) throws -> Tree {
    try Tree.clip(tree, low: low, high: high)
}

/// The nearest tree with all elements between 0 and `scale`.
public func projectionHypercube(_ tree: Tree, scale: Double = 1) throws -> Tree {
    try projectionBox(tree, low: 0, high: scale)
}

/// The nearest tree whose elements, all together, are not negative and add up to `scale` (Duchi et al., 2008).
public func projectionSimplex(_ tree: Tree, scale: Double = 1) throws -> Tree {
    guard scale > 0 else {
        throw TensorError(.argument, "projectionSimplex", expected: "a positive scale", got: "\(scale)")
    }
    let vector = try vector(tree, for: "projectionSimplex")
    return try splitting(scale * unitSimplex(vector / scale), like: tree)
}

/// The nearest tree whose elements' magnitudes add up to `scale`.
public func projectionL1Sphere(_ tree: Tree, scale: Double = 1) throws -> Tree {
    let magnitudes = try projectionSimplex(tree.map { try TensorEngine.abs($0) }, scale: scale)
    return try Tree.mul(tree.map { try sign($0) }, magnitudes)
}

/// The nearest tree whose elements' magnitudes add up to at most `scale`.
public func projectionL1Ball(_ tree: Tree, scale: Double = 1) throws -> Tree {
    let isInside = try lessEqual(Tree.norm(tree, order: .one), scale)
    return try Tree.select(isInside, tree, projectionL1Sphere(tree, scale: scale))
}

/// The nearest tree whose Euclidean norm is `scale`.
public func projectionL2Sphere(_ tree: Tree, scale: Double = 1) throws -> Tree {
    try Tree.scale(.tensor(scale / Tree.norm(tree)), tree)
}

/// The nearest tree whose Euclidean norm is at most `scale`.
public func projectionL2Ball(_ tree: Tree, scale: Double = 1) throws -> Tree {
    let factor = try scale / sqrt(maximum(Tree.squaredNorm(tree), scale * scale))
    return try Tree.scale(.tensor(factor), tree)
}

/// The nearest tree whose elements' magnitudes are at most `scale`.
public func projectionLInfinityBall(_ tree: Tree, scale: Double = 1) throws -> Tree {
    try projectionBox(tree, low: -scale, high: scale)
}

/// The nearest multiple of `direction`.
public func projectionVector(_ tree: Tree, onto direction: Tree) throws -> Tree {
    let factor = try Tree.vdot(tree, direction) / Tree.squaredNorm(direction)
    return try Tree.scale(.tensor(factor), direction)
}

/// The nearest tree x with `<x, normal> = offset`.
public func projectionHyperplane(_ tree: Tree, normal: Tree, offset: Double) throws -> Tree {
    let factor = try (offset - Tree.vdot(tree, normal)) / Tree.squaredNorm(normal)
    return try Tree.addScale(tree, .tensor(factor), normal)
}

/// The nearest tree x with `<x, normal> <= offset`.
public func projectionHalfspace(_ tree: Tree, normal: Tree, offset: Double) throws -> Tree {
    let factor = try (offset - Tree.vdot(tree, normal)) / Tree.squaredNorm(normal)
    return try Tree.addScale(tree, .tensor(minimum(factor, 0.0)), normal)
}

/// The nearest points, along the last axis, of the simplex of vectors without negative elements that add up to 1.
///
/// The derivative is that of the projection onto the face that the result lies on, and not taken through the sorting.
func unitSimplex(_ x: Tensor) throws -> Tensor {
    guard let count = x.shape.last, count > 0 else {
        throw TensorError(
            .shape, "projectionSimplex", expected: "1 or more elements", got: "shape \(x.shape)",
            fix: "An empty vector cannot add up to 1.")
    }
    @Sendable func project(_ x: Tensor) throws -> Tensor {
        let sorted = try flip(sort(x), axes: [x.rank - 1])
        let sums = try cumsum(sorted, axis: -1)
        let ranks = try (arange(count) + 1).astype(x.dtype)
        // The largest elements that stay positive share what is over 1 evenly; there is always at least one.
        let isKept = try greater(1 / ranks + (sorted - sums / ranks), 0)
        let kept = try maximum(sum(isKept.astype(.int32), axes: [-1], keepDims: true), 1)
        let total = try takeAlongAxis(sums, kept - 1, axis: -1)
        let share = try 1 / kept.astype(x.dtype) - total / kept.astype(x.dtype)
        return try relu(x + share)
    }
    let projection = customJVP(project) { x, tangent in
        let result = try project(x)
        let isKept = try greater(result, 0).astype(x.dtype)
        let mean =
            try sum(isKept * tangent, axes: [-1], keepDims: true) / sum(isKept, axes: [-1], keepDims: true)
        return (result, try isKept * (tangent - mean))
    }
    return try projection(x)
}
