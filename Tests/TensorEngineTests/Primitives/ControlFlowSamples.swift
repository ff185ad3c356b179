// Rows of the table: loops, choices, and the operations that carry rules for derivatives.
import Foundation

@testable import TensorEngine

extension PrimitiveSample {
    /// A row for an operation that is made by a function.
    fileprivate init(
        _ name: String, _ detail: String = "", of inputs: [SampleInput], types: [DType] = [.float32],
        derivative: SampleDerivative = .smooth, isShapeFree: Bool = false, slack: Double = 1,
        call: @escaping @Sendable ([Tensor]) throws -> [Tensor],
        _ reference: @escaping @Sendable ([PlainArray]) -> [PlainArray]
    ) {
        self.init(
            name, detail, inputs, types: types, derivative: derivative, isShapeFree: isShapeFree,
            evidence: .reference(slack: slack, reference), call: call)
    }
}

extension PrimitiveTable {
    static let controlFlow: [PrimitiveSample] = loops + choices + derivativeRules

    /// c ← sin(c)·s + w, giving c·s at each step: a carry, a sequence, and a constant from the surroundings.
    private static func recurrence(reverse: Bool) -> @Sendable ([Tensor]) throws -> [Tensor] {
        { x in
            let (carry, results) = try scan(
                { (c: Tensor, s: Tensor) in (try sin(c) * s + x[2], try c * s) }, initial: x[0], over: x[1],
                reverse: reverse)
            return [carry, results]
        }
    }

    private static func recurrenceReference(reverse: Bool) -> @Sendable ([PlainArray]) -> [PlainArray] {
        { x in
            var carry = x[0]
            var results = PlainArray(x[1].shape) { _ in 0 }
            let steps = Array(0..<x[1].shape[0])
            for step in reverse ? steps.reversed() : steps {
                for k in 0..<2 { results[[step, k]] = carry[[k]] * x[1][[step, k]] }
                carry = PlainArray([2]) { k in
                    let slice: Double = x[1][[step, k[0]]]
                    return Foundation.sin(carry[k]) * slice + x[2][k]
                }
            }
            return [carry, results]
        }
    }

    private static let loops: [PrimitiveSample] =
        [false, true].flatMap { reverse in
            [5, 0].map { length in
                PrimitiveSample(
                    "scan", "\(length) steps\(reverse ? " from the last" : "")",
                    of: [numbers([2]), numbers([length, 2]), numbers([2])], slack: 10,
                    call: recurrence(reverse: reverse), recurrenceReference(reverse: reverse))
            }
        } + [
            PrimitiveSample(
                "scan", "whole numbers beside floats",
                of: [numbers([]), indices([4], 0...3), indices([], 1...2)],
                call: { x in
                    let (carry, results) = try scan(
                        { (c: [Tensor], k: Tensor) in
                            ([try c[0] * x[0] + k.astype(x[0].dtype), try c[1] + k * x[2]], c[1])
                        }, initial: [x[0], try zeros([], dtype: .int32)], over: x[1])
                    return carry + [results]
                }
            ) { x in
                var (a, b) = (x[0][[]], 0.0)
                var results = PlainArray([4]) { _ in 0 }
                for k in 0..<4 {
                    results[[k]] = b
                    (a, b) = (a * x[0][[]] + x[1][[k]], b + x[1][[k]] * x[2][[]])
                }
                return [PlainArray([], values: [a]), PlainArray([], values: [b]), results]
            },
            // The number of iterations depends on the values, and differs between members.
            PrimitiveSample(
                "while", of: [numbers([3], 1.5...2), numbers([], 1.2...1.4)], derivative: .forwardOnly,
                slack: 10,
                call: { x in
                    [
                        try whileLoop(
                            { (v: Tensor) in try less(sum(v), 20) }, { (v: Tensor) in try v * x[1] },
                            initial: x[0])
                    ]
                }
            ) { x in
                var values = x[0]
                while values.values.reduce(0, +) < 20 { values = values.map { $0 * x[1][[]] } }
                return [values]
            },
            PrimitiveSample(
                "while", "of nothing", of: [numbers([0]), indices([], 0...5)], derivative: .forwardOnly,
                call: { x in
                    try whileLoop(
                        { (v: [Tensor]) in try less(v[1], 6) },
                        { (v: [Tensor]) in [try v[0] * 2, try v[1] + 1] },
                        initial: x)
                }
            ) { _ in [PlainArray([0], values: []), PlainArray([], values: [6])] },
        ]

    private static let choices: [PrimitiveSample] = [
        PrimitiveSample(
            "cond", of: [conditions([]), numbers([3]), numbers([3])],
            call: { x in
                [try cond(x[0], { (v: Tensor) in try sin(v) * x[2] }, { (v: Tensor) in try v * v }, x[1])]
            }
        ) { x in
            let isTrue = x[0][[]] != 0
            return [
                PlainArray([3]) { k in
                    let value = x[1][k]
                    return isTrue ? sin(value) * x[2][k] : value * value
                }
            ]
        },
        PrimitiveSample(
            "cond", "of nothing", of: [conditions([]), numbers([0])],
            call: { x in [try cond(x[0], { (v: Tensor) in try sin(v) }, { (v: Tensor) in try v * v }, x[1])] }
        ) { x in [x[1]] },
        // Indices outside mean the first and the last branch.
        PrimitiveSample(
            "switch", of: [indices([], -2...4), numbers([3])],
            call: { x in
                [
                    try switchCase(
                        x[0], [{ try sin($0) }, { try $0 * x[1] }, { (v: Tensor) in try exp(v) }], x[1])
                ]
            }
        ) { x in
            let branch = min(max(Int(x[0][[]]), 0), 2)
            switch branch {
            case 0: return [x[1].map { sin($0) }]
            case 1: return [x[1].map { $0 * $0 }]
            default: return [x[1].map { exp($0) }]
            }
        },
        PrimitiveSample(
            "switch", "of nothing", of: [indices([], 0...2), numbers([2, 0])],
            call: { x in
                [try switchCase(x[0], [{ try sin($0) }, { $0 }, { (v: Tensor) in try exp(v) }], x[1])]
            }
        ) { x in [x[1]] },
    ]

    private static let derivativeRules: [PrimitiveSample] = [
        PrimitiveSample(
            "remat", of: [numbers([3, 5]), numbers([3, 5])], isShapeFree: true,
            call: { x in
                [try remat { (a: Tensor, b: Tensor) -> Tensor in try sin(a * b) * exp(b) }(x[0], x[1])]
            }
        ) { x in
            [
                PlainArray(x[0].shape) { k in
                    let (a, b): (Double, Double) = (x[0][k], x[1][k])
                    return Foundation.sin(a * b) * Foundation.exp(b)
                }
            ]
        },
        PrimitiveSample(
            "barrier", of: [numbers([3, 5])], types: [.float32, .int32, .bool], isShapeFree: true,
            call: { try apply(Barrier(), $0) }
        ) { x in [x[0]] },
        PrimitiveSample(
            "customJVP", of: [numbers([3, 5])], isShapeFree: true,
            call: { x in
                let function = customJVP(cube) { (a: Tensor, t: Tensor) in (try cube(a), try t * cubeSlope(a))
                }
                return [try function(x[0])]
            }
        ) { x in [x[0].map { $0 * $0 * $0 }] },
        PrimitiveSample(
            "customVJP", of: [numbers([3, 5])], derivative: .reverseOnly, isShapeFree: true,
            call: { x in
                let function = customVJP(
                    cube, forward: { (a: Tensor) in (try cube(a), a) },
                    backward: { (a: Tensor, t: Tensor) in try t * cubeSlope(a) })
                return [try function(x[0])]
            }
        ) { x in [x[0].map { $0 * $0 * $0 }] },
    ]

    @Sendable private static func cube(_ x: Tensor) throws -> Tensor { try integerPow(x, 3) }
    @Sendable private static func cubeSlope(_ x: Tensor) throws -> Tensor { try square(x) * 3 }
}
