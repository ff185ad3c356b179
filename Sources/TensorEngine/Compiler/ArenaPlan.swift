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
        var gaps = ArenaGaps()
        var end = 0
        func rounded(_ size: Int) -> Int {
            (max(size, 1) + ArenaPlan.alignment - 1) / ArenaPlan.alignment * ArenaPlan.alignment
        }
        for (position, touched) in touches.enumerated() {
            for buffer in touched
            where buffers[buffer].source == .temporary && first[buffer] == position && offsets[buffer] == nil
            {
                let size = rounded(buffers[buffer].byteCount)
                if let place = gaps.take(size) {
                    offsets[buffer] = place
                } else {
                    offsets[buffer] = end
                    end += size
                }
            }
            for buffer in ending[position] {
                guard let offset = offsets[buffer] else { continue }
                gaps.release(offset, rounded(buffers[buffer].byteCount))
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
}
