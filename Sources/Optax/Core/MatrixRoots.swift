// Eigenvalues and roots of matrices by iteration, as preconditioners use them.
import TensorEngine

/// The eigenvalue of the largest magnitude of a linear map, and its eigenvector, by applying it again and again.
///
/// - Parameters:
///   - map: from a tree to one like it, symmetric.
///   - start: must not be orthogonal to the eigenvector: random numbers will do.
///   - tolerance: how small the residual must be, relative to the eigenvalue.
public func powerIteration(
    _ map: (Tree) throws -> Tree, start: Tree, iterations: Int = 100, tolerance: Double = 1e-6
) throws -> (eigenvalue: Tensor, eigenvector: Tree) {
    func unit(_ x: Tree) throws -> Tree { try Tree.scale(.tensor(1 / Tree.norm(x)), x) }
    let first = try unit(start)
    let image = try map(first)
    // What the loop carries: a unit vector, its image, the eigenvalue, and the number of iterations.
    let end = try whileLoop(
        { (state: [Tree]) in
            let (value, count) = (try scalar(state[2]), try scalar(state[3]))
            let residual = try Tree.norm(Tree.sub(state[1], Tree.scale(.tensor(value), state[0])))
            let isConverged = try less(TensorEngine.abs(residual / value), tolerance)
            return try and(logicalNot(isConverged), less(count, iterations))
        },
        { (state: [Tree]) in
            let vector = try unit(state[1])
            let image = try map(vector)
            let value = try Tree.vdot(vector, image)
            return [vector, image, .tensor(try value.astype(.float32)), .tensor(try scalar(state[3]) + 1)]
        }, initial: [first, image, .tensor(zeros([])), .tensor(zeros([], dtype: .int32))])
    return (try scalar(end[2]), try unit(end[1]))
}

private func scalar(_ tree: Tree) throws -> Tensor {
    guard let tensor = tree.tensor else {
        throw TensorError(.structure, "powerIteration", expected: "a scalar", got: "a tree")
    }
    return tensor
}

/// `powerIteration` of a symmetric matrix `[n, n]`, from uniform random numbers of the key.
public func powerIteration(
    _ matrix: Tensor, key: PRNGKey? = nil, iterations: Int = 100, tolerance: Double = 1e-6
) throws -> (eigenvalue: Tensor, eigenvector: Tensor) {
    let count = try squareSize(matrix, "powerIteration")
    let start = try (key ?? PRNGKey(seed: 0)).uniform([count], low: -1, high: 1)
    let (value, vector) = try powerIteration(
        { try $0.map { try matmul(matrix, $0) } }, start: .tensor(start.astype(matrix.dtype)),
        iterations: iterations, tolerance: tolerance)
    return (value, vector.tensor ?? start)
}

/// `matrix^(-1/p)` for a symmetric positive semidefinite matrix `[n, n]`, by coupled Newton iterations in float32 (Guo & Higham, 2006):
/// Shampoo's preconditioner.
///
/// - Parameters:
///   - p: 1, 2, 4 or 8.
///   - ridge: added to the diagonal, relative to the largest eigenvalue, so that there is a root.
/// - Returns: the root, and by how much at most its inverse pth power times the matrix misses the identity.
public func matrixInversePthRoot(
    _ matrix: Tensor, p: Int, iterations: Int = 100, ridge: Double = 1e-6, tolerance: Double = 1e-6
) throws -> (root: Tensor, error: Tensor) {
    let name = "matrixInversePthRoot"
    let count = try squareSize(matrix, name)
    guard let doublings = [1: 0, 2: 1, 4: 2, 8: 3][p] else {
        throw TensorError(.argument, name, expected: "p of 1, 2, 4 or 8", got: "\(p)")
    }
    let x = try matrix.astype(.float32)
    let damping = try ridge * maximum(powerIteration(x).eigenvalue, 1e-16)
    if count == 1 {
        return (try pow(x + damping, -1 / Double(p)).astype(matrix.dtype), try zeros([]))
    }
    let positions = try arange(count)
    let identity = try equal(expandDims(positions, axis: 1), positions).astype(.float32)
    let damped = try x + damping * identity
    let scale = try Double(1 + p) / (2 * sqrt(sum(square(damped))))
    let start = try damped * scale
    func error(_ m: Tensor) throws -> Tensor { try TensorEngine.max(TensorEngine.abs(m - identity)) }
    let firstRoot = try identity * pow(scale, 1 / Double(p))
    // What the loop carries: M, which goes to the identity, the root, the root before, M's error, the count, and whether it still falls.
    let end = try whileLoop(
        { (state: [Tensor]) in
            try and(less(state[4], iterations), and(greater(state[3], tolerance), state[5]))
        },
        { (state: [Tensor]) in
            let step = try (1 + 1 / Double(p)) * identity - (1 / Double(p)) * state[0]
            var power = step
            for _ in 0..<doublings { power = try matmul(power, power) }
            let next = try matmul(power, state[0])
            let nextError = try error(next)
            return [
                next, try matmul(state[1], step), state[1], nextError, try state[4] + 1,
                try less(nextError, state[3] * 1.2),
            ]
        },
        initial: [
            start, firstRoot, firstRoot, error(start), zeros([], dtype: .int32), full([], 1, dtype: .bool),
        ])
    // An iteration that made it worse again is not taken.
    return (try select(end[5], end[1], end[2]).astype(matrix.dtype), try error(end[0]))
}

private func squareSize(_ matrix: Tensor, _ operation: String) throws -> Int {
    guard matrix.rank == 2, matrix.shape[0] == matrix.shape[1], matrix.shape[0] > 0, matrix.dtype.isFloating
    else {
        throw TensorError(
            .shape, operation, expected: "a square matrix of floats, of 1 or more rows", got: "\(matrix.type)"
        )
    }
    return matrix.shape[0]
}

/// The x of 0 or more with the least `|a x - b|²`, after `iterations` steps of accelerated projected gradient descent.
///
/// - Parameters:
///   - a: `[equations, unknowns]`.
///   - b: `[equations]`, or `[equations, columns]` for several right sides.
public func nnls(_ a: Tensor, _ b: Tensor, iterations: Int) throws -> Tensor {
    let name = "nnls"
    guard a.rank == 2, (1...2).contains(b.rank), b.shape[0] == a.shape[0], a.dtype.isFloating, iterations >= 0
    else {
        throw TensorError(
            .shape, name,
            expected: "a matrix [equations, unknowns] and right sides [equations] or [equations, columns]",
            got: "\(a.type) and \(b.type)")
    }
    let gram = try matmul(transpose(a), a)
    let right = try matmul(transpose(a), b)
    guard gram.shape.elementCount > 0 else { return right }
    // Two bounds of the largest eigenvalue.
    let columns = try TensorEngine.max(sum(TensorEngine.abs(gram), axes: [0]))
    let bound = try minimum(sqrt(sum(square(gram))), columns)
    let size = try select(equal(bound, 0), 1.0, bound)
    let start = try zerosLike(right)
    let end = try foriLoop(
        0, iterations,
        { (_: Tensor, state: [Tensor]) in
            let (x, p, c) = (state[0], state[1], state[2])
            let next = try (1 + sqrt(1 + 4 * square(c))) / 2
            let nextX = try maximum(p - (matmul(gram, p) - right) / size, 0)
            return [nextX, try nextX + (c - 1) / next * (nextX - x), next]
        }, initial: [start, start, zeros([], dtype: right.dtype)])
    return end[0]
}
