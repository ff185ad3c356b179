// float32 mathematics as AVX-512 instructions: step for step what CKernels' vector_math.inc.h does, so that both give the same
// bits (MachineCodeTests compares them).

extension VectorProgram {
    mutating func add(_ a: Value, _ b: Value) -> Value {
        append(.vector(.addFloats, isCommutative: true), [a, b])
    }
    mutating func subtract(_ a: Value, _ b: Value) -> Value {
        append(.vector(.subtractFloats, isCommutative: false), [a, b])
    }
    mutating func multiply(_ a: Value, _ b: Value) -> Value {
        append(.vector(.multiplyFloats, isCommutative: true), [a, b])
    }
    mutating func divide(_ a: Value, _ b: Value) -> Value {
        append(.vector(.divideFloats, isCommutative: false), [a, b])
    }
    mutating func fma(_ a: Value, _ b: Value, _ c: Value) -> Value { append(.fma, [a, b, c]) }
    mutating func compare(_ a: Value, _ predicate: VectorInstruction.FloatPredicate, _ b: Value) -> Value {
        append(.compare(.compareFloats(predicate)), [a, b])
    }
    mutating func select(_ condition: Value, _ a: Value, _ b: Value) -> Value {
        append(.select, [mask(condition), a, b])
    }
    mutating func word(_ instruction: VectorInstruction, _ a: Value, _ b: UInt32) -> Value {
        append(.vector(instruction, isCommutative: false), [a, constant(b)])
    }
    mutating func shiftLeft(_ a: Value, by bits: UInt8) -> Value { append(.shift(6, by: bits), [a]) }
    mutating func shiftRight(_ a: Value, by bits: UInt8) -> Value { append(.shift(4, by: bits), [a]) }

    mutating func negated(_ a: Value) -> Value { word(.xor, a, 0x8000_0000) }
    mutating func magnitude(_ a: Value) -> Value { word(.and, a, 0x7FFF_FFFF) }
    /// The magnitude of a non-negative or any `a`, with `b`'s sign.
    mutating func copySign(_ a: Value, _ b: Value) -> Value {
        append(.vector(.or, isCommutative: true), [magnitude(a), word(.and, b, 0x8000_0000)])
    }
    /// `limit` where a is larger; NaN stays.
    mutating func atMost(_ a: Value, _ limit: Float) -> Value {
        append(.vector(.minFloats, isCommutative: false), [constant(limit), a])
    }
    mutating func atLeast(_ a: Value, _ limit: Float) -> Value {
        append(.vector(.maxFloats, isCommutative: false), [constant(limit), a])
    }
    /// ((c0 * x + c1) * x + c2) …
    mutating func polynomial(_ coefficients: [Float], _ x: Value) -> Value {
        coefficients.dropFirst().reduce(constant(coefficients[0])) { fma($0, x, constant($1)) }
    }
    /// `result`, but NaN where x is.
    mutating func keepingNaN(_ x: Value, _ result: Value) -> Value {
        select(compare(x, .unordered, x), x, result)
    }

    private mutating func powerOfTwo(_ n: Value) -> Value {
        let biased = append(.vector(.addWords, isCommutative: true), [n, constant(127 as UInt32)])
        return shiftLeft(biased, by: 23)
    }

    mutating func exp(_ x: Value) -> Value {
        let magic: Float = 0x1.8p23
        let bounded = atLeast(atMost(x, 89), -104)
        let t = fma(bounded, constant(0x1.715476p0 as Float), constant(magic))
        let n = subtract(t, constant(magic))
        var r = fma(n, constant(-0x1.62e400p-1 as Float), bounded)
        r = fma(n, constant(-0x1.7f7d1cp-20 as Float), r)
        let exponent = word(.subtractWords, t, magic.bitPattern)

        let one = constant(1 as Float)
        let high = add(r, one)
        let tail = polynomial(
            [0x1.9e7380p-13, 0x1.6d3a4ap-10, 0x1.1112d8p-7, 0x1.5554f8p-5, 0x1.555554p-3, 0.5], r)
        let lost = subtract(r, subtract(high, one))
        let p = add(high, fma(tail, multiply(r, r), lost))
        let half = shiftRight(exponent, by: 1)
        let rest = append(.vector(.subtractWords, isCommutative: false), [exponent, half])
        return multiply(multiply(p, powerOfTwo(half)), powerOfTwo(rest))
    }

    mutating func log(_ x: Value) -> Value {
        let isTiny = compare(x, .less, constant(0x1p-126 as Float))
        let scaled = select(isTiny, multiply(x, constant(0x1p23 as Float)), x)
        let exponent = shiftRight(word(.subtractWords, scaled, 0x3F35_04F3), by: 23)
        let mantissa = append(
            .vector(.subtractWords, isCommutative: false), [scaled, shiftLeft(exponent, by: 23)])
        let f = subtract(mantissa, constant(1 as Float))
        let shift = select(isTiny, constant(23 as UInt32), constant(0 as UInt32))
        let k = append(
            .vector(.floatsFromSigned, isCommutative: false),
            [append(.vector(.subtractWords, isCommutative: false), [exponent, shift])])

        let p = polynomial(
            [
                -0x1.38c96ap-4, 0x1.055eacp-3, -0x1.0d8246p-3, 0x1.22d930p-3, -0x1.54728ap-3, 0x1.99a01cp-3,
                -0x1.000226p-2, 0x1.555554p-2,
            ], f)
        let square = multiply(f, f)
        var tail = fma(multiply(p, f), square, multiply(k, constant(0x1.7f7d1cp-20 as Float)))
        tail = fma(square, constant(-0.5 as Float), tail)
        var result = fma(k, constant(0x1.62e400p-1 as Float), add(f, tail))
        result = select(compare(x, .equal, constant(Float.infinity)), x, result)
        result = select(compare(x, .equal, constant(0 as Float)), constant(-Float.infinity), result)
        result = select(compare(x, .less, constant(0 as Float)), constant(Float.nan), result)
        return keepingNaN(x, result)
    }

    mutating func logistic(_ x: Value) -> Value {
        let one = constant(1 as Float)
        let e = exp(negated(magnitude(x)))
        let numerator = select(compare(x, .less, constant(0 as Float)), e, one)
        let sum = add(e, one)
        let lost = subtract(e, subtract(sum, one))
        let inverse = divide(one, sum)
        let quotient = multiply(numerator, inverse)
        let negative = negated(quotient)
        let remainder = fma(negative, lost, fma(negative, sum, numerator))
        return keepingNaN(x, fma(remainder, inverse, quotient))
    }

    mutating func tanh(_ x: Value) -> Value {
        let (a, square, one) = (magnitude(x), multiply(x, x), constant(1 as Float))
        let p = polynomial(
            [-0x1.7537fcp-8, 0x1.5200cap-6, -0x1.b8368ep-5, 0x1.1106fap-3, -0x1.555532p-2], square)
        let small = fma(multiply(p, square), x, x)
        let bounded = atMost(a, 10)
        let large = subtract(one, divide(constant(2 as Float), add(exp(add(bounded, bounded)), one)))
        let result = copySign(select(compare(a, .less, constant(0.625 as Float)), small, large), x)
        return keepingNaN(x, result)
    }

    mutating func erf(_ x: Value) -> Value {
        let (a, square) = (magnitude(x), multiply(x, x))
        let p = polynomial(
            [
                0x1.4f6760p-14, -0x1.a60a2ep-11, 0x1.544a1ap-8, -0x1.b8011ap-6, 0x1.ce2d64p-4, -0x1.812740p-2,
                0x1.06eba8p-3,
            ], square)
        let small = fma(p, x, x)
        let t = atMost(a, 4)
        let r = polynomial(
            [
                0x1.6bceccp-17, -0x1.4e6834p-12, 0x1.db5b0cp-9, -0x1.84c59ap-6, 0x1.b2fcfep-4, 0x1.45359ap-1,
                0x1.0775dep-3,
            ], t)
        let large = subtract(constant(1 as Float), exp(negated(fma(r, t, t))))
        let result = select(compare(a, .less, constant(0.92 as Float)), small, copySign(large, x))
        return keepingNaN(x, result)
    }
}
