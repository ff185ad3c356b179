// The routines of LAPACK that the decompositions use, from the OpenBLAS library.
import COpenBLAS
import Glibc

/// LAPACK for one element type. Matrices are column-major, as Fortran has them, and passed without their type, so that float32
/// and float64 share all code. Sizes must fit `blasint`, which the primitives' shape rules see to.
struct LAPACK: Sendable {
    typealias Flag = UnsafePointer<CChar>
    typealias Count = UnsafePointer<blasint>
    typealias Integers = UnsafeMutablePointer<blasint>
    typealias Data = UnsafeMutableRawPointer

    // Fortran passes everything by address, and the lengths of strings at the end.
    private typealias POTRF = @Sendable @convention(c) (Flag, Count, Data?, Count, Integers, Int) -> Void
    private typealias TRSM =
        @Sendable @convention(c) (
            Flag, Flag, Flag, Flag, Count, Count, Data, Data?, Count, Data?, Count, Int, Int, Int, Int
        ) -> Void
    private typealias GETRF =
        @Sendable @convention(c) (Count, Count, Data?, Count, Integers, Integers) -> Void
    private typealias GESDD =
        @Sendable @convention(c) (
            Flag, Count, Count, Data?, Count, Data?, Data?, Count, Data?, Count, Data?, Count, Integers,
            Integers, Int
        ) -> Void
    private typealias SYEVD =
        @Sendable @convention(c) (
            Flag, Flag, Count, Data?, Count, Data?, Data?, Count, Integers, Count, Integers, Int, Int
        ) -> Void

    private let potrf: POTRF
    private let trsm: TRSM
    private let getrf: GETRF
    private let gesdd: GESDD
    private let syevd: SYEVD
    let dtype: DType

    private static let float32 = LAPACK(.float32)
    private static let float64 = LAPACK(.float64)

    /// The routines for a type. Throws where the library is missing.
    static func routines(_ dtype: DType, for operation: String) throws -> LAPACK {
        guard let routines = known(dtype) else {
            throw TensorError(
                .resource, operation, expected: "the OpenBLAS library, libopenblas.so.0",
                got: "none that loads",
                fix: "Install the system's package of OpenBLAS (Debian: libopenblas0).")
        }
        return routines
    }

    /// The routines for a type, nil where the library is missing.
    static func known(_ dtype: DType) -> LAPACK? { dtype == .float64 ? float64 : float32 }

    private init?(_ dtype: DType) {
        let letter = dtype == .float64 ? "d" : "s"
        guard let potrf = OpenBLAS.symbol(letter + "potrf_"), let trsm = OpenBLAS.symbol(letter + "trsm_"),
            let getrf = OpenBLAS.symbol(letter + "getrf_"), let gesdd = OpenBLAS.symbol(letter + "gesdd_"),
            let syevd = OpenBLAS.symbol(letter + "syevd_")
        else { return nil }
        self.potrf = unsafeBitCast(potrf, to: POTRF.self)
        self.trsm = unsafeBitCast(trsm, to: TRSM.self)
        self.getrf = unsafeBitCast(getrf, to: GETRF.self)
        self.gesdd = unsafeBitCast(gesdd, to: GESDD.self)
        self.syevd = unsafeBitCast(syevd, to: SYEVD.self)
        self.dtype = dtype
    }

    private static func flag(_ letter: Unicode.Scalar) -> CChar { CChar(truncatingIfNeeded: letter.value) }
    private static func leading(_ rows: Int) -> blasint { blasint(max(rows, 1)) }

    /// The Cholesky factor of a symmetric matrix of which the upper triangle is read, in its place. False where the matrix
    /// is not positive definite.
    func factorizeCholesky(_ matrix: Data, size: Int) -> Bool {
        var (uplo, n, lda, info) = (LAPACK.flag("U"), blasint(size), LAPACK.leading(size), blasint(0))
        potrf(&uplo, &n, matrix, &lda, &info, 1)
        return info == 0
    }

    /// X with op(A)·X = B (or X·op(A) = B from the right), in B's place. B has `rows` × `columns`.
    func solveTriangular(
        _ a: Data, _ b: Data, rows: Int, columns: Int, isLeft: Bool, isLower: Bool, isTransposed: Bool,
        isUnitDiagonal: Bool
    ) {
        var (side, uplo) = (LAPACK.flag(isLeft ? "L" : "R"), LAPACK.flag(isLower ? "L" : "U"))
        var (trans, diag) = (LAPACK.flag(isTransposed ? "T" : "N"), LAPACK.flag(isUnitDiagonal ? "U" : "N"))
        var (m, n) = (blasint(rows), blasint(columns))
        var (lda, ldb) = (LAPACK.leading(isLeft ? rows : columns), LAPACK.leading(rows))
        func call(_ one: Data) {
            trsm(&side, &uplo, &trans, &diag, &m, &n, one, a, &lda, b, &ldb, 1, 1, 1, 1)
        }
        var (single, double) = (Float(1), Double(1))
        if dtype == .float64 { call(&double) } else { call(&single) }
    }

    /// P·L·U in the matrix's place, with the rows that were exchanged, counted from 1.
    func factorizeLU(_ matrix: Data, rows: Int, columns: Int, pivots: UnsafeMutablePointer<Int32>) {
        var (m, n, lda, info) = (blasint(rows), blasint(columns), LAPACK.leading(rows), blasint(0))
        getrf(&m, &n, matrix, &lda, pivots, &info)
    }

    /// Singular values and vectors; destroys the matrix. `job` is LAPACK's: N, S or A. False where it did not converge.
    func decomposeSingular(
        _ job: Unicode.Scalar, _ matrix: Data?, rows: Int, columns: Int, values: Data?, u: Data?,
        leadingU: Int, v: Data?, leadingV: Int, workspace: Data?, workSize: Int, integers: Integers
    ) -> Bool {
        var (jobz, m, n, lda) = (LAPACK.flag(job), blasint(rows), blasint(columns), LAPACK.leading(rows))
        var (ldu, ldv) = (LAPACK.leading(leadingU), LAPACK.leading(leadingV))
        var (size, info) = (blasint(workSize), blasint(0))
        gesdd(&jobz, &m, &n, matrix, &lda, values, u, &ldu, v, &ldv, workspace, &size, integers, &info, 1)
        return info == 0
    }

    /// Eigenvalues in ascending order and eigenvectors, in the matrix's place, of a symmetric matrix of which the lower
    /// triangle is read. False where it did not converge.
    func decomposeSymmetric(
        _ matrix: Data?, size order: Int, values: Data?, workspace: Data?, workSize: Int, integers: Integers,
        integerSize: Int
    ) -> Bool {
        var (job, uplo) = (LAPACK.flag("V"), LAPACK.flag("L"))
        var (n, lda) = (blasint(order), LAPACK.leading(order))
        var (size, count, info) = (blasint(workSize), blasint(integerSize), blasint(0))
        syevd(&job, &uplo, &n, matrix, &lda, values, workspace, &size, integers, &count, &info, 1, 1)
        return info == 0
    }

    /// What a query for the best workspace answers, in elements, at least 1.
    func workspaceSize(for operation: String, _ query: (Data) -> Void) throws -> Int {
        var answer = 0.0
        query(&answer)
        let size =
            dtype == .float64
            ? answer : Swift.withUnsafeBytes(of: answer) { Double($0.loadUnaligned(as: Float.self)) }
        // The answer is rounded to the element type, perhaps down.
        let generous = dtype == .float64 ? size : size * (1 + 0x1p-20) + 1
        guard generous >= 0, generous < Double(blasint.max) else {
            throw TensorError(
                .resource, operation, expected: "a workspace below 2³¹ elements", got: "\(size)")
        }
        return max(Int(generous), 1)
    }
}
