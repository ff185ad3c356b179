// Windows whose place is a value: dynamicSlice, dynamicUpdateSlice, and along one axis.
import CKernels

/// The window of `sizes` that begins at the starts, moved inside where it would reach out. Operands: the array, then one
/// int32 start for each dimension; with `isBatched` all have an axis of members in front.
struct DynamicSlice: Primitive {
    let sizes: [Int]
    var isBatched = false
    var name: String { "dynamicSlice" }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        let lead = try DynamicWindow.checkedMembers(
            inputs[0], starts: inputs.dropFirst(), sizes, isBatched: isBatched, for: name)
        return [TensorType(inputs[0].dtype, Shape(lead + sizes))]
    }

    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        (try apply(self, primals), [try tangents[0].map { try apply(self, [$0] + primals.dropFirst())[0] }])
    }

    func transpose(_ cotangents: [Tensor?], _ operands: [LinearOperand]) throws -> [Tensor?] {
        let starts = operands.dropFirst().compactMap(\.known)
        let result = try cotangents[0].map { cotangent in
            let background = try zeros(operands[0].type.shape, dtype: operands[0].type.dtype)
            return try apply(DynamicUpdateSlice(isBatched: isBatched), [background, cotangent] + starts)[0]
        }
        return [result] + starts.map { _ in nil }
    }

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        if !isBatched, !inputs.dropFirst().contains(where: \.isMapped) {
            let first = try Tensor(Int32(0))
            let lifted = DynamicSlice(sizes: [size] + sizes)
            return [
                Batched(
                    try apply(lifted, [inputs[0].tensor, first] + inputs.dropFirst().map(\.tensor))[0],
                    isMapped: true)
            ]
        }
        let merged = try DynamicWindow.merged(inputs, size: size, isBatched: isBatched)
        let result = try apply(DynamicSlice(sizes: sizes, isBatched: true), merged)[0]
        return [
            Batched(
                try DynamicWindow.split(result, like: inputs[0], size: size, isBatched: isBatched),
                isMapped: true)
        ]
    }

    var lowering: LoweringRule {
        .kernel { builder, inputs, outputs in
            builder.window(
                inputs[0], outputs[0], moving: inputs[0], starts: inputs.dropFirst(), sizes,
                isBatched: isBatched,
                background: nil)
        }
    }

    var stableHLO: StableHLORule {
        .custom(sizes: ["sizes"]) { writer, operation in
            let (x, result) = (operation.operands[0], operation.results[0])
            let window = Array(result.dimensions.dropFirst(isBatched ? 1 : 0))
            let starts = writer.startsInside(
                x.type, Array(operation.operands.dropFirst()), window: window, isBatched: isBatched)
            guard isBatched else { return [writer.dynamicSlice(x, at: starts, as: result)] }
            let all = Array(0..<result.rank)
            return [
                try writer.gather(
                    x, writer.memberIndices(starts), isVector: true,
                    .init(window: Array(all.dropFirst()), collapsed: [0], indexed: all),
                    slice: [SymbolicDimension(fixed: 1)] + window, as: result)
            ]
        }
    }
}

/// The array with a window replaced. Operands: the array, the window, one int32 start for each dimension; the window is moved
/// inside where it would reach out.
struct DynamicUpdateSlice: Primitive {
    var isBatched = false
    var name: String { "dynamicUpdateSlice" }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        let sizes = Array(inputs[1].shape.dropFirst(isBatched ? 1 : 0))
        let lead = try DynamicWindow.checkedMembers(
            inputs[0], starts: inputs.dropFirst(2), sizes, isBatched: isBatched, for: name)
        guard inputs[1].dtype == inputs[0].dtype, Array(inputs[1].shape.prefix(lead.count)) == lead else {
            throw TensorError(
                .dtype, name, expected: "a window of the type of \(inputs[0])", got: "\(inputs[1])")
        }
        return [inputs[0]]
    }

    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        let result = try apply(self, primals)
        guard tangents[0] != nil || tangents[1] != nil else { return (result, [nil]) }
        let changes = try [tangents[0] ?? zerosLike(primals[0]), tangents[1] ?? zerosLike(primals[1])]
        return (result, try apply(self, changes + primals.dropFirst(2)))
    }

    func transpose(_ cotangents: [Tensor?], _ operands: [LinearOperand]) throws -> [Tensor?] {
        let starts = operands.dropFirst(2).compactMap(\.known)
        let none: [Tensor?] = starts.map { _ in nil }
        guard let cotangent = cotangents[0] else { return [nil, nil] + none }
        let window = operands[1].type
        let outside =
            operands[0].isLinear
            ? try apply(self, [cotangent, zeros(window.shape, dtype: window.dtype)] + starts)[0] : nil
        let slice = DynamicSlice(
            sizes: Array(window.shape.dropFirst(isBatched ? 1 : 0)), isBatched: isBatched)
        return [outside, operands[1].isLinear ? try apply(slice, [cotangent] + starts)[0] : nil] + none
    }

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        if !isBatched, !inputs.dropFirst(2).contains(where: \.isMapped) {
            let arrays = try Batched.aligned(Array(inputs.prefix(2)), size: size)
            let starts = try [Tensor(Int32(0))] + inputs.dropFirst(2).map(\.tensor)
            return [Batched(try apply(self, arrays + starts)[0], isMapped: true)]
        }
        let merged = try DynamicWindow.merged(inputs, size: size, isBatched: isBatched)
        let result = try apply(DynamicUpdateSlice(isBatched: true), merged)[0]
        return [
            Batched(
                try DynamicWindow.split(result, like: inputs[0], size: size, isBatched: isBatched),
                isMapped: true)
        ]
    }

    var lowering: LoweringRule {
        .kernel { builder, inputs, outputs in
            builder.window(
                inputs[1], outputs[0], moving: outputs[0], starts: inputs.dropFirst(2),
                Array(inputs[1].type.shape.dropFirst(isBatched ? 1 : 0)), isBatched: isBatched,
                background: inputs[0])
        }
    }

    var stableHLO: StableHLORule {
        .custom { writer, operation in
            let (x, update) = (operation.operands[0], operation.operands[1])
            let window = Array(update.type.dimensions.dropFirst(isBatched ? 1 : 0))
            let starts = writer.startsInside(
                x.type, Array(operation.operands.dropFirst(2)), window: window, isBatched: isBatched)
            guard isBatched else { return [writer.dynamicUpdateSlice(x, update, at: starts)] }
            let all = Array(0..<x.type.rank)
            return [
                try writer.scatter(
                    x, writer.memberIndices(starts), update, isVector: true,
                    .init(window: Array(all.dropFirst()), collapsed: [0], indexed: all), update: nil)
            ]
        }
    }
}

/// What both have in common.
private enum DynamicWindow {
    /// Checks array, starts and sizes; gives the dimension of the members, if there is one.
    static func checkedMembers(
        _ array: TensorType, starts: ArraySlice<TensorType>, _ sizes: [Int], isBatched: Bool, for name: String
    ) throws -> [Int] {
        let lead = Array(array.shape.prefix(isBatched ? 1 : 0))
        let dims = array.shape.dropFirst(lead.count)
        guard dims.count == sizes.count, starts.count == sizes.count,
            zip(dims, sizes).allSatisfy({ 0 <= $1 && $1 <= $0 && $0 <= Int(Int32.max) })
        else {
            throw TensorError(
                .shape, name, expected: "a window of at most \(Array(dims)), and a start for each dimension",
                got: "sizes \(sizes), \(starts.count) starts")
        }
        for start in starts where start != TensorType(.int32, Shape(lead)) {
            throw TensorError(.dtype, name, expected: "int32 scalars as starts", got: "\(start)")
        }
        return lead
    }

    /// The operands with one axis of members in front; members of members become members.
    static func merged(_ inputs: [Batched], size: Int, isBatched: Bool) throws -> [Tensor] {
        let tensors = try Batched.aligned(inputs, size: size)
        guard isBatched else { return tensors }
        return try tensors.map {
            try reshape($0, Shape([$0.shape[0] * $0.shape[1]] + $0.shape.dropFirst(2)))
        }
    }

    /// The members of members of `input` again.
    static func split(_ result: Tensor, like input: Batched, size: Int, isBatched: Bool) throws -> Tensor {
        guard isBatched else { return result }
        return try reshape(result, Shape([size, input.memberType.shape[0]] + result.shape.dropFirst()))
    }
}

extension StableHLOWriter {
    /// The starts of windows of `array`: negative ones count from the end, then all are moved inside.
    fileprivate mutating func startsInside(
        _ array: StableHLOType, _ starts: [StableHLOValue], window: [SymbolicDimension], isBatched: Bool
    ) -> [StableHLOValue] {
        let sizes = array.dimensions.dropFirst(isBatched ? 1 : 0)
        return zip(starts, zip(sizes, window)).map { start, size in
            let last = SymbolicDimension(
                fixed: size.0.fixed - size.1.fixed, perBatch: size.0.perBatch - size.1.perBatch)
            func spread(_ writer: inout StableHLOWriter, _ number: StableHLOValue) -> StableHLOValue {
                writer.broadcast(number, dimensions: [], to: start.type)
            }
            let (count, zero) = (spread(&self, self.size(size.0)), spread(&self, index(0)))
            let fromEnd = write("stablehlo.add", [start, count], as: start.type)
            let wrapped = select(compare("LT", start, zero), fromEnd, start)
            return write("stablehlo.clamp", [index(0), wrapped, self.size(last)], as: start.type)
        }
    }

    /// The starts of a window for each member as indices of elements, the member's number in front.
    fileprivate mutating func memberIndices(_ starts: [StableHLOValue]) -> StableHLOValue {
        let members = starts.first?.type.dimensions ?? []
        let column = StableHLOType(.int32, members + [SymbolicDimension(fixed: 1)])
        let components = [iota(column, dimension: 0)] + starts.map { reshape($0, to: column) }
        let rank = SymbolicDimension(fixed: components.count)
        return write(
            "stablehlo.concatenate", components, ", dim = 1", as: StableHLOType(.int32, members + [rank]))
    }
}

extension PlanBuilder {
    /// The step that copies `source` to `target`, one of which is a window of `moving`, over a copy of `background`.
    fileprivate mutating func window(
        _ source: Operand, _ target: Operand, moving array: Operand, starts: ArraySlice<Operand>,
        _ sizes: [Int],
        isBatched: Bool, background: Operand?
    ) {
        let lead = isBatched ? 1 : 0
        var arguments = spk_dynamic_window()
        var reads = [source] + starts
        var replaceable: Set<Int> = []
        if let background {
            if background.isDense {
                let count = background.type.shape.elementCount
                arguments.whole.rank = 1
                setDims(&arguments.whole.dims, [count])
                arguments.whole.src = background.kernelOperand(strides: [1])
                arguments.whole.dst = target.kernelOperand(strides: [1])
                let others = Set(reads.map(\.layout.base))
                if background.layout.offset == 0, !others.contains(background.layout.base) {
                    replaceable = [background.layout.base]
                }
                reads.append(background)
            } else {
                copy(background, to: target)
            }
        }
        // A window without elements leaves the background.
        let isEmpty = sizes.contains(0)
        let (dims, strides) = collapse(
            Shape(sizes),
            [Array(source.layout.strides.dropFirst(lead)), Array(target.layout.strides.dropFirst(lead))])
        arguments.window.rank = Int32(dims.count)
        setDims(&arguments.window.dims, dims)
        arguments.window.src = source.kernelOperand(strides: strides[0])
        arguments.window.dst = target.kernelOperand(strides: strides[1])
        arguments.moves_target = background == nil ? 0 : 1
        arguments.axes = Int32(sizes.count)
        arguments.members = isEmpty ? 0 : isBatched ? Int64(array.type.shape[0]) : 1
        arguments.src_member_stride = isBatched ? Int64(source.layout.strides[0]) : 0
        arguments.dst_member_stride = isBatched ? Int64(target.layout.strides[0]) : 0
        let dimensions = Array(array.type.shape.dropFirst(lead))
        setSlots(&arguments.starts, starts.map(\.slot))
        setDims(&arguments.start_offsets, starts.map(\.layout.offset))
        setDims(&arguments.start_strides, starts.map { isBatched ? $0.layout.strides[0] : 0 })
        setDims(&arguments.sizes, dimensions)
        setDims(&arguments.limits, zip(dimensions, sizes).map { $0 - $1 })
        setDims(&arguments.moved_strides, Array(array.layout.strides.dropFirst(lead)))
        step(arguments, spk_run_dynamic_window, reads: reads, writes: [target], replaceable: replaceable)
    }
}

/// Writes slots into a kernel's fixed-size array.
private func setSlots<Tuple>(_ target: inout Tuple, _ slots: [Int32]) {
    withUnsafeMutableBytes(of: &target) { bytes in
        let typed = bytes.bindMemory(to: Int32.self)
        for (k, slot) in slots.enumerated() { typed[k] = slot }
    }
}

// MARK: - The functions

/// The window of `sizes` of `x` that begins at `starts`, one integer scalar for each dimension. Negative starts count from the
/// end; a window that would reach out is moved inside (lax.dynamic_slice).
public func dynamicSlice(_ x: Tensor, starts: [Tensor], sizes: [Int]) throws -> Tensor {
    try apply(DynamicSlice(sizes: sizes), [x] + starts.map { try $0.astype(.int32) })[0]
}

/// `x` with the window that begins at `starts` replaced by `update`, placed as `dynamicSlice` does. In a compiled loop that
/// carries `x` only the window is written.
public func dynamicUpdateSlice(_ x: Tensor, _ update: Tensor, starts: [Tensor]) throws -> Tensor {
    let dtype = x.dtype
    return try apply(
        DynamicUpdateSlice(), [x, try update.astype(dtype)] + starts.map { try $0.astype(.int32) })[0]
}

/// `starts` that are zero but for one axis.
private func starts(_ start: Tensor, axis: Int, rank: Int) throws -> [Tensor] {
    let zero = try Tensor(Int32(0))
    return (0..<rank).map { $0 == axis ? start : zero }
}

/// `size` slices of `x` along `axis` from `start` on.
public func dynamicSliceInDim(_ x: Tensor, start: Tensor, size: Int, axis: Int = 0) throws -> Tensor {
    let axis = try x.shape.normalized(axis: axis, for: "dynamicSliceInDim")
    var sizes = x.shape.dimensions
    sizes[axis] = size
    return try dynamicSlice(x, starts: starts(start, axis: axis, rank: x.rank), sizes: sizes)
}

/// The slice of `x` at `index` along `axis`; without the axis unless `keepDims`.
public func dynamicIndexInDim(_ x: Tensor, index: Tensor, axis: Int = 0, keepDims: Bool = true) throws
    -> Tensor
{
    let slice = try dynamicSliceInDim(x, start: index, size: 1, axis: axis)
    return keepDims ? slice : try squeeze(slice, axes: [axis])
}

/// `x` with the slices along `axis` from `start` on replaced by `update`.
public func dynamicUpdateSliceInDim(_ x: Tensor, _ update: Tensor, start: Tensor, axis: Int = 0) throws
    -> Tensor
{
    let axis = try x.shape.normalized(axis: axis, for: "dynamicUpdateSliceInDim")
    return try dynamicUpdateSlice(x, update, starts: starts(start, axis: axis, rank: x.rank))
}

/// `x` with the slice at `index` along `axis` replaced by `update`, which may lack the axis.
public func dynamicUpdateIndexInDim(_ x: Tensor, _ update: Tensor, index: Tensor, axis: Int = 0) throws
    -> Tensor
{
    let axis = try x.shape.normalized(axis: axis, for: "dynamicUpdateIndexInDim")
    let slice = update.rank == x.rank ? update : try expandDims(update, axis: axis)
    return try dynamicUpdateSliceInDim(x, slice, start: index, axis: axis)
}
