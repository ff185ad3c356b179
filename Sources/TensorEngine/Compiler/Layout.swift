// Where a value lies: a buffer, an offset and strides. Views share their operand's buffer.

/// How the elements of a value are found in a buffer of the plan.
public struct Layout: Sendable, Hashable {
    /// The buffer's number in the plan.
    var base: Int
    /// Of the first element, in elements.
    var offset: Int
    /// Of each dimension, in elements; 0 repeats, negative runs backwards.
    var strides: [Int]

    init(base: Int, offset: Int, strides: [Int]) {
        self.base = base
        self.offset = offset
        self.strides = strides
    }

    init(base: Int, dense shape: Shape) {
        self.init(base: base, offset: 0, strides: shape.denseStrides)
    }

    /// True where the elements lie in row-major order without gaps. Dimensions of size 1 do not matter.
    func isDense(_ shape: Shape) -> Bool {
        shape.elementCount == 0
            || zip(shape, zip(strides, shape.denseStrides)).allSatisfy { $0 == 1 || $1.0 == $1.1 }
    }

    /// The layout of the same elements under another shape, or nil where no strides describe it.
    func reshaped(from old: Shape, to new: Shape) -> Layout? {
        if isDense(old) { return Layout(base: base, offset: offset, strides: new.denseStrides) }
        // Match groups of old dimensions with groups of new ones that hold the same number of elements; inside a group the old
        // dimensions must be one run.
        let olds = zip(old, strides).filter { $0.0 != 1 }
        var result = [Int](repeating: 0, count: new.rank)
        var (i, j) = (0, 0)
        while i < olds.count {
            var (oldCount, newCount) = (olds[i].0, 1)
            let firstOld = i
            let firstNew = j
            i += 1
            while j < new.rank, newCount < oldCount || (newCount == oldCount && new[j] == 1) {
                newCount *= new[j]
                j += 1
                while newCount > oldCount, i < olds.count {
                    oldCount *= olds[i].0
                    i += 1
                }
            }
            guard oldCount == newCount else { return nil }
            for k in firstOld..<(i - 1) where olds[k].1 != olds[k + 1].1 * olds[k + 1].0 { return nil }
            var stride = olds[i - 1].1
            for k in (firstNew..<j).reversed() {
                result[k] = stride
                stride *= new[k]
            }
        }
        return Layout(base: base, offset: offset, strides: result)
    }
}

/// A shape seen as `[outer, count, inner]` around one axis.
struct AxisSplit {
    let outer: Int64
    let count: Int64
    let inner: Int64

    init(_ shape: Shape, axis: Int) {
        outer = Int64(shape[..<axis].reduce(1, *))
        count = Int64(shape[axis])
        inner = Int64(shape[(axis + 1)...].reduce(1, *))
    }
}
