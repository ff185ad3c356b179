// Gives every temporary value a place in one block of memory; values that do not live at the same time share places.

/// The places of a plan's temporaries.
struct ArenaPlan {
    /// By buffer number: offset in bytes of the temporaries, nil for other buffers.
    let offsets: [Int?]
    let byteCount: Int

    private static let alignment = 64

    /// Walks the steps in order; a value takes the smallest free gap that fits when it is first written, and gives it back
    /// after the step that last touches it.
    init(steps: [PlannedStep], buffers: [PlannedBuffer]) {
        let touches = ArenaPlan.touches(of: steps)
        var first = [Int](repeating: -1, count: buffers.count)
        var last = [Int](repeating: -1, count: buffers.count)
        for (position, touched) in touches.enumerated() {
            for buffer in touched {
                if first[buffer] < 0 { first[buffer] = position }
                last[buffer] = position
            }
        }
        var ending = [[Int]](repeating: [], count: touches.count)
        for buffer in buffers.indices where buffers[buffer].source == .temporary && last[buffer] >= 0 {
            ending[last[buffer]].append(buffer)
        }

        var offsets = [Int?](repeating: nil, count: buffers.count)
        var gaps: [(offset: Int, size: Int)] = []
        var end = 0
        func rounded(_ size: Int) -> Int {
            (max(size, 1) + ArenaPlan.alignment - 1) / ArenaPlan.alignment * ArenaPlan.alignment
        }
        for (position, touched) in touches.enumerated() {
            for buffer in touched
            where buffers[buffer].source == .temporary && first[buffer] == position && offsets[buffer] == nil
            {
                let size = rounded(buffers[buffer].byteCount)
                let best = gaps.indices.filter { gaps[$0].size >= size }.min { gaps[$0].size < gaps[$1].size }
                if let best {
                    offsets[buffer] = gaps[best].offset
                    gaps[best].offset += size
                    gaps[best].size -= size
                    if gaps[best].size == 0 { gaps.remove(at: best) }
                } else {
                    offsets[buffer] = end
                    end += size
                }
            }
            for buffer in ending[position] {
                guard let offset = offsets[buffer] else { continue }
                ArenaPlan.release(offset, rounded(buffers[buffer].byteCount), into: &gaps)
            }
        }
        self.offsets = offsets
        byteCount = end
    }

    /// The buffers that are in use at each point of time. A step that runs others touches its buffers before them and after
    /// them, so that these live through every iteration.
    private static func touches(of steps: [PlannedStep]) -> [[Int]] {
        steps.flatMap { step -> [[Int]] in
            let own = step.reads + step.writes
            return step.bodies.isEmpty ? [own] : [own] + step.bodies.flatMap(touches) + [own]
        }
    }

    /// Adds a gap to the list, which is sorted by offset, and joins it with its neighbours.
    private static func release(_ offset: Int, _ size: Int, into gaps: inout [(offset: Int, size: Int)]) {
        var low = 0
        var high = gaps.count
        while low < high {
            let middle = (low + high) / 2
            if gaps[middle].offset < offset { low = middle + 1 } else { high = middle }
        }
        gaps.insert((offset, size), at: low)
        if low + 1 < gaps.count, gaps[low].offset + gaps[low].size == gaps[low + 1].offset {
            gaps[low].size += gaps[low + 1].size
            gaps.remove(at: low + 1)
        }
        if low > 0, gaps[low - 1].offset + gaps[low - 1].size == gaps[low].offset {
            gaps[low - 1].size += gaps[low].size
            gaps.remove(at: low)
        }
    }
}
