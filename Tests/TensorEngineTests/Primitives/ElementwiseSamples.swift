// Rows of the table: elementwise operations of one and of two operands.
import Foundation

@testable import TensorEngine

private let signed: [DType] = [.float32, .float16, .bfloat16, .int8, .int32, .int64]

extension PrimitiveSample {
    init(
        _ primitive: Unary, _ range: ClosedRange<Double> = -2...2, awayFrom: [Double] = [],
        types: [DType] = [.float32, .float16, .bfloat16], derivative: SampleDerivative = .smooth,
        slack: Double = 1,
        _ reference: @escaping @Sendable (Double) -> Double
    ) {
        self.init(
            primitive, [numbers([3, 5], range, awayFrom: awayFrom)], types: types, derivative: derivative,
            isShapeFree: true, slack: slack
        ) { [$0[0].map(reference)] }
    }

    /// An operation on the bits of int32.
    fileprivate init(
        _ primitive: Unary, whole range: ClosedRange<Int>, _ reference: @escaping @Sendable (Int32) -> Int
    ) {
        self.init(primitive, [indices([3, 5], range)], types: [], derivative: .zero, isShapeFree: true) {
            [$0[0].map { Double(reference(Int32($0))) }]
        }
    }

    init(
        _ primitive: Binary, _ detail: String = "", _ a: ClosedRange<Double> = -2...2,
        _ b: ClosedRange<Double> = -2...2, awayFrom: [Double] = [],
        types: [DType] = [.float32, .float16, .bfloat16],
        derivative: SampleDerivative = .smooth, slack: Double = 1,
        _ reference: @escaping @Sendable (Double, Double) -> Double
    ) {
        self.init(
            primitive, detail, [numbers([3, 5], a), numbers([3, 5], b, awayFrom: awayFrom)], types: types,
            derivative: derivative, isShapeFree: true, slack: slack
        ) { operands in
            [
                PlainArray(
                    operands[0].shape, values: zip(operands[0].values, operands[1].values).map(reference))
            ]
        }
    }

    /// Two operands of whole numbers.
    fileprivate init(
        _ primitive: Binary, _ dtype: DType, _ a: ClosedRange<Int>, _ b: ClosedRange<Int>,
        _ reference: @escaping @Sendable (Int, Int) -> Int
    ) {
        func operand(_ range: ClosedRange<Int>) -> SampleInput {
            SampleInput(type: TensorType(dtype, [3, 5]), values: .integers(range))
        }
        self.init(
            primitive, "whole numbers", [operand(a), operand(b)], types: [], derivative: .zero,
            isShapeFree: true
        ) { operands in
            [
                PlainArray(
                    operands[0].shape,
                    values: zip(operands[0].values, operands[1].values).map {
                        Double(reference(Int($0), Int($1)))
                    })
            ]
        }
    }
}

extension PrimitiveTable {
    static let unary: [PrimitiveSample] = [
        PrimitiveSample(.neg, types: signed) { -$0 },
        PrimitiveSample(.abs, awayFrom: [0], types: signed) { Swift.abs($0) },
        PrimitiveSample(.sign, awayFrom: [0], types: signed, derivative: .zero) {
            $0 > 0 ? 1 : $0 < 0 ? -1 : 0
        },
        PrimitiveSample(.floor, derivative: .zero) { Foundation.floor($0) },
        PrimitiveSample(.ceil, derivative: .zero) { Foundation.ceil($0) },
        PrimitiveSample(.round, derivative: .zero) { $0.rounded(.toNearestOrEven) },
        PrimitiveSample(.roundAway, derivative: .zero) { $0.rounded(.toNearestOrAwayFromZero) },
        PrimitiveSample(.trunc, derivative: .zero) { $0.rounded(.towardZero) },
        PrimitiveSample(.isFinite, derivative: .zero) { $0.isFinite ? 1 : 0 },
        PrimitiveSample(Unary.logicalNot, [indices([3, 5], 0...2)], derivative: .zero, isShapeFree: true) {
            [$0[0].map { $0 == 0 ? 1 : 0 }]
        },
        PrimitiveSample(.bitwiseNot, whole: -1000...1000) { Int(~$0) },
        PrimitiveSample(.populationCount, whole: -1000...1000) { UInt32(bitPattern: $0).nonzeroBitCount },
        PrimitiveSample(.clz, whole: -10...1000) { UInt32(bitPattern: $0).leadingZeroBitCount },
        PrimitiveSample(.square, types: signed) { $0 * $0 },
        PrimitiveSample(.sqrt, 0.1...4) { $0.squareRoot() },
        PrimitiveSample(.rsqrt, 0.1...4) { 1 / $0.squareRoot() },
        PrimitiveSample(.exp) { Foundation.exp($0) },
        PrimitiveSample(.expm1) { Foundation.expm1($0) },
        PrimitiveSample(.log, 0.1...4) { Foundation.log($0) },
        PrimitiveSample(.log1p, -0.5...3) { Foundation.log1p($0) },
        PrimitiveSample(.cbrt, -3...3, awayFrom: [0]) { Foundation.cbrt($0) },
        PrimitiveSample(.exp2) { Foundation.exp2($0) },
        PrimitiveSample(.sin) { Foundation.sin($0) },
        PrimitiveSample(.cos) { Foundation.cos($0) },
        PrimitiveSample(.tan, -1...1) { Foundation.tan($0) },
        PrimitiveSample(.asin, -0.9...0.9) { Foundation.asin($0) },
        PrimitiveSample(.acos, -0.9...0.9) { Foundation.acos($0) },
        PrimitiveSample(.atan) { Foundation.atan($0) },
        PrimitiveSample(.sinh) { Foundation.sinh($0) },
        PrimitiveSample(.cosh) { Foundation.cosh($0) },
        PrimitiveSample(.asinh) { Foundation.asinh($0) },
        PrimitiveSample(.acosh, 1.2...4) { Foundation.acosh($0) },
        PrimitiveSample(.atanh, -0.9...0.9) { Foundation.atanh($0) },
        PrimitiveSample(.sinc, awayFrom: [0], slack: 4) { Foundation.sin(.pi * $0) / (.pi * $0) },
        PrimitiveSample(.tanh) { Foundation.tanh($0) },
        PrimitiveSample(.logistic) { 1 / (1 + Foundation.exp(-$0)) },
        PrimitiveSample(.relu, awayFrom: [0], types: signed) { Swift.max($0, 0) },
    ]

    static let binary: [PrimitiveSample] = [
        PrimitiveSample(.add, types: signed) { $0 + $1 },
        PrimitiveSample(.sub, types: signed) { $0 - $1 },
        PrimitiveSample(.mul, types: signed) { $0 * $1 },
        PrimitiveSample(.div, awayFrom: [0]) { $0 / $1 },
        PrimitiveSample(.div, .int32, -1000...1000, 1...30) { $0 / $1 },
        PrimitiveSample(.rem, "", -9...9, 1...2) { fmod($0, $1) },
        PrimitiveSample(.rem, .int32, -1000...1000, 1...30) { $0 % $1 },
        PrimitiveSample(.pow, "", 0.2...3) { Foundation.pow($0, $1) },
        PrimitiveSample(.max, types: signed) { Swift.max($0, $1) },
        PrimitiveSample(.min, types: signed) { Swift.min($0, $1) },
        PrimitiveSample(.atan2, awayFrom: [0]) { Foundation.atan2($0, $1) },
        PrimitiveSample(.nextAfter, types: [], derivative: .zero) { Foundation.nextafter($0, $1) },
        PrimitiveSample(.and, .int32, -1000...1000, 0...1000) { $0 & $1 },
        PrimitiveSample(.or, .int32, -1000...1000, 0...1000) { $0 | $1 },
        PrimitiveSample(.xor, .int32, -1000...1000, 0...1000) { $0 ^ $1 },
        PrimitiveSample(.and, .bool, 0...1, 0...1) { $0 & $1 },
        PrimitiveSample(.or, .bool, 0...1, 0...1) { $0 | $1 },
        PrimitiveSample(.xor, .bool, 0...1, 0...1) { $0 ^ $1 },
        PrimitiveSample(.shiftLeft, .int32, -1000...1000, 0...8) { $0 << $1 },
        PrimitiveSample(.shiftRightLogical, .uint32, 0...1000, 0...8) { $0 >> $1 },
        PrimitiveSample(.shiftRightArithmetic, .int32, -1000...1000, 0...8) { $0 >> $1 },
        PrimitiveSample(.logAddExp) { Foundation.log(Foundation.exp($0) + Foundation.exp($1)) },
        PrimitiveSample(.logAddExp2) { Foundation.log2(Foundation.exp2($0) + Foundation.exp2($1)) },
        PrimitiveSample(.equal, types: signed, derivative: .zero) { $0 == $1 ? 1 : 0 },
        PrimitiveSample(.notEqual, types: signed, derivative: .zero) { $0 != $1 ? 1 : 0 },
        PrimitiveSample(.less, types: signed, derivative: .zero) { $0 < $1 ? 1 : 0 },
        PrimitiveSample(.lessEqual, types: signed, derivative: .zero) { $0 <= $1 ? 1 : 0 },
        PrimitiveSample(.greater, types: signed, derivative: .zero) { $0 > $1 ? 1 : 0 },
        PrimitiveSample(.greaterEqual, types: signed, derivative: .zero) { $0 >= $1 ? 1 : 0 },
    ]
}
