// Decompositions: what they promise, and what they give where there is no answer.
import Testing

@testable import TensorEngine

/// Numbers around 0, the same in every run.
private func numbers(_ shape: Shape, seed: Int = 0) throws -> Tensor {
    try PRNGKey(seed: seed).uniform(shape, low: -1.0, high: 1.0).astype(.float64)
}

private func distance(_ a: Tensor, _ b: Tensor) throws -> Double { try max(abs(a - b)).item() }

@Suite struct LinearAlgebraTests {
    @Test(
        "the factors make up the matrix, and are orthogonal or triangular",
        arguments: [[5, 3], [3, 5], [4, 4]])
    func factors(sizes: [Int]) throws {
        let x = try numbers(Shape([2] + sizes))
        for mode in [QRMode.reduced, .complete] {
            let (q, r) = try qr(x, mode: mode)
            #expect(try distance(matmul(q, r), x) < 1e-14)
            #expect(
                try distance(matmul(matrixTranspose(q), q), identity(q.shape[2], dtype: .float64))
                    < 1e-14)
            #expect(try distance(triu(r), r) == 0)
        }
        for isFull in [false, true] {
            let (u, s, vt) = try svd(x, fullMatrices: isFull)
            let k = s.shape[1]
            let product = try matmul(
                slice(u, axis: 2, 0..<k) * expandDims(s, axis: 1), slice(vt, axis: 1, 0..<k))
            #expect(try distance(product, x) < 1e-14)
            #expect(
                try distance(matmul(vt, matrixTranspose(vt)), identity(vt.shape[1], dtype: .float64))
                    < 1e-14)
        }
        let factors = try lu(x)
        let k = Swift.min(sizes[0], sizes[1])
        let lower = try tril(slice(factors.lu, axis: 2, 0..<k), k: -1) + eyeLike(sizes[0], k)
        let upper = try triu(slice(factors.lu, axis: 1, 0..<k))
        let permuted = try takeAlongAxis(x, expandDims(factors.permutation, axis: 2), axis: 1)
        #expect(try distance(matmul(lower, upper), permuted) < 1e-15)
        let p = try pinv(x)
        #expect(try distance(matmul(matmul(x, p), x), x) < 1e-13)
        #expect(try distance(matmul(matmul(p, x), p), p) < 1e-13)
    }

    private func eyeLike(_ rows: Int, _ columns: Int) throws -> Tensor {
        try slice(
            identity(Swift.max(rows, columns), dtype: .float64), starts: [0, 0],
            limits: [rows, columns])
    }

    @Test("matrices without an answer give NaN or infinities, and no trap")
    func withoutAnswer() throws {
        let singular = try Tensor([Float(1), 2, 2, 4], shape: [2, 2])
        #expect(try solve(singular, ones([2])).doubles().allSatisfy { !$0.isFinite })
        #expect(try slogdet(singular).logDet.item() == -.infinity)
        #expect(try det(singular).item() == 0)
        for bad in [Double.nan, .infinity] {
            let x = try full([3, 3], bad)
            #expect(try svdvals(x).doubles().allSatisfy(\.isNaN))
            #expect(try svd(x).u.doubles().allSatisfy(\.isNaN))
            #expect(try eigh(x).w.doubles().allSatisfy(\.isNaN))
            #expect(try tril(cholesky(x)).doubles().contains(where: \.isNaN))
            #expect(try inv(x).doubles().contains { !$0.isFinite })
            #expect(try qr(x).q.shape == [3, 3])
        }
        // One member's failure is its own.
        let pair = try stack([identity(2, dtype: .float32), -identity(2, dtype: .float32)])
        let results = try cholesky(pair).doubles()
        #expect(results[..<4] == [1, 0, 0, 1])
        #expect(results[4].isNaN && results[5] == 0 && results[6].isNaN && results[7].isNaN)
        for wrong in [
            TensorType(.float32, [3]), TensorType(.float32, [2, 3]), TensorType(.float16, [2, 2]),
        ] {
            #expect(throws: TensorError.self) { try cholesky(zeros(wrong.shape, dtype: wrong.dtype)) }
        }
    }

    @Test("determinants have the gradient of the cofactors, also where the matrix is singular")
    func determinants() throws {
        for (n, seed) in [(2, 1), (3, 2), (4, 3), (5, 4)] {
            let regular = try numbers([n, n], seed: seed)
            // The last row is the sum of the others: rank n - 1.
            let others = try slice(regular, axis: 0, 0..<(n - 1))
            let singular = try concatenate([others, sum(others, axes: [0], keepDims: true)])
            for x in [regular, singular] {
                let (value, pullback) = try vjp({ (x: Tensor) in try det(x) }, x)
                let gradient = try pullback(Tensor(1.0))
                let direction = try numbers([n, n], seed: 9)
                let step = 0x1p-20
                let difference = try (det(x + step * direction) - det(x - step * direction)) / (2 * step)
                #expect(try distance(sum(gradient * direction), difference) < 1e-8)
                #expect(try x.doubles() == singular.doubles() ? Swift.abs(value.item()) < 1e-14 : true)
            }
            let (sign, logarithm) = try slogdet(regular)
            #expect(try distance(sign * exp(logarithm), det(regular)) < 1e-14)
        }
    }

    @Test(
        "the pseudoinverse has Golub and Pereyra's derivative, and the same bits in vmap",
        arguments: [[4, 2], [2, 4]])
    func pseudoinverse(sizes: [Int]) throws {
        let (x, direction) = (try numbers(Shape(sizes), seed: 5), try numbers(Shape(sizes), seed: 6))
        let (_, tangent) = try jvp({ (x: Tensor) in try pinv(x) }, x, direction)
        let step = 0x1p-20
        let difference = try (pinv(x + step * direction) - pinv(x - step * direction)) / (2 * step)
        #expect(try distance(tangent, difference) < 1e-8)
        let batched = try vmap { (x: Tensor) in try pinv(x) }(stack([x, direction]))
        #expect(try batched[1].doubles() == pinv(direction).doubles())
    }

    @Test("least squares find the line through points, the rank, and what is left over")
    func leastSquares() throws {
        let a = try Tensor([1.0, 0, 1, 1, 1, 2], shape: [3, 2])
        let found = try lstsq(a, Tensor([1.0, 2, 4]))
        #expect(try distance(found.solution, Tensor([5.0 / 6, 1.5])) < 1e-14)
        #expect(try distance(found.residuals, Tensor([1.0 / 6])) < 1e-14)
        #expect(try found.rank.item() == 2)
        let deficient = try Tensor([1.0, 2, 2, 4, 3, 6], shape: [3, 2])
        #expect(try matrixRank(deficient).item() == 1)
        #expect(try matrixRank(zeros([2, 3])).item() == 0)
        #expect(try lstsq(deficient, Tensor([1.0, 2, 3])).rank.item() == 1)
    }

    @Test("norms of every order")
    func norms() throws {
        let x = try Tensor([1.0, -2, 3, -4, 0, 6], shape: [2, 3])
        func check(_ order: NormOrder?, _ axes: [Int]?, _ expected: [Double]) throws {
            #expect(try distance(norm(x, order: order, axes: axes), Tensor(expected)) < 1e-12)
        }
        try check(1, [0, 1], [9])
        try check(-1, [0, 1], [2])
        try check(.p(.infinity), nil, [10])
        try check(.p(-.infinity), nil, [6])
        try check(.frobenius, nil, [Double(66).squareRoot()])
        try check(nil, nil, [Double(66).squareRoot()])
        try check(.p(.infinity), [1], [3, 6])
        try check(0, [1], [3, 2])
        try check(3, [1], [pow(36, 1.0 / 3), pow(280, 1.0 / 3)])
        let s = try svdvals(x).doubles()
        try check(2, nil, [s[0]])
        try check(-2, nil, [s[1]])
        try check(.nuclear, nil, [s[0] + s[1]])
        #expect(try norm(x, order: 1, axes: [1, 0]).item() == 10)
        #expect(try norm(x, order: .frobenius, axes: [0, 1], keepDims: true).shape == [1, 1])
        #expect(throws: TensorError.self) { try norm(x, order: 3) }
        #expect(throws: TensorError.self) { try norm(x, order: .nuclear, axes: [0]) }
        #expect(throws: TensorError.self) { try norm(zeros([2, 2, 2]), order: 2) }
    }

    private func pow(_ a: Double, _ b: Double) throws -> Double {
        try TensorEngine.pow(Tensor(a), b).item()
    }

    @Test("powers of matrices multiply, and negative ones invert")
    func powers() throws {
        let x = try numbers([2, 3, 3], seed: 7)
        var product = try broadcastTo(identity(3, dtype: .float64), x.shape)
        for exponent in 0...6 {
            #expect(try distance(matrixPower(x, exponent), product) < 1e-14)
            #expect(try distance(matmul(matrixPower(x, -exponent), product), matrixPower(x, 0)) < 1e-8)
            product = try matmul(product, x)
        }
    }
}
