// Rows of the table: updates at indices and windows at places that are values. Some places are outside on purpose.

@testable import TensorEngine

/// A window's start, moved inside.
private func inside(_ start: Double, size: Int, of count: Int) -> Int {
    min(max(Int(start), 0), count - size)
}

extension PrimitiveTable {
    private static func scatter(
        _ update: ScatterUpdate, _ combine: @escaping @Sendable (Double, Double) -> Double
    ) -> [PrimitiveSample] {
        [
            PrimitiveSample(
                Scatter(update: update, axis: 1), "\(update)",
                [numbers([2, 4, 3]), indices([5], -1...5), numbers([2, 5, 3])], types: [.float32, .int32],
                slack: 10
            ) { x in
                var result = x[0]
                for k in 0..<5 {
                    let place = Int(x[1][[k]])
                    guard (0..<4).contains(place) else { continue }
                    for i in 0..<2 {
                        for j in 0..<3 {
                            result[[i, place, j]] = combine(result[[i, place, j]], x[2][[i, k, j]])
                        }
                    }
                }
                return [result]
            },
            PrimitiveSample(
                Scatter(update: update, axis: 0), "\(update) of nothing",
                [numbers([4, 3]), indices([0], 0...3), numbers([0, 3])]
            ) { x in [x[0]] },
        ]
    }

    static let scatters: [PrimitiveSample] =
        scatter(.set) { $1 } + scatter(.add) { $0 + $1 } + scatter(.multiply) { $0 * $1 }
        + scatter(.min) { min($0, $1) } + scatter(.max) { max($0, $1) } + slices + searches

    private static let slices: [PrimitiveSample] = [
        PrimitiveSample(
            DynamicSlice(sizes: [2, 3]), [numbers([4, 5]), indices([], -2...6), indices([], -2...6)],
            types: [.float32, .int8, .bool]
        ) { x in
            let (i, j) = (inside(x[1][[]], size: 2, of: 4), inside(x[2][[]], size: 3, of: 5))
            return [PlainArray([2, 3]) { x[0][[$0[0] + i, $0[1] + j]] }]
        },
        PrimitiveSample(
            DynamicSlice(sizes: [2], isBatched: true), "for members",
            [numbers([3, 4]), indices([3], -2...6)]
        ) { x in
            [PlainArray([3, 2]) { x[0][[$0[0], $0[1] + inside(x[1][[$0[0]]], size: 2, of: 4)]] }]
        },
        PrimitiveSample(
            DynamicSlice(sizes: [0, 3]), "of nothing",
            [numbers([4, 5]), indices([], -2...6), indices([], -2...6)]
        ) { _ in [PlainArray([0, 3], values: [])] },
        PrimitiveSample(
            DynamicUpdateSlice(),
            [numbers([4, 5]), numbers([2, 3]), indices([], -2...6), indices([], -2...6)],
            types: [.float32, .int8, .bool]
        ) { x in
            let (i, j) = (inside(x[2][[]], size: 2, of: 4), inside(x[3][[]], size: 3, of: 5))
            var result = x[0]
            for k in PlainArray.indices([2, 3]) { result[[k[0] + i, k[1] + j]] = x[1][k] }
            return [result]
        },
        PrimitiveSample(
            DynamicUpdateSlice(isBatched: true), "for members",
            [numbers([3, 4]), numbers([3, 2]), indices([3], -2...6)]
        ) { x in
            var result = x[0]
            for k in PlainArray.indices([3, 2]) {
                result[[k[0], k[1] + inside(x[2][[k[0]]], size: 2, of: 4)]] = x[1][k]
            }
            return [result]
        },
        PrimitiveSample(
            DynamicUpdateSlice(), "of nothing", [numbers([4]), numbers([0]), indices([], -2...6)]
        ) { x in [x[0]] },
    ]

    private static let searches: [PrimitiveSample] = [false, true].flatMap { isRight in
        // Some values are among the sorted ones.
        let sorted = SampleInput(
            type: TensorType(.float64, [6]), values: .fixed([-2, -1, 0, 0, 1, 3]))
        let rows = SampleInput(
            type: TensorType(.float64, [2, 3]), values: .fixed([-1, 0, 2, 0, 0, 1]))
        func values(_ shape: Shape) -> SampleInput {
            SampleInput(type: TensorType(.float64, shape), values: .integers(-3...4))
        }
        @Sendable func place(_ value: Double, in line: [Double]) -> Double {
            Double(line.count { isRight ? $0 <= value : $0 < value })
        }
        return [
            PrimitiveSample(
                SearchSorted(isRight: isRight), "\(isRight ? "right" : "left")", [sorted, values([2, 4])],
                types: [.float32, .int32], derivative: .zero
            ) { x in [x[1].map { place($0, in: x[0].values) }] },
            PrimitiveSample(
                SearchSorted(isRight: isRight, isBatched: true), "for members", [rows, values([2, 4])],
                types: [.float32, .int32], derivative: .zero
            ) { x in
                [
                    PlainArray([2, 4]) { k in
                        place(x[1][k], in: (0..<3).map { x[0][[k[0], $0]] })
                    }
                ]
            },
            PrimitiveSample(
                SearchSorted(isRight: isRight), "in nothing", [numbers([0]), values([3])], derivative: .zero
            ) { x in [x[1].map { _ in 0 }] },
        ]
    }
}
