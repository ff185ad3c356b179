// Updates at indices along an axis: set, add, multiply, min, max; sums by segment.
import CKernels

/// How an update and what it meets combine.
enum ScatterUpdate: Sendable, Hashable {
    case set, add, multiply, min, max

    var kernel: spk_update {
        switch self {
        case .set: SPK_UPDATE_SET
        case .add: SPK_UPDATE_ADD
        case .multiply: SPK_UPDATE_MUL
        case .min: SPK_UPDATE_MIN
        case .max: SPK_UPDATE_MAX
        }
    }

    /// The operation of what is there and the update; nil for the update alone.
    var stableHLO: String? {
        switch self {
        case .set: nil
        case .add: "stablehlo.add"
        case .multiply: "stablehlo.multiply"
        case .min: "stablehlo.minimum"
        case .max: "stablehlo.maximum"
        }
    }
}

/// The operand with slices along an axis updated, one after the other in the order of the indices; indices outside are
/// dropped. Operands: the array; int32 indices; updates, in which the indices' dimensions take the place of the axis.
struct Scatter: Primitive {
    let update: ScatterUpdate
    let axis: Int
    var name: String { "scatter" }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        let (operand, indices, updates) = (inputs[0], inputs[1], inputs[2])
        guard indices.dtype == .int32, operand.dtype == updates.dtype else {
            throw TensorError(
                .dtype, name, expected: "int32 indices, and updates of type \(operand.dtype)",
                got: "\(indices) and \(updates)")
        }
        guard operand.shape.indices.contains(axis), operand.shape[axis] <= Int(Int32.max),
            updates.shape.dimensions
                == Array(operand.shape[..<axis]) + indices.shape + operand.shape[(axis + 1)...],
            updates.shape.rank <= TensorLimits.largestRank
        else {
            throw TensorError(
                .shape, name,
                expected:
                    "updates of the shape of \(operand) with the dimensions of \(indices) in place of \(axis)",
                got: "\(updates)")
        }
        return [operand]
    }

    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        let (operand, indices, updates) = (primals[0], primals[1], primals[2])
        let result = try self(operand, indices, updates)
        guard tangents[0] != nil || tangents[2] != nil else { return ([result], [nil]) }
        let change = try (
            operand: tangents[0] ?? zerosLike(operand), updates: tangents[2] ?? zerosLike(updates)
        )
        let add = Scatter(update: .add, axis: axis)
        let tangent: Tensor
        switch update {
        case .set, .add:
            tangent = try self(change.operand, indices, change.updates)
        case .multiply:
            let fromOperand = try tangents[0].map { try self($0, indices, updates) }
            guard let other = tangents[2] else { return ([result], [fromOperand]) }
            let factors = try otherFactors(operand, indices, updates)
            tangent = try add(fromOperand ?? zerosLike(operand), indices, other * factors)
        case .min, .max:
            // All that equal the result share its tangent.
            let isKept = try equal(operand, result).astype(operand.dtype)
            let isHit = try equal(updates, take(result, indices)).astype(operand.dtype)
            let share = try 1 / maximum(add(isKept, indices, isHit), 1)
            tangent = try add(
                change.operand * (isKept * share), indices, change.updates * (isHit * take(share, indices)))
        }
        return ([result], [tangent])
    }

    /// The product of everything that an update is multiplied with; division by it would not do where there are zeros.
    private func otherFactors(_ operand: Tensor, _ indices: Tensor, _ updates: Tensor) throws -> Tensor {
        let isZero = try equal(updates, 0)
        let product = try self(operand, indices, select(isZero, onesLike(updates), updates))
        let zeroCount = try Scatter(update: .add, axis: axis)(
            zerosLike(operand), indices, isZero.astype(operand.dtype))
        let (here, zeros) = (try take(product, indices), try take(zeroCount, indices))
        let none = try zerosLike(updates)
        return try select(
            isZero, select(equal(zeros, 1), here, none),
            select(equal(zeros, 0), here / select(isZero, onesLike(updates), updates), none))
    }

    /// What stands at the indices, with anything for those outside.
    private func take(_ x: Tensor, _ indices: Tensor) throws -> Tensor {
        try Take(axis: axis, mode: .clamp)(x, indices)
    }

    /// A condition on the indices for all elements of the updates.
    private func spread(_ condition: Tensor, to shape: Shape) throws -> Tensor {
        try broadcastInDim(condition, shape: shape, dimensions: (0..<condition.rank).map { axis + $0 })
    }

    func transpose(_ cotangents: [Tensor?], _ operands: [LinearOperand]) throws -> [Tensor?] {
        guard let cotangent = cotangents[0], let indices = operands[1].known else { return [nil, nil, nil] }
        let (size, updateType) = (cotangent.shape[axis], operands[2].type)
        switch update {
        case .set:
            let kept =
                operands[0].isLinear
                ? try self(cotangent, indices, zeros(updateType.shape, dtype: updateType.dtype)) : nil
            guard operands[2].isLinear else { return [kept, nil, nil] }
            // Of several updates of one slice only the last has an effect.
            let numbers = try iota(.int32, shape: [indices.shape.elementCount])
            let flat = try reshape(indices, [indices.shape.elementCount])
            let winners = try Scatter(update: .set, axis: 0)(full([size], -1, dtype: .int32), flat, numbers)
            let isWinner = try reshape(
                equal(Take(axis: 0, mode: .fill)(winners, flat), numbers), indices.shape)
            let taken = try take(cotangent, indices)
            return [kept, nil, try select(spread(isWinner, to: taken.shape), taken, zerosLike(taken))]
        case .add:
            guard operands[2].isLinear else { return [cotangent, nil, nil] }
            let taken = try take(cotangent, indices)
            let isInside = try and(greaterEqual(indices, 0), less(indices, size))
            return [
                operands[0].isLinear ? cotangent : nil, nil,
                try select(spread(isInside, to: taken.shape), taken, zerosLike(taken)),
            ]
        case .multiply:
            guard let updates = operands[2].known else { return [nil, nil, nil] }
            return [try self(cotangent, indices, updates), nil, nil]
        case .min, .max:
            throw TensorError(.tracing, name, expected: "an update that is linear", got: "\(update)")
        }
    }

    func batch(_ inputs: [Batched], size members: Int) throws -> [Batched] {
        let (operand, updates) = (
            try inputs[0].materialized(size: members), try inputs[2].materialized(size: members)
        )
        let indices = inputs[1].tensor
        guard inputs[1].isMapped else {
            return [
                Batched(
                    try Scatter(update: update, axis: axis + 1)(operand, indices, updates), isMapped: true)
            ]
        }
        // Members side by side along one merged axis: member b's index i is b·count + i, once it is known to be inside.
        let count = operand.shape[axis + 1]
        let front = try moveAxis(operand, from: axis + 1, to: 1)
        let merged = try reshape(front, Shape([members * count] + front.shape.dropFirst(2)))
        let rank = indices.rank - 1
        let permutation =
            [0] + (0..<rank).map { 1 + axis + $0 } + (0..<axis).map { 1 + $0 }
            + ((1 + axis + rank)..<updates.rank)
        let isInside = try and(greaterEqual(indices, 0), less(indices, count))
        let shifted = try select(isInside, indices + iota(.int32, shape: indices.shape) * count, -1)
        let result = try Scatter(update: update, axis: 0)(
            merged, shifted, TensorEngine.transpose(updates, axes: permutation))
        let split = try reshape(result, Shape([members, count] + result.shape.dropFirst()))
        return [Batched(try moveAxis(split, from: 1, to: axis + 1), isMapped: true)]
    }

    var lowering: LoweringRule {
        .kernel { builder, inputs, outputs in
            let (operand, index, updates) = (
                builder.dense(inputs[0]), builder.dense(inputs[1]), builder.dense(inputs[2])
            )
            let target = outputs[0]
            let split = AxisSplit(target.type.shape, axis: axis)
            let base = operand.layout.base
            let isFree =
                operand.layout.offset == 0 && base != index.layout.base && base != updates.layout.base
            builder.step(
                spk_scatter(
                    dtype: target.type.dtype.kernelType, update: Int32(bitPattern: update.kernel.rawValue),
                    outer: split.outer, count: split.count, inner: split.inner,
                    indices: Int64(index.type.shape.elementCount), operand: operand.slot, src: updates.slot,
                    index: index.slot, dst: target.slot, operand_offset: operand.offset,
                    src_offset: updates.offset, index_offset: index.offset, dst_offset: target.offset),
                spk_run_scatter, reads: [operand, index, updates], writes: [target],
                replaceable: isFree ? [base] : [])
        }
    }

    var stableHLO: StableHLORule {
        .custom { writer, operation in
            let operands = operation.operands
            let window =
                Array(0..<axis) + Array((axis + operands[1].type.rank)..<operands[2].type.rank)
            return [
                try writer.scatter(
                    operands[0], operands[1], operands[2], isVector: false,
                    .init(window: window, collapsed: [axis], indexed: [axis]), update: update.stableHLO)
            ]
        }
    }
}

// MARK: - Segments

/// Combines the slices of `data` along axis 0 that have the same segment number; segments without slices keep `initial`.
private func segments(
    _ data: Tensor, _ ids: Tensor, count: Int, initial: Double, _ update: ScatterUpdate, for operation: String
) throws -> Tensor {
    guard data.rank > 0, ids.rank > 0, count >= 0, ids.shape.dimensions == Array(data.shape.prefix(ids.rank))
    else {
        throw TensorError(
            .shape, operation, expected: "a segment number for each slice of \(data.type)",
            got: "\(ids.type), \(count) segments")
    }
    let background = try full(Shape([count] + data.shape.dropFirst(ids.rank)), initial, dtype: data.dtype)
    return try Scatter(update: update, axis: 0)(background, ids.astype(.int32), data)
}

/// The sums of the slices of `data` along axis 0 by their segment number, for segments 0..<`count`; slices of other numbers are
/// dropped (jax.ops.segment_sum).
public func segmentSum(_ data: Tensor, _ segmentIDs: Tensor, count: Int) throws -> Tensor {
    try segments(data, segmentIDs, count: count, initial: 0, .add, for: "segmentSum")
}

/// The products by segment; 1 for a segment without slices.
public func segmentProd(_ data: Tensor, _ segmentIDs: Tensor, count: Int) throws -> Tensor {
    try segments(data, segmentIDs, count: count, initial: 1, .multiply, for: "segmentProd")
}

/// The largest elements by segment; -∞ or the lowest integer for a segment without slices.
public func segmentMax(_ data: Tensor, _ segmentIDs: Tensor, count: Int) throws -> Tensor {
    let lowest = data.dtype.isFloating ? -Double.infinity : data.dtype.isSignedInteger ? -0x1p63 : 0
    return try segments(data, segmentIDs, count: count, initial: lowest, .max, for: "segmentMax")
}

/// The smallest elements by segment; ∞ or the highest integer for a segment without slices.
public func segmentMin(_ data: Tensor, _ segmentIDs: Tensor, count: Int) throws -> Tensor {
    try segments(data, segmentIDs, count: count, initial: .infinity, .min, for: "segmentMin")
}

/// How often each of 0..<`length` occurs in `x`, int32, or the sums of `weights` there. Negative numbers count as 0, larger ones
/// are dropped (jnp.bincount).
public func bincount(_ x: Tensor, weights: Tensor? = nil, length: Int) throws -> Tensor {
    guard !x.dtype.isFloating, x.rank == 1, weights == nil || weights?.shape == x.shape else {
        throw TensorError(
            .shape, "bincount", expected: "a vector of integers, and as many weights", got: "\(x.type)")
    }
    let numbers = try maximum(x.astype(.int32), 0)
    return try segmentSum(weights ?? ones(x.shape, dtype: .int32), numbers, count: length)
}
