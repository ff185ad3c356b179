// Tests of the transcendental operations, by their distance from double precision.
import CKernels
import Foundation
import Testing

extension KernelTests {
    @Suite struct VectorMathTests {
        /// Floats of all magnitudes and signs, and special ones.
        private static let everywhere: [Float] = {
            var random = TestRandom(17)
            var values = (0..<6000).map { _ in Float(bitPattern: UInt32(truncatingIfNeeded: random.next())) }
            values +=
                random.floats(4000, in: -12...12) + random.floats(3000, in: -1...1)
                + random.floats(1000, in: -110...110)
            return values + [
                0, -0.0, 1, -1, .infinity, -.infinity, .nan, .leastNonzeroMagnitude, -.leastNonzeroMagnitude,
                88.72284, -103.97, -87.4, 3.4e38,
            ]
        }()

        /// The distance in units in the last place of float32; NaN and infinities must agree.
        private func ulps(_ got: Float, _ want: Double) -> Double {
            if want.isNaN { return got.isNaN ? 0 : .infinity }
            let nearest = Float(want)
            if nearest.isInfinite {
                return got == nearest || (want.isFinite && abs(got) == .greatestFiniteMagnitude)
                    ? 0 : .infinity
            }
            guard got.isFinite else { return .infinity }
            let exponent = max(want == 0 ? -126 : want.exponent, -126)
            return abs(Double(got) - want) / scalbn(1, Int(exponent) - 23)
        }

        private func check(
            _ op: spk_op, within bound: Double, in range: ClosedRange<Float> = -.infinity ... .infinity,
            sourceLocation: SourceLocation = #_sourceLocation, _ reference: (Double) -> Double
        ) {
            let values = Self.everywhere.filter { $0.isNaN || range.contains($0) }
            let result = runOperation(
                op, SPK_LANE_F32, SPK_FLOAT32, [values], resultType: SPK_FLOAT32, resultLane: SPK_LANE_F32,
                Float.self,
                sourceLocation: sourceLocation)
            let worst = zip(values, result).map { ($0, $1, ulps($1, reference(Double($0)))) }.max {
                $0.2 < $1.2
            }!
            #expect(
                worst.2 <= bound, "f(\(worst.0)) = \(worst.1): \(worst.2) ulp", sourceLocation: sourceLocation
            )
        }

        @Test("Functions with polynomials of their own are within two units in the last place")
        func polynomials() {
            check(SPK_OP_EXP, within: 1, exp)
            check(SPK_OP_EXP2, within: 1, exp2)
            check(SPK_OP_EXPM1, within: 1.6, expm1)
            check(SPK_OP_LOG, within: 1, log)
            check(SPK_OP_LOG1P, within: 1.6, log1p)
            check(SPK_OP_TANH, within: 1.6, tanh)
            check(SPK_OP_LOGISTIC, within: 1.6) { 1 / (1 + exp(-$0)) }
            check(SPK_OP_ERF, within: 1.3, erf)
            check(SPK_OP_SIN, within: 1.8, sin)
            check(SPK_OP_COS, within: 1.8, cos)
        }

        @Test("Functions computed in double precision are rounded correctly, up to the C library's error")
        func throughDouble() {
            check(SPK_OP_CBRT, within: 0.501, cbrt)
            check(SPK_OP_TAN, within: 0.501, tan)
            check(SPK_OP_ASIN, within: 0.501, asin)
            check(SPK_OP_ACOS, within: 0.501, acos)
            check(SPK_OP_ATAN, within: 0.501, atan)
            check(SPK_OP_SINH, within: 0.501, sinh)
            check(SPK_OP_COSH, within: 0.501, cosh)
            check(SPK_OP_ASINH, within: 0.501, asinh)
            check(SPK_OP_ACOSH, within: 0.501, acosh)
            check(SPK_OP_ATANH, within: 0.501, atanh)
            check(SPK_OP_ERFC, within: 0.501, erfc)
            check(SPK_OP_LGAMMA, within: 0.501, lgamma)
        }

        @Test("Signed zeros survive odd functions")
        func signedZeros() {
            for op in [
                SPK_OP_EXPM1, SPK_OP_LOG1P, SPK_OP_TANH, SPK_OP_ERF, SPK_OP_SIN, SPK_OP_TAN, SPK_OP_ERF_INV,
            ] {
                let result = runOperation(
                    op, SPK_LANE_F32, SPK_FLOAT32, [[Float(0), -0.0]], resultType: SPK_FLOAT32,
                    resultLane: SPK_LANE_F32,
                    Float.self)
                #expect(result.map(\.bitPattern) == [0, 0x8000_0000], "operation \(op.rawValue)")
            }
        }

        @Test("Powers, with all special cases of C's pow")
        func powers() {
            var random = TestRandom(19)
            let special: [Float] = [
                0, -0.0, 1, -1, 2, -2, 3, -3, 0.5, -0.5, .infinity, -.infinity, .nan, .leastNonzeroMagnitude,
                16777216, 16777218, -1e38, 1.5,
            ]
            var bases = special.flatMap { x in special.map { _ in x } },
                exponents = special.flatMap { _ in special }
            bases += random.floats(2000, in: 0...20) + random.floats(500, in: -20...20)
            exponents +=
                random.floats(2000, in: -30...30) + random.floats(500, in: -9...9).map { $0.rounded() }
            bases += random.floats(1000, in: 0.9...1.1)
            exponents += random.floats(1000, in: -800...800)
            let result = runOperation(
                SPK_OP_POW, SPK_LANE_F32, SPK_FLOAT32, [bases, exponents], resultType: SPK_FLOAT32,
                resultLane: SPK_LANE_F32, Float.self)
            for (i, y) in result.enumerated() {
                let expected = pow(Double(bases[i]), Double(exponents[i]))
                #expect(
                    ulps(y, expected) <= 0.51, "\(bases[i]) ** \(exponents[i]) = \(y), expected \(expected)")
                if expected == 0 { #expect(y.sign == expected.sign) }
            }
            let arc = runOperation(
                SPK_OP_ATAN2, SPK_LANE_F32, SPK_FLOAT32, [bases, exponents], resultType: SPK_FLOAT32,
                resultLane: SPK_LANE_F32, Float.self)
            for (i, y) in arc.enumerated() {
                #expect(ulps(y, atan2(Double(bases[i]), Double(exponents[i]))) <= 0.501)
            }
        }

        @Test("The inverse error function inverts erf; it is infinite at 1 and NaN beyond")
        func inverseErrorFunction() {
            let values = Self.everywhere.filter { abs($0) < 1 } + [1, -1, 1.5, .nan]
            let single = runOperation(
                SPK_OP_ERF_INV, SPK_LANE_F32, SPK_FLOAT32, [values], resultType: SPK_FLOAT32,
                resultLane: SPK_LANE_F32,
                Float.self)
            let double = runOperation(
                SPK_OP_ERF_INV, SPK_LANE_F64, SPK_FLOAT64, [values.map(Double.init)], resultType: SPK_FLOAT64,
                resultLane: SPK_LANE_F64, Double.self)
            for (i, u) in values.enumerated() {
                if abs(u) < 1 {
                    // Near 1 the polynomial takes 1 - u^2 in float32, as JAX does: few digits are left.
                    let relative = abs(u) < 0.99 ? 8e-7 : 1e-5
                    #expect(
                        abs(Double(single[i]) - double[i]) <= relative * abs(double[i]) + 1e-44,
                        "erf_inv(\(u))")
                    let back =
                        abs(u) < 0.9
                        ? erf(double[i]) - Double(u) : erfc(abs(double[i])) - (1 - abs(Double(u)))
                    #expect(
                        abs(back) <= 4e-15 * Double(abs(u) < 0.9 ? abs(u) : 1 - abs(u)) + 1e-300,
                        "erf_inv(\(u))")
                } else if abs(u) == 1 {
                    #expect(single[i] == u * .infinity && double[i] == Double(u) * .infinity)
                } else {
                    #expect(single[i].isNaN && double[i].isNaN)
                }
            }
        }

        @Test("Digamma at points with known values")
        func digamma() {
            let euler = 0.57721566490153286
            let cases: [(Double, Double)] = [
                (1, -euler), (0.5, -euler - 2 * log(2.0)), (2, 1 - euler), (10.5, 2.3030010343),
                (-0.5, 0.03648997397857652),
            ]
            let result = runOperation(
                SPK_OP_DIGAMMA, SPK_LANE_F64, SPK_FLOAT64, [cases.map(\.0) + [0, -3]],
                resultType: SPK_FLOAT64,
                resultLane: SPK_LANE_F64, Double.self)
            for (i, known) in cases.enumerated() {
                #expect(abs(result[i] - known.1) < 1e-9, "digamma(\(known.0))")
            }
            #expect(result[5].isNaN && result[6].isNaN)
        }

        @Test("Double precision is the C library's")
        func doublePrecision() {
            let values = Self.everywhere.suffix(3000).map(Double.init)
            for (op, reference) in [
                (SPK_OP_EXP, exp), (SPK_OP_LOG, log), (SPK_OP_TANH, tanh), (SPK_OP_ERF, erf),
                (SPK_OP_SIN, sin),
                (SPK_OP_LOG1P, log1p), (SPK_OP_EXPM1, expm1), (SPK_OP_CBRT, cbrt),
            ] as [(spk_op, (Double) -> Double)] {
                let result = runOperation(
                    op, SPK_LANE_F64, SPK_FLOAT64, [values], resultType: SPK_FLOAT64,
                    resultLane: SPK_LANE_F64, Double.self)
                let wrong = zip(values, result).first {
                    let y = reference($0); return y.isNaN ? !$1.isNaN : $1 != y
                }
                #expect(wrong == nil, "operation \(op.rawValue): \(String(describing: wrong))")
            }
        }
    }
}
