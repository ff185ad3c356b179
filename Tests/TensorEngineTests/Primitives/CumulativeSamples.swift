// Rows of the table: running reductions.
import Foundation

@testable import TensorEngine

extension PrimitiveTable {
    private static func cumulation(
        _ kind: Cumulative.Kind, _ input: SampleInput, types: [DType],
        _ combine: @escaping @Sendable (Double, Double) -> Double
    ) -> [PrimitiveSample] {
        let rows = [false, true].map { isReversed in
            PrimitiveSample(
                Cumulative(kind: kind, axis: 1, isReversed: isReversed), isReversed ? "from the end" : "",
                [input], types: types, slack: 10
            ) { x in
                var result = x[0]
                for i in 0..<2 {
                    for j in 0..<3 {
                        for step in 1..<4 {
                            let (k, before) = isReversed ? (3 - step, 4 - step) : (step, step - 1)
                            result[[i, k, j]] = combine(result[[i, before, j]], x[0][[i, k, j]])
                        }
                    }
                }
                return [result]
            }
        }
        return rows + [
            PrimitiveSample(
                Cumulative(kind: kind, axis: 1, isReversed: false), "of nothing", [numbers([2, 0, 3])]
            ) { x in [x[0]] }
        ]
    }

    static let cumulations: [PrimitiveSample] =
        cumulation(.sum, numbers([2, 4, 3]), types: [.float32, .int32]) { $0 + $1 }
        + cumulation(.prod, numbers([2, 4, 3]), types: [.float32, .int32]) { $0 * $1 }
        + cumulation(.max, distinct([2, 4, 3]), types: [.float32, .int32]) { Swift.max($0, $1) }
        + cumulation(.min, distinct([2, 4, 3]), types: [.float32, .int32]) { Swift.min($0, $1) }
        + cumulation(.logSumExp, numbers([2, 4, 3]), types: [.float32]) {
            Foundation.log(Foundation.exp($0) + Foundation.exp($1))
        }
}
