// Rows of the table: special functions, against series and bisection in Double.
import Foundation

@testable import TensorEngine

/// Where a rising function takes a value, by bisection.
private func inverse(_ y: Double, of function: (Double) -> Double) -> Double {
    var (low, high) = (-40.0, 40.0)
    for _ in 0..<200 {
        let middle = (low + high) / 2
        if function(middle) < y { low = middle } else { high = middle }
    }
    return (low + high) / 2
}

private func normalDistribution(_ x: Double) -> Double { erfc(-x / 2.0.squareRoot()) / 2 }

/// ζ(s, q) = Σ (q + k)⁻ˢ, by Euler and Maclaurin from the 20th term on.
private func hurwitz(_ s: Double, _ q: Double) -> Double {
    let count = 20
    var total = (0..<count).reduce(0.0) { $0 + pow(q + Double($1), -s) }
    let a = q + Double(count)
    total += pow(a, 1 - s) / (s - 1) + pow(a, -s) / 2
    // B₂ₖ / (2k)!
    let coefficients = [1.0 / 12, -1.0 / 720, 1.0 / 30240, -1.0 / 1_209_600, 1.0 / 47_900_160]
    var rising = s
    var power = pow(a, -s - 1)
    for (k, coefficient) in coefficients.enumerated() {
        total += coefficient * rising * power
        rising *= (s + Double(2 * k + 1)) * (s + Double(2 * k + 2))
        power /= a * a
    }
    return total
}

/// ψ(x) by its recurrence and the asymptotic series.
private func psi(_ x: Double) -> Double {
    var (x, total) = (x, 0.0)
    while x < 20 {
        total -= 1 / x
        x += 1
    }
    let square = 1 / (x * x)
    let series = square * (1.0 / 12 - square * (1.0 / 120 - square * (1.0 / 252 - square / 240)))
    return total + log(x) - 0.5 / x - series
}

/// Iₙ(x) e^-|x| by the power series.
private func besselExponential(_ order: Int, _ x: Double) -> Double {
    var term = order == 0 ? 1 : x / 2
    var total = 0.0
    for k in 0..<60 {
        total += term
        term *= x * x / 4 / (Double(k + 1) * Double(k + 1 + order))
    }
    return total * exp(-Swift.abs(x))
}

extension PrimitiveTable {
    static let special: [PrimitiveSample] = [
        PrimitiveSample(.erf) { Foundation.erf($0) },
        PrimitiveSample(.erfc, slack: 4) { Foundation.erfc($0) },
        PrimitiveSample(.erfInv, -0.9...0.9, slack: 4) { inverse($0) { erf($0) } },
        PrimitiveSample(.ndtr, slack: 4) { normalDistribution($0) },
        PrimitiveSample(.ndtri, 0.05...0.95, slack: 10) { inverse($0, of: normalDistribution) },
        PrimitiveSample(.logNdtr, slack: 10) { Foundation.log(normalDistribution($0)) },
        PrimitiveSample(.lgamma, 0.5...5, slack: 10) { Foundation.lgamma($0) },
        PrimitiveSample(.digamma, 0.5...5, slack: 10) { psi($0) },
        PrimitiveSample(.polygamma(1), 0.5...5, slack: 10) { hurwitz(2, $0) },
        PrimitiveSample(.polygamma(2), 0.5...5, slack: 10) { -2 * hurwitz(3, $0) },
        PrimitiveSample(.besselI0e, -3...3, awayFrom: [0], slack: 10) { besselExponential(0, $0) },
        PrimitiveSample(.besselI1e, -3...3, awayFrom: [0], slack: 10) { besselExponential(1, $0) },
        PrimitiveSample(.xLogX, 0.1...4, slack: 4) { $0 * Foundation.log($0) },
        PrimitiveSample(.logit, 0.1...0.9, slack: 10) { Foundation.log($0 / (1 - $0)) },
        PrimitiveSample(.log1mexp, 0.2...3, slack: 10) { Foundation.log(1 - Foundation.exp(-$0)) },
        PrimitiveSample(.xLogY, "", -2...2, 0.1...4, slack: 4) { $0 * Foundation.log($1) },
        PrimitiveSample(.xLog1PY, "", -2...2, -0.5...4, slack: 4) { $0 * Foundation.log1p($1) },
        // Its derivative by the first operand is not known to the field either.
        PrimitiveSample(
            "zeta", "of 2.5 and q", [numbers([3, 5], 0.5...5)], types: [.float32, .float16, .bfloat16],
            isShapeFree: true, evidence: .reference(slack: 10) { x in [x[0].map { hurwitz(2.5, $0) }] }
        ) { x in [try Binary.zeta(try full(x[0].shape, 2.5, dtype: x[0].dtype), x[0])] },
    ]
}
