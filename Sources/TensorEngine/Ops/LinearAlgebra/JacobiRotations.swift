// Jacobi's method: rows turned in pairs, every pair in its turn, by ordinary operations on all pairs of a round at once.

/// Sweeps over all pairs of the n rows of matrices `[…, n, m]`, until none is coupled any more.
struct JacobiSweeps {
    /// n
    let rowCount: Int
    /// Up to where the coupling of two rows is none.
    let tolerance: Double
    /// Convergence is quadratic in the end: a dozen sweeps do for thousands of rows.
    private static let limit = 40

    /// - Parameter termCount: how many products a coupling is the sum of, and thus has the rounding errors of.
    init(rowCount: Int, termCount: Int) {
        self.rowCount = rowCount
        tolerance = 10 * Double(termCount) * Double.ulpOfOne
    }

    /// - Parameters:
    ///   - values: what rotations turn, such as the matrices.
    ///   - isFinite: bool `[…, 1, 1]`; the other members have no result.
    ///   - turn: the values after a round's rotations, and how strongly each row was coupled to its partner, `[…, n, 1]`.
    /// - Returns: the values, and where they are a result, bool `[…, 1, 1]`. A member that is done is not turned any further: its
    ///   result is the same beside others as alone.
    func run(
        _ values: [Tensor], isFinite: Tensor,
        _ turn: (JacobiRound, [Tensor]) throws -> (values: [Tensor], coupling: Tensor)
    ) throws -> (values: [Tensor], isDone: Tensor) {
        // Where the number of rows is even, one more, so that the row that meets the missing one has no partner.
        let roundCount = rowCount | 1
        // NaN is neither to be turned nor done.
        let unknown = try select(isFinite, Tensor(Double.infinity), Tensor(Double.nan))
        let end = try whileLoop(
            { (state: [Tensor]) in
                try and(less(state[0], JacobiSweeps.limit), any(greater(state[1], tolerance)))
            },
            { state in
                let isTurned = try greater(state[1], tolerance)
                let swept = try foriLoop(
                    0, roundCount,
                    { number, inner in
                        let round = try JacobiRound(number, of: roundCount, rowCount: rowCount, isTurned)
                        let (values, coupling) = try turn(round, Array(inner.dropFirst()))
                        return [try maximum(inner[0], max(coupling, axes: [-2], keepDims: true))] + values
                    }, initial: [try zerosLike(state[1])] + state.dropFirst(2))
                return [try state[0] + 1, try select(isTurned, swept[0], state[1])] + swept.dropFirst()
            }, initial: [try Tensor(Int32(0)), unknown] + values)
        return (Array(end.dropFirst(2)), try lessEqual(end[1], tolerance))
    }
}

/// One of a tournament's rounds, in which each row has a partner or none. In all of them every row meets every other one once.
struct JacobiRound {
    /// The number of each row, int32 `[n]`.
    private let rows: Tensor
    /// The number of each row's partner; its own without one.
    private let partners: Tensor
    /// Which members are turned, bool `[…, 1, 1]`.
    private let isTurned: Tensor

    /// Rows i and j with i + j ≡ `number` modulo `roundCount`, which is odd, are partners.
    fileprivate init(_ number: Tensor, of roundCount: Int, rowCount: Int, _ isTurned: Tensor) throws {
        rows = try iota(.int32, shape: [rowCount])
        let others = try rem(number - rows + roundCount, roundCount)
        partners = try select(less(others, rowCount), others, rows)
        self.isTurned = isTurned
    }

    /// Which rows have a partner, bool `[n, 1]`.
    var isPaired: Tensor { get throws { try expandDims(notEqual(partners, rows), axis: -1) } }

    /// The elements at the crossing of a row and the column of its partner's number, bool `[n, n]`.
    var crossings: Tensor {
        get throws { try and(equal(rows, expandDims(partners, axis: -1)), isPaired) }
    }

    /// `x` with partners in each other's place along an axis, which counts from the last one as -1.
    func exchanged(_ x: Tensor, axis: Int) throws -> Tensor {
        try Take(axis: x.rank + axis, mode: .clamp)(x, partners)
    }

    /// The rotations by at most 45° that make the products of partners with each other zero.
    ///
    /// - Parameters:
    ///   - squares: each row's product with itself, `[…, n, 1]`.
    ///   - products: with its partner; 0 without one.
    func rotation(squares: Tensor, products: Tensor) throws -> JacobiRotation {
        let isFirst = try expandDims(less(rows, partners), axis: -1)
        // The first one's: what rounding errors alone made may be something else to its partner.
        let shared = try select(isFirst, products, exchanged(products, axis: -2))
        let isTurned = try and(self.isTurned, notEqual(shared, 0))
        let ratio = try (exchanged(squares, axis: -2) - squares) / (2 * select(isTurned, shared, 1))
        // Of two equal rows, one turns one way and one the other.
        let direction = try select(equal(ratio, 0), select(isFirst, 1.0, -1.0), sign(ratio))
        let tangent = try select(isTurned, direction / (abs(ratio) + sqrt(1 + square(ratio))), 0)
        let cosine = try 1 / sqrt(1 + square(tangent))
        return JacobiRotation(
            round: self, isTurned: isTurned, cosine: cosine, sine: try cosine * tangent)
    }
}

/// A rotation for each pair of partners.
struct JacobiRotation {
    fileprivate let round: JacobiRound
    /// Which rows are turned at all, bool `[…, n, 1]`.
    let isTurned: Tensor
    /// `[…, n, 1]`, as the sine, whose sign differs between partners.
    fileprivate let cosine: Tensor
    fileprivate let sine: Tensor

    func rows(of x: Tensor) throws -> Tensor { try cosine * x - sine * round.exchanged(x, axis: -2) }

    func columns(of x: Tensor) throws -> Tensor {
        try matrixTranspose(cosine) * x - matrixTranspose(sine) * round.exchanged(x, axis: -1)
    }
}
