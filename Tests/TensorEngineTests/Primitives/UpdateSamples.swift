// Rows of the table: windows at places that are values, updates at indices, searches. Some places are outside on purpose.

@testable import TensorEngine

private let anything: [DType] = [.float32, .bfloat16, .int32]

/// Where a window of `size` begins in a dimension of `count`.
private func place(_ start: Double, _ size: Int, in count: Int) -> Int {
    min(max(start < 0 ? Int(start) + count : Int(start), 0), count - size)
}

/// The array updated at the indices along the middle one of its three dimensions.
private func scattered(
    _ x: [PlainArray], _ combine: @escaping (Double, Double) -> Double
) -> [PlainArray] {
    var result = x[0]
    for j in 0..<x[1].shape[0] {
        let index = Int(x[1][[j]])
        guard (0..<x[0].shape[1]).contains(index) else { continue }
        for o in 0..<x[0].shape[0] {
            for i in 0..<x[0].shape[2] {
                result[[o, index, i]] = combine(result[[o, index, i]], x[2][[o, j, i]])
            }
        }
    }
    return [result]
}

extension PrimitiveTable {
    static let updates: [PrimitiveSample] = windows + scatters + searches

    private static let windows: [PrimitiveSample] = [
        PrimitiveSample(
            DynamicSlice(sizes: [2, 3]), [numbers([4, 5]), indices([], -6...6), indices([], -6...6)],
            types: anything
        ) { x in
            let (row, column) = (place(x[1][[]], 2, in: 4), place(x[2][[]], 3, in: 5))
            return [PlainArray([2, 3]) { x[0][[row + $0[0], column + $0[1]]] }]
        },
        PrimitiveSample(
            DynamicSlice(sizes: [2], isBatched: true), "of members",
            [numbers([3, 5]), indices([3], -6...6)], types: anything
        ) { x in [PlainArray([3, 2]) { x[0][[$0[0], place(x[1][[$0[0]]], 2, in: 5) + $0[1]]] }] },
        PrimitiveSample(
            DynamicSlice(sizes: [0, 2]), "of nothing",
            [numbers([0, 3]), indices([], 0...1), indices([], 0...1)]
        ) { _ in [PlainArray([0, 2], values: [])] },
        PrimitiveSample(
            DynamicUpdateSlice(),
            [numbers([4, 5]), numbers([2, 3]), indices([], -6...6), indices([], -6...6)], types: anything
        ) { x in
            let (row, column) = (place(x[2][[]], 2, in: 4), place(x[3][[]], 3, in: 5))
            var result = x[0]
            for k in PlainArray.indices([2, 3]) { result[[row + k[0], column + k[1]]] = x[1][k] }
            return [result]
        },
        PrimitiveSample(
            DynamicUpdateSlice(isBatched: true), "of members",
            [numbers([3, 5]), numbers([3, 2]), indices([3], -6...6)], types: anything
        ) { x in
            var result = x[0]
            for k in PlainArray.indices([3, 2]) {
                result[[k[0], place(x[2][[k[0]]], 2, in: 5) + k[1]]] = x[1][k]
            }
            return [result]
        },
        PrimitiveSample(
            DynamicUpdateSlice(), "with nothing", [numbers([3]), numbers([0]), indices([], 0...5)]
        ) { x in [x[0]] },
        PrimitiveSample(
            DynamicUpdateSlice(), "of nothing", [numbers([0]), numbers([0]), indices([], 0...5)]
        ) { x in [x[0]] },
    ]

    private static let scatters: [PrimitiveSample] =
        [
            scatter(.set, "set", types: anything) { _, new in new }, scatter(.add, "add") { $0 + $1 },
            scatter(.multiply, "multiply") { $0 * $1 }, scatter(.min, "min") { min($0, $1) },
            scatter(.max, "max") { max($0, $1) },
        ] + scattersOfNothing

    private static func scatter(
        _ update: ScatterUpdate, _ detail: String, types: [DType] = [.float32, .int32],
        _ combine: @escaping @Sendable (Double, Double) -> Double
    ) -> PrimitiveSample {
        // Index 1 occurs twice, and two are outside.
        let places = SampleInput(type: TensorType(.int32, [5]), values: .fixed([1, 3, -1, 1, 4]))
        return PrimitiveSample(
            Scatter(update: update, axis: 1), detail,
            [numbers([2, 4, 3], awayFrom: [0]), places, numbers([2, 5, 3], awayFrom: [0])], types: types,
            slack: 4
        ) { scattered($0, combine) }
    }

    private static let scattersOfNothing: [PrimitiveSample] = [
        PrimitiveSample(
            Scatter(update: .set, axis: 0), "nowhere",
            [numbers([4, 3]), indices([0], 0...3), numbers([0, 3])]
        ) { x in [x[0]] },
        PrimitiveSample(
            Scatter(update: .add, axis: 0), "into nothing",
            [numbers([0, 3]), indices([2], 0...3), numbers([2, 3])]
        ) { x in [x[0]] },
    ]

    private static let searches: [PrimitiveSample] = [false, true].flatMap { isRight in
        let sorted: [Double] = [-2, -1, -1, 0.5, 2]
        return [
            PrimitiveSample(
                SearchSorted(isRight: isRight), isRight ? "right" : "left",
                [
                    SampleInput(type: TensorType(.float64, [5]), values: .fixed(sorted)),
                    numbers([3, 4], -3...3),
                ], types: [.float32, .float16], derivative: .zero
            ) { x in
                let line = x[0].values
                return [x[1].map { value in Double(line.count { isRight ? $0 <= value : $0 < value }) }]
            },
            PrimitiveSample(
                SearchSorted(isRight: isRight), "\(isRight ? "right" : "left"), equal ones",
                [
                    SampleInput(type: TensorType(.float64, [5]), values: .fixed(sorted)),
                    SampleInput(type: TensorType(.float64, [5]), values: .fixed(sorted)),
                ], types: [.float32, .int8], derivative: .zero
            ) { x in
                let line = x[0].values
                return [x[1].map { value in Double(line.count { isRight ? $0 <= value : $0 < value }) }]
            },
            PrimitiveSample(
                SearchSorted(isRight: isRight), "in nothing", [numbers([0]), numbers([2])], derivative: .zero
            ) { x in [x[1].map { _ in 0 }] },
            PrimitiveSample(
                SearchSorted(isRight: isRight), "of nothing", [numbers([2]), numbers([0, 2])],
                derivative: .zero
            ) { x in [x[1]] },
        ]
    }
}
