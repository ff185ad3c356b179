// Pooling: windows over the spatial dimensions of `[batch…, spatial…, features]`, as flax.linen's functions of these names.
import TensorEngine

/// A reduction over windows of the spatial dimensions, which are the `windowShape.count` before the last one; those before
/// them, if any, are a batch. Padding counts as the reduction's identity.
///
/// - Parameter strides: the distance of two windows; without, 1.
public func pool(
    _ x: Tensor, _ reduction: WindowReduction, windowShape: [Int], strides: [Int]? = nil,
    padding: WindowPadding = .valid
) throws -> Tensor {
    let strides = strides ?? Array(repeating: 1, count: windowShape.count)
    let batch = x.rank - windowShape.count - 1
    guard batch >= 0, strides.count == windowShape.count else {
        throw ModuleError(
            .argument, "pool",
            expected:
                "an input of rank \(windowShape.count + 1) or more for windows \(windowShape), and as many strides",
            got: "\(x.type), strides \(strides)")
    }
    let ones = Array(repeating: 1, count: batch)
    var edges = padding
    if case .explicit(let pairs) = padding {
        edges = .explicit(Array(repeating: (low: 0, high: 0), count: batch) + pairs + [(low: 0, high: 0)])
    }
    return try reduceWindow(
        x, reduction, window: ones + windowShape + [1], strides: ones + strides + [1], padding: edges)
}

/// The largest element of each window; the first of equal ones gets the gradient.
public func maxPool(
    _ x: Tensor, windowShape: [Int], strides: [Int]? = nil, padding: WindowPadding = .valid
) throws -> Tensor {
    try pool(x, .max, windowShape: windowShape, strides: strides, padding: padding)
}

/// The smallest element of each window; the first of equal ones gets the gradient.
public func minPool(
    _ x: Tensor, windowShape: [Int], strides: [Int]? = nil, padding: WindowPadding = .valid
) throws -> Tensor {
    try pool(x, .min, windowShape: windowShape, strides: strides, padding: padding)
}

/// The mean of each window.
///
/// - Parameter countsPadding: divides by the size of the window also where it reaches into the padding (Flax's
///   `count_include_pad`); else by the number of elements it really has.
public func avgPool(
    _ x: Tensor, windowShape: [Int], strides: [Int]? = nil, padding: WindowPadding = .valid,
    countsPadding: Bool = true
) throws -> Tensor {
    let x = try x.astype(x.dtype.floating)
    let sums = try pool(x, .add, windowShape: windowShape, strides: strides, padding: padding)
    guard !countsPadding else { return try sums / Double(windowShape.reduce(1) { $0 * $1 }) }
    // One batch member and one feature suffice.
    let batch = Swift.max(x.rank - windowShape.count - 1, 0)
    var shape = x.shape
    for axis in shape.indices where axis < batch || axis == x.rank - 1 { shape[axis] = 1 }
    let counts = try pool(
        ones(shape, dtype: x.dtype), .add, windowShape: windowShape, strides: strides, padding: padding)
    return try sums / counts
}
