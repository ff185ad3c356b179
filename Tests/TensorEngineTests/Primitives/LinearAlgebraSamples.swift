// Rows of the table: decompositions and linear systems.

@testable import TensorEngine

private func positiveDefinite(_ shape: Shape) -> SampleInput {
    SampleInput(type: TensorType(.float64, shape), values: .positiveDefinite)
}

/// Matrices whose singular values, pivots and eigenvalues are well apart: a strong and uneven diagonal.
private let matrix3 = SampleInput(
    type: TensorType(.float64, [3, 3]), values: .fixed([4, 0.5, -0.25, 0.75, -2.5, 0.5, -0.5, 0.25, 1.25]))
private let tall = SampleInput(
    type: TensorType(.float64, [4, 3]), values: .fixed([3, 0.5, -1, 0.75, 2, 0.5, -0.5, 0.25, 1, 1, -1, 0.5]))
private let wide = SampleInput(
    type: TensorType(.float64, [2, 3]), values: .fixed([2, 0.5, -1, 0.75, -1, 0.5]))

/// x with a·x = b by Gaussian elimination with row exchanges.
private func solved(_ a: PlainArray, _ b: PlainArray) -> PlainArray {
    let n = a.shape[0]
    var (a, x) = (a, b)
    for k in 0..<n {
        let pivot = (k..<n).max { abs(a[[$0, k]]) < abs(a[[$1, k]]) } ?? k
        for j in 0..<n { (a[[k, j]], a[[pivot, j]]) = (a[[pivot, j]], a[[k, j]]) }
        for j in 0..<x.shape[1] { (x[[k, j]], x[[pivot, j]]) = (x[[pivot, j]], x[[k, j]]) }
        for i in 0..<n where i != k {
            let factor = a[[i, k]] / a[[k, k]]
            for j in 0..<n { a[[i, j]] -= factor * a[[k, j]] }
            for j in 0..<x.shape[1] { x[[i, j]] -= factor * x[[k, j]] }
        }
    }
    return PlainArray(x.shape) { x[$0] / a[[$0[0], $0[0]]] }
}

private func transposed(_ x: PlainArray) -> PlainArray {
    PlainArray([x.shape[1], x.shape[0]]) { x[[$0[1], $0[0]]] }
}

extension PrimitiveTable {
    static let linearAlgebra: [PrimitiveSample] = factors + systems + spectra

    private static let factors: [PrimitiveSample] = [
        PrimitiveSample(
            "cholesky", "of symmetrized matrices", [positiveDefinite([2, 3, 3])],
            evidence: .reference(slack: 50) { x in
                var factor = PlainArray([2, 3, 3]) { _ in 0 }
                for b in 0..<2 {
                    for j in 0..<3 {
                        for i in j..<3 {
                            let dot = (0..<j).reduce(0) { $0 + factor[[b, i, $1]] * factor[[b, j, $1]] }
                            let rest = x[0][[b, i, j]] - dot
                            factor[[b, i, j]] = i == j ? rest.squareRoot() : rest / factor[[b, j, j]]
                        }
                    }
                }
                return [factor]
            }
        ) { [try cholesky($0[0])] },
        PrimitiveSample(Cholesky(), "of nothing", [numbers([2, 0, 0])]) { x in x },
        PrimitiveSample(
            "qr", "tall", [tall], evidence: .parity(group: "linalg", operation: "qr_sign_fixed")
        ) { try apply(QR(isFull: false), $0) },
        PrimitiveSample(
            "qr", "tall, full", [tall], derivative: .missing,
            evidence: .parity(group: "linalg", operation: "qr_sign_fixed")
        ) { try apply(QR(isFull: true), $0) },
        PrimitiveSample(
            "qr", "wide", [wide], derivative: .missing,
            evidence: .parity(group: "linalg", operation: "qr_sign_fixed")
        ) { try apply(QR(isFull: false), $0) },
        PrimitiveSample(QR(isFull: false), "of nothing", [numbers([3, 0])]) { _ in
            [PlainArray([3, 0], values: []), PlainArray([0, 0], values: [])]
        },
        PrimitiveSample(
            "lu", "square", [matrix3], evidence: .parity(group: "linalg", operation: "solve")
        ) { try apply(LU(), $0) },
        PrimitiveSample(
            "lu", "tall", [tall], evidence: .parity(group: "linalg", operation: "solve")
        ) { try apply(LU(), $0) },
        PrimitiveSample(
            "lu", "wide", [wide], evidence: .parity(group: "linalg", operation: "solve")
        ) { try apply(LU(), $0) },
        PrimitiveSample(LU(), "of nothing", [numbers([0, 0])]) { x in
            [x[0], PlainArray([0], values: []), PlainArray([0], values: [])]
        },
    ]

    private static let systems: [PrimitiveSample] =
        [false, true].flatMap { isTransposed in
            [
                PrimitiveSample(
                    TriangularSolve(isLeft: true, isLower: true, isTransposed: isTransposed),
                    "lower, left\(isTransposed ? ", transposed" : "")", [matrix3, numbers([3, 2])], slack: 50
                ) { x in
                    let a = PlainArray([3, 3]) { $0[1] <= $0[0] ? x[0][$0] : 0 }
                    return [solved(isTransposed ? transposed(a) : a, x[1])]
                },
                PrimitiveSample(
                    TriangularSolve(
                        isLeft: false, isLower: false, isTransposed: isTransposed, isUnitDiagonal: true),
                    "unit upper, right\(isTransposed ? ", transposed" : "")", [matrix3, numbers([2, 3])],
                    slack: 50
                ) { x in
                    let a = PlainArray([3, 3]) { $0[1] > $0[0] ? x[0][$0] : $0[0] == $0[1] ? 1 : 0 }
                    return [transposed(solved(isTransposed ? a : transposed(a), transposed(x[1])))]
                },
                PrimitiveSample(
                    "luSolve", isTransposed ? "transposed" : "", [matrix3, numbers([3, 2])],
                    evidence: .reference(slack: 50) { x in
                        [solved(isTransposed ? transposed(x[0]) : x[0], x[1])]
                    }
                ) { x in
                    let factors = try apply(LU(), [stopGradient(x[0])])
                    return try apply(
                        LUSolve(isTransposed: isTransposed), [x[0], factors[0], factors[2], x[1]])
                },
            ]
        } + [
            PrimitiveSample(TriangularSolve(), "of nothing", [numbers([0, 0]), numbers([0, 2])]) { x in [x[1]]
            },
            PrimitiveSample(
                "luSolve", "of nothing", [numbers([0, 0]), numbers([0, 2])],
                evidence: .reference(slack: 1) { x in [x[1]] }
            ) {
                [try solve($0[0], $0[1])]
            },
        ]

    private static let spectra: [PrimitiveSample] = [
        PrimitiveSample(
            "eigh", "of symmetrized matrices", [positiveDefinite([3, 3])],
            evidence: .parity(group: "linalg", operation: "eigh_parts")
        ) { try apply(SymmetricEigen(), [symmetrized($0[0])]) },
        PrimitiveSample(SymmetricEigen(), "of nothing", [numbers([0, 0])]) { x in
            [PlainArray([0], values: []), x[0]]
        },
        PrimitiveSample(
            "svd", "values", [tall], evidence: .parity(group: "linalg", operation: "svd_values")
        ) { try apply(SVD(vectors: .none), $0) },
        PrimitiveSample(
            "svd", "tall", [tall], evidence: .parity(group: "linalg", operation: "svd_reconstruct")
        ) { try apply(SVD(vectors: .reduced), $0) },
        PrimitiveSample(
            "svd", "wide", [wide], evidence: .parity(group: "linalg", operation: "svd_reconstruct")
        ) { try apply(SVD(vectors: .reduced), $0) },
        PrimitiveSample(
            "svd", "square, full", [matrix3], evidence: .parity(group: "linalg", operation: "svd_reconstruct")
        ) { try apply(SVD(vectors: .full), $0) },
        PrimitiveSample(
            "svd", "tall, full", [tall], derivative: .missing,
            evidence: .parity(group: "linalg", operation: "svd_reconstruct")
        ) { try apply(SVD(vectors: .full), $0) },
        PrimitiveSample(SVD(vectors: .full), "of nothing", [numbers([2, 0])], derivative: .missing) { _ in
            [
                PlainArray([0], values: []), PlainArray([2, 2], values: [1, 0, 0, 1]),
                PlainArray([0, 0], values: []),
            ]
        },
    ]
}
