// Tests of the block interpreter's exact operations against scalar Swift. Transcendental ones: VectorMathTests.
import CKernels
import Foundation
import Testing

extension KernelTests {
    /// Each operation of the block interpreter against scalar Swift.
    @Suite struct OperationTests {
        private let floats: [Float] = {
            var random = TestRandom(11)
            return random.floats(500, in: -100...100)
                + [
                    0, -0.0, 1, -1, 0.5, -0.5, 1.5, 2.5, -2.5, .infinity, -.infinity, .nan,
                    .leastNonzeroMagnitude, -.leastNormalMagnitude / 100, 3.4e38, 8388609,
                ]
        }()

        private func unary<T: BinaryFloatingPoint>(
            _ op: spk_op, _ lane: spk_lane, _ dtype: spk_dtype, _ values: [T], integer: Int64 = 0,
            sourceLocation: SourceLocation = #_sourceLocation, _ reference: (T) -> T
        ) {
            let result = runOperation(
                op, lane, dtype, [values], resultType: dtype, resultLane: lane, T.self, integer: integer,
                sourceLocation: sourceLocation)
            for (x, y) in zip(values, result) {
                let expected = reference(x)
                let same = expected.isNaN ? y.isNaN : y == expected && y.sign == expected.sign
                #expect(same, "of \(x): \(y), expected \(expected)", sourceLocation: sourceLocation)
            }
        }

        private func bothFloats(
            _ op: spk_op, sourceLocation: SourceLocation = #_sourceLocation, _ single: (Float) -> Float,
            _ double: (Double) -> Double
        ) {
            unary(op, SPK_LANE_F32, SPK_FLOAT32, floats, sourceLocation: sourceLocation, single)
            unary(
                op, SPK_LANE_F64, SPK_FLOAT64, floats.map(Double.init), sourceLocation: sourceLocation, double
            )
        }

        @Test("Exact operations on floats")
        func exactFloatOperations() {
            bothFloats(SPK_OP_NEG, { -$0 }, { -$0 })
            bothFloats(SPK_OP_ABS, { abs($0) }, { abs($0) })
            bothFloats(SPK_OP_FLOOR, { $0.rounded(.down) }, { $0.rounded(.down) })
            bothFloats(SPK_OP_CEIL, { $0.rounded(.up) }, { $0.rounded(.up) })
            bothFloats(SPK_OP_ROUND_EVEN, { $0.rounded(.toNearestOrEven) }, { $0.rounded(.toNearestOrEven) })
            bothFloats(
                SPK_OP_ROUND_AWAY, { $0.rounded(.toNearestOrAwayFromZero) },
                { $0.rounded(.toNearestOrAwayFromZero) })
            bothFloats(SPK_OP_SQRT, { $0.squareRoot() }, { $0.squareRoot() })
            bothFloats(SPK_OP_RSQRT, { 1 / $0.squareRoot() }, { 1 / $0.squareRoot() })
            bothFloats(SPK_OP_SIGN, { $0 > 0 ? 1 : $0 < 0 ? -1 : $0 }, { $0 > 0 ? 1 : $0 < 0 ? -1 : $0 })
            bothFloats(SPK_OP_COPY, { $0 }, { $0 })
            unary(SPK_OP_INTEGER_POW, SPK_LANE_F32, SPK_FLOAT32, floats, integer: 5) {
                ($0 * (($0 * $0) * ($0 * $0)))
            }
            unary(SPK_OP_INTEGER_POW, SPK_LANE_F32, SPK_FLOAT32, floats, integer: 0) { _ in 1 }
        }

        @Test("Arithmetic, extrema and comparisons of pairs, special values included")
        func pairs() {
            let a = floats.flatMap { x in floats.suffix(16).map { _ in x } }
            let b = floats.flatMap { _ in floats.suffix(16) }
            func check(_ op: spk_op, _ reference: (Float, Float) -> Float) {
                let result = runOperation(
                    op, SPK_LANE_F32, SPK_FLOAT32, [a, b], resultType: SPK_FLOAT32, resultLane: SPK_LANE_F32,
                    Float.self)
                let wrong = zip(zip(a, b), result).first { pair, y in
                    let expected = reference(pair.0, pair.1)
                    return expected.isNaN ? !y.isNaN : y != expected
                }
                #expect(wrong == nil, "operation \(op.rawValue): \(String(describing: wrong))")
            }
            check(SPK_OP_ADD, +)
            check(SPK_OP_SUB, -)
            check(SPK_OP_MUL, *)
            check(SPK_OP_DIV, /)
            check(SPK_OP_REM) { $0.truncatingRemainder(dividingBy: $1) }
            check(SPK_OP_MAX) { $0.isNaN || $1.isNaN ? .nan : max($0, $1) }
            check(SPK_OP_MIN) { $0.isNaN || $1.isNaN ? .nan : min($0, $1) }
            check(SPK_OP_NEXTAFTER, nextafterf)
            func compare(_ op: spk_op, _ reference: (Float, Float) -> Bool) {
                let single = runOperation(
                    op, SPK_LANE_F32, SPK_FLOAT32, [a, b], resultType: SPK_INT32, resultLane: SPK_LANE_I32,
                    Int32.self)
                #expect(single == zip(a, b).map { reference($0, $1) ? 1 : 0 })
                let double = runOperation(
                    op, SPK_LANE_F64, SPK_FLOAT64, [a.map(Double.init), b.map(Double.init)],
                    resultType: SPK_BOOL,
                    resultLane: SPK_LANE_I32, UInt8.self)
                #expect(double == zip(a, b).map { reference($0, $1) ? 1 : 0 })
            }
            compare(SPK_OP_EQ, ==)
            compare(SPK_OP_NE, !=)
            compare(SPK_OP_LT, <)
            compare(SPK_OP_LE, <=)
            compare(SPK_OP_GT, >)
            compare(SPK_OP_GE, >=)
            let finite = runOperation(
                SPK_OP_IS_FINITE, SPK_LANE_F32, SPK_FLOAT32, [a], resultType: SPK_BOOL,
                resultLane: SPK_LANE_I32, UInt8.self)
            #expect(finite == a.map { $0.isFinite ? 1 : 0 })
        }

        @Test("Integers wrap, divide without trapping and shift by any amount")
        func integers() {
            signed(SPK_LANE_I32, SPK_INT32, Int32.self)
            signed(SPK_LANE_I64, SPK_INT64, Int64.self)
            unsigned(SPK_LANE_U32, SPK_UINT32, UInt32.self)
            unsigned(SPK_LANE_U64, SPK_UINT64, UInt64.self)
        }

        private func samples<T: FixedWidthInteger>(_ type: T.Type) -> (a: [T], b: [T]) {
            var random = TestRandom(13)
            let values =
                random.integers(20, type) + [
                    0, 1, 2, 3, T.max, T.min, T.max - 1, 31, 32, 33, 63, 64, T(truncatingIfNeeded: -1),
                ]
            return (values.flatMap { x in values.map { _ in x } }, values.flatMap { _ in values })
        }

        private func check<T: FixedWidthInteger>(
            _ op: spk_op, _ lane: spk_lane, _ dtype: spk_dtype, _ type: T.Type, integer: Int64 = 0,
            sourceLocation: SourceLocation = #_sourceLocation, _ reference: (T, T) -> T
        ) {
            let (a, b) = samples(type)
            let result = runOperation(
                op, lane, dtype, [a, b], resultType: dtype, resultLane: lane, type, integer: integer,
                sourceLocation: sourceLocation)
            let wrong = zip(zip(a, b), result).first { $0.1 != reference($0.0.0, $0.0.1) }
            #expect(wrong == nil, "\(type): \(String(describing: wrong))", sourceLocation: sourceLocation)
        }

        private func common<T: FixedWidthInteger>(_ lane: spk_lane, _ dtype: spk_dtype, _ type: T.Type) {
            check(SPK_OP_ADD, lane, dtype, type, &+)
            check(SPK_OP_SUB, lane, dtype, type, &-)
            check(SPK_OP_MUL, lane, dtype, type, &*)
            check(SPK_OP_NEG, lane, dtype, type) { x, _ in 0 &- x }
            check(SPK_OP_MAX, lane, dtype, type, max)
            check(SPK_OP_MIN, lane, dtype, type, min)
            check(SPK_OP_AND, lane, dtype, type, &)
            check(SPK_OP_OR, lane, dtype, type, |)
            check(SPK_OP_XOR, lane, dtype, type, ^)
            check(SPK_OP_NOT, lane, dtype, type) { x, _ in ~x }
            check(SPK_OP_POPCOUNT, lane, dtype, type) { x, _ in T(x.nonzeroBitCount) }
            check(SPK_OP_CLZ, lane, dtype, type) { x, _ in T(x.leadingZeroBitCount) }
            check(SPK_OP_LOGICAL_NOT, lane, dtype, type) { x, _ in x == 0 ? 1 : 0 }
            check(SPK_OP_REM, lane, dtype, type) { x, y in
                y == 0 ? x : x.remainderReportingOverflow(dividingBy: y).partialValue
            }
            check(SPK_OP_INTEGER_POW, lane, dtype, type, integer: 3) { x, _ in x &* x &* x }
            func amount(_ y: T) -> Int? { y >= 0 && y < T.bitWidth ? Int(y) : nil }
            check(SPK_OP_SHL, lane, dtype, type) { x, y in amount(y).map { x << $0 } ?? 0 }
            check(SPK_OP_SHR, lane, dtype, type) { x, y in
                amount(y).map { x >> $0 } ?? (x < 0 ? T(truncatingIfNeeded: -1) : 0)
            }
            check(SPK_OP_SHR_LOGICAL, lane, dtype, type) { x, y in
                amount(y).map { T(truncatingIfNeeded: T.Magnitude(truncatingIfNeeded: x) >> T.Magnitude($0)) }
                    ?? 0
            }
        }

        private func signed<T: FixedWidthInteger & SignedInteger>(
            _ lane: spk_lane, _ dtype: spk_dtype, _ type: T.Type
        ) {
            common(lane, dtype, type)
            check(SPK_OP_DIV, lane, dtype, type) { x, y in
                y == 0 ? -1 : x.dividedReportingOverflow(by: y).partialValue
            }
            check(SPK_OP_ABS, lane, dtype, type) { x, _ in x < 0 ? 0 &- x : x }
            check(SPK_OP_SIGN, lane, dtype, type) { x, _ in x.signum() }
        }

        private func unsigned<T: FixedWidthInteger & UnsignedInteger>(
            _ lane: spk_lane, _ dtype: spk_dtype, _ type: T.Type
        ) {
            common(lane, dtype, type)
            check(SPK_OP_DIV, lane, dtype, type) { x, y in y == 0 ? .max : x / y }
            check(SPK_OP_ABS, lane, dtype, type) { x, _ in x }
            check(SPK_OP_SIGN, lane, dtype, type) { x, _ in x == 0 ? 0 : 1 }
        }

        @Test("Conversions truncate and saturate, NaN gives 0, integers wrap; also in place")
        func conversions() {
            let values: [Double] =
                (floats.map(Double.init)) + [
                    2147483647, 2147483648, -2147483649, 4294967295, 4294967296, 9.3e18, -9.3e18, 1.9e19,
                ]
            func toInteger<T: FixedWidthInteger>(_ lane: spk_lane, _ dtype: spk_dtype, _ type: T.Type) {
                func saturated(_ x: Double) -> T {
                    x.isNaN ? 0 : x <= Double(T.min) ? .min : x >= Double(T.max) ? .max : T(x)
                }
                let double = runOperation(
                    SPK_OP_CONVERT, SPK_LANE_F64, SPK_FLOAT64, [values], resultType: dtype, resultLane: lane,
                    type,
                    integer: Int64(SPK_LANE_F64.rawValue))
                #expect(double == values.map(saturated))
                let singles = values.map { Float($0) }
                let single = runOperation(
                    SPK_OP_CONVERT, SPK_LANE_F32, SPK_FLOAT32, [singles], resultType: dtype, resultLane: lane,
                    type,
                    integer: Int64(SPK_LANE_F32.rawValue))
                #expect(single == singles.map { saturated(Double($0)) })
                let (integers, _) = samples(type)
                let toSingle = runOperation(
                    SPK_OP_CONVERT, lane, dtype, [integers], resultType: SPK_FLOAT32,
                    resultLane: SPK_LANE_F32, Float.self,
                    integer: Int64(lane.rawValue))
                #expect(toSingle == integers.map { Float($0) })
                let toDouble = runOperation(
                    SPK_OP_CONVERT, lane, dtype, [integers], resultType: SPK_FLOAT64,
                    resultLane: SPK_LANE_F64, Double.self,
                    integer: Int64(lane.rawValue))
                #expect(toDouble == integers.map { Double($0) })
                let narrowed = runOperation(
                    SPK_OP_CONVERT, lane, dtype, [integers], resultType: SPK_INT32, resultLane: SPK_LANE_I32,
                    Int32.self,
                    integer: Int64(lane.rawValue))
                #expect(narrowed == integers.map { Int32(truncatingIfNeeded: $0) })
                let widened = runOperation(
                    SPK_OP_CONVERT, lane, dtype, [integers], resultType: SPK_UINT64, resultLane: SPK_LANE_U64,
                    UInt64.self,
                    integer: Int64(lane.rawValue))
                #expect(widened == integers.map { UInt64(truncatingIfNeeded: $0) })
            }
            toInteger(SPK_LANE_I32, SPK_INT32, Int32.self)
            toInteger(SPK_LANE_U32, SPK_UINT32, UInt32.self)
            toInteger(SPK_LANE_I64, SPK_INT64, Int64.self)
            toInteger(SPK_LANE_U64, SPK_UINT64, UInt64.self)

            // One register for all: I32 -> F64 -> I32 -> I64, and a condition that is also the selection's result.
            let code: [spk_instruction] = [
                .load(0, SPK_LANE_I32, into: 0),
                .init(SPK_OP_CONVERT, SPK_LANE_F64, dst: 0, 0, integer: Int64(SPK_LANE_I32.rawValue)),
                .init(SPK_OP_CONVERT, SPK_LANE_I32, dst: 0, 0, integer: Int64(SPK_LANE_F64.rawValue)),
                .init(SPK_OP_CONVERT, SPK_LANE_I64, dst: 1, 0, integer: Int64(SPK_LANE_I32.rawValue)),
                .init(SPK_OP_NEG, SPK_LANE_I64, dst: 2, 1),
                .init(SPK_OP_LT, SPK_LANE_I64, dst: 0, 1, 2),
                .init(SPK_OP_SELECT, SPK_LANE_I64, dst: 0, 0, 2, 1), .store(0, SPK_LANE_I64, to: 1),
            ]
            let (integers, _) = samples(Int32.self)
            let slots = runFused(
                dims: [integers.count], [spk_operand(0, SPK_INT32, [1]), spk_operand(1, SPK_INT64, [1])],
                code,
                slots: [rawBytes(integers), rawBytes(integers.map { _ in Int64(0) })])
            #expect(elements(slots[1], Int64.self) == integers.map { abs(Int64($0)) })
        }

        @Test("Wrapping to storage types, and bits kept by bitcast")
        func wrapping() {
            let (values, _) = samples(Int32.self)
            func wrap(_ dtype: spk_dtype) -> [Int32] {
                runOperation(
                    SPK_OP_WRAP, SPK_LANE_I32, SPK_INT32, [values], resultType: SPK_INT32,
                    resultLane: SPK_LANE_I32,
                    Int32.self, integer: Int64(dtype.rawValue))
            }
            #expect(wrap(SPK_INT8) == values.map { Int32(Int8(truncatingIfNeeded: $0)) })
            #expect(wrap(SPK_INT16) == values.map { Int32(Int16(truncatingIfNeeded: $0)) })
            #expect(wrap(SPK_UINT8) == values.map { Int32(UInt8(truncatingIfNeeded: $0)) })
            #expect(wrap(SPK_UINT16) == values.map { Int32(UInt16(truncatingIfNeeded: $0)) })
            #expect(wrap(SPK_BOOL) == values.map { $0 != 0 ? 1 : 0 })
            let bits = runOperation(
                SPK_OP_BITCAST, SPK_LANE_F32, SPK_FLOAT32, [floats], resultType: SPK_UINT32,
                resultLane: SPK_LANE_U32,
                UInt32.self, integer: Int64(SPK_LANE_F32.rawValue))
            #expect(bits == floats.map(\.bitPattern))
        }
    }
}
