// The free parts of an arena, which is being planned: found by size, joined with their neighbours.

/// Free parts of a block of memory. Taking and giving back stay fast for very many of them.
struct ArenaGaps {
    private struct Gap: Comparable {
        let size: Int
        let offset: Int

        static func < (a: Gap, b: Gap) -> Bool { (a.size, a.offset) < (b.size, b.offset) }
    }

    /// The gaps in order, in blocks, so that an insertion moves few of them. No block is empty.
    private var blocks: [[Gap]] = []
    /// The size of the gap that begins at an offset, and where the one begins that ends there.
    private var sizeByStart: [Int: Int] = [:]
    private var startByEnd: [Int: Int] = [:]

    private static let largestBlock = 512

    /// The place of `size` bytes in the smallest gap that has them, and of several the first; nil if there is none.
    mutating func take(_ size: Int) -> Int? {
        let least = Gap(size: size, offset: 0)
        guard !blocks.isEmpty else { return nil }
        var block = blockNumber(of: least)
        var position = lowerBound(least, in: blocks[block])
        if position == blocks[block].count {
            (block, position) = (block + 1, 0)
            guard block < blocks.count else { return nil }
        }
        let gap = blocks[block][position]
        remove(gap)
        if gap.size > size { insert(Gap(size: gap.size - size, offset: gap.offset + size)) }
        return gap.offset
    }

    /// Gives a part back.
    mutating func release(_ offset: Int, _ size: Int) {
        var (start, end) = (offset, offset + size)
        if let before = startByEnd[start] {
            remove(Gap(size: start - before, offset: before))
            start = before
        }
        if let behind = sizeByStart[end] {
            remove(Gap(size: behind, offset: end))
            end += behind
        }
        insert(Gap(size: end - start, offset: start))
    }

    private mutating func insert(_ gap: Gap) {
        sizeByStart[gap.offset] = gap.size
        startByEnd[gap.offset + gap.size] = gap.offset
        guard !blocks.isEmpty else {
            blocks = [[gap]]
            return
        }
        let block = blockNumber(of: gap)
        blocks[block].insert(gap, at: lowerBound(gap, in: blocks[block]))
        if blocks[block].count > ArenaGaps.largestBlock {
            let middle = blocks[block].count / 2
            blocks.insert(Array(blocks[block][middle...]), at: block + 1)
            blocks[block].removeSubrange(middle...)
        }
    }

    private mutating func remove(_ gap: Gap) {
        sizeByStart[gap.offset] = nil
        startByEnd[gap.offset + gap.size] = nil
        let block = blockNumber(of: gap)
        blocks[block].remove(at: lowerBound(gap, in: blocks[block]))
        if blocks[block].isEmpty { blocks.remove(at: block) }
    }

    /// The block in which a gap is or belongs: the last one that begins no later, or the first.
    private func blockNumber(of gap: Gap) -> Int {
        var (low, high) = (0, blocks.count)
        while low < high {
            let middle = (low + high) / 2
            if blocks[middle][0] <= gap { low = middle + 1 } else { high = middle }
        }
        return max(low - 1, 0)
    }

    private func lowerBound(_ gap: Gap, in block: [Gap]) -> Int {
        var (low, high) = (0, block.count)
        while low < high {
            let middle = (low + high) / 2
            if block[middle] < gap { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
