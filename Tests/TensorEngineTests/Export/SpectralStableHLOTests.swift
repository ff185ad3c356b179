// Eigenvalues and singular values as loops: they have the properties that the kernels' have, here and in XLA.
import TestSupport
import Testing

@testable import TensorEngine

/// Matrices with what such methods can stumble over, `[…, m, n]` in float64.
struct SpectralMatrices: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let values: Tensor

    init(_ description: String, _ values: Tensor) {
        (testDescription, self.values) = ("\(description) \(values.shape)", values)
    }

    private static func numbers(_ shape: Shape) throws -> Tensor {
        try PRNGKey(seed: shape.elementCount).normal(shape).astype(.float64)
    }

    /// Q·diag(values)·Qᵀ
    private static func symmetric(_ values: [Double]) throws -> Tensor {
        let q = try qr(numbers([values.count, values.count])).q
        return try matmul(q * Tensor(values), matrixTranspose(q))
    }

    static let symmetric = Result {
        [
            SpectralMatrices("one element", try Tensor([-3.0], shape: [1, 1])),
            SpectralMatrices("equal diagonal", try Tensor([2.0, 1, 1, 2], shape: [2, 2])),
            SpectralMatrices("odd", try symmetrized(numbers([5, 5]))),
            SpectralMatrices("even", try symmetrized(numbers([6, 6]))),
            SpectralMatrices("large", try symmetrized(numbers([33, 33]))),
            SpectralMatrices("lower triangles", try numbers([2, 3, 4, 4])),
            SpectralMatrices("repeated eigenvalues", try symmetric([2, -1, 2, 2, -1])),
            SpectralMatrices("nearly repeated eigenvalues", try symmetric([1, 1 + 1e-9, 1 - 1e-9, 3])),
            SpectralMatrices("of rank 1", try ones([5, 5], dtype: .float64)),
            SpectralMatrices("identity", try identity(4, dtype: .float64)),
            SpectralMatrices("zeros", try zeros([3, 3], dtype: .float64)),
            SpectralMatrices(
                "one without numbers", try stack([identity(3, dtype: .float64), full([3, 3], .nan)])),
            SpectralMatrices("of nothing", try zeros([2, 0, 0], dtype: .float64)),
            SpectralMatrices("no matrices", try zeros([0, 3, 3], dtype: .float64)),
        ]
    }

    static let general = Result {
        let column = try numbers([6, 1])
        let two = try matmul(numbers([6, 2]), numbers([2, 4]))
        return [
            SpectralMatrices("one element", try Tensor([-3.0], shape: [1, 1])),
            SpectralMatrices("tall", try numbers([5, 3])), SpectralMatrices("wide", try numbers([3, 5])),
            SpectralMatrices("square", try numbers([4, 4])),
            SpectralMatrices("large", try numbers([40, 30])),
            SpectralMatrices("several", try numbers([2, 3, 3, 2])),
            SpectralMatrices("column", column), SpectralMatrices("row", try matrixTranspose(column)),
            SpectralMatrices("of rank 1", try ones([5, 5], dtype: .float64)),
            SpectralMatrices("of rank 2", two), SpectralMatrices("wide, of rank 2", try matrixTranspose(two)),
            SpectralMatrices("columns of zeros", try pad(numbers([4, 2]), low: [0, 1], high: [0, 1])),
            SpectralMatrices("repeated singular values", try qr(numbers([5, 3])).q),
            SpectralMatrices("graded", try numbers([4, 4]) * Tensor([1, 1e-6, 1e-12, 1e-18])),
            SpectralMatrices("zeros", try zeros([3, 2], dtype: .float64)),
            SpectralMatrices("one without numbers", try stack([numbers([3, 2]), full([3, 2], .infinity)])),
            SpectralMatrices("of nothing", try zeros([2, 0], dtype: .float64)),
            SpectralMatrices("wide, of nothing", try zeros([2, 0, 3], dtype: .float64)),
            SpectralMatrices("no matrices", try zeros([0, 3, 2], dtype: .float64)),
        ]
    }
}

extension SymmetricEigen {
    /// What does not depend on the choice of eigenvectors: w, x·v - v·diag(w), vᵀ·v.
    static func properties(_ x: Tensor, _ parts: [Tensor]) throws -> [Tensor] {
        let (w, v) = (parts[0], parts[1])
        let symmetric = try tril(x) + matrixTranspose(tril(x, k: -1))
        return [
            w, try matmul(symmetric, v) - v * expandDims(w, axis: -2), try matmul(matrixTranspose(v), v),
        ]
    }
}

extension SVD {
    /// What does not depend on the choice of vectors: s, u·diag(s)·vt, uᵀ·u, vt·vtᵀ.
    func properties(_ parts: [Tensor]) throws -> [Tensor] {
        guard vectors != .none else { return parts }
        let (s, u, vt) = (parts[0], parts[1], parts[2])
        let inner = 0..<s.shape[s.rank - 1]
        let scaled = try slice(u, axis: -1, inner) * expandDims(s, axis: -2)
        return [
            s, try matmul(scaled, slice(vt, axis: -2, inner)), try matmul(matrixTranspose(u), u),
            try matmul(vt, matrixTranspose(vt)),
        ]
    }
}

@Suite struct SpectralStableHLOTests {
    private let forms = [SVD.Vectors.none, .reduced, .full].map(SVD.init)

    /// As the rows of the table have for decompositions: the kernels compute in the type, with its rounding errors at every step.
    private func tolerance(_ dtype: DType) -> Double { 10 * dtype.sampleTolerance }

    @Test("eigenvalues and eigenvectors by rotations", arguments: try SpectralMatrices.symmetric.get())
    func eigenvectors(matrices: SpectralMatrices) throws {
        for dtype in [DType.float32, .float64] {
            let x = try matrices.values.astype(dtype)
            let (got, want) = (try SymmetricEigen.rotated(x), try apply(SymmetricEigen(), [x]))
            #expect(got.map(\.type) == want.map(\.type))
            let difference = try largestDifference(
                SymmetricEigen.properties(x, got), SymmetricEigen.properties(x, want))
            #expect(difference <= tolerance(dtype), "\(dtype)")
        }
    }

    @Test("singular values and vectors by rotations", arguments: try SpectralMatrices.general.get())
    func singularVectors(matrices: SpectralMatrices) throws {
        for dtype in [DType.float32, .float64] {
            let x = try matrices.values.astype(dtype)
            for svd in forms {
                let (got, want) = (try svd.rotated(x), try apply(svd, [x]))
                #expect(got.map(\.type) == want.map(\.type))
                let difference = try largestDifference(svd.properties(got), svd.properties(want))
                #expect(difference <= tolerance(dtype), "\(svd.vectors) in \(dtype)")
            }
        }
    }

    @Test(
        "sizes of elements do not matter, up to those whose squares are infinite or zero",
        arguments: [1e200, 1e-200])
    func extremes(factor: Double) throws {
        let x = try PRNGKey(seed: 3).normal([4, 4]).astype(.float64)
        let small = try SymmetricEigen.rotated(x)
        let large = try SymmetricEigen.rotated(x * factor)
        #expect(try largestDifference([large[0] / factor, large[1]], small) < 1e-13)
        let values = try SVD(vectors: .none).rotated(x * factor)[0] / factor
        #expect(try largestDifference([values], SVD(vectors: .none).rotated(x)) < 1e-13)
    }

    @Test("a matrix has the same bits beside others as alone")
    func members() throws {
        let matrices = try [
            zeros([4, 4]), PRNGKey(seed: 1).normal([4, 4]), ones([4, 4]), full([4, 4], .nan),
        ]
        let svd = SVD(vectors: .reduced)
        for loop in [SymmetricEigen.rotated, svd.rotated] {
            let together = try loop(stack(matrices))
            for (k, matrix) in matrices.enumerated() {
                #expect(try together.map { try Bits($0, member: k) } == bits(loop(matrix)))
            }
        }
    }

    @Test("programs, operands and results are written for XLA", .enabled(if: StableHLOCaseFile.folder != nil))
    func casesForXLA() throws {
        var cases = StableHLOCaseFile("spectra")
        for dtype in [DType.float32, .float64] {
            for matrices in try SpectralMatrices.symmetric.get() {
                try add("eigh of \(matrices.testDescription)", matrices.values.astype(dtype), to: &cases) {
                    x in
                    try SymmetricEigen.properties(x, apply(SymmetricEigen(), [x]))
                }
            }
            for matrices in try SpectralMatrices.general.get() {
                for svd in forms {
                    let name = "svd of \(matrices.testDescription), vectors: \(svd.vectors)"
                    try add(name, matrices.values.astype(dtype), to: &cases) { x in
                        try svd.properties(apply(svd, [x]))
                    }
                }
            }
        }
        try cases.write()
        print("stablehlo: \(cases.count) programs of eigenvalues and singular values")
    }

    private func add(
        _ name: String, _ x: Tensor, to cases: inout StableHLOCaseFile,
        _ function: @escaping (Tensor) throws -> [Tensor]
    ) throws {
        cases.add(
            "\(name) in \(x.dtype)", text: try makeProgram(function, x).stableHLO(),
            inputs: [try x.caseArray],
            outputs: try function(x).map { try $0.caseArray }, relative: tolerance(x.dtype),
            absolute: tolerance(x.dtype))
    }
}
