// Reductions over axes: sums, products, extrema and their positions, logic; softmax.
import CKernels

/// What reductions over axes have in common: shape rule, batching, and the kernel on `[outer, count, inner]`.
protocol Reduction: Primitive {
    var axes: [Int] { get }
    var kernel: spk_reduction { get }
    /// The result's type where it is not the operand's.
    var result: DType? { get }
    func with(axes: [Int]) -> Self
    func check(_ input: TensorType) throws
}

extension Reduction {
    var result: DType? { nil }
    func check(_ input: TensorType) throws {}

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        guard axes == axes.sorted(), axes.allSatisfy(inputs[0].shape.indices.contains) else {
            throw TensorError(
                .argument, name, expected: "ascending axes of \(inputs[0].shape)", got: "\(axes)")
        }
        try check(inputs[0])
        return [TensorType(result ?? inputs[0].dtype, inputs[0].shape.removing(axes: axes))]
    }

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        let lifted = inputs[0].isMapped ? with(axes: axes.map { $0 + 1 }) : self
        return [Batched(try lifted(inputs[0].tensor), isMapped: inputs[0].isMapped)]
    }

    var lowering: LoweringRule {
        .kernel { builder, inputs, outputs in
            builder.reduce(inputs[0], over: axes, kernel, to: outputs[0])
        }
    }
}

extension StableHLORule {
    /// A reduction by an operation with this identity; half precision in float32, rounded once.
    fileprivate static func reduction(
        _ axes: [Int], _ operation: String, _ identity: StableHLOWriter.Identity
    ) -> StableHLORule {
        .custom { writer, equation in
            let dtype = equation.results[0].dtype
            let wide = writer.convert(equation.operands[0], to: dtype.accumulation)
            let result = try writer.reduce(wide, axes: axes, operation, identity)
            return [writer.convert(result, to: dtype)]
        }
    }
}

/// The sum over axes.
struct ReduceSum: Reduction {
    let axes: [Int]
    var name: String { "reduceSum" }
    var kernel: spk_reduction { SPK_REDUCE_SUM }
    func with(axes: [Int]) -> ReduceSum { ReduceSum(axes: axes) }
    var stableHLO: StableHLORule { .reduction(axes, "stablehlo.add", .zero) }

    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        ([try self(primals[0])], [try tangents[0].map { try self($0) }])
    }

    func transpose(_ cotangents: [Tensor?], _ operands: [LinearOperand]) throws -> [Tensor?] {
        let shape = operands[0].type.shape
        let kept = shape.indices.filter { !axes.contains($0) }
        return [try cotangents[0].map { try broadcastInDim($0, shape: shape, dimensions: kept) }]
    }
}

/// The largest or smallest element over axes; NaN wins.
struct ReduceExtremum: Reduction {
    let axes: [Int]
    let isMaximum: Bool
    var name: String { isMaximum ? "reduceMax" : "reduceMin" }
    var kernel: spk_reduction { isMaximum ? SPK_REDUCE_MAX : SPK_REDUCE_MIN }
    func with(axes: [Int]) -> ReduceExtremum { ReduceExtremum(axes: axes, isMaximum: isMaximum) }

    func check(_ input: TensorType) throws {
        guard axes.allSatisfy({ input.shape[$0] > 0 }) else {
            throw TensorError(
                .shape, name, expected: "at least one element along axes \(axes)", got: "\(input)")
        }
    }

    var stableHLO: StableHLORule {
        isMaximum
            ? .reduction(axes, "stablehlo.maximum", .lowest)
            : .reduction(axes, "stablehlo.minimum", .highest)
    }

    /// All elements equal to the extremum share its tangent.
    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        let x = primals[0]
        let y = try self(x)
        guard let tangent = tangents[0] else { return ([y], [nil]) }
        let kept = x.shape.indices.filter { !axes.contains($0) }
        let isExtremum = try equal(x, broadcastInDim(y, shape: x.shape, dimensions: kept)).astype(x.dtype)
        let count = try ReduceSum(axes: axes)(isExtremum)
        return ([y], [try ReduceSum(axes: axes)(try tangent * isExtremum) / count])
    }
}

/// The product over axes.
struct ReduceProduct: Reduction {
    let axes: [Int]
    var name: String { "reduceProd" }
    var kernel: spk_reduction { SPK_REDUCE_PROD }
    func with(axes: [Int]) -> ReduceProduct { ReduceProduct(axes: axes) }
    var stableHLO: StableHLORule { .reduction(axes, "stablehlo.multiply", .one) }

    /// The product rule along a tree of halves, so that zeros among the factors need no division.
    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        let x = primals[0]
        let y = try self(x)
        guard let tangent = tangents[0] else { return ([y], [nil]) }
        var (factors, directions) = (try line(x), try line(tangent))
        guard let last = factors.shape.last, last > 0 else { return ([y], [nil]) }
        let axis = factors.rank - 1
        while factors.shape[axis] > 1 {
            let count = factors.shape[axis]
            let half = count / 2
            func part(_ x: Tensor, _ range: Range<Int>) throws -> Tensor {
                try slice(x, axis: axis, range)
            }
            let (a, b) = (try part(factors, 0..<half), try part(factors, half..<(2 * half)))
            let (da, db) = (try part(directions, 0..<half), try part(directions, half..<(2 * half)))
            var (products, slopes) = ([try a * b], [try da * b + a * db])
            if count > 2 * half {
                products.append(try part(factors, (2 * half)..<count))
                slopes.append(try part(directions, (2 * half)..<count))
            }
            (factors, directions) = (
                try concatenate(products, axis: axis), try concatenate(slopes, axis: axis)
            )
        }
        return ([y], [try reshape(directions, y.shape).astype(y.dtype)])
    }

    /// The reduced axes as one last axis; half precision is multiplied in float32.
    private func line(_ x: Tensor) throws -> Tensor {
        let kept = x.shape.indices.filter { !axes.contains($0) }
        let count = axes.reduce(1) { $0 * x.shape[$1] }
        return try reshape(
            TensorEngine.transpose(x.astype(x.dtype.accumulation), axes: kept + axes),
            Shape(kept.map { x.shape[$0] } + [count]))
    }
}

/// And, or, exclusive or over axes: of conditions, or of integers bit by bit.
struct ReduceLogical: Reduction {
    enum Kind: Sendable { case and, or, xor }

    let axes: [Int]
    let kind: Kind

    var name: String {
        switch kind {
        case .and: "reduceAnd"
        case .or: "reduceOr"
        case .xor: "reduceXor"
        }
    }

    var kernel: spk_reduction {
        switch kind {
        case .and: SPK_REDUCE_AND
        case .or: SPK_REDUCE_OR
        case .xor: SPK_REDUCE_XOR
        }
    }

    func with(axes: [Int]) -> ReduceLogical { ReduceLogical(axes: axes, kind: kind) }

    var stableHLO: StableHLORule {
        switch kind {
        case .and: .reduction(axes, "stablehlo.and", .allBits)
        case .or: .reduction(axes, "stablehlo.or", .zero)
        case .xor: .reduction(axes, "stablehlo.xor", .zero)
        }
    }

    func check(_ input: TensorType) throws {
        guard !input.dtype.isFloating else {
            throw TensorError(.dtype, name, expected: "bool or integers", got: "\(input)")
        }
    }
}

/// The position of the first extremum along one axis, as int32; of the first NaN, if there is one.
struct ArgExtremum: Reduction {
    let axes: [Int]
    let isMaximum: Bool
    var name: String { isMaximum ? "argmax" : "argmin" }
    var kernel: spk_reduction { isMaximum ? SPK_REDUCE_ARGMAX : SPK_REDUCE_ARGMIN }
    var result: DType? { .int32 }
    func with(axes: [Int]) -> ArgExtremum { ArgExtremum(axes: axes, isMaximum: isMaximum) }

    /// The lowest index of what equals the extremum, or is no number.
    var stableHLO: StableHLORule {
        .composite { operands in
            let x = operands[0]
            let extremum = try ReduceExtremum(axes: axes, isMaximum: isMaximum)(x)
            let kept = x.shape.indices.filter { !axes.contains($0) }
            let spread = try broadcastInDim(extremum, shape: x.shape, dimensions: kept)
            let isFound = try or(equal(x, spread), isNaN(x))
            let index = try select(
                isFound, iota(.int32, shape: x.shape, dimension: axes[0]), x.shape[axes[0]])
            return [try ReduceExtremum(axes: axes, isMaximum: false)(index)]
        }
    }

    func check(_ input: TensorType) throws {
        guard axes.count == 1, input.shape[axes[0]] > 0, input.shape[axes[0]] <= Int(Int32.max) else {
            throw TensorError(
                .shape, name, expected: "one axis with at least one element", got: "axes \(axes) of \(input)")
        }
    }

    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        ([try self(primals[0])], [nil])
    }
}

// MARK: - The functions

/// Applies a reduction over `axes` (all of them without), and keeps them with size 1 on request.
private func reduce(
    _ x: Tensor, _ axes: [Int]?, keepDims: Bool, _ operation: String, _ body: (Tensor, [Int]) throws -> Tensor
) throws -> Tensor {
    let axes = try x.shape.normalized(axes: axes ?? Array(x.shape.indices), for: operation)
    let result = try body(x, axes)
    guard keepDims else { return result }
    return try reshape(result, Shape(x.shape.enumerated().map { axes.contains($0.offset) ? 1 : $0.element }))
}

/// The sum over `axes` (all without). bool and small integers are summed as 32-bit integers.
public func sum(_ x: Tensor, axes: [Int]? = nil, keepDims: Bool = false) throws -> Tensor {
    try reduce(x, axes, keepDims: keepDims, "sum") {
        try ReduceSum(axes: $1)(try $0.astype($0.dtype.sumResult))
    }
}

/// The largest element over `axes` (all without); NaN wins, and equal ones share the gradient.
public func max(_ x: Tensor, axes: [Int]? = nil, keepDims: Bool = false) throws -> Tensor {
    try reduce(x, axes, keepDims: keepDims, "max") { try ReduceExtremum(axes: $1, isMaximum: true)($0) }
}

/// The smallest element over `axes` (all without); NaN wins, and equal ones share the gradient.
public func min(_ x: Tensor, axes: [Int]? = nil, keepDims: Bool = false) throws -> Tensor {
    try reduce(x, axes, keepDims: keepDims, "min") { try ReduceExtremum(axes: $1, isMaximum: false)($0) }
}

/// The product over `axes` (all without).
public func prod(_ x: Tensor, axes: [Int]? = nil, keepDims: Bool = false) throws -> Tensor {
    try reduce(x, axes, keepDims: keepDims, "prod") {
        try ReduceProduct(axes: $1)(try $0.astype($0.dtype.sumResult))
    }
}

/// Whether all elements are true (nonzero) over `axes` (all without).
public func all(_ x: Tensor, axes: [Int]? = nil, keepDims: Bool = false) throws -> Tensor {
    try reduce(x.astype(.bool), axes, keepDims: keepDims, "all") {
        try ReduceLogical(axes: $1, kind: .and)($0)
    }
}

/// Whether any element is true (nonzero) over `axes` (all without).
public func any(_ x: Tensor, axes: [Int]? = nil, keepDims: Bool = false) throws -> Tensor {
    try reduce(x.astype(.bool), axes, keepDims: keepDims, "any") {
        try ReduceLogical(axes: $1, kind: .or)($0)
    }
}

/// The bitwise and of integers, or the logical one of conditions, over `axes` (all without).
public func reduceAnd(_ x: Tensor, axes: [Int]? = nil, keepDims: Bool = false) throws -> Tensor {
    try reduce(x, axes, keepDims: keepDims, "reduceAnd") { try ReduceLogical(axes: $1, kind: .and)($0) }
}

/// The bitwise or of integers, or the logical one of conditions, over `axes` (all without).
public func reduceOr(_ x: Tensor, axes: [Int]? = nil, keepDims: Bool = false) throws -> Tensor {
    try reduce(x, axes, keepDims: keepDims, "reduceOr") { try ReduceLogical(axes: $1, kind: .or)($0) }
}

/// The bitwise exclusive or of integers, or the logical one of conditions, over `axes` (all without).
public func reduceXor(_ x: Tensor, axes: [Int]? = nil, keepDims: Bool = false) throws -> Tensor {
    try reduce(x, axes, keepDims: keepDims, "reduceXor") { try ReduceLogical(axes: $1, kind: .xor)($0) }
}

/// The index of the first largest element along `axis`, or of the first NaN, int32.
public func argmax(_ x: Tensor, axis: Int = -1, keepDims: Bool = false) throws -> Tensor {
    try reduce(x, [axis], keepDims: keepDims, "argmax") { try ArgExtremum(axes: $1, isMaximum: true)($0) }
}

/// The index of the first smallest element along `axis`, or of the first NaN, int32.
public func argmin(_ x: Tensor, axis: Int = -1, keepDims: Bool = false) throws -> Tensor {
    try reduce(x, [axis], keepDims: keepDims, "argmin") { try ArgExtremum(axes: $1, isMaximum: false)($0) }
}

// MARK: - Exponentials

/// log(Σ `weights` · eˣ) over `axes` (all without), without overflow; -inf where there is nothing to add.
///
/// - Parameter weights: factors of the exponentials, broadcast with `x`; 1 without. Where their sum is negative the result is
///   NaN.
public func logSumExp(
    _ x: Tensor, axes: [Int]? = nil, weights: Tensor? = nil, keepDims: Bool = false
) throws -> Tensor {
    var x = try x.astype(x.dtype.floating)
    var weights = weights
    if let given = weights {
        let (a, b) = try broadcastOperands(x, given, for: "logSumExp", .floats)
        // What counts for nothing must not be the largest either.
        x = try select(notEqual(b, 0), a, full([], -.infinity, dtype: a.dtype))
        weights = b
    }
    let axes = try x.shape.normalized(axes: axes ?? Array(x.shape.indices), for: "logSumExp")
    guard axes.allSatisfy({ x.shape[$0] > 0 }) else {
        return try log(sum(x, axes: axes, keepDims: keepDims))
    }
    let largest = try max(x, axes: axes, keepDims: true)
    // An infinite maximum would give inf - inf.
    let shift = try stopGradient(select(isFinite(largest), largest, zerosLike(largest)))
    var terms = try exp(x - shift)
    if let weights { terms = try terms * weights }
    let result = try log(sum(terms, axes: axes, keepDims: true)) + shift
    return keepDims ? result : try squeeze(result, axes: axes)
}

/// The logarithm of the mean of eˣ over `axes` (all without), without overflow.
public func logMeanExp(_ x: Tensor, axes: [Int]? = nil, keepDims: Bool = false) throws -> Tensor {
    let reduced = try x.shape.normalized(axes: axes ?? Array(x.shape.indices), for: "logMeanExp")
    let count = try full([], Double(reduced.reduce(1) { $0 * x.shape[$1] }), dtype: x.dtype.floating)
    return try logSumExp(x, axes: axes, keepDims: keepDims) - log(count)
}

/// eˣ / Σ eˣ along `axis`.
public func softmax(_ x: Tensor, axis: Int = -1) throws -> Tensor { try softmax(x, axes: [axis]) }

/// eˣ / Σ eˣ, the sum over all of `axes`.
public func softmax(_ x: Tensor, axes: [Int]) throws -> Tensor {
    guard x.shape.elementCount > 0 else { return try x.astype(x.dtype.floating) }
    let unnormalized = try exp(x - stopGradient(max(x, axes: axes, keepDims: true)))
    return try unnormalized / sum(unnormalized, axes: axes, keepDims: true)
}

/// log(softmax(x)) along `axis`.
public func logSoftmax(_ x: Tensor, axis: Int = -1) throws -> Tensor { try logSoftmax(x, axes: [axis]) }

/// log(softmax(x)), the sum over all of `axes`.
public func logSoftmax(_ x: Tensor, axes: [Int]) throws -> Tensor {
    guard x.shape.elementCount > 0 else { return try x.astype(x.dtype.floating) }
    let shifted = try x - stopGradient(max(x, axes: axes, keepDims: true))
    return try shifted - log(sum(exp(shifted), axes: axes, keepDims: true))
}

/// The mean and the population variance over `axes`.
public func moments(_ x: Tensor, axes: [Int], keepDims: Bool = false) throws -> (
    mean: Tensor, variance: Tensor
) {
    (try mean(x, axes: axes, keepDims: keepDims), try variance(x, axes: axes, keepDims: keepDims))
}
