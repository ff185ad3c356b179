// Rows of the table: reductions over axes.

@testable import TensorEngine

private let floats: [DType] = [.float32]

/// The position of the first extremum.
private func position(of extremum: Double?, in line: [Double]) -> Double {
    Double(line.firstIndex { $0 == extremum } ?? -1)
}

extension PrimitiveTable {
    static let reductions: [PrimitiveSample] =
        [[1], [0, 2], [0, 1, 2], []].map { axes in
            PrimitiveSample(
                ReduceSum(axes: axes), "over \(axes)", [numbers([3, 4, 5])], types: [.float32, .int32],
                slack: 10
            ) { x in [x[0].reduced(axes) { $0.reduce(0, +) }] }
        } + [
            PrimitiveSample(ReduceSum(axes: [1]), "over nothing", [numbers([3, 0])]) { x in
                [PlainArray([3], values: [0, 0, 0])]
            },
            PrimitiveSample(ReduceSum(axes: [1]), "of nothing", [numbers([0, 3])]) { x in
                [PlainArray([0], values: [])]
            },
        ] + extrema + products + logical

    private static let extrema: [PrimitiveSample] = [true, false].flatMap { isMaximum in
        [[1], [0, 2]].map { axes in
            PrimitiveSample(
                ReduceExtremum(axes: axes, isMaximum: isMaximum), "over \(axes)", [distinct([3, 4, 5])],
                types: [.float32, .bfloat16, .int32]
            ) { x in [x[0].reduced(axes) { (isMaximum ? $0.max() : $0.min()) ?? 0 }] }
        } + [
            PrimitiveSample(
                ReduceExtremum(axes: [1], isMaximum: isMaximum), "of nothing", [numbers([0, 3])]
            ) { _ in [PlainArray([0], values: [])] },
            PrimitiveSample(
                ArgExtremum(axes: [1], isMaximum: isMaximum), [distinct([3, 4, 5])],
                types: [.float32, .bfloat16, .int32], derivative: .zero
            ) { x in [x[0].reduced([1]) { position(of: isMaximum ? $0.max() : $0.min(), in: $0) }] },
            PrimitiveSample(
                ArgExtremum(axes: [1], isMaximum: isMaximum), "of nothing", [numbers([0, 3])],
                derivative: .zero
            ) { _ in [PlainArray([0], values: [])] },
        ]
    }

    private static let products: [PrimitiveSample] = [
        PrimitiveSample(
            ReduceProduct(axes: [0, 2]), [numbers([3, 4, 5], 0.5...1.5)], types: [.float32, .int32],
            slack: 10
        ) { x in [x[0].reduced([0, 2]) { $0.reduce(1, *) }] },
        PrimitiveSample(
            ReduceProduct(axes: [1]), "over nothing", [numbers([3, 0])]
        ) { _ in [PlainArray([3], values: [1, 1, 1])] },
    ]

    private static let logical: [PrimitiveSample] = [ReduceLogical.Kind.and, .or, .xor].flatMap { kind in
        @Sendable func combined(_ values: [Double]) -> Double {
            switch kind {
            case .and: values.allSatisfy { $0 != 0 } ? 1 : 0
            case .or: values.contains { $0 != 0 } ? 1 : 0
            case .xor: values.count { $0 != 0 } % 2 == 1 ? 1 : 0
            }
        }
        return [
            PrimitiveSample(
                ReduceLogical(axes: [0, 2], kind: kind), [conditions([2, 4, 2])], derivative: .missing
            ) { x in [x[0].reduced([0, 2]) { combined(Array($0)) }] },
            PrimitiveSample(
                ReduceLogical(axes: [1], kind: kind), "over nothing", [conditions([3, 0])],
                derivative: .missing
            ) { _ in [PlainArray([3], values: Array(repeating: combined([]), count: 3))] },
        ]
    }
}
