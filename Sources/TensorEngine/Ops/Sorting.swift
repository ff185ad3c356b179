// Order: argsort, sort, sortKeyValue, topK, searchSorted.
import CKernels

/// The indices that sort each line along the last axis, stably, NaN last.
struct ArgSort: Primitive {
    let isDescending: Bool
    var name: String { "argsort" }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        guard let last = inputs[0].shape.last, last <= Int(Int32.max) else {
            throw TensorError(
                .shape, name, expected: "rank 1 or more, lines below 2³¹ elements", got: "\(inputs[0])")
        }
        return [TensorType(.int32, inputs[0].shape)]
    }

    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        ([try self(primals[0])], [nil])
    }

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        [Batched(try self(inputs[0].tensor), isMapped: inputs[0].isMapped)]
    }

    var lowering: LoweringRule {
        .kernel { builder, inputs, outputs in
            let source = builder.dense(inputs[0])
            let split = AxisSplit(source.type.shape, axis: source.type.shape.rank - 1)
            let scratch = builder.temporary(
                TensorType(.uint8, [Int(clamping: spk_argsort_scratch_bytes(split.count))]))
            builder.step(
                spk_argsort(
                    dtype: source.type.dtype.kernelType, descending: isDescending ? 1 : 0, outer: split.outer,
                    count: split.count, src: source.slot, dst: outputs[0].slot, scratch: scratch.slot,
                    src_offset: source.offset, dst_offset: outputs[0].offset, scratch_offset: scratch.offset),
                spk_run_argsort, reads: [source], writes: outputs + [scratch])
        }
    }

    /// Sorts the elements' numbers along with them. NaN is the largest; StableHLO's comparison of floats has no place for it.
    var stableHLO: StableHLORule {
        .custom { writer, operation in
            let x = operation.operands[0]
            let (key, number) = (x.type.scalar, StableHLOType(.int32, []))
            let axis = x.type.rank - 1
            let order = StableHLOWriter.Region(arguments: [key, key, number, number]) { writer, arguments in
                let (first, second) =
                    isDescending ? (arguments[1], arguments[0]) : (arguments[0], arguments[1])
                let isLess = writer.compare("LT", first, second)
                guard key.dtype.isFloating else { return [isLess] }
                let isFirstNumber = writer.compare("EQ", first, first)
                let isSecondNaN = writer.compare("NE", second, second)
                let isBefore = writer.write(
                    "stablehlo.and", [isFirstNumber, isSecondNaN], as: isLess.type)
                return [writer.write("stablehlo.or", [isLess, isBefore], as: isLess.type)]
            }
            let numbers = writer.iota(operation.results[0], dimension: axis)
            let sorted = try writer.writeGeneric(
                "stablehlo.sort", [x, numbers], "dimension = \(axis) : i64, is_stable = true", [order],
                as: [x.type, numbers.type])
            return [sorted[1]]
        }
    }
}

/// Where values go in sorted rows. Operands: sorted [n], values of any shape; or, with `isBatched`, [b, n] and [b, …].
struct SearchSorted: Primitive {
    /// Behind equal elements, not before them.
    let isRight: Bool
    var isBatched = false
    var name: String { "searchSorted" }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        let (sorted, values) = (inputs[0], inputs[1])
        let lead = isBatched ? 1 : 0
        guard sorted.dtype == values.dtype, sorted.shape.rank == 1 + lead, values.shape.rank >= lead,
            Array(sorted.shape.prefix(lead)) == Array(values.shape.prefix(lead)),
            sorted.shape[lead] <= Int(Int32.max)
        else {
            throw TensorError(
                .shape, name, expected: "a sorted vector below 2³¹ elements and values of its type",
                got: "\(sorted) and \(values)")
        }
        return [TensorType(.int32, values.shape)]
    }

    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        ([try self(primals[0], primals[1])], [nil])
    }

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        if !isBatched, !inputs[0].isMapped {
            return [Batched(try self(inputs[0].tensor, inputs[1].tensor), isMapped: true)]
        }
        let (sorted, values) = (
            try inputs[0].materialized(size: size), try inputs[1].materialized(size: size)
        )
        guard isBatched else {
            return [
                Batched(try SearchSorted(isRight: isRight, isBatched: true)(sorted, values), isMapped: true)
            ]
        }
        func merged(_ x: Tensor) throws -> Tensor {
            try reshape(x, Shape([x.shape[0] * x.shape[1]] + x.shape.dropFirst(2)))
        }
        return [Batched(try reshape(self(merged(sorted), merged(values)), values.shape), isMapped: true)]
    }

    var lowering: LoweringRule {
        .kernel { builder, inputs, outputs in
            let (sorted, values) = (builder.dense(inputs[0]), builder.dense(inputs[1]))
            let outer = isBatched ? sorted.type.shape[0] : 1
            builder.step(
                spk_search_sorted(
                    dtype: sorted.type.dtype.kernelType, right: isRight ? 1 : 0, outer: Int64(outer),
                    count: Int64(sorted.type.shape.last ?? 0),
                    queries: Int64(values.type.shape.elementCount / max(outer, 1)), sorted: sorted.slot,
                    values: values.slot, dst: outputs[0].slot, sorted_offset: sorted.offset,
                    values_offset: values.offset, dst_offset: outputs[0].offset),
                spk_run_search_sorted, reads: [sorted, values], writes: outputs)
        }
    }

    /// How many of the sorted elements are before a value.
    var stableHLO: StableHLORule {
        .composite { operands in
            let axis = operands[1].rank
            let shape = Shape(operands[1].shape.dimensions + operands[0].shape.suffix(1))
            let sorted = try broadcastInDim(
                operands[0], shape: shape, dimensions: isBatched ? [0, axis] : [axis])
            let value = try broadcastInDim(
                operands[1], shape: shape, dimensions: Array(operands[1].shape.indices))
            let isBefore =
                try isRight
                ? or(lessEqual(sorted, value), isNaN(value))
                : or(less(sorted, value), and(isNaN(value), equal(sorted, sorted)))
            return [try ReduceSum(axes: [axis])(isBefore.astype(.int32))]
        }
    }
}

// MARK: - The functions

/// The indices that sort `x` along `axis`: stable, NaN last.
public func argsort(_ x: Tensor, axis: Int = -1, descending: Bool = false) throws -> Tensor {
    let axis = try x.shape.normalized(axis: axis, for: "argsort")
    let order = try ArgSort(isDescending: descending)(try moveAxis(x, from: axis, to: -1))
    return try moveAxis(order, from: -1, to: axis)
}

/// `x` sorted along `axis`, NaN last; `descending`, the same backwards, NaN first.
public func sort(_ x: Tensor, axis: Int = -1, descending: Bool = false) throws -> Tensor {
    let ascending = try takeAlongAxis(x, argsort(x, axis: axis), axis: axis, mode: .clamp)
    return descending ? try flip(ascending, axes: [axis]) : ascending
}

/// `keys` sorted along `axis`, stably, and `values` in the same order (lax.sort_key_val).
public func sortKeyValue(_ keys: Tensor, _ values: Tensor, axis: Int = -1) throws -> (
    keys: Tensor, values: Tensor
) {
    guard keys.shape == values.shape else {
        throw TensorError(
            .shape, "sortKeyValue", expected: "keys and values of one shape",
            got: "\(keys.type) and \(values.type)")
    }
    let order = try argsort(keys, axis: axis)
    return (
        try takeAlongAxis(keys, order, axis: axis, mode: .clamp),
        try takeAlongAxis(values, order, axis: axis, mode: .clamp)
    )
}

/// The `k` largest elements along `axis`, from the largest on, and their int32 indices. Of equal elements the first comes
/// first; NaN counts as the largest, and 0 is larger than -0 (lax.top_k).
public func topK(_ x: Tensor, k: Int, axis: Int = -1) throws -> (values: Tensor, indices: Tensor) {
    let axis = try x.shape.normalized(axis: axis, for: "topK")
    guard (0...x.shape[axis]).contains(k) else {
        throw TensorError(.argument, "topK", expected: "k in 0...\(x.shape[axis]) for \(x.type)", got: "\(k)")
    }
    let order = try slice(
        argsort(totalOrderKey(stopGradient(x)), axis: axis, descending: true), axis: axis, 0..<k)
    return (try takeAlongAxis(x, order, axis: axis, mode: .clamp), order)
}

/// Integers in the order of the floats' bit patterns, in which -0 is below 0; NaN on top. Other types as they are.
private func totalOrderKey(_ x: Tensor) throws -> Tensor {
    guard x.dtype.isFloating else { return x }
    let wide = x.dtype.isHalfPrecision ? try x.astype(.float32) : x
    let integer: DType = wide.dtype == .float64 ? .int64 : .int32
    let bits = try bitcast(wide, to: integer)
    // Negative floats have their magnitude's bits in ascending order: turned around.
    let largest = try Constant.scalar(integer.largestFinite, integer)
    let key = try select(less(bits, 0), xor(bits, largest), bits)
    return try select(equal(wide, wide), key, largest)
}

/// On which side of equal elements `searchSorted` puts a value.
public enum SearchSide: Sendable, Hashable { case left, right }

/// For each of `values` the int32 position at which it keeps the ascending vector `sorted` in order (jnp.searchsorted).
public func searchSorted(_ sorted: Tensor, _ values: Tensor, side: SearchSide = .left) throws -> Tensor {
    let dtype = DType.promote(sorted.dtype, values.dtype)
    return try SearchSorted(isRight: side == .right)(sorted.astype(dtype), values.astype(dtype))
}
