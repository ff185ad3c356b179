// Rows of the table: decompositions and linear systems.

@testable import TensorEngine

/// One matrix after the other of an array `[…, rows, columns]`, in place.
private func forEachMatrix(_ x: PlainArray, _ body: ([[Double]]) -> [[Double]]) -> [Double] {
    let (rows, columns) = (x.shape[x.shape.count - 2], x.shape[x.shape.count - 1])
    return stride(from: 0, to: x.values.count, by: max(rows * columns, 1)).flatMap { start in
        body(
            (0..<rows).map { row in Array(x.values[(start + row * columns)..<(start + (row + 1) * columns)]) }
        )
        .flatMap { $0 }
    }
}

/// x with a·x = b, by elimination with row exchanges.
private func solve(_ a: [[Double]], _ b: [[Double]]) -> [[Double]] {
    var (a, b) = (a, b)
    for k in a.indices {
        let pivot = (k..<a.count).max { abs(a[$0][k]) < abs(a[$1][k]) } ?? k
        a.swapAt(k, pivot)
        b.swapAt(k, pivot)
        for row in a.indices where row != k {
            let factor = a[row][k] / a[k][k]
            for column in a.indices { a[row][column] -= factor * a[k][column] }
            for column in b[0].indices { b[row][column] -= factor * b[k][column] }
        }
    }
    return a.indices.map { row in b[row].map { $0 / a[row][row] } }
}

private func transposed(_ a: [[Double]]) -> [[Double]] {
    a.isEmpty ? [] : a[0].indices.map { column in a.map { $0[column] } }
}

extension PrimitiveTable {
    static let linearAlgebra: [PrimitiveSample] =
        triangular + [
            PrimitiveSample(
                "cholesky", "", [positiveDefinite([2, 3, 3])],
                evidence: .reference(slack: 20) { x in
                    [
                        PlainArray(
                            x[0].shape,
                            values: forEachMatrix(x[0]) { a in
                                var factor = a.map { $0.map { _ in 0.0 } }
                                for i in a.indices {
                                    for j in 0...i {
                                        let rest =
                                            a[i][j] - (0..<j).reduce(0) { $0 + factor[i][$1] * factor[j][$1] }
                                        factor[i][j] = i == j ? rest.squareRoot() : rest / factor[j][j]
                                    }
                                }
                                return factor
                            })
                    ]
                }
            ) { [try Cholesky()(symmetrized($0[0]))] },
            PrimitiveSample(Cholesky(), "of nothing", [numbers([2, 0, 0])]) { x in [x[0]] },
            PrimitiveSample(
                LU(), "", [numbers([2, 3, 4])], slack: 20
            ) { x in
                var (pivots, permutations): ([Double], [Double]) = ([], [])
                let factors = forEachMatrix(x[0]) { a in
                    var a = a
                    var order = Array(a.indices)
                    for k in a.indices {
                        let pivot = (k..<a.count).max { abs(a[$0][k]) < abs(a[$1][k]) } ?? k
                        a.swapAt(k, pivot)
                        order.swapAt(k, pivot)
                        pivots.append(Double(pivot))
                        for row in (k + 1)..<max(a.count, k + 1) {
                            a[row][k] /= a[k][k]
                            for column in (k + 1)..<4 { a[row][column] -= a[row][k] * a[k][column] }
                        }
                    }
                    permutations += order.map(Double.init)
                    return a
                }
                return [
                    PlainArray(x[0].shape, values: factors), PlainArray([2, 3], values: pivots),
                    PlainArray([2, 3], values: permutations),
                ]
            },
            PrimitiveSample(LU(), "of nothing", [numbers([3, 0])]) { x in
                [x[0], PlainArray([0], values: []), PlainArray([3], values: [0, 1, 2])]
            },
            PrimitiveSample(
                "luSolve", "", [positiveDefinite([2, 3, 3]), numbers([2, 3, 2])],
                evidence: .reference(slack: 50) { x in
                    let right = (0..<2).map { member in
                        (0..<3).map { row in (0..<2).map { x[1][[member, row, $0]] } }
                    }
                    var member = -1
                    return [
                        PlainArray(
                            [2, 3, 2],
                            values: forEachMatrix(x[0]) { a in
                                member += 1
                                return solve(a, right[member])
                            })
                    ]
                }
            ) { x in
                let factors = try apply(LU(), [stopGradient(x[0])])
                return try apply(LUSolve(), [x[0], factors[0], factors[2], x[1]])
            },
            PrimitiveSample(
                "luSolve", "of nothing", [numbers([0, 0]), numbers([0, 2])],
                evidence: .reference(slack: 1) { x in [x[1]] }
            ) { x in
                let factors = try apply(LU(), [stopGradient(x[0])])
                return try apply(LUSolve(), [x[0], factors[0], factors[2], x[1]])
            },
            // Signs and the order of vectors are LAPACK's; values are the golden cases' business.
            PrimitiveSample(
                "qr", "", [numbers([2, 4, 3])], evidence: .parity(group: "linalg", operation: "qr")
            ) { try apply(QR(isFull: false), $0) },
            PrimitiveSample(
                "qr", "full", [numbers([3, 3])], evidence: .parity(group: "linalg", operation: "qr")
            ) { try apply(QR(isFull: true), $0) },
            PrimitiveSample(
                "qr", "of nothing", [numbers([3, 0])], evidence: .parity(group: "linalg", operation: "qr")
            ) { try apply(QR(isFull: false), $0) },
            PrimitiveSample(
                "svd", "", [numbers([2, 4, 3])], evidence: .parity(group: "linalg", operation: "svd")
            ) { try apply(SVD(vectors: .reduced), $0) },
            PrimitiveSample(
                "svd", "values", [numbers([3, 4])], evidence: .parity(group: "linalg", operation: "svd")
            ) { try apply(SVD(vectors: .none), $0) },
            PrimitiveSample(
                "svd", "of nothing", [numbers([3, 0])], evidence: .parity(group: "linalg", operation: "svd")
            ) { try apply(SVD(vectors: .reduced), $0) },
            PrimitiveSample(
                "eigh", "", [positiveDefinite([2, 3, 3])],
                evidence: .parity(group: "linalg", operation: "eigh")
            ) { try apply(SymmetricEigen(), [symmetrized($0[0])]) },
            PrimitiveSample(
                "eigh", "of nothing", [numbers([0, 0])], evidence: .parity(group: "linalg", operation: "eigh")
            ) { try apply(SymmetricEigen(), $0) },
        ]

    private static func positiveDefinite(_ shape: Shape) -> SampleInput {
        SampleInput(type: TensorType(.float64, shape), values: .positiveDefinite)
    }

    private static let triangular: [PrimitiveSample] =
        [
            TriangularSolve(isLeft: true, isLower: true), TriangularSolve(isLeft: true, isTransposed: true),
            TriangularSolve(isLeft: false, isLower: true, isUnitDiagonal: true),
            TriangularSolve(isLeft: false, isLower: false, isTransposed: true),
        ].map { solver in
            PrimitiveSample(
                solver, "left \(solver.isLeft), lower \(solver.isLower), transposed \(solver.isTransposed)",
                [positiveDefinite([3, 3]), numbers(solver.isLeft ? [3, 2] : [2, 3])], slack: 50
            ) { x in
                var a = (0..<3).map { i in
                    (0..<3).map { j in
                        i == j
                            ? (solver.isUnitDiagonal ? 1 : x[0][[i, i]])
                            : (i > j) == solver.isLower ? x[0][[i, j]] : 0
                    }
                }
                if solver.isTransposed { a = transposed(a) }
                let b = (0..<x[1].shape[0]).map { i in (0..<x[1].shape[1]).map { x[1][[i, $0]] } }
                let result = solver.isLeft ? solve(a, b) : transposed(solve(transposed(a), transposed(b)))
                return [PlainArray(x[1].shape, values: result.flatMap { $0 })]
            }
        } + [
            PrimitiveSample(TriangularSolve(), "of nothing", [numbers([0, 0]), numbers([0, 2])]) { x in [x[1]]
            }
        ]
}
