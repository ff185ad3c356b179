// Memory that holds a dense array.
import Glibc

/// A block of memory, aligned to 64 bytes (a cache line and an AVX-512 vector), freed with its last reference.
///
/// Contents are written by whoever creates the buffer, or by a plan that holds the only reference to it
/// (`isKnownUniquelyReferenced`), and are constant for everybody else: that is why sharing one is safe.
public final class Buffer: @unchecked Sendable {
    /// The first byte. Never null, also for an empty buffer.
    package let base: UnsafeMutableRawPointer
    public let byteCount: Int

    static let alignment = 64
    /// From this size on, memory is aligned to huge pages and asks for them (SPEED.md: 0 to 5 %).
    private static let hugePageBytes = 2 << 20

    /// More than the machine has is never asked for: where memory is overcommitted, it would be given, and the process be killed
    /// when it is used.
    private static let largestByteCount = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))

    /// Uninitialised memory of `byteCount` bytes.
    ///
    /// - Throws: `TensorError` (resource) when the size is absurd or memory is exhausted.
    package init(byteCount: Int) throws {
        let huge = byteCount >= 4 * Buffer.hugePageBytes
        let alignment = huge ? Buffer.hugePageBytes : Buffer.alignment
        let (rounded, overflow) = max(byteCount, 1).addingReportingOverflow(alignment - 1)
        guard byteCount >= 0, !overflow, byteCount <= Buffer.largestByteCount,
            let memory = aligned_alloc(alignment, rounded / alignment * alignment)
        else {
            throw TensorError(
                .resource, "allocate", expected: "room for \(byteCount) bytes", got: "no memory of that size",
                fix: "Use a smaller model, batch or sequence.")
        }
        if huge { madvise(memory, byteCount, MADV_HUGEPAGE) }
        base = memory
        self.byteCount = byteCount
    }

    deinit {
        free(base)
    }
}
