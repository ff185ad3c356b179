// Reading and adding at indices: take, takeAlongAxis, their transposes, oneHot.
import CKernels

/// What an index outside of the operand gives.
public enum IndexMode: Sendable, Hashable {
    /// The nearest valid element.
    case clamp
    /// NaN (for integers the lowest, or for unsigned ones the highest value), as jnp.take does by default.
    case fill
    /// The element at the index modulo the size.
    case wrap
    /// The nearest valid element, whose gradient it does not get: what JAX does for `x[indices]`.
    case promiseInBounds

    var kernelMode: Int32 { Int32(bitPattern: (self == .fill ? SPK_INDEX_FILL : SPK_INDEX_CLAMP).rawValue) }
}

/// Checks the index operand of a gather or scatter.
private func checkIndices(_ type: TensorType, for name: String) throws {
    guard type.dtype == .int32 else {
        throw TensorError(.dtype, name, expected: "int32 indices", got: "\(type)")
    }
}

/// What a gather without a mode gives for indices inside, and for those outside the constant of `IndexMode.fill`.
///
/// - Parameters:
///   - operands: an array and indices into its `axis`.
///   - axes: the dimensions of the result that are the indices'.
private func fillingOutside(
    _ operands: [Tensor], axis: Int, along axes: Range<Int>, _ gather: some Primitive
) throws -> Tensor {
    let (x, indices) = (operands[0], operands[1])
    let result = try gather.outputTypes(operands.map(\.type))[0]
    let fill: Double = x.dtype.isFloating ? .nan : x.dtype.isSignedInteger ? -.infinity : .infinity
    let constants = try full(result.shape, fill, dtype: x.dtype)
    guard x.shape[axis] > 0 else { return constants }
    let isInside = try and(greaterEqual(indices, 0), less(indices, x.shape[axis]))
    let mask = try broadcastInDim(isInside, shape: result.shape, dimensions: Array(axes))
    return try select(mask, apply(gather, operands)[0], constants)
}

/// Slices of the operand along one axis: the axis is replaced by the dimensions of the indices.
struct Take: Primitive {
    let axis: Int
    let mode: IndexMode
    var name: String { "take" }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        let (operand, indices) = (inputs[0].shape, inputs[1].shape)
        try checkIndices(inputs[1], for: name)
        guard operand.indices.contains(axis), operand[axis] <= Int(Int32.max),
            operand.rank + indices.rank - 1 <= TensorLimits.largestRank
        else {
            throw TensorError(
                .argument, name, expected: "an axis of \(operand)", got: "\(axis), indices \(indices)")
        }
        return [
            TensorType(
                inputs[0].dtype, Shape(operand[..<axis] + indices.dimensions[...] + operand[(axis + 1)...]))
        ]
    }

    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        (
            [try self(primals[0], primals[1])],
            [try tangents[0].map { try tangent($0, primals[1]) }]
        )
    }

    /// The tangent: 0 where the index is outside and the result a constant.
    private func tangent(_ operand: Tensor, _ indices: Tensor) throws -> Tensor {
        guard mode == .fill else { return try self(operand, indices) }
        let taken = try Take(axis: axis, mode: .clamp)(operand, indices)
        let isInside = try and(greaterEqual(indices, 0), less(indices, operand.shape[axis]))
        let mask = try broadcastInDim(
            isInside, shape: taken.shape, dimensions: Array(axis..<(axis + indices.rank)))
        return try select(mask, taken, zerosLike(taken))
    }

    func transpose(_ cotangents: [Tensor?], _ operands: [LinearOperand]) throws -> [Tensor?] {
        guard let cotangent = cotangents[0], let indices = operands[1].known else { return [nil, nil] }
        let size = operands[0].type.shape[axis]
        let clamped = mode == .clamp ? try clip(indices, 0, Swift.max(size - 1, 0)) : indices
        return [try ScatterAdd(axis: axis, size: size)(cotangent, clamped), nil]
    }

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        let (operand, indices) = (inputs[0], inputs[1])
        switch (operand.isMapped, indices.isMapped) {
        case (false, false): return [Batched(try self(operand.tensor, indices.tensor), isMapped: false)]
        case (true, false):
            return [
                Batched(try Take(axis: axis + 1, mode: mode)(operand.tensor, indices.tensor), isMapped: true)
            ]
        case (false, true):
            return [
                Batched(try moveAxis(self(operand.tensor, indices.tensor), from: axis, to: 0), isMapped: true)
            ]
        case (true, true):
            // Members side by side along the axis: member b's index i is b·count + i, once it is known to be inside.
            let count = operand.tensor.shape[axis + 1]
            let front = try moveAxis(operand.tensor, from: axis + 1, to: 1)
            let merged = try reshape(front, Shape([size * count] + front.shape.dropFirst(2)))
            let offsets = try iota(.int32, shape: indices.tensor.shape) * count
            let isInside = try and(greaterEqual(indices.tensor, 0), less(indices.tensor, count))
            let shifted = try offsets + clip(indices.tensor, 0, Swift.max(count - 1, 0))
            let index = mode == .fill ? try select(isInside, shifted, -1) : shifted
            var taken = try Take(axis: 0, mode: mode)(merged, index)
            if mode == .promiseInBounds {
                // Here the nearest element is inside, and would get the gradient.
                let mask = try broadcastInDim(
                    isInside, shape: taken.shape, dimensions: Array(0..<isInside.rank))
                taken = try select(mask, taken, stopGradient(taken))
            }
            // [size, indices…, rest…] with the operand's leading dimensions to be moved before the indices.
            let indexRank = indices.tensor.rank - 1
            let permutation =
                [0] + (0..<axis).map { 1 + indexRank + $0 } + (0..<indexRank).map { 1 + $0 }
                + (axis..<(operand.tensor.rank - 2)).map { 1 + indexRank + $0 }
            return [Batched(try TensorEngine.transpose(taken, axes: permutation), isMapped: true)]
        }
    }

    var lowering: LoweringRule {
        .kernel { builder, inputs, outputs in
            builder.gather(
                inputs[0], inputs[1], axis: axis, indices: inputs[1].type.shape.elementCount, mode,
                spk_run_take,
                to: outputs[0])
        }
    }

    var stableHLO: StableHLORule {
        .custom { writer, operation in
            let (x, indices) = (operation.operands[0], operation.operands[1])
            if mode == .fill || x.type.dimensions[axis].staticSize == 0 {
                return try writer.composite([x, indices]) {
                    [
                        try fillingOutside(
                            $0, axis: axis, along: axis..<(axis + indices.type.rank),
                            Take(axis: axis, mode: .clamp))
                    ]
                }
            }
            let result = operation.results[0]
            let window = Array(0..<axis) + Array((axis + indices.type.rank)..<result.rank)
            var slice = x.type.dimensions
            slice[axis] = SymbolicDimension(fixed: 1)
            return [
                try writer.gather(
                    x, indices, isVector: false, .init(window: window, collapsed: [axis], indexed: [axis]),
                    slice: slice, as: result)
            ]
        }
    }
}

/// The transpose of `Take`: adds slices into zeros along one axis, in the order of the indices. Indices outside are dropped.
struct ScatterAdd: Primitive {
    let axis: Int
    /// The result's size along `axis`.
    let size: Int
    var name: String { "scatterAdd" }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        let (updates, indices) = (inputs[0].shape, inputs[1].shape)
        try checkIndices(inputs[1], for: name)
        guard axis >= 0, size >= 0, size <= Int(Int32.max), updates.rank >= axis + indices.rank,
            Shape(updates[axis..<(axis + indices.rank)]) == indices
        else {
            throw TensorError(
                .shape, name, expected: "updates with the dimensions of the indices \(indices) at \(axis)",
                got: "\(updates)")
        }
        return [
            TensorType(inputs[0].dtype, Shape(updates[..<axis] + [size] + updates[(axis + indices.rank)...]))
        ]
    }

    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        ([try self(primals[0], primals[1])], [try tangents[0].map { try self($0, primals[1]) }])
    }

    func transpose(_ cotangents: [Tensor?], _ operands: [LinearOperand]) throws -> [Tensor?] {
        guard let cotangent = cotangents[0], let indices = operands[1].known else { return [nil, nil] }
        let taken = try Take(axis: axis, mode: .clamp)(cotangent, indices)
        let isInside = try and(greaterEqual(indices, 0), less(indices, size))
        let mask = try broadcastInDim(
            isInside, shape: taken.shape, dimensions: (0..<indices.rank).map { axis + $0 })
        return [try select(mask, taken, zerosLike(taken)), nil]
    }

    func batch(_ inputs: [Batched], size members: Int) throws -> [Batched] {
        let (updates, indices) = (inputs[0], inputs[1])
        if !indices.isMapped {
            let lifted = updates.isMapped ? ScatterAdd(axis: axis + 1, size: size) : self
            return [Batched(try lifted(updates.tensor, indices.tensor), isMapped: updates.isMapped)]
        }
        // Members side by side along one merged axis, as in Take.
        let rank = indices.tensor.rank - 1
        let all = try updates.materialized(size: members)
        let permutation =
            [0] + (0..<rank).map { 1 + axis + $0 } + (0..<axis).map { 1 + $0 }
            + ((1 + axis + rank)..<all.rank)
        let front = try TensorEngine.transpose(all, axes: permutation)
        let isInside = try and(greaterEqual(indices.tensor, 0), less(indices.tensor, size))
        let shifted = try select(
            isInside, indices.tensor + iota(.int32, shape: indices.tensor.shape) * size, -1)
        let merged = try ScatterAdd(axis: 0, size: members * size)(front, shifted)
        let split = try reshape(merged, Shape([members, size] + merged.shape.dropFirst()))
        return [Batched(try moveAxis(split, from: 1, to: axis + 1), isMapped: true)]
    }

    var lowering: LoweringRule {
        .kernel { builder, inputs, outputs in
            builder.scatterAdd(
                inputs[0], inputs[1], axis: axis, indices: inputs[1].type.shape.elementCount,
                spk_run_scatter_add,
                to: outputs[0])
        }
    }

    var stableHLO: StableHLORule {
        .custom(sizes: ["size"]) { writer, operation in
            let (updates, indices) = (operation.operands[0], operation.operands[1])
            let window = Array(0..<axis) + Array((axis + indices.type.rank)..<updates.type.rank)
            return [
                try writer.scatter(
                    writer.splat(0, operation.results[0]), indices, updates, isVector: false,
                    .init(window: window, collapsed: [axis], indexed: [axis]), update: "stablehlo.add")
            ]
        }
    }
}

/// One element of each line of the operand along an axis; operand and indices agree in all other dimensions.
struct TakeAlongAxis: Primitive {
    let axis: Int
    let mode: IndexMode
    var name: String { "takeAlongAxis" }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        let (operand, indices) = (inputs[0].shape, inputs[1].shape)
        try checkIndices(inputs[1], for: name)
        guard operand.rank == indices.rank, operand.indices.contains(axis), operand[axis] <= Int(Int32.max),
            operand.removing(axes: [axis]) == indices.removing(axes: [axis])
        else {
            throw TensorError(
                .shape, name, expected: "indices that agree with \(operand) in all dimensions but \(axis)",
                got: "\(indices)")
        }
        return [TensorType(inputs[0].dtype, indices)]
    }

    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        let tangent = try tangents[0].map { tangent in
            guard mode == .fill else { return try self(tangent, primals[1]) }
            // 0 where the index is outside and the result a constant.
            let taken = try TakeAlongAxis(axis: axis, mode: .clamp)(tangent, primals[1])
            let isInside = try and(greaterEqual(primals[1], 0), less(primals[1], tangent.shape[axis]))
            return try select(isInside, taken, zerosLike(taken))
        }
        return ([try self(primals[0], primals[1])], [tangent])
    }

    func transpose(_ cotangents: [Tensor?], _ operands: [LinearOperand]) throws -> [Tensor?] {
        guard let cotangent = cotangents[0], let indices = operands[1].known else { return [nil, nil] }
        let size = operands[0].type.shape[axis]
        let clamped = mode == .clamp ? try clip(indices, 0, Swift.max(size - 1, 0)) : indices
        return [try ScatterAddAlongAxis(axis: axis, size: size)(cotangent, clamped), nil]
    }

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        let lifted = TakeAlongAxis(axis: axis + 1, mode: mode)
        return [
            Batched(
                try lifted(try inputs[0].materialized(size: size), try inputs[1].materialized(size: size)),
                isMapped: true)
        ]
    }

    var lowering: LoweringRule {
        .kernel { builder, inputs, outputs in
            builder.gather(
                inputs[0], inputs[1], axis: axis, indices: inputs[1].type.shape[axis], mode,
                spk_run_take_along,
                to: outputs[0])
        }
    }

    var stableHLO: StableHLORule {
        .custom { writer, operation in
            let (x, indices) = (operation.operands[0], operation.operands[1])
            if mode == .fill || x.type.dimensions[axis].staticSize == 0 {
                return try writer.composite([x, indices]) {
                    [
                        try fillingOutside(
                            $0, axis: axis, along: 0..<x.type.rank, TakeAlongAxis(axis: axis, mode: .clamp))
                    ]
                }
            }
            let (all, result) = (Array(0..<x.type.rank), operation.results[0])
            // Nothing to take; and where there are no lines, slices of one element would be larger than the operand.
            if result.dimensions.contains(where: { $0.staticSize == 0 }) {
                return [try writer.splat(0, result)]
            }
            return [
                try writer.gather(
                    x, writer.fullIndices(indices, axis: axis), isVector: true,
                    .init(window: [], collapsed: all, indexed: all),
                    slice: all.map { _ in SymbolicDimension(fixed: 1) }, as: result)
            ]
        }
    }
}

/// The transpose of `TakeAlongAxis`: adds elements into zeros along an axis. Indices outside are dropped.
struct ScatterAddAlongAxis: Primitive {
    let axis: Int
    let size: Int
    var name: String { "scatterAddAlongAxis" }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        try checkIndices(inputs[1], for: name)
        guard inputs[0].shape == inputs[1].shape, inputs[0].shape.indices.contains(axis), size >= 0 else {
            throw TensorError(
                .shape, name, expected: "updates and indices of one shape",
                got: "\(inputs[0]) and \(inputs[1])")
        }
        var shape = inputs[0].shape
        shape[axis] = size
        return [TensorType(inputs[0].dtype, shape)]
    }

    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        ([try self(primals[0], primals[1])], [try tangents[0].map { try self($0, primals[1]) }])
    }

    func transpose(_ cotangents: [Tensor?], _ operands: [LinearOperand]) throws -> [Tensor?] {
        guard let cotangent = cotangents[0], let indices = operands[1].known else { return [nil, nil] }
        let taken = try TakeAlongAxis(axis: axis, mode: .clamp)(cotangent, indices)
        let isInside = try and(greaterEqual(indices, 0), less(indices, size))
        return [try select(isInside, taken, zerosLike(taken)), nil]
    }

    func batch(_ inputs: [Batched], size members: Int) throws -> [Batched] {
        let lifted = ScatterAddAlongAxis(axis: axis + 1, size: size)
        let (updates, indices) = (
            try inputs[0].materialized(size: members), try inputs[1].materialized(size: members)
        )
        return [Batched(try lifted(updates, indices), isMapped: true)]
    }

    var lowering: LoweringRule {
        .kernel { builder, inputs, outputs in
            builder.scatterAdd(
                inputs[0], inputs[1], axis: axis, indices: inputs[1].type.shape[axis],
                spk_run_scatter_add_along,
                to: outputs[0])
        }
    }

    var stableHLO: StableHLORule {
        .custom(sizes: ["size"]) { writer, operation in
            let (updates, indices) = (operation.operands[0], operation.operands[1])
            let all = Array(0..<updates.type.rank)
            return [
                try writer.scatter(
                    writer.splat(0, operation.results[0]), writer.fullIndices(indices, axis: axis), updates,
                    isVector: true, .init(window: [], collapsed: all, indexed: all), update: "stablehlo.add")
            ]
        }
    }
}

extension StableHLOWriter {
    /// Indices along an axis as indices of elements, with a component for each axis along a new last dimension.
    fileprivate mutating func fullIndices(_ indices: StableHLOValue, axis: Int) -> StableHLOValue {
        let column = StableHLOType(.int32, indices.type.dimensions + [SymbolicDimension(fixed: 1)])
        let components = indices.type.dimensions.indices.map { k in
            k == axis ? reshape(indices, to: column) : iota(column, dimension: k)
        }
        guard components.count > 1 else { return components[0] }
        let rank = SymbolicDimension(fixed: components.count)
        return write(
            "stablehlo.concatenate", components, ", dim = \(indices.type.rank)",
            as: StableHLOType(.int32, indices.type.dimensions + [rank]))
    }
}

extension PlanBuilder {
    /// The step of a gather: `indices` elements or slices along `axis` of `source`.
    fileprivate mutating func gather(
        _ source: Operand, _ index: Operand, axis: Int, indices: Int, _ mode: IndexMode,
        _ kernel: @escaping spk_kernel,
        to target: Operand
    ) {
        let (source, index) = (dense(source), dense(index))
        let split = AxisSplit(source.type.shape, axis: axis)
        step(
            spk_take(
                dtype: source.type.dtype.kernelType, mode: mode.kernelMode, outer: split.outer,
                count: split.count,
                inner: split.inner, indices: Int64(indices), src: source.slot, index: index.slot,
                dst: target.slot,
                src_offset: source.offset, index_offset: index.offset, dst_offset: target.offset),
            kernel, reads: [source, index], writes: [target])
    }

    /// The steps of a gather's transpose: `target` is zeroed, then `source` is added into it along `axis`.
    fileprivate mutating func scatterAdd(
        _ source: Operand, _ index: Operand, axis: Int, indices: Int, _ kernel: @escaping spk_kernel,
        to target: Operand
    ) {
        let (source, index) = (dense(source), dense(index))
        let split = AxisSplit(target.type.shape, axis: axis)
        zero(target)
        step(
            spk_scatter_add(
                dtype: source.type.dtype.kernelType, outer: split.outer, count: split.count,
                inner: split.inner,
                indices: Int64(indices), src: source.slot, index: index.slot, dst: target.slot,
                src_offset: source.offset, index_offset: index.offset, dst_offset: target.offset),
            kernel, reads: [source, index], writes: [target])
    }
}

// MARK: - The functions

/// Indices as int32; negative ones count from the end.
func wrappedIndices(_ indices: Tensor, count: Int) throws -> Tensor {
    let indices = try indices.astype(.int32)
    return try select(less(indices, 0), indices + count, indices)
}

/// Indices as int32 modulo the size of the dimension, from 0 on.
func wrappedAround(_ indices: Tensor, count: Int) throws -> Tensor {
    let count = Swift.max(count, 1)
    let remainder = try rem(indices.astype(.int32), count)
    return try select(less(remainder, 0), remainder + count, remainder)
}

/// The elements of `x` at `indices` along `axis`; the axis is replaced by the dimensions of the indices.
///
/// - Parameters:
///   - mode: what indices outside give. `.fill` and `.wrap` take negative indices from the end, `.clamp` takes them for 0.
///   - fillValue: what `.fill` gives outside instead of NaN.
public func take(
    _ x: Tensor, _ indices: Tensor, axis: Int = 0, mode: IndexMode = .fill, fillValue: Double? = nil
) throws -> Tensor {
    let axis = try x.shape.normalized(axis: axis, for: "take")
    let count = x.shape[axis]
    switch mode {
    case .clamp: return try Take(axis: axis, mode: .clamp)(x, indices.astype(.int32))
    case .promiseInBounds: return try Take(axis: axis, mode: mode)(x, wrappedIndices(indices, count: count))
    case .wrap: return try Take(axis: axis, mode: .clamp)(x, wrappedAround(indices, count: count))
    case .fill: break
    }
    let wrapped = try wrappedIndices(indices, count: count)
    guard let fillValue else { return try Take(axis: axis, mode: .fill)(x, wrapped) }
    let taken = try Take(axis: axis, mode: .clamp)(x, wrapped)
    let isInside = try and(greaterEqual(wrapped, 0), less(wrapped, count))
    let mask = try broadcastInDim(
        isInside, shape: taken.shape, dimensions: Array(axis..<(axis + wrapped.rank)))
    return try select(mask, taken, full(taken.shape, fillValue, dtype: x.dtype))
}

/// `x[…, indices[…, j, …], …]` along `axis`; `indices` has the rank of `x` and its sizes, or 1, elsewhere.
public func takeAlongAxis(_ x: Tensor, _ indices: Tensor, axis: Int, mode: IndexMode = .fill) throws -> Tensor
{
    let axis = try x.shape.normalized(axis: axis, for: "takeAlongAxis")
    guard indices.rank == x.rank else {
        throw TensorError(
            .shape, "takeAlongAxis", expected: "indices of rank \(x.rank)", got: "\(indices.type)")
    }
    var (common, other) = (indices.shape, x.shape)
    (common[axis], other[axis]) = (1, 1)
    let shape = try broadcastShapes([common, other], for: "takeAlongAxis")
    var (indexShape, operandShape) = (shape, shape)
    (indexShape[axis], operandShape[axis]) = (indices.shape[axis], x.shape[axis])
    let count = x.shape[axis]
    let wrapped =
        mode == .wrap ? try wrappedAround(indices, count: count) : try wrappedIndices(indices, count: count)
    return try TakeAlongAxis(axis: axis, mode: mode)(
        try broadcastTo(x, operandShape), try broadcastTo(wrapped, indexShape))
}

/// Zeros with a one at each index, along a new dimension of size `count` at `axis` of the result; all zeros for an index
/// outside.
public func oneHot(_ indices: Tensor, count: Int, axis: Int = -1, dtype: DType = .float32) throws -> Tensor {
    let rank = indices.rank + 1
    let axis = try Shape(Array(repeating: 1, count: rank)).normalized(axis: axis, for: "oneHot")
    let expanded = try expandDims(indices.astype(.int32), axis: axis)
    var shape = expanded.shape
    shape[axis] = count
    guard count >= 0, rank <= TensorLimits.largestRank else {
        throw TensorError(
            .argument, "oneHot", expected: "a count of 0 or more", got: "\(count) for \(indices.type)")
    }
    return try equal(broadcastTo(expanded, shape), iota(.int32, shape: shape, dimension: axis)).astype(dtype)
}
