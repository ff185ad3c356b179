// Elementwise operations that StableHLO has for some types only, or not at all.

extension StableHLORule {
    /// StableHLO's is for signed types.
    static let absoluteValue = StableHLORule.custom { writer, operation in
        let x = operation.operands[0]
        return x.type.dtype.isUnsignedInteger ? [x] : [writer.write("stablehlo.abs", [x], as: x.type)]
    }

    static let sign = StableHLORule.custom { writer, operation in
        let x = operation.operands[0]
        guard x.type.dtype.isUnsignedInteger else { return [writer.write("stablehlo.sign", [x], as: x.type)] }
        return [writer.convert(writer.compare("NE", x, try writer.splat(0, x.type)), to: x.type.dtype)]
    }

    static let isZero = StableHLORule.custom { writer, operation in
        let x = operation.operands[0]
        return [writer.compare("EQ", x, try writer.splat(0, x.type))]
    }

    /// The logarithm of the normal distribution function, in float64.
    static let logNormalDistribution = StableHLORule.composite { x in
        [try logNormalDistribution(x[0].astype(.float64)).astype(x[0].dtype)]
    }

    private static func logNormalDistribution(_ x: Tensor) throws -> Tensor {
        let above = try log1p(-0.5 * erfc(x * rootOfHalf))
        let below = try log(0.5 * erfc(-x * rootOfHalf))
        // Asymptotic where erfc would come to its smallest numbers.
        let far = try minimum(x, -30)
        let z = try 1 / square(far)
        let series = try -z * (1 - z * (3 - z * (15 - z * 105)))
        let tail = try -0.5 * square(far) - log(-far) - logRootOf2Pi + log1p(series)
        return try select(greater(x, 0), above, select(greater(x, -30), below, tail))
    }

    /// The inverse of the normal distribution function, in float64: Newton's method on the logarithm of the smaller tail, which is
    /// concave, so that steps from below do not pass the solution.
    static let normalQuantile = StableHLORule.composite { x in
        let p = try x[0].astype(.float64)
        let isLow = try lessEqual(p, 0.5)
        let tail = try select(isLow, p, 1 - p)
        let isInside = try and(greater(p, 0), less(p, 1))
        let target = try log(select(isInside, tail, 0.5))
        var quantile = try -sqrt(-2 * target)
        for _ in 0..<8 {
            let value = try logNormalDistribution(quantile)
            let density = try exp(-0.5 * square(quantile) - logRootOf2Pi - value)
            quantile = try quantile - (value - target) / density
        }
        let inside = try select(isLow, quantile, -quantile)
        let outside = try select(
            equal(p, 0), full([], -.infinity, dtype: .float64),
            select(equal(p, 1), full([], .infinity, dtype: .float64), full([], .nan, dtype: .float64)))
        return [try select(isInside, inside, outside).astype(x[0].dtype)]
    }

    /// The modified Bessel function of the first kind times e^-|x|, in float64: its power series, and Hankel's asymptotic one
    /// beyond 25, with as many terms as count.
    static func bessel(order: Int) -> StableHLORule {
        .composite { x in
            let wide = try x[0].astype(.float64)
            let magnitude = try abs(wide)
            let isNear = try lessEqual(magnitude, 25)
            let near = try select(isNear, magnitude, zerosLike(magnitude))
            let quarter = try square(near) / 4
            let first = try order == 0 ? onesLike(near) : near / 2
            let series = try foriLoop(
                1, 100,
                { k, state in
                    let number = try k.astype(.float64)
                    let term = try state[0] * quarter / (number * (number + Double(order)))
                    return [term, try state[1] + term]
                }, initial: [first, first])
            let far = try select(isNear, 25.0, magnitude)
            let one = try onesLike(far)
            let asymptotic = try foriLoop(
                1, 25,
                { k, state in
                    let number = try k.astype(.float64)
                    let term =
                        try state[0] * (square(2 * number - 1) - Double(4 * order * order))
                        / (8 * number * far)
                    return [term, try state[1] + term]
                }, initial: [one, one])
            let result = try select(
                isNear, series[1] * exp(-near), asymptotic[1] / sqrt(2 * Double.pi * far))
            let signed = try order == 1 ? result * TensorEngine.sign(wide) : result
            return [try select(isNaN(wide), wide, signed).astype(x[0].dtype)]
        }
    }

    /// (-1)^(n+1) n! ζ(n + 1, x)
    static func polygamma(_ order: Int, factorial: Double) -> StableHLORule {
        .composite { x in
            let zeta = try zeta(full(x[0].shape, Double(order + 1), dtype: x[0].dtype), x[0])
            let value = try zeta * (order.isMultiple(of: 2) ? -factorial : factorial)
            guard order.isMultiple(of: 2) else { return [value] }
            // The two sides of a pole differ in sign.
            let isPole = try and(isInf(zeta), lessEqual(x[0], 0))
            return [try select(isPole, full([], .nan, dtype: value.dtype), value)]
        }
    }
}
