// float64 matrix products by OpenBLAS, which is opened when one is first needed.
import CKernels
import COpenBLAS
import Glibc

/// OpenBLAS, loaded with dlopen so that processes which need no float64 product (the server) never map it.
enum OpenBLAS {
    typealias DGEMM =
        @convention(c) (
            CBLAS_ORDER, CBLAS_TRANSPOSE, CBLAS_TRANSPOSE, blasint, blasint, blasint, Double,
            UnsafePointer<Double>?, blasint,
            UnsafePointer<Double>?, blasint, Double, UnsafeMutablePointer<Double>?, blasint
        ) -> Void

    /// The library's handle as an address, 0 where it is missing. It runs on one thread, whose bits do not depend on the
    /// machine's load.
    private static let library: UInt = {
        guard let library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL) else { return 0 }
        if let setThreads = dlsym(library, "openblas_set_num_threads") {
            unsafeBitCast(setThreads, to: (@convention(c) (Int32) -> Void).self)(1)
        }
        return UInt(bitPattern: library)
    }()

    /// A function of the library, or nil where it is missing.
    static func symbol(_ name: String) -> UnsafeMutableRawPointer? {
        UnsafeMutableRawPointer(bitPattern: library).flatMap { dlsym($0, name) }
    }

    static let dgemm: DGEMM? = symbol("cblas_dgemm").map { unsafeBitCast($0, to: DGEMM.self) }
}

/// A plan step: float64 products through OpenBLAS where strides and sizes fit its interface, else by the plain loop.
func runFloat64Product(
    _ arguments: UnsafeRawPointer?, _ slots: UnsafePointer<UnsafeMutableRawPointer?>?, _ pool: OpaquePointer?
) {
    guard let arguments, let slots else { return }
    let product = arguments.load(as: spk_matmul_plain.self)
    func transposition(_ operand: spk_operand, rows: Int64, columns: Int64) -> (CBLAS_TRANSPOSE, Int64)? {
        let (row, column) = (operand.strides.1, operand.strides.2)
        if column == 1 || columns <= 1, row >= max(columns, 1) { return (CblasNoTrans, row) }
        if row == 1 || rows <= 1, column >= max(rows, 1) { return (CblasTrans, column) }
        return nil
    }
    let largest = Int64(blasint.max)
    guard let dgemm = OpenBLAS.dgemm, product.m * product.n * product.k >= 4096,
        let a = transposition(product.a, rows: product.m, columns: product.k),
        let b = transposition(product.b, rows: product.k, columns: product.n),
        [product.m, product.n, product.k, a.1, b.1].allSatisfy({ $0 <= largest }),
        let aBase = slots[Int(product.a.slot)], let bBase = slots[Int(product.b.slot)],
        let cBase = slots[Int(product.c.slot)]
    else {
        spk_run_matmul_plain(arguments, slots, pool)
        return
    }
    func address(_ base: UnsafeMutableRawPointer, _ operand: spk_operand, _ member: Int64)
        -> UnsafeMutablePointer<Double>
    {
        base.assumingMemoryBound(to: Double.self) + Int(operand.offset + member * operand.strides.0)
    }
    for member in 0..<product.batch {
        dgemm(
            CblasRowMajor, a.0, b.0, blasint(product.m), blasint(product.n), blasint(product.k), 1,
            address(aBase, product.a, member), blasint(a.1), address(bBase, product.b, member), blasint(b.1),
            0,
            address(cBase, product.c, member), blasint(product.n))
    }
}
