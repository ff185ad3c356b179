// Whether the server takes jobs: what /readyz tells.
import JobSpec
import Synchronization

package final class Readiness: Sendable {
    package enum State: String, Sendable, CaseIterable {
        /// The recovery pass has not ended: reads are answered, writes are not.
        case starting
        case ready
        case draining
        /// A commit failed: what was acknowledged is safe, nothing more is accepted.
        case readOnly = "read_only"

        package var problem: Problem {
            switch self {
            case .draining:
                Problem(.draining, "The server is shutting down; send this again in a few seconds.")
                    .with(header: "Retry-After", "5")
            case .readOnly:
                Problem(
                    .notReady,
                    "A commit failed and the store accepts no more writes; check the disk and restart the server."
                )
                .with(header: "Retry-After", "60")
            case .starting, .ready:
                Problem(.notReady, "The server is starting; send this again in a second.")
                    .with(header: "Retry-After", "1")
            }
        }
    }

    private let current = Mutex(State.starting)

    package init() {}

    package var state: State { current.withLock { $0 } }

    package func become(_ state: State) {
        current.withLock { $0 = state }
    }

    /// - Throws: the 503 that says why not.
    func requireReady() throws {
        let state = state
        guard state == .ready else { throw state.problem }
    }
}
