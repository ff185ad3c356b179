// Sums, extrema and their positions over axes.
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

/// The sum over axes.
struct ReduceSum: Reduction {
    let axes: [Int]
    var name: String { "reduceSum" }
    var kernel: spk_reduction { SPK_REDUCE_SUM }
    func with(axes: [Int]) -> ReduceSum { ReduceSum(axes: axes) }

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
}

/// Whether any, or all, conditions hold.
struct ReduceLogical: Reduction {
    let axes: [Int]
    let isAll: Bool
    var name: String { isAll ? "reduceAnd" : "reduceOr" }
    var kernel: spk_reduction { isAll ? SPK_REDUCE_AND : SPK_REDUCE_OR }
    func with(axes: [Int]) -> ReduceLogical { ReduceLogical(axes: axes, isAll: isAll) }

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

/// The mean over `axes` (all without); float32 for integers. float16 and bfloat16 are summed in float32.
public func mean(_ x: Tensor, axes: [Int]? = nil, keepDims: Bool = false) throws -> Tensor {
    let result = x.dtype.floating
    let computed = try x.astype(result.isHalfPrecision ? .float32 : result)
    return try reduce(computed, axes, keepDims: keepDims, "mean") { x, axes in
        try ReduceSum(axes: axes)(x) / Double(axes.reduce(1) { $0 * x.shape[$1] })
    }.astype(result)
}

/// The population variance over `axes` (all without).
public func variance(_ x: Tensor, axes: [Int]? = nil, keepDims: Bool = false) throws -> Tensor {
    let result = x.dtype.floating
    let computed = try x.astype(result.isHalfPrecision ? .float32 : result)
    let centered = try computed - mean(computed, axes: axes, keepDims: true)
    return try mean(square(centered), axes: axes, keepDims: keepDims).astype(result)
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
        try ReduceLogical(axes: $1, isAll: true)($0)
    }
}

/// Whether any element is true (nonzero) over `axes` (all without).
public func any(_ x: Tensor, axes: [Int]? = nil, keepDims: Bool = false) throws -> Tensor {
    try reduce(x.astype(.bool), axes, keepDims: keepDims, "any") {
        try ReduceLogical(axes: $1, isAll: false)($0)
    }
}

/// The index of the first largest element along `axis`, int32.
public func argmax(_ x: Tensor, axis: Int = -1) throws -> Tensor {
    try ArgExtremum(axes: [x.shape.normalized(axis: axis, for: "argmax")], isMaximum: true)(x)
}

/// The index of the first smallest element along `axis`, int32.
public func argmin(_ x: Tensor, axis: Int = -1) throws -> Tensor {
    try ArgExtremum(axes: [x.shape.normalized(axis: axis, for: "argmin")], isMaximum: false)(x)
}

/// log(Σ eˣ) over `axes`, without overflow.
public func logSumExp(_ x: Tensor, axes: [Int]? = nil, keepDims: Bool = false) throws -> Tensor {
    let largest = try max(x, axes: axes, keepDims: true)
    // An infinite maximum would give inf - inf.
    let shift = try stopGradient(select(isFinite(largest), largest, zerosLike(largest)))
    let result = try log(sum(exp(x - shift), axes: axes, keepDims: true)) + shift
    guard !keepDims else { return result }
    return try squeeze(result, axes: axes ?? Array(x.shape.indices))
}

/// eˣ / Σ eˣ along `axis`.
public func softmax(_ x: Tensor, axis: Int = -1) throws -> Tensor {
    let unnormalized = try exp(x - stopGradient(max(x, axes: [axis], keepDims: true)))
    return try unnormalized / sum(unnormalized, axes: [axis], keepDims: true)
}

/// log(softmax(x)) along `axis`.
public func logSoftmax(_ x: Tensor, axis: Int = -1) throws -> Tensor {
    let shifted = try x - stopGradient(max(x, axes: [axis], keepDims: true))
    return try shifted - log(sum(exp(shifted), axes: [axis], keepDims: true))
}
