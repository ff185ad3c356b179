// associativeScan: running combinations of an associative function, in a logarithmic number of steps.

/// The running combinations `x0, f(x0, x1), f(f(x0, x1), x2), …` along axis 0 of every tensor of `elements`, for an associative
/// `combine` that works on whole arrays (lax.associative_scan): pairs are combined, then the pairs of pairs, and so on, so
/// that there are about 2·log₂(n) calls.
public func associativeScan<Elements: TensorTree>(
    _ combine: (Elements, Elements) throws -> Elements, _ elements: Elements, reverse: Bool = false
) throws -> Elements {
    let leaves = elements.leaves
    guard let count = leaves.first?.shape.first, leaves.allSatisfy({ $0.shape.first == count }) else {
        throw TensorError(
            .shape, "associativeScan", expected: "tensors with leading axes of one size",
            got: "\(leaves.map(\.type))")
    }
    guard !reverse else {
        let flipped = try elements.mapLeaves { try flip($0, axes: [0]) }
        return try associativeScan(combine, flipped).mapLeaves { try flip($0, axes: [0]) }
    }
    func rows(_ tree: Elements, from start: Int, to limit: Int, by step: Int = 1) throws -> Elements {
        try tree.mapLeaves { x in
            let inner = x.shape.dropFirst()
            return try slice(
                x, starts: [start] + inner.map { _ in 0 }, limits: [limit] + inner,
                strides: [step] + inner.map { _ in 1 })
        }
    }
    func running(_ tree: Elements, _ count: Int) throws -> Elements {
        guard count >= 2 else { return tree }
        let pairs = try combine(
            rows(tree, from: 0, to: count - 1, by: 2), rows(tree, from: 1, to: count, by: 2))
        // The running combinations at odd places; each even place has one element more than the odd place before it.
        let odd = try running(pairs, count / 2)
        let previous = count % 2 == 0 ? try rows(odd, from: 0, to: count / 2 - 1) : odd
        let following = try rows(tree, from: 2, to: count, by: 2)
        let combined = count > 2 ? try combine(previous, following) : following
        let even = try rows(tree, from: 0, to: 1).mapLeaves(combined) { try concatenate([$0, $1], axis: 0) }
        return try even.mapLeaves(odd) { try interleave($0, $1, count: count) }
    }
    return try running(elements, count)
}

/// `even` at places 0, 2, …, `odd` at places 1, 3, …
private func interleave(_ even: Tensor, _ odd: Tensor, count: Int) throws -> Tensor {
    let padding = even.shape[0] - odd.shape[0]
    let last = try slice(
        even, starts: [even.shape[0] - padding] + even.shape.dropFirst().map { _ in 0 },
        limits: even.shape.dimensions)
    let complete = padding > 0 ? try concatenate([odd, last], axis: 0) : odd
    let pairs = try stack([even, complete], axis: 1)
    let merged = try reshape(pairs, Shape([2 * even.shape[0]] + even.shape.dropFirst()))
    return try slice(
        merged, starts: merged.shape.map { _ in 0 }, limits: [count] + merged.shape.dropFirst())
}
