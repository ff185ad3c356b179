// Rearrangements that exchange, cut, repeat or shift: swapAxes, split, tile, repeated, roll, rot90, diff.

/// `x` with two dimensions exchanged.
public func swapAxes(_ x: Tensor, _ axis1: Int, _ axis2: Int) throws -> Tensor {
    let first = try x.shape.normalized(axis: axis1, for: "swapAxes")
    let second = try x.shape.normalized(axis: axis2, for: "swapAxes")
    var permutation = Array(0..<x.rank)
    permutation.swapAt(first, second)
    return try transpose(x, axes: permutation)
}

/// `x` with the dimensions `sources` moved to the positions `destinations`; the others stay in order.
public func moveAxis(_ x: Tensor, from sources: [Int], to destinations: [Int]) throws -> Tensor {
    let from = try sources.map { try x.shape.normalized(axis: $0, for: "moveAxis") }
    let to = try destinations.map { try x.shape.normalized(axis: $0, for: "moveAxis") }
    guard from.count == to.count, Set(from).count == from.count, Set(to).count == to.count else {
        throw TensorError(
            .argument, "moveAxis", expected: "as many distinct destinations as sources",
            got: "\(sources) to \(destinations)")
    }
    var permutation = (0..<x.rank).filter { !from.contains($0) }
    for (source, destination) in zip(from, to).sorted(by: { $0.1 < $1.1 }) {
        permutation.insert(source, at: destination)
    }
    return try transpose(x, axes: permutation)
}

/// `x` with new dimensions of size 1 at `axes` of the result.
public func expandDims(_ x: Tensor, axes: [Int]) throws -> Tensor {
    let rank = x.rank + axes.count
    let positions = try Shape(Array(repeating: 1, count: rank)).normalized(axes: axes, for: "expandDims")
    var dimensions = x.shape.dimensions
    for position in positions { dimensions.insert(1, at: position) }
    return try reshape(x, Shape(dimensions))
}

/// The elements of `x` in row-major order as one dimension.
public func ravel(_ x: Tensor) throws -> Tensor { try reshape(x, [x.shape.elementCount]) }

/// `x` with at least `rank` dimensions: new ones of size 1 in front.
public func atLeast(_ x: Tensor, rank: Int) throws -> Tensor {
    guard rank <= TensorLimits.largestRank else {
        throw TensorError(
            .argument, "atLeast", expected: "a rank of at most \(TensorLimits.largestRank)", got: "\(rank)")
    }
    let missing = rank > x.rank ? rank - x.rank : 0
    return try reshape(x, Shape(Array(repeating: 1, count: missing) + x.shape.dimensions))
}

/// `x` cut along `axis` before each of the positions `indices`; negative ones count from the end.
public func split(_ x: Tensor, at indices: [Int], axis: Int = 0) throws -> [Tensor] {
    let axis = try x.shape.normalized(axis: axis, for: "split")
    let size = x.shape[axis]
    let bounds = [0] + indices.map { min(max($0 < 0 ? $0 + size : $0, 0), size) } + [size]
    return try zip(bounds, bounds.dropFirst()).map { start, end in
        try slice(x, axis: axis, start..<max(start, end))
    }
}

/// `x` cut along `axis` into `count` parts of one size.
public func split(_ x: Tensor, into count: Int, axis: Int = 0) throws -> [Tensor] {
    let axis = try x.shape.normalized(axis: axis, for: "split")
    // Nothing can be cut into any number of parts, but there are bounds to what an array of parts can hold.
    guard count > 0, x.shape[axis] % count == 0, count <= Swift.max(x.shape[axis], 1 << 16) else {
        throw TensorError(
            .shape, "split",
            expected: "a number of parts that divides the size \(x.shape[axis]) of axis \(axis)",
            got: "\(count)")
    }
    let part = x.shape[axis] / count
    return try (0..<count).map { try slice(x, axis: axis, $0 * part..<($0 + 1) * part) }
}

/// The product of two sizes, or an error where no array could be that large.
private func checkedSize(_ a: Int, _ b: Int, for operation: String) throws -> Int {
    let (size, overflow) = a.multipliedReportingOverflow(by: b)
    guard !overflow, size >= 0, size <= TensorLimits.largestByteCount else {
        throw TensorError(
            .argument, operation, expected: "counts of 0 or more that fit memory", got: "\(a) · \(b)")
    }
    return size
}

/// `x` side by side `repetitions[k]` times along each dimension; the shorter of shape and repetitions is filled with ones in front.
public func tile(_ x: Tensor, _ repetitions: [Int]) throws -> Tensor {
    let x = try atLeast(x, rank: repetitions.count)
    let counts = Array(repeating: 1, count: x.rank - repetitions.count) + repetitions
    var result = x
    for (axis, count) in counts.enumerated() where count != 1 {
        // [before, count, size, after], the count merged with the size.
        var shape = result.shape.dimensions
        let total = try checkedSize(shape[axis], count, for: "tile")
        let (before, after) = (shape[..<axis].reduce(1, *), shape[(axis + 1)...].reduce(1, *))
        let split = try reshape(result, [before, 1, shape[axis], after])
        let repeated = try broadcastTo(split, [before, count, shape[axis], after])
        shape[axis] = total
        result = try reshape(repeated, Shape(shape))
    }
    return result
}

/// Each element (slice) of `x` `count` times in a row along `axis`; without an axis, of all elements in row-major order.
public func repeated(_ x: Tensor, _ count: Int, axis: Int? = nil) throws -> Tensor {
    let source = axis == nil ? try ravel(x) : x
    let axis = try source.shape.normalized(axis: axis ?? 0, for: "repeated")
    var shape = source.shape.dimensions
    let total = try checkedSize(shape[axis], count, for: "repeated")
    let (before, after) = (shape[..<axis].reduce(1, *), shape[(axis + 1)...].reduce(1, *))
    let split = try reshape(source, [before, shape[axis], 1, after])
    let copies = try broadcastTo(split, [before, shape[axis], count, after])
    shape[axis] = total
    return try reshape(copies, Shape(shape))
}

/// Slice `k` of `x` along `axis` `counts[k]` times in a row.
public func repeated(_ x: Tensor, _ counts: [Int], axis: Int) throws -> Tensor {
    let axis = try x.shape.normalized(axis: axis, for: "repeated")
    guard counts.count == x.shape[axis], counts.allSatisfy({ $0 >= 0 }) else {
        throw TensorError(
            .argument, "repeated", expected: "\(x.shape[axis]) counts of 0 or more",
            got: "\(counts.count) counts")
    }
    var total = 0
    for count in counts { total = try checkedSize(total &+ count, 1, for: "repeated") }
    guard total <= Int(Int32.max) else {
        throw TensorError(.resource, "repeated", expected: "less than 2³¹ slices", got: "\(total)")
    }
    let sources = counts.enumerated().flatMap {
        Array(repeating: Int32(truncatingIfNeeded: $0.offset), count: $0.element)
    }
    return try take(x, Tensor(sources), axis: axis, mode: .clamp)
}

/// `x` with elements moved on by `shifts[k]` along `axes[k]`; what leaves at the end comes back in front.
public func roll(_ x: Tensor, shifts: [Int], axes: [Int]) throws -> Tensor {
    guard shifts.count == axes.count else {
        throw TensorError(.argument, "roll", expected: "a shift for each of \(axes)", got: "\(shifts)")
    }
    var result = x
    for (shift, axis) in zip(shifts, axes) {
        let axis = try x.shape.normalized(axis: axis, for: "roll")
        let size = x.shape[axis]
        guard size > 0 else { continue }
        let remainder = shift % size
        let moved = remainder < 0 ? remainder + size : remainder
        guard moved > 0 else { continue }
        result = try concatenate(
            [
                slice(result, axis: axis, (size - moved)..<size),
                slice(result, axis: axis, 0..<(size - moved)),
            ], axis: axis)
    }
    return result
}

/// `x` with elements moved on by `shift` along `axis`; without an axis, in row-major order over all dimensions.
public func roll(_ x: Tensor, shift: Int, axis: Int? = nil) throws -> Tensor {
    if let axis { return try roll(x, shifts: [shift], axes: [axis]) }
    return try reshape(roll(ravel(x), shifts: [shift], axes: [0]), x.shape)
}

/// `x` turned by `k` quarter circles in the plane of two axes, from the first towards the second.
public func rot90(_ x: Tensor, k: Int = 1, axes: (Int, Int) = (0, 1)) throws -> Tensor {
    let first = try x.shape.normalized(axis: axes.0, for: "rot90")
    let second = try x.shape.normalized(axis: axes.1, for: "rot90")
    guard first != second else {
        throw TensorError(.argument, "rot90", expected: "two axes", got: "\(axes.0) and \(axes.1)")
    }
    switch ((k % 4) + 4) % 4 {
    case 1: return try swapAxes(flip(x, axes: [second]), first, second)
    case 2: return try flip(x, axes: [first, second])
    case 3: return try flip(swapAxes(x, first, second), axes: [second])
    default: return x
    }
}

/// The differences of neighbours along `axis`, `order` times over. bool gives whether they differ.
public func diff(_ x: Tensor, order: Int = 1, axis: Int = -1) throws -> Tensor {
    let axis = try x.shape.normalized(axis: axis, for: "diff")
    guard order >= 0 else {
        throw TensorError(.argument, "diff", expected: "an order of 0 or more", got: "\(order)")
    }
    var result = x
    for _ in 0..<Swift.min(order, x.shape[axis]) {
        let size = result.shape[axis]
        let (next, last) = (
            try slice(result, axis: axis, Swift.min(1, size)..<size),
            try slice(result, axis: axis, 0..<Swift.max(size - 1, 0))
        )
        result = x.dtype == .bool ? try notEqual(next, last) : try next - last
    }
    return result
}

/// `cases[which]`, element by element; `which` is bool (false: the first case) or int32, of the cases' shape or a scalar. An index
/// outside gives the first or the last case (lax.select_n).
public func selectN(_ which: Tensor, _ cases: [Tensor]) throws -> Tensor {
    guard var result = cases.last, cases.allSatisfy({ $0.type == result.type }),
        which.dtype == .bool || which.dtype == .int32,
        which.rank == 0 || which.shape == result.shape, which.dtype != .bool || cases.count <= 2
    else {
        throw TensorError(
            .argument, "selectN",
            expected:
                "cases of one type and shape, and bool (for two) or int32 numbers of that shape or a scalar",
            got: "\(which.type) for \(cases.map(\.type))")
    }
    let number = try which.astype(.int32)
    for (k, choice) in cases.enumerated().dropLast().reversed() {
        result = try select(lessEqual(number, k), choice, result)
    }
    return result
}
