// Determinants and their logarithms.

/// (-1) to the number of row exchanges, in the type of the matrices.
private func parity(_ pivots: Tensor, dtype: DType) throws -> Tensor {
    let rows = try iota(.int32, shape: pivots.shape, dimension: pivots.rank - 1)
    let exchanges = try sum(notEqual(pivots, rows).astype(.int32), axes: [-1])
    return try (1 - 2 * rem(exchanges, 2)).astype(dtype)
}

/// The sign (-1, 0 or 1) and the logarithm of the magnitude of the determinants of `x[…, n, n]`; 0 and -∞ for a singular matrix.
public func slogdet(_ x: Tensor) throws -> (sign: Tensor, logDet: Tensor) {
    let matrix = try matrixOperand(x)
    try checkMatrices(matrix.type, isSquare: true, for: "slogdet")
    let call = customJVP(
        { (x: Tensor) -> [Tensor] in
            let factors = try lu(x)
            let pivots = try diagonal(factors.lu, axis1: -2, axis2: -1)
            let isSingular = try any(equal(pivots, 0), axes: [-1])
            let negatives = try sum(less(pivots, 0).astype(.int32), axes: [-1])
            let sign =
                try parity(factors.pivots, dtype: x.dtype) * (1 - 2 * rem(negatives, 2)).astype(x.dtype)
            let logarithm = try sum(log(abs(pivots)), axes: [-1])
            return [
                try select(isSingular, zerosLike(sign), sign),
                try select(isSingular, -Double.infinity, logarithm),
            ]
        },
        rule: { x, tangent in
            let (sign, logDet) = try slogdet(x)
            let change = try trace(solve(x, tangent), axis1: -2, axis2: -1)
            return ([sign, logDet], [try zerosLike(sign), change])
        })
    let results = try call(matrix)
    return (results[0], results[1])
}

/// The determinants of `x[…, n, n]`. The gradient is right for singular matrices too.
public func det(_ x: Tensor) throws -> Tensor {
    let matrix = try matrixOperand(x)
    try checkMatrices(matrix.type, isSquare: true, for: "det")
    let n = matrix.shape[matrix.rank - 1]
    func at(_ i: Int, _ j: Int) throws -> Tensor { try index(matrix, [.ellipsis, .at(i), .at(j)]) }
    switch n {
    case 0: return try ones(Shape(batchShape(matrix.shape)), dtype: matrix.dtype)
    case 1: return try at(0, 0)
    case 2: return try at(0, 0) * at(1, 1) - at(0, 1) * at(1, 0)
    case 3:
        let plus = try at(0, 0) * at(1, 1) * at(2, 2) + at(0, 1) * at(1, 2) * at(2, 0)
        let minus = try at(0, 2) * at(1, 1) * at(2, 0) + at(0, 0) * at(1, 2) * at(2, 1)
        return try plus + at(0, 2) * at(1, 0) * at(2, 1) - minus - at(0, 1) * at(1, 0) * at(2, 2)
    default:
        let call = customJVP(
            { (x: Tensor) in
                let factors = try lu(x)
                let pivots = try diagonal(factors.lu, axis1: -2, axis2: -1)
                return try parity(factors.pivots, dtype: x.dtype) * prod(pivots, axes: [-1])
            },
            rule: { x, tangent in
                let (value, solution) = try cofactorSolve(x, tangent)
                return (value, try trace(solution, axis1: -2, axis2: -1))
            })
        return try call(matrix)
    }
}

/// det(a) and det(a)·a⁻¹·b, the latter also where a is singular (by JAX's method). With a = P·L·U, the last row of U⁻¹x is
/// x / uₙₙ, and times the determinant that is x times the product of the other pivots: so uₙₙ is replaced by the inverse of that
/// product, and the other rows are multiplied by the determinant beforehand. Below rank n - 1 the result is 0.
private func cofactorSolve(_ a: Tensor, _ b: Tensor) throws -> (det: Tensor, solution: Tensor) {
    let n = a.shape[a.rank - 1]
    let factors = try lu(a)
    let pivots = try diagonal(factors.lu, axis1: -2, axis2: -1)
    let sign = try parity(factors.pivots, dtype: a.dtype)
    let others = try sign * prod(slice(pivots, axis: -1, 0..<(n - 1)), axes: [-1])
    let value = try others * index(pivots, [.ellipsis, .at(n - 1)])

    let corner = try pad(ones([1, 1], dtype: .bool), low: [n - 1, n - 1], high: [0, 0])
    func spread(_ x: Tensor) throws -> Tensor { try expandDims(x, axes: [-2, -1]) }
    let upper = try select(corner, spread(1 / others), factors.lu)
    let solveUpper = TriangularSolve(isLeft: true, isLower: false)
    let probe = try solveUpper(upper, ones(Shape(a.shape.dropLast() + [1]), dtype: a.dtype))
    let isDeficient = try any(logicalNot(isFinite(probe)), axes: [-2, -1], keepDims: true)

    let permuted = try takeAlongAxis(b, expandDims(factors.permutation, axis: -1), axis: -2, mode: .clamp)
    let safe = try select(isDeficient, zerosLike(permuted), permuted)
    let lower = try TriangularSolve(isLeft: true, isLower: true, isUnitDiagonal: true)(upper, safe)
    let scaled = try concatenate(
        [slice(lower, axis: -2, 0..<(n - 1)) * spread(value), slice(lower, axis: -2, (n - 1)..<n)], axis: -2)
    let solution = try solveUpper(upper, scaled)
    return (value, try select(isDeficient, zerosLike(solution), solution))
}
