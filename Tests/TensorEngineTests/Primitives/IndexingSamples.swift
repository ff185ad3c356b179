// Rows of the table: gathers, scatters and sorting. Some indices are outside on purpose.

@testable import TensorEngine

private let anything: [DType] = [.float32, .bfloat16, .int32]

/// What a gather gives for an index: the element's position, or nil for the filling.
private func resolved(_ index: Double, count: Int, _ mode: IndexMode) -> Int? {
    let index = Int(index)
    return mode == .clamp ? min(max(index, 0), count - 1) : (0..<count).contains(index) ? index : nil
}

extension PrimitiveTable {
    static let indexing: [PrimitiveSample] =
        [IndexMode.clamp, .fill].flatMap { mode in
            [
                PrimitiveSample(
                    Take(axis: 1, mode: mode), "\(mode)", [numbers([2, 5, 3]), indices([2, 2], -2...6)],
                    types: anything
                ) { x in
                    [
                        PlainArray([2, 2, 2, 3]) { k in
                            resolved(x[1][[k[1], k[2]]], count: 5, mode).map { x[0][[k[0], $0, k[3]]] }
                                ?? .nan
                        }
                    ]
                },
                PrimitiveSample(
                    TakeAlongAxis(axis: 1, mode: mode), "\(mode)",
                    [numbers([2, 5, 3]), indices([2, 4, 3], -2...6)], types: anything
                ) { x in
                    [
                        PlainArray([2, 4, 3]) { k in
                            resolved(x[1][k], count: 5, mode).map { x[0][[k[0], $0, k[2]]] } ?? .nan
                        }
                    ]
                },
                PrimitiveSample(
                    Take(axis: 0, mode: mode), "\(mode), no indices", [numbers([4, 3]), indices([0], 0...3)]
                ) { _ in [PlainArray([0, 3], values: [])] },
                PrimitiveSample(
                    TakeAlongAxis(axis: 0, mode: mode), "\(mode), no indices",
                    [numbers([4, 3]), indices([0, 3], 0...3)]
                ) { _ in [PlainArray([0, 3], values: [])] },
                PrimitiveSample(
                    TakeAlongAxis(axis: 1, mode: mode), "\(mode), no lines",
                    [numbers([0, 4]), indices([0, 3], 0...3)]
                ) { _ in [PlainArray([0, 3], values: [])] },
            ]
        } + [
            PrimitiveSample(
                ScatterAdd(axis: 1, size: 4), [numbers([2, 3, 2, 3]), indices([3, 2], -1...5)],
                types: [.float32, .int32]
            ) { x in
                var result = PlainArray([2, 4, 3]) { _ in 0 }
                for k in PlainArray.indices([2, 3, 2, 3]) {
                    let index = Int(x[1][[k[1], k[2]]])
                    if (0..<4).contains(index) { result[[k[0], index, k[3]]] += x[0][k] }
                }
                return [result]
            },
            PrimitiveSample(
                ScatterAdd(axis: 0, size: 2), "of nothing", [numbers([0, 3]), indices([0], 0...1)]
            ) { _ in [PlainArray([2, 3]) { _ in 0 }] },
            PrimitiveSample(
                ScatterAddAlongAxis(axis: 1, size: 4), [numbers([2, 5, 3]), indices([2, 5, 3], -1...5)],
                types: [.float32, .int32]
            ) { x in
                var result = PlainArray([2, 4, 3]) { _ in 0 }
                for k in PlainArray.indices([2, 5, 3]) {
                    let index = Int(x[1][k])
                    if (0..<4).contains(index) { result[[k[0], index, k[2]]] += x[0][k] }
                }
                return [result]
            },
            PrimitiveSample(
                ScatterAddAlongAxis(axis: 0, size: 2), "of nothing",
                [numbers([0, 3]), indices([0, 3], 0...1)]
            ) { _ in [PlainArray([2, 3]) { _ in 0 }] },
        ] + sorting

    private static let sorting: [PrimitiveSample] = [false, true].flatMap { isDescending in
        [
            PrimitiveSample(
                ArgSort(isDescending: isDescending), isDescending ? "descending" : "",
                [numbers([3, 7], -3...3)], types: [.float32, .bfloat16, .int8, .int64], derivative: .zero
            ) { x in
                [
                    PlainArray(
                        [3, 7],
                        values: (0..<3).flatMap { row in
                            (0..<7).sorted {
                                let (a, b) = (x[0][[row, $0]], x[0][[row, $1]])
                                return a == b ? $0 < $1 : isDescending ? a > b : a < b
                            }.map(Double.init)
                        })
                ]
            },
            PrimitiveSample(
                ArgSort(isDescending: isDescending), "of nothing", [numbers([3, 0])], derivative: .zero
            ) { _ in [PlainArray([3, 0], values: [])] },
        ]
    }
}
