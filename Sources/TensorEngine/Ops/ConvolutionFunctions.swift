// Convolutions as they are called: general, transposed, with kernels of their own for each place; patches.

/// A convolution (lax.conv_general_dilated): the operands are promoted to one type, float16 and bfloat16 are summed in
/// float32 and rounded once.
///
/// - Parameters:
///   - lhs: the input, `[batch, features, spatial…]` in the order that `dimensionNumbers` says.
///   - rhs: the kernel, `[output features, input features / featureGroupCount, spatial…]` likewise. It is not flipped.
///   - strides: the distance of two windows, one for each spatial dimension.
///   - lhsDilation: the distance of two input elements (1 without holes); needs explicit padding.
///   - rhsDilation: the distance of two kernel elements.
///   - dimensionNumbers: without, NCHW and OIHW.
///   - featureGroupCount: groups of features that are convolved on their own.
///   - batchGroupCount: groups of the batch, each convolved with its part of the output features.
public func convGeneralDilated(
    _ lhs: Tensor, _ rhs: Tensor, strides: [Int], padding: WindowPadding = .valid, lhsDilation: [Int]? = nil,
    rhsDilation: [Int]? = nil, dimensionNumbers: ConvDimensionNumbers? = nil, featureGroupCount: Int = 1,
    batchGroupCount: Int = 1
) throws -> Tensor {
    let operation = "convGeneralDilated"
    let numbers = dimensionNumbers ?? .channelsFirst(rank: lhs.rank)
    let spatial = try checkConvolution(lhs, rhs, numbers, for: operation)
    let (holes, dilation) = (
        lhsDilation ?? Array(repeating: 1, count: spatial), rhsDilation ?? Array(repeating: 1, count: spatial)
    )
    try WindowArithmetic.check(strides, "strides", rank: spatial, least: 1, for: operation)
    try WindowArithmetic.check(dilation, "kernel dilations", rank: spatial, least: 1, for: operation)
    if case .explicit = padding {
    } else if case .valid = padding {
    } else if holes.contains(where: { $0 != 1 }) {
        throw TensorError(
            .argument, operation, expected: "explicit padding for an input with holes", got: "\(padding)",
            fix: "Give the padding in numbers, or use convTranspose.")
    }
    let windows = zip(numbers.rhs.dropFirst(2), dilation).map {
        WindowArithmetic.dilated(rhs.shape[$0], $1)
    }
    let pairs = try padding.resolved(
        numbers.lhs.dropFirst(2).map { lhs.shape[$0] }, windows: windows, strides: strides, for: operation)
    let dtype = DType.promote(lhs.dtype, rhs.dtype)
    let computed = dtype.isHalfPrecision ? .float32 : dtype == .bool ? .int32 : dtype
    let convolution = ConvGeneralDilated(
        strides: strides, low: pairs.map(\.low), high: pairs.map(\.high), lhsDilation: holes,
        rhsDilation: dilation, numbers: numbers, featureGroups: featureGroupCount,
        batchGroups: batchGroupCount)
    return try convolution(try lhs.astype(computed), try rhs.astype(computed)).astype(dtype)
}

/// The number of spatial dimensions, after a check of ranks and dimension numbers, on which indexing relies.
private func checkConvolution(
    _ lhs: Tensor, _ rhs: Tensor, _ numbers: ConvDimensionNumbers, for operation: String
) throws -> Int {
    let axes = Array(0..<lhs.rank)
    guard (2...5).contains(lhs.rank), rhs.rank == lhs.rank,
        [numbers.lhs, numbers.rhs, numbers.out].allSatisfy({ $0.sorted() == axes })
    else {
        throw TensorError(
            .shape, operation,
            expected: "input and kernel of one rank from 2 to 5, and dimension numbers for it",
            got: "\(lhs.type) and \(rhs.type), \(numbers)")
    }
    for tensor in [lhs, rhs] {
        try WindowArithmetic.check(
            tensor.shape.dimensions, "sizes", rank: lhs.rank, least: 0, for: operation)
    }
    return lhs.rank - 2
}

/// A transposed convolution (lax.conv_transpose): the input is spread by `strides` and convolved with the kernel.
///
/// - Parameters:
///   - padding: `same` and `valid` as the convolution that this one is the transpose of; explicit numbers are those of the
///     convolution over the spread input.
///   - dimensionNumbers: without, NHWC and HWIO.
///   - transposeKernel: flips the kernel and exchanges its features: with the kernel of a convolution, its true transpose.
public func convTranspose(
    _ lhs: Tensor, _ rhs: Tensor, strides: [Int], padding: WindowPadding, rhsDilation: [Int]? = nil,
    dimensionNumbers: ConvDimensionNumbers? = nil, transposeKernel: Bool = false
) throws -> Tensor {
    let operation = "convTranspose"
    var numbers = dimensionNumbers ?? .channelsLast(rank: Swift.max(lhs.rank, 2))
    let spatial = try checkConvolution(lhs, rhs, numbers, for: operation)
    let dilation = rhsDilation ?? Array(repeating: 1, count: spatial)
    try WindowArithmetic.check(strides, "strides", rank: spatial, least: 1, for: operation)
    try WindowArithmetic.check(dilation, "kernel dilations", rank: spatial, least: 1, for: operation)
    let pairs: [(low: Int, high: Int)]
    switch padding {
    case .explicit(let given): pairs = given
    case .sameLower:
        throw TensorError(
            .argument, operation, expected: "same, valid or explicit padding", got: "sameLower")
    case .same, .valid:
        pairs = zip(numbers.rhs.dropFirst(2), zip(dilation, strides)).map { axis, step in
            let (window, stride) = (WindowArithmetic.dilated(rhs.shape[axis], step.0), step.1)
            var total = window + stride - 2
            var low = window - 1
            if case .valid = padding {
                total += Swift.max(window - stride, 0)
            } else if stride <= window - 1 {
                low = (total + 1) / 2
            }
            return (low, total - low)
        }
    }
    var kernel = rhs
    if transposeKernel {
        kernel = try flip(rhs, axes: Array(numbers.rhs.dropFirst(2)))
        numbers.rhs.swapAt(0, 1)
    }
    return try convGeneralDilated(
        lhs, kernel, strides: Array(repeating: 1, count: spatial), padding: .explicit(pairs),
        lhsDilation: strides, rhsDilation: dilation, dimensionNumbers: numbers)
}

/// The windows of `x` (channels last: `[batch, spatial…, features]`) as features: `[batch, windows…, features · elements]`, an
/// input feature's elements beside each other (lax.conv_general_dilated_patches).
public func convGeneralDilatedPatches(
    _ x: Tensor, window: [Int], strides: [Int], padding: WindowPadding, lhsDilation: [Int]? = nil,
    rhsDilation: [Int]? = nil
) throws -> Tensor {
    let around = { (values: [Int]) in [1] + values + [1] }
    let ones = Array(repeating: 1, count: window.count)
    var edges = padding
    if case .explicit(let pairs) = padding { edges = .explicit([(0, 0)] + pairs + [(0, 0)]) }
    let slider = try WindowSlider(
        x.shape, window: around(window), strides: around(strides), padding: edges,
        dilation: around(lhsDilation ?? ones), windowDilation: around(rhsDilation ?? ones),
        for: "convGeneralDilatedPatches")
    let patches = try stack(slider.taps(of: x, fill: 0), axis: -1)
    return try reshape(
        patches,
        Shape(patches.shape.dropLast(2) + [patches.shape[patches.rank - 2] * patches.shape[patches.rank - 1]])
    )
}

/// A convolution with a kernel of its own at each place (lax.conv_general_dilated_local), channels last.
///
/// - Parameter rhs: `[windows…, input features · elements, output features]`, the elements of a window beside each other.
public func convGeneralDilatedLocal(
    _ lhs: Tensor, _ rhs: Tensor, window: [Int], strides: [Int], padding: WindowPadding,
    lhsDilation: [Int]? = nil, rhsDilation: [Int]? = nil
) throws -> Tensor {
    let patches = try convGeneralDilatedPatches(
        lhs, window: window, strides: strides, padding: padding, lhsDilation: lhsDilation,
        rhsDilation: rhsDilation)
    guard rhs.rank == patches.rank else {
        throw TensorError(
            .shape, "convGeneralDilatedLocal", expected: "a kernel of rank \(patches.rank)",
            got: "\(rhs.type)")
    }
    let places = Array(1..<(patches.rank - 1))
    // [places…, batch, features]
    let product = try dotGeneral(
        patches, rhs, contracting: ([patches.rank - 1], [rhs.rank - 2]),
        batch: (places, places.map { $0 - 1 }))
    return try moveAxis(product, from: places.count, to: 0)
}
