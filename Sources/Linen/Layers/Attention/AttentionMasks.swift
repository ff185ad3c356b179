// Masks that say which position may look at which.
import TensorEngine

/// `[batch…, 1, queries, keys]`: what `pairwise` makes of each query's and each key's entry; 1 is heads. By default both must be 1.
///
/// - Parameters:
///   - query: `[batch…, queries]`, such as 1 for the positions that count and 0 for padding.
///   - key: `[batch…, keys]`.
///   - extraBatchAxes: how many axes of size 1 to put in front.
public func makeAttentionMask(
    _ query: Tensor, _ key: Tensor, pairwise: (Tensor, Tensor) throws -> Tensor = { try $0 * $1 },
    extraBatchAxes: Int = 0, dtype: DType = .float32
) throws -> Tensor {
    guard query.rank > 0, query.rank == key.rank, extraBatchAxes >= 0 else {
        throw ModuleError(
            .argument, "makeAttentionMask",
            expected: "queries and keys of one rank, 1 or more, and no negative number of axes",
            got: "\(query.type), \(key.type), extraBatchAxes \(extraBatchAxes)")
    }
    let mask = try pairwise(
        expandDims(query, axis: query.rank), expandDims(key, axis: key.rank - 1))
    let (batch, pair) = (Array(mask.shape.dropLast(2)), Array(mask.shape.suffix(2)))
    let extra = [Int](repeating: 1, count: extraBatchAxes)
    return try reshape(mask, Shape(extra + batch + [1] + pair)).astype(dtype)
}

/// `[batch…, 1, length, length]` for any `x` of shape `[batch…, length]`: 1 where the key is not after the query.
public func makeCausalMask(_ x: Tensor, extraBatchAxes: Int = 0, dtype: DType = .float32) throws -> Tensor {
    guard x.rank > 0 else {
        throw ModuleError(
            .argument, "makeCausalMask", expected: "an input of rank 1 or more", got: "\(x.type)")
    }
    let positions = try iota(.int32, shape: x.shape, dimension: x.rank - 1)
    return try makeAttentionMask(
        positions, positions, pairwise: { try greaterEqual($0, $1) }, extraBatchAxes: extraBatchAxes,
        dtype: dtype)
}

/// 1 where all masks are true; nil where there are none. All have the same rank.
public func combineMasks(_ masks: Tensor?..., dtype: DType = .float32) throws -> Tensor? {
    let given = masks.compactMap { $0 }
    guard var result = given.first else { return nil }
    for mask in given.dropFirst() {
        guard mask.rank == result.rank else {
            throw ModuleError(
                .argument, "combineMasks", expected: "masks of one rank",
                got: "\(result.type) and \(mask.type)")
        }
        result = try and(result.astype(.bool), mask.astype(.bool))
    }
    return try result.astype(dtype)
}
