// Rows of the table: sums of products.

@testable import TensorEngine

extension PrimitiveTable {
    static let contractions: [PrimitiveSample] = [
        PrimitiveSample(
            DotGeneral(lhsContracting: [1], rhsContracting: [0], lhsBatch: [], rhsBatch: []), "matrices",
            [numbers([3, 4]), numbers([4, 5])], types: [.float32, .int32], slack: 10
        ) { x in
            [PlainArray([3, 5]) { k in (0..<4).reduce(0) { $0 + x[0][[k[0], $1]] * x[1][[$1, k[1]]] } }]
        },
        // 40 · 30 · 20 multiply-adds: where threads and OpenBLAS come in.
        PrimitiveSample(
            DotGeneral(lhsContracting: [0], rhsContracting: [1], lhsBatch: [], rhsBatch: []),
            "larger matrices",
            [numbers([30, 40]), numbers([20, 30])], slack: 100
        ) { x in
            [PlainArray([40, 20]) { k in (0..<30).reduce(0) { $0 + x[0][[$1, k[0]]] * x[1][[k[1], $1]] } }]
        },
        PrimitiveSample(
            DotGeneral(lhsContracting: [3, 1], rhsContracting: [0, 3], lhsBatch: [2], rhsBatch: [1]),
            "two contracted, one batch", [numbers([2, 3, 4, 5]), numbers([5, 4, 2, 3])],
            types: [.float32, .int32], slack: 10
        ) { x in
            [
                PlainArray([4, 2, 2]) { k in
                    PlainArray.indices([5, 3]).reduce(0) {
                        $0 + x[0][[k[1], $1[1], k[0], $1[0]]] * x[1][[$1[0], k[0], k[2], $1[1]]]
                    }
                }
            ]
        },
        PrimitiveSample(
            DotGeneral(lhsContracting: [], rhsContracting: [], lhsBatch: [], rhsBatch: []), "outer product",
            [numbers([3]), numbers([4])]
        ) { x in [PlainArray([3, 4]) { x[0][[$0[0]]] * x[1][[$0[1]]] }] },
        PrimitiveSample(
            DotGeneral(lhsContracting: [1], rhsContracting: [0], lhsBatch: [], rhsBatch: []),
            "over nothing", [numbers([3, 0]), numbers([0, 2])], types: [.float32, .int32]
        ) { _ in [PlainArray([3, 2]) { _ in 0 }] },
        PrimitiveSample(
            DotGeneral(lhsContracting: [1], rhsContracting: [0], lhsBatch: [], rhsBatch: []),
            "of nothing", [numbers([0, 3]), numbers([3, 2])]
        ) { _ in [PlainArray([0, 2], values: [])] },
    ]
}
