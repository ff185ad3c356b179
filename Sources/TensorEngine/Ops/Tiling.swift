// Rearrangements that repeat, shift or cut: swapAxes, split, tile, repeat, roll, rot90.

/// `x` with two dimensions exchanged.
public func swapAxes(_ x: Tensor, _ axis1: Int, _ axis2: Int) throws -> Tensor {
    let first = try x.shape.normalized(axis: axis1, for: "swapAxes")
    let second = try x.shape.normalized(axis: axis2, for: "swapAxes")
    var permutation = Array(0..<x.rank)
    permutation.swapAt(first, second)
    return try transpose(x, axes: permutation)
}
