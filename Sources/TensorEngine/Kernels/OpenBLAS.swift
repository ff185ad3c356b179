// OpenBLAS, which is opened when one of its routines is first needed.
import Glibc

/// The OpenBLAS library, loaded with dlopen so that processes which need no decomposition (the server) never map it.
/// Products do not go through it: the order of its sums depends on sizes and layouts, so that a batch would have other bits
/// than its members.
enum OpenBLAS {
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
}
