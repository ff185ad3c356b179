// Elementwise operations: derivatives against differences, functions against known values, operations on bits.
import Testing

@testable import TensorEngine

/// First and second derivatives of elementwise functions, by grad of a sum, against central differences in float64.
@Suite struct ElementwiseDerivativeTests {
    typealias Function = @Sendable (Tensor) throws -> Tensor

    private static let functions: [(name: String, points: [Double], function: Function)] = [
        ("reciprocal", [-2.3, 0.7], { try reciprocal($0) }),
        ("cbrt", [-2.3, 0.7, 5], { try cbrt($0) }),
        ("exp2", [-2.3, 0.7], { try exp2($0) }),
        ("log2", [0.2, 3.1], { try log2($0) }), ("log10", [0.2, 3.1], { try log10($0) }),
        ("tan", [-1.1, 0.4], { try tan($0) }), ("asin", [-0.7, 0.4], { try asin($0) }),
        ("acos", [-0.7, 0.4], { try acos($0) }), ("atan", [-2.1, 0.4], { try atan($0) }),
        ("sinh", [-1.1, 0.4], { try sinh($0) }), ("cosh", [-1.1, 0.4], { try cosh($0) }),
        ("asinh", [-1.1, 0.4], { try asinh($0) }), ("acosh", [1.2, 4], { try acosh($0) }),
        ("atanh", [-0.7, 0.4], { try atanh($0) }),
        ("sinc", [-2.3, 0, 0.03, 0.2, 0.3, 1], { try sinc($0) }),
        ("erfc", [-1.1, 0.4], { try erfc($0) }), ("erfInv", [-0.7, 0.4], { try erfInv($0) }),
        ("ndtr", [-1.1, 0.4], { try ndtr($0) }), ("ndtri", [0.03, 0.6], { try ndtri($0) }),
        ("logNdtr", [-7, -1.1, 3], { try logNdtr($0) }),
        ("lgamma", [-1.4, 0.4, 6], { try lgamma($0) }), ("digamma", [-1.4, 0.4, 6], { try digamma($0) }),
        ("polygamma", [-1.4, 0.4, 6], { try polygamma(2, $0) }),
        ("zeta", [0.8, 3], { try zeta(2.5, $0) }),
        ("i0e", [-1.1, 0.4, 30], { try i0e($0) }), ("i1e", [-1.1, 0.4, 30], { try i1e($0) }),
        ("i1", [-1.1, 0.4], { try i1($0) }),
        ("logit", [0.2, 0.9], { try logit($0) }), ("entr", [0.2, 3], { try entr($0) }),
        ("log1mexp", [0.2, 3], { try log1mexp($0) }),
        ("xlogy", [0.2, 3], { try xlogy($0, $0 + 1) }), ("xlog1py", [0.2, 3], { try xlog1py(2 * $0, $0) }),
        ("klDiv", [0.2, 3], { try klDiv($0, 2.0) }), ("relEntr", [0.2, 3], { try relEntr(2.0, $0) }),
        ("betaln", [0.2, 3], { try betaln($0, 2 * $0) }),
        ("multigammaln", [2.2, 3], { try multigammaln($0, d: 3) }),
        ("atan2", [-1.1, 0.4], { try atan2($0, 1 + $0 * $0) }),
        ("hypot", [-1.1, 0.4], { try hypot($0, 2 + $0) }),
        ("logAddExp", [-1.1, 0.4], { try logAddExp($0, 2 * $0 + 0.1) }),
        ("logAddExp2", [-1.1, 0.4], { try logAddExp2($0, 2 * $0 + 0.1) }),
        ("mod", [-1.3, 0.7], { try mod(-3.3, $0) * $0 }), ("fmod", [-1.3, 0.7], { try fmod(3.3, $0) * $0 }),
        ("copysign", [-1.1, 0.4], { try copysign($0 * $0, -1.0) * $0 }),
        ("fmax", [-1.1, 0.4], { try fmax($0 * $0, $0) }),
        ("clamp", [-1.1, 0.4, 3], { try clamp(0, $0, 2) * $0 }),
        ("pow", [0.3, 1.4], { try pow($0, $0) }),
    ]

    @Test("first and second derivatives agree with differences", arguments: functions.map(\.name))
    func derivatives(name: String) throws {
        let (_, points, function) = try #require(
            ElementwiseDerivativeTests.functions.first { $0.name == name })
        let slope = grad { (x: Tensor) in try sum(function(x)) }
        let curvature = grad { (x: Tensor) in try sum(slope(x)) }
        func difference(_ f: (Tensor) throws -> Tensor, _ step: Double) throws -> [Double] {
            let (above, below) = (
                try f(Tensor(points.map { $0 + step })), try f(Tensor(points.map { $0 - step }))
            )
            return try zip(above.doubles(), below.doubles()).map { ($0 - $1) / (2 * step) }
        }
        let x = try Tensor(points)
        for (derivative, wanted) in [
            (try slope(x), try difference(function, 1e-5)),
            (try curvature(x), try difference({ try slope($0) }, 1e-5)),
        ] {
            for (index, (got, want)) in zip(try derivative.doubles(), wanted).enumerated() {
                #expect(abs(got - want) <= 2e-7 * (1 + abs(want)), "at \(points[index])")
            }
        }
    }

    @Test("sinc has its derivatives at 0, where the quotient has none")
    func sincAtZero() throws {
        let zero = try Tensor([0.0])
        let second = grad { (x: Tensor) in try sum(grad { (y: Tensor) in try sum(sinc(y)) }(x)) }
        let third = grad { (x: Tensor) in try sum(second(x)) }
        let fourth = grad { (x: Tensor) in try sum(third(x)) }
        #expect(abs(try second(zero).item() + Double.pi * Double.pi / 3) < 1e-14)
        #expect(try third(zero).item() == 0)
        #expect(abs(try fourth(zero).item() - 19.4818182068004875) < 1e-12)
    }

    @Test("clamp has no derivative at its limits, and one by a limit that is passed")
    func clampAtLimits() throws {
        let (_, pullback) = try vjp(
            { (v: [Tensor]) in try clamp(v[0], v[1], v[2]) },
            [Tensor([0.0, 0, 0, 0]), Tensor([-1.0, 0, 0.5, 2]), Tensor([1.0, 1, 1, 1])])
        let gradients = try pullback(onesLike(Tensor([0.0, 0, 0, 0])))
        #expect(try gradients[0].doubles() == [1, 0, 0, 0])
        #expect(try gradients[1].doubles() == [0, 0, 1, 0])
        #expect(try gradients[2].doubles() == [0, 0, 0, 1])
    }
}

@Suite struct SpecialFunctionTests {
    private func expect(
        _ got: Tensor, _ want: [Double], within bound: Double = 1e-13,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        for (a, b) in zip(try got.doubles(), want) {
            let same = a == b || (a.isNaN && b.isNaN) || abs(a - b) <= bound * abs(b)
            #expect(same, "\(a), expected \(b)", sourceLocation: sourceLocation)
        }
    }

    @Test("values known in closed form, or from tables")
    func knownValues() throws {
        let square = Double.pi * Double.pi
        try expect(
            zeta(Tensor([2.0, 4, 2]), Tensor([1.0, 1, 0.5])), [square / 6, square * square / 90, square / 2])
        // Below 0 a whole exponent only; at the poles and at s = 1 infinity.
        try expect(
            zeta(Tensor([2.0, 2.5, 2, 1, 0.5]), Tensor([-0.5, -0.5, -3, 2, 2])),
            [square / 2 + 4, .nan, .infinity, .infinity, .nan])
        try expect(polygamma(1, Tensor([0.5, -0.5, 0])), [square / 2, square / 2 + 4, .infinity])
        try expect(polygamma(2, Tensor([1.0, -1])), [-2.40411380631918857080, .nan])
        try expect(i0(Tensor([0.0, 1, -1])), [1, 1.26606587775200833560, 1.26606587775200833560])
        try expect(i1(Tensor([0.0, 2, -2])), [0, 1.59063685463732906338, -1.59063685463732906338])
        try expect(i0e(Tensor([100.0, .infinity, .nan])), [0.03994437929909668265, 0, .nan])
        try expect(
            ndtri(Tensor([0.975, 1e-20, 0, 1, 0.5, 1.5])),
            [1.95996398454005423552, -9.26234008979840757958, -.infinity, .infinity, 0, .nan])
        try expect(
            logNdtr(Tensor([-40.0, 0, 40, -.infinity])),
            [-804.6084420137539, -0.69314718055994530942, 0, -.infinity])
        try expect(log1mexp(Tensor([1e-10, 50.0])), [-23.02585092999045684, -1.92874984796391778e-22])
        try expect(sinc(Tensor([0.0, 0.5])), [1, 2 / Double.pi])
        try expect(entr(Tensor([0.0, 1, -1])), [0, 0, -.infinity])
        try expect(xlogy(Tensor([0.0, 0, 2]), Tensor([0.0, .nan, 1])), [0, .nan, 0])
        try expect(relEntr(Tensor([0.0, 1, -1, 1]), Tensor([0.0, 1, 1, -1])), [0, 0, .infinity, .infinity])
    }

    @Test("sums of exponentials keep infinities")
    func infinities() throws {
        let (a, b) = (
            try Tensor([Double.infinity, -.infinity, -.infinity, .infinity, 800]),
            try Tensor([Double.infinity, -.infinity, 1, -.infinity, 800])
        )
        try expect(logAddExp(a, b), [.infinity, -.infinity, 1, .infinity, 800.69314718055994531])
        try expect(hypot(Tensor([3e300, .infinity, 0]), Tensor([4e300, .nan, 0])), [5e300, .infinity, 0])
    }
}

@Suite struct BitwiseTests {
    private func check<Scalar: TensorScalar & FixedWidthInteger>(_: Scalar.Type) throws {
        let values: [Scalar] = [
            0, 1, 2, 5, 77, 100, .max, .min, .max - 1, Scalar(truncatingIfNeeded: -2),
            Scalar(truncatingIfNeeded: -100),
        ]
        let shifts: [Scalar] = [0, 1, 3, 7, 8, 15, 31, 32, 63, 64, 100]
        let x = try Tensor(values)
        #expect(try clz(x).elements() == values.map { Scalar($0.leadingZeroBitCount) })
        #expect(try populationCount(x).elements() == values.map { Scalar($0.nonzeroBitCount) })
        #expect(try bitwiseNot(x).elements() == values.map { ~$0 })
        for shift in shifts {
            let by = try full(x.shape, Double(shift), dtype: x.dtype)
            let unsigned = values.map { Scalar.Magnitude(truncatingIfNeeded: $0) }
            #expect(try shiftLeft(x, by).elements() == values.map { $0 << shift })
            #expect(
                try shiftRightLogical(x, by).elements()
                    == unsigned.map { Scalar(truncatingIfNeeded: $0 >> shift) })
            #expect(try shiftRight(x, by).elements() == values.map { $0 >> shift })
            let sign = values.map { ($0 >> (Scalar.bitWidth - 1)) & 1 == 1 }
            let filled = zip(unsigned, sign).map { value, isSet in
                (value >> shift) | (isSet ? ~(.max >> shift) : 0)
            }
            #expect(
                try shiftRightArithmetic(x, by).elements() == filled.map { Scalar(truncatingIfNeeded: $0) })
        }
    }

    @Test("counts and shifts are Swift's, for every integer type")
    func everyWidth() throws {
        try check(Int8.self)
        try check(Int16.self)
        try check(Int32.self)
        try check(Int64.self)
        try check(UInt8.self)
        try check(UInt16.self)
        try check(UInt32.self)
        try check(UInt64.self)
    }

    @Test("bitcast keeps the bytes at every width, with a dimension for the parts of a wider type")
    func bitcasts() throws {
        let x = try Tensor([1.5, -2.25, .pi] as [Float])
        let bytes: [UInt8] = try x.withUnsafeBytes { Array($0) }
        for dtype in DType.allCases where dtype != .bool && dtype.byteWidth <= 4 {
            let parts = try bitcast(x, to: dtype)
            #expect(parts.shape == (dtype.byteWidth == 4 ? [3] : [3, 4 / dtype.byteWidth]))
            #expect(try parts.withUnsafeBytes { Array($0) } == bytes)
            #expect(try bitcast(parts, to: .float32).elements() == [1.5, -2.25, .pi] as [Float])
        }
        #expect(
            try bitcast(Tensor([1.5] as [Float]).astype(.bfloat16), to: .uint16).elements() == [0x3FC0]
                as [UInt16])
        // A view of the memory, which must be taken as it is seen.
        let columns = try transpose(Tensor([1, 2, 3, 4, 5, 6] as [Int16], shape: [2, 3]))
        #expect(
            try bitcast(columns, to: .int32).elements() == [1 + 4 << 16, 2 + 5 << 16, 3 + 6 << 16] as [Int32])
        #expect(throws: TensorError.self) { try bitcast(x, to: .bool) }
        #expect(throws: TensorError.self) { try bitcast(x, to: .int64) }
    }

    @Test("integers to integer powers wrap, negative powers round towards 0, literals wrap")
    func powers() throws {
        let base: [Int32] = [2, 3, -1, -1, 1, 0, 7, 2]
        let exponent: [Int32] = [10, 40, 5, -4, -9, -1, 0, 32]
        #expect(
            try pow(Tensor(base), Tensor(exponent)).elements()
                == [1024, Int32(truncatingIfNeeded: 12_157_665_459_056_928_801 as UInt64), -1, 1, 1, 0, 1, 0]
                as [Int32])
        #expect(try pow(Tensor([3] as [UInt8]), 6).elements() == [UInt8(truncatingIfNeeded: 729)])
        #expect(try (Tensor([1] as [UInt32]) * -1).elements() == [UInt32.max])
        #expect(try (Tensor([1] as [Int64]) + ((1 << 60) + 1)).elements() == [Int64(1 << 60) + 2])
    }

    @Test("quotients and remainders round towards minus infinity, as Python's")
    func division() throws {
        let a: [Int32] = [7, -7, 7, -7, 6, -6, .min, 5]
        let b: [Int32] = [2, 2, -2, -2, 3, 3, -1, 0]
        let (quotient, remainder) = try divmod(Tensor(a), Tensor(b))
        #expect(try Array(quotient.elements(as: Int32.self).prefix(7)) == [3, -4, -4, 3, 2, -2, .min])
        #expect(try remainder.elements() == [1, 1, -1, -1, 0, 0, 0, 0] as [Int32])
        let x = try Tensor([5.5, -5.5, 5.5, -5.5, 1, .infinity])
        let y = try Tensor([2.0, 2, -2, -2, .infinity, 2])
        #expect(try Array(floorDivide(x, y).doubles().prefix(5)) == [2, -3, -3, 2, 0])
        #expect(try Array(mod(x, y).doubles().prefix(5)) == [1.5, 0.5, -0.5, -1.5, 1])
        #expect(try Array(fmod(x, y).doubles().prefix(5)) == [1.5, -1.5, 1.5, -1.5, 1])
    }

    @Test("rounding: halves, decimals, whole parts, and what is left alone")
    func rounding() throws {
        let x = try Tensor([-2.5, -0.5, 0.5, 1.5, -1.7, 1.7])
        #expect(try round(x).doubles() == [-2, 0, 0, 2, -2, 2])
        #expect(try round(x, .awayFromZero).doubles() == [-3, -1, 1, 2, -2, 2])
        #expect(try trunc(x).doubles() == [-2, 0, 0, 1, -1, 1])
        #expect(try trunc(x).doubles()[1].sign == .minus)
        #expect(try round(Tensor([1.2345, 12.5]), decimals: 2).doubles() == [1.23, 12.5])
        #expect(try round(Tensor([1250.0, 1350]), decimals: -2).doubles() == [1200, 1400])
        #expect(try floor(Tensor([3] as [Int32])).dtype == .int32)
        #expect(throws: TensorError.self) { try round(Tensor([3] as [Int32]), decimals: -1) }
    }
}
