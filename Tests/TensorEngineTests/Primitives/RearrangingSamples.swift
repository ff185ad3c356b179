// Rows of the table: operations that move elements, and broadcasting.

@testable import TensorEngine

private let anything: [DType] = [.float32, .bfloat16, .int8, .int64, .bool]

extension PrimitiveTable {
    static let rearranging: [PrimitiveSample] = [
        PrimitiveSample(
            BroadcastInDim(shape: [2, 3, 4], dimensions: [0, 2]), [numbers([2, 1])], types: anything
        ) { x in [PlainArray([2, 3, 4]) { x[0][[$0[0], 0]] }] },
        PrimitiveSample(
            BroadcastInDim(shape: [3, 0, 2], dimensions: [0]), "to nothing", [numbers([3])], types: anything
        ) { _ in [PlainArray([3, 0, 2], values: [])] },
        PrimitiveSample(Reshape(shape: [3, 4]), [numbers([2, 1, 6])], types: anything) { x in
            [PlainArray([3, 4], values: x[0].values)]
        },
        PrimitiveSample(Reshape(shape: [4, 0]), "of nothing", [numbers([0, 3])], types: anything) { _ in
            [PlainArray([4, 0], values: [])]
        },
        PrimitiveSample(Transpose(permutation: [2, 0, 1]), [numbers([2, 3, 4])], types: anything) { x in
            [PlainArray([4, 2, 3]) { x[0][[$0[1], $0[2], $0[0]]] }]
        },
        PrimitiveSample(
            Transpose(permutation: [1, 0]), "of nothing", [numbers([0, 3])], types: anything
        ) { _ in [PlainArray([3, 0], values: [])] },
        PrimitiveSample(
            Slice(starts: [1, 0], limits: [3, 5], strides: [1, 2]), [numbers([4, 6])], types: anything
        ) { x in [PlainArray([2, 3]) { x[0][[$0[0] + 1, $0[1] * 2]] }] },
        PrimitiveSample(
            Slice(starts: [2, 0], limits: [2, 3], strides: [1, 3]), "of nothing", [numbers([4, 3])],
            types: anything
        ) { _ in [PlainArray([0, 1], values: [])] },
        PrimitiveSample(Reverse(axes: [0, 2]), [numbers([2, 3, 4])], types: anything) { x in
            [PlainArray([2, 3, 4]) { x[0][[1 - $0[0], $0[1], 3 - $0[2]]] }]
        },
        PrimitiveSample(Reverse(axes: [0]), "of nothing", [numbers([0, 2])], types: anything) { x in [x[0]] },
        PrimitiveSample(
            Concatenate(axis: 1), [numbers([2, 3]), numbers([2, 0]), numbers([2, 1])], types: anything
        ) { x in [PlainArray([2, 4]) { $0[1] < 3 ? x[0][$0] : x[2][[$0[0], 0]] }] },
        PrimitiveSample(
            Concatenate(axis: 0), "of nothing", [numbers([0, 3]), numbers([0, 3])], types: anything
        ) { x in [x[0]] },
        PrimitiveSample(
            Pad(low: [1, 0], high: [0, 2], interior: [1, 0]), [numbers([2, 3]), numbers([])], types: anything
        ) { x in
            [
                PlainArray([4, 5]) { index in
                    let inside = index[0] % 2 == 1 && index[1] < 3
                    return inside ? x[0][[index[0] / 2, index[1]]] : x[1][[]]
                }
            ]
        },
        PrimitiveSample(
            Pad(low: [1, 0], high: [0, 2], interior: [1, 3]), "around nothing",
            [numbers([0, 3]), numbers([])],
            types: anything
        ) { x in [PlainArray([1, 11]) { _ in x[1][[]] }] },
        PrimitiveSample(
            Iota(dtype: .float32, shape: [2, 3, 2], dimension: 1), [], derivative: .zero
        ) { _ in [PlainArray([2, 3, 2]) { Double($0[1]) }] },
        PrimitiveSample(
            Iota(dtype: .int32, shape: [3, 0], dimension: 0), "of nothing", [], derivative: .zero
        ) { _ in [PlainArray([3, 0], values: [])] },
    ]
}
