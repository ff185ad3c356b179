// Sizes that depend on the batch size, which is not known when a program is exported.

/// A size of the form `fixed + perBatch · B`, where B is the batch size.
public struct SymbolicDimension: Sendable, Hashable {
    /// What does not depend on the batch size.
    public let fixed: Int
    /// By how much the size grows with each member of the batch; 0 for a known size.
    public let perBatch: Int

    public init(fixed: Int, perBatch: Int = 0) {
        self.fixed = fixed
        self.perBatch = perBatch
    }

    /// The form that gives `sizes[k]` at the batch size `batchSizes[k]` for every k, or nil where no form does. One batch size
    /// leaves nothing to depend on.
    init?(_ sizes: [Int], at batchSizes: [Int]) {
        guard let size = sizes.first, sizes.count == batchSizes.count else { return nil }
        var perBatch = 0
        if batchSizes.count > 1 {
            let (rise, run) = (sizes[1] - size, batchSizes[1] - batchSizes[0])
            guard rise.isMultiple(of: run) else { return nil }
            perBatch = rise / run
        }
        self.init(fixed: size - perBatch * batchSizes[0], perBatch: perBatch)
        guard zip(sizes, batchSizes).allSatisfy({ $0 == self.size(batch: $1) }) else { return nil }
    }

    /// True where the batch size does not matter.
    public var isStatic: Bool { perBatch == 0 }

    /// The size where there is only one.
    public var staticSize: Int? { isStatic ? fixed : nil }

    /// The size for a batch of so many.
    public func size(batch: Int) -> Int { fixed + perBatch * batch }
}

extension SymbolicDimension: CustomStringConvertible {
    /// Such as `64`, `B`, `4·B` or `B + 2`.
    public var description: String {
        guard perBatch != 0 else { return "\(fixed)" }
        let batch = perBatch == 1 ? "B" : "\(perBatch)·B"
        return fixed == 0 ? batch : fixed > 0 ? "\(batch) + \(fixed)" : "\(batch) - \(-fixed)"
    }
}
