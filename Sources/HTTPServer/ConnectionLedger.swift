// Counts open connections, in all and by address, and tells when the last one is closed.
import Dispatch
import Synchronization

final class ConnectionLedger: Sendable {
    enum Verdict { case accepted, tooMany, tooManyFromAddress, hopeless }

    private struct State {
        var accepted = 0
        /// Connections that are only open to be told that there are too many.
        var refused = 0
        var byAddress: [String: Int] = [:]
        var waiters: [UInt64: CheckedContinuation<Bool, Never>] = [:]
        var nextWaiter: UInt64 = 0
    }

    private let state = Mutex(State())
    private let limits: ServerConfiguration.Limits
    private static let maximumRefused = 64

    init(limits: ServerConfiguration.Limits) { self.limits = limits }

    var count: Int { state.withLock { $0.accepted } }

    /// Counts the connection in, whatever the verdict, unless it is `hopeless`; `remove` it with the same
    /// verdict.
    func add(_ address: String) -> Verdict {
        let isExempt = limits.loopbackIsExempt && (address.hasPrefix("127.") || address == "::1")
        return state.withLock { state in
            let verdict: Verdict =
                if state.accepted >= limits.connections {
                    .tooMany
                } else if !isExempt, state.byAddress[address, default: 0] >= limits.connectionsPerAddress {
                    .tooManyFromAddress
                } else {
                    .accepted
                }
            if verdict == .accepted {
                state.accepted += 1
                state.byAddress[address, default: 0] += 1
                return verdict
            }
            guard state.refused < Self.maximumRefused else { return .hopeless }
            state.refused += 1
            return verdict
        }
    }

    func remove(_ address: String, verdict: Verdict) {
        let waiters = state.withLock { state in
            switch verdict {
            case .accepted:
                state.accepted -= 1
                let left = state.byAddress[address, default: 1] - 1
                state.byAddress[address] = left > 0 ? left : nil
            case .tooMany, .tooManyFromAddress:
                state.refused -= 1
            case .hopeless:
                break
            }
            guard state.accepted == 0, state.refused == 0 else { return [CheckedContinuation<Bool, Never>]() }
            let waiters = Array(state.waiters.values)
            state.waiters = [:]
            return waiters
        }
        for waiter in waiters { waiter.resume(returning: true) }
    }

    /// Waits until no connection is left, for at most that long; whether that was so.
    func drained(withinSeconds seconds: Double) async -> Bool {
        await withCheckedContinuation { continuation in
            let waiter: UInt64? = state.withLock { state in
                guard state.accepted + state.refused > 0 else { return nil }
                state.nextWaiter += 1
                state.waiters[state.nextWaiter] = continuation
                return state.nextWaiter
            }
            guard let waiter else { return continuation.resume(returning: true) }
            DispatchQueue.global().asyncAfter(deadline: .now() + max(0, min(seconds, 1e6))) {
                self.state.withLock { $0.waiters.removeValue(forKey: waiter) }?.resume(returning: false)
            }
        }
    }
}
