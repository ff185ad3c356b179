// A fixed row of 64-bit atomic counters: what every metric family is made of.
import Synchronization

/// `@unchecked Sendable`: the memory is allocated once, and every access goes through `Atomic`.
final class AtomicCells: @unchecked Sendable {
    let count: Int
    private let cells: UnsafeMutablePointer<Atomic<UInt64>>

    init(count: Int) {
        self.count = count
        cells = .allocate(capacity: count)
        for index in 0..<count {
            (cells + index).initialize(to: Atomic(0))
        }
    }

    deinit {
        cells.deinitialize(count: count)
        cells.deallocate()
    }

    /// Adds with wrap-around. An index outside the row is ignored: a metric must never stop the server.
    func add(_ amount: UInt64 = 1, at index: Int) {
        guard index >= 0, index < count else { return }
        cells[index].wrappingAdd(amount, ordering: .relaxed)
    }

    func subtract(_ amount: UInt64 = 1, at index: Int) {
        guard index >= 0, index < count else { return }
        cells[index].wrappingSubtract(amount, ordering: .relaxed)
    }

    func value(at index: Int) -> UInt64 {
        guard index >= 0, index < count else { return 0 }
        return cells[index].load(ordering: .relaxed)
    }
}
