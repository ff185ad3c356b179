// The threads of this process that kernels run on.
import CKernels
import Glibc
import Synchronization

/// The process's pool of compute threads. Results do not depend on how many there are.
public enum ComputePool {
    private struct State: ~Copyable {
        var threads = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        var pool: OpaquePointer?
    }
    private static let state = Mutex(State())

    /// Uses `threads` threads from now on (at least 1); by default as many as there are processors.
    public static func configure(threads: Int) {
        state.withLock { state in
            state.threads = min(max(1, threads), 256)
            if let pool = state.pool { spk_pool_destroy(pool) }
            state.pool = nil
        }
    }

    public static var threads: Int { state.withLock { $0.threads } }

    /// Calls `body` with the pool, or with nil where another run uses it at the moment: then this one runs on its caller's
    /// thread alone, with the same bits.
    static func withPool(_ body: (OpaquePointer?) -> Void) {
        let ran: Bool? = state.withLockIfAvailable { state in
            if state.pool == nil, state.threads > 1 { state.pool = spk_pool_create(Int32(state.threads)) }
            body(state.pool)
            return true
        }
        if ran == nil { body(nil) }
    }
}

/// The version of the kernels that runs on this processor.
public enum KernelLevel: Int, Sendable, CaseIterable, CustomStringConvertible {
    case portable, avx2, avx512

    /// The level in use.
    public static var current: KernelLevel {
        KernelLevel(rawValue: Int(spk_get_level().rawValue)) ?? .portable
    }

    /// Lowers the level in use; one that the processor lacks is ignored. Results are the same bits at every level.
    @discardableResult
    public static func set(_ level: KernelLevel) -> KernelLevel {
        KernelLevel(rawValue: Int(spk_set_level(spk_level(UInt32(level.rawValue))).rawValue)) ?? .portable
    }

    public var description: String {
        switch self {
        case .portable: "portable"
        case .avx2: "avx2"
        case .avx512: "avx512"
        }
    }
}
