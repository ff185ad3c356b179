// Operations that move elements without computing: reshape, transpose, slice, reverse, concatenate, pad, iota.
import CKernels

/// The same elements in row-major order, under another shape.
struct Reshape: Primitive {
    let shape: Shape
    var name: String { "reshape" }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        guard shape.elementCount == inputs[0].shape.elementCount, shape.allSatisfy({ $0 >= 0 }),
            shape.rank <= TensorLimits.largestRank
        else {
            throw TensorError(
                .shape, name,
                expected:
                    "a shape of \(inputs[0].shape.elementCount) elements, the number in \(inputs[0].shape)",
                got: "\(shape)")
        }
        return [TensorType(inputs[0].dtype, shape)]
    }

    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        ([try self(primals[0])], [try tangents[0].map { try self($0) }])
    }

    func transpose(_ cotangents: [Tensor?], _ operands: [LinearOperand]) throws -> [Tensor?] {
        [try cotangents[0].map { try reshape($0, operands[0].type.shape) }]
    }

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        let shape = inputs[0].isMapped ? Shape([size] + shape.dimensions) : shape
        return [Batched(try reshape(inputs[0].tensor, shape), isMapped: inputs[0].isMapped)]
    }

    var lowering: LoweringRule {
        .view { layout, input, output in layout.reshaped(from: input.shape, to: output.shape) }
    }

    var stableHLO: StableHLORule {
        .custom(sizes: ["shape"]) { writer, operation in
            [writer.reshape(operation.operands[0], to: operation.results[0])]
        }
    }
}

/// `x` under another shape; one dimension may be -1, for what remains.
public func reshape(_ x: Tensor, _ shape: Shape) throws -> Tensor {
    var resolved = shape
    if let unknown = shape.firstIndex(of: -1) {
        let rest = shape.removing(axes: [unknown])
        guard rest.allSatisfy({ $0 > 0 }), x.shape.elementCount % rest.elementCount == 0 else {
            throw TensorError(
                .shape, "reshape",
                expected: "a shape of \(x.shape.elementCount) elements, with one -1 for what remains",
                got: "\(shape)")
        }
        resolved[unknown] = x.shape.elementCount / rest.elementCount
    }
    return resolved == x.shape ? x : try Reshape(shape: resolved)(x)
}

/// `x` with a new dimension of size 1 at `axis` of the result.
public func expandDims(_ x: Tensor, axis: Int) throws -> Tensor {
    let rank = x.rank + 1
    let position = axis < 0 ? axis + rank : axis
    guard (0..<rank).contains(position) else {
        throw TensorError(.argument, "expandDims", expected: "an axis in -\(rank)..<\(rank)", got: "\(axis)")
    }
    var dimensions = x.shape.dimensions
    dimensions.insert(1, at: position)
    return try reshape(x, Shape(dimensions))
}

/// `x` without the given dimensions of size 1.
public func squeeze(_ x: Tensor, axes: [Int]) throws -> Tensor {
    let axes = try x.shape.normalized(axes: axes, for: "squeeze")
    guard axes.allSatisfy({ x.shape[$0] == 1 }) else {
        throw TensorError(.shape, "squeeze", expected: "axes \(axes) of size 1", got: "shape \(x.shape)")
    }
    return try reshape(x, x.shape.removing(axes: axes))
}

/// Dimensions in another order: result dimension `k` is operand dimension `permutation[k]`.
struct Transpose: Primitive {
    let permutation: [Int]
    var name: String { "transpose" }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        guard permutation.sorted() == Array(0..<inputs[0].shape.rank) else {
            throw TensorError(
                .argument, name, expected: "a permutation of 0..<\(inputs[0].shape.rank)",
                got: "\(permutation)")
        }
        return [TensorType(inputs[0].dtype, Shape(permutation.map { inputs[0].shape[$0] }))]
    }

    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        ([try self(primals[0])], [try tangents[0].map { try self($0) }])
    }

    func transpose(_ cotangents: [Tensor?], _ operands: [LinearOperand]) throws -> [Tensor?] {
        var inverse = permutation
        for (k, axis) in permutation.enumerated() { inverse[axis] = k }
        return [try cotangents[0].map { try Transpose(permutation: inverse)($0) }]
    }

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        let lifted = inputs[0].isMapped ? [0] + permutation.map { $0 + 1 } : permutation
        return [Batched(try Transpose(permutation: lifted)(inputs[0].tensor), isMapped: inputs[0].isMapped)]
    }

    var lowering: LoweringRule {
        .view { layout, _, _ in
            Layout(base: layout.base, offset: layout.offset, strides: permutation.map { layout.strides[$0] })
        }
    }

    var stableHLO: StableHLORule {
        .custom { writer, operation in
            let dims = ", dims = \(permutation)"
            return [
                writer.write("stablehlo.transpose", operation.operands, dims, as: operation.results[0])
            ]
        }
    }
}

/// The dimensions of `x` in another order; without `axes`, reversed.
public func transpose(_ x: Tensor, axes: [Int]? = nil) throws -> Tensor {
    let permutation =
        try axes?.map { try x.shape.normalized(axis: $0, for: "transpose") } ?? (0..<x.rank).reversed()
    return permutation == Array(0..<x.rank) ? x : try Transpose(permutation: permutation)(x)
}

/// `x` with dimension `source` moved to position `destination`.
public func moveAxis(_ x: Tensor, from source: Int, to destination: Int) throws -> Tensor {
    let source = try x.shape.normalized(axis: source, for: "moveAxis")
    let destination = try x.shape.normalized(axis: destination, for: "moveAxis")
    var permutation = Array(0..<x.rank)
    permutation.remove(at: source)
    permutation.insert(source, at: destination)
    return try transpose(x, axes: permutation)
}

/// Every `strides[k]`-th element from `starts[k]` up to `limits[k]`.
struct Slice: Primitive {
    let starts: [Int]
    let limits: [Int]
    let strides: [Int]
    var name: String { "slice" }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        let shape = inputs[0].shape
        let fits =
            starts.count == shape.rank && limits.count == shape.rank && strides.count == shape.rank
            && shape.indices.allSatisfy {
                0 <= starts[$0] && starts[$0] <= limits[$0] && limits[$0] <= shape[$0] && strides[$0] > 0
            }
        guard fits else {
            throw TensorError(
                .index, name,
                expected: "0 <= start <= limit <= size in each dimension of \(shape), strides above 0",
                got: "starts \(starts), limits \(limits), strides \(strides)")
        }
        return [
            TensorType(
                inputs[0].dtype,
                Shape(
                    shape.indices.map {
                        limits[$0] == starts[$0] ? 0 : (limits[$0] - starts[$0] - 1) / strides[$0] + 1
                    }))
        ]
    }

    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        ([try self(primals[0])], [try tangents[0].map { try self($0) }])
    }

    func transpose(_ cotangents: [Tensor?], _ operands: [LinearOperand]) throws -> [Tensor?] {
        guard let cotangent = cotangents[0] else { return [nil] }
        let shape = operands[0].type.shape
        let high = shape.indices.map { axis in
            shape[axis] - starts[axis]
                - (cotangent.shape[axis] == 0 ? 0 : (cotangent.shape[axis] - 1) * strides[axis] + 1)
        }
        return [
            try Pad(low: starts, high: high, interior: strides.map { $0 - 1 })(
                cotangent, try full([], 0, dtype: cotangent.dtype))
        ]
    }

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        guard inputs[0].isMapped else { return [Batched(try self(inputs[0].tensor), isMapped: false)] }
        let lifted = Slice(starts: [0] + starts, limits: [size] + limits, strides: [1] + strides)
        return [Batched(try lifted(inputs[0].tensor), isMapped: true)]
    }

    var lowering: LoweringRule {
        .view { layout, _, _ in
            Layout(
                base: layout.base,
                offset: layout.offset + zip(starts, layout.strides).reduce(0) { $0 + $1.0 * $1.1 },
                strides: zip(strides, layout.strides).map { $0 * $1 })
        }
    }

    var stableHLO: StableHLORule {
        .custom(sizes: ["starts", "limits"]) { writer, operation in
            let first = try operation.parameter(\.starts, of: self)
            let end = try operation.parameter(\.limits, of: self)
            let result = operation.results[0]
            guard operation.operands[0].type.staticShape == nil || result.staticShape == nil else {
                let parts = starts.indices.map { "\(starts[$0]):\(limits[$0]):\(strides[$0])" }
                let ranges = " [\(parts.joined(separator: ", "))]"
                return [writer.write("stablehlo.slice", operation.operands, ranges, as: result)]
            }
            let bounds = [writer.sizes(first), writer.sizes(end), writer.vector(strides)]
            return [writer.write("stablehlo.real_dynamic_slice", operation.operands + bounds, as: result)]
        }
    }
}

/// The part of `x` from `starts` up to `limits`, every `strides`-th element (lax.slice).
public func slice(_ x: Tensor, starts: [Int], limits: [Int], strides: [Int]? = nil) throws -> Tensor {
    var strides = strides ?? Array(repeating: 1, count: starts.count)
    // A stride beyond the size takes one element, like one of the size, which the derivative can pad with.
    for (axis, size) in zip(strides.indices, x.shape) where strides[axis] > size {
        strides[axis] = max(size, 1)
    }
    return try Slice(starts: starts, limits: limits, strides: strides)(x)
}

/// The elements `range` along one axis.
public func slice(_ x: Tensor, axis: Int, _ range: Range<Int>) throws -> Tensor {
    let axis = try x.shape.normalized(axis: axis, for: "slice")
    var (starts, limits) = ([Int](repeating: 0, count: x.rank), x.shape.dimensions)
    (starts[axis], limits[axis]) = (range.lowerBound, range.upperBound)
    return try slice(x, starts: starts, limits: limits)
}

/// The elements backwards along some axes.
struct Reverse: Primitive {
    let axes: [Int]
    var name: String { "reverse" }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        guard Set(axes).count == axes.count, axes.allSatisfy(inputs[0].shape.indices.contains) else {
            throw TensorError(
                .argument, name, expected: "distinct axes of \(inputs[0].shape)", got: "\(axes)")
        }
        return [inputs[0]]
    }

    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        ([try self(primals[0])], [try tangents[0].map { try self($0) }])
    }

    func transpose(_ cotangents: [Tensor?], _ operands: [LinearOperand]) throws -> [Tensor?] {
        [try cotangents[0].map { try self($0) }]
    }

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        let lifted = inputs[0].isMapped ? Reverse(axes: axes.map { $0 + 1 }) : self
        return [Batched(try lifted(inputs[0].tensor), isMapped: inputs[0].isMapped)]
    }

    var lowering: LoweringRule {
        .view { layout, input, _ in
            var (offset, strides) = (layout.offset, layout.strides)
            for axis in axes {
                offset += max(input.shape[axis] - 1, 0) * strides[axis]
                strides[axis] = -strides[axis]
            }
            return Layout(base: layout.base, offset: offset, strides: strides)
        }
    }

    var stableHLO: StableHLORule {
        .custom { writer, operation in
            let dims = ", dims = \(axes)"
            return [writer.write("stablehlo.reverse", operation.operands, dims, as: operation.results[0])]
        }
    }
}

/// `x` backwards along the given axes (jnp.flip).
public func flip(_ x: Tensor, axes: [Int]) throws -> Tensor {
    try Reverse(axes: try x.shape.normalized(axes: axes, for: "flip"))(x)
}

/// Operands one after the other along a dimension.
struct Concatenate: Primitive {
    let axis: Int
    var name: String { "concatenate" }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        guard let first = inputs.first, first.shape.indices.contains(axis),
            inputs.allSatisfy({ $0.dtype == first.dtype && $0.shape.rank == first.shape.rank })
                && inputs.allSatisfy({ $0.shape.removing(axes: [axis]) == first.shape.removing(axes: [axis]) }
                )
        else {
            throw TensorError(
                .shape, name, expected: "operands of one type that agree in all dimensions but \(axis)",
                got: inputs.map(\.description).joined(separator: ", "))
        }
        var shape = first.shape
        shape[axis] = inputs.reduce(0) { $0 + $1.shape[axis] }
        return [TensorType(first.dtype, shape)]
    }

    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        let y = try apply(self, primals)
        guard tangents.contains(where: { $0 != nil }) else { return (y, [nil]) }
        return (y, try apply(self, try zip(primals, tangents).map { try $1 ?? zerosLike($0) }))
    }

    func transpose(_ cotangents: [Tensor?], _ operands: [LinearOperand]) throws -> [Tensor?] {
        guard let cotangent = cotangents[0] else { return operands.map { _ in nil } }
        var start = 0
        return try operands.map { operand in
            let end = start + operand.type.shape[axis]
            defer { start = end }
            return operand.isLinear ? try slice(cotangent, axis: axis, start..<end) : nil
        }
    }

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        let result = try apply(
            Concatenate(axis: axis + 1), try inputs.map { try $0.materialized(size: size) })
        return [Batched(result[0], isMapped: true)]
    }

    var lowering: LoweringRule {
        .kernel { builder, inputs, outputs in
            var start = 0
            for input in inputs {
                // A part that was computed where it shall be is there already.
                if input.layout.base != outputs[0].layout.base {
                    builder.copy(
                        input, to: outputs[0].sliced(axis: axis, from: start, shape: input.type.shape))
                }
                start += input.type.shape[axis]
            }
        }
    }

    var stableHLO: StableHLORule {
        .custom { writer, operation in
            let dim = ", dim = \(axis)"
            return [writer.write("stablehlo.concatenate", operation.operands, dim, as: operation.results[0])]
        }
    }
}

/// The tensors one after the other along `axis`, promoted to one type.
public func concatenate(_ tensors: [Tensor], axis: Int = 0) throws -> Tensor {
    guard let first = tensors.first else {
        throw TensorError(.argument, "concatenate", expected: "at least one tensor", got: "none")
    }
    let dtype = tensors.map(\.dtype).reduce(first.dtype, DType.promote)
    let axis = try first.shape.normalized(axis: axis, for: "concatenate")
    return try apply(Concatenate(axis: axis), try tensors.map { try $0.astype(dtype) })[0]
}

/// The tensors side by side along a new dimension.
public func stack(_ tensors: [Tensor], axis: Int = 0) throws -> Tensor {
    try concatenate(try tensors.map { try expandDims($0, axis: axis) }, axis: axis)
}

/// A value around, and between, the elements: `low` before, `high` after, `interior` between two neighbours.
struct Pad: Primitive {
    let low: [Int]
    let high: [Int]
    let interior: [Int]
    var name: String { "pad" }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        let shape = inputs[0].shape
        let fits =
            low.count == shape.rank && high.count == shape.rank && interior.count == shape.rank
            && (low + high + interior).allSatisfy { (0...TensorLimits.largestByteCount).contains($0) }
            && zip(shape, interior).allSatisfy { $1 == 0 || $0 <= TensorLimits.largestByteCount / $1 }
            && inputs[1] == TensorType(inputs[0].dtype, [])
        guard fits else {
            throw TensorError(
                .argument, name,
                expected: "amounts of 0 or more for each dimension of \(shape), and a scalar of its type",
                got: "low \(low), high \(high), interior \(interior), value \(inputs[1])")
        }
        return [
            TensorType(
                inputs[0].dtype,
                Shape(
                    shape.indices.map {
                        low[$0] + high[$0] + shape[$0] + max(shape[$0] - 1, 0) * interior[$0]
                    }))
        ]
    }

    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        let y = try self(primals[0], primals[1])
        guard tangents[0] != nil || tangents[1] != nil else { return ([y], [nil]) }
        return (
            [y],
            [try self(try tangents[0] ?? zerosLike(primals[0]), try tangents[1] ?? zerosLike(primals[1]))]
        )
    }

    func transpose(_ cotangents: [Tensor?], _ operands: [LinearOperand]) throws -> [Tensor?] {
        guard let cotangent = cotangents[0] else { return [nil, nil] }
        let inner = try slice(
            cotangent, starts: low, limits: cotangent.shape.indices.map { cotangent.shape[$0] - high[$0] },
            strides: interior.map { $0 + 1 })
        let axes = Array(cotangent.shape.indices)
        let outside = operands[1].isLinear ? try sum(cotangent, axes: axes) - sum(inner, axes: axes) : nil
        return [operands[0].isLinear ? inner : nil, outside]
    }

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        guard !inputs[1].isMapped else {
            // Pad with zeros, then put each member's value where the padding is.
            let zero = Batched(try zeros([], dtype: inputs[1].tensor.dtype), isMapped: false)
            let padded = try batch([inputs[0], zero], size: size)[0].materialized(size: size)
            let inside = try self(
                try full(inputs[0].memberType.shape, 1, dtype: .bool), try full([], 0, dtype: .bool))
            let values = try broadcastInDim(inputs[1].tensor, shape: padded.shape, dimensions: [0])
            return [
                Batched(try select(broadcastTo(inside, padded.shape), padded, values), isMapped: true)
            ]
        }
        guard inputs[0].isMapped else {
            return [Batched(try self(inputs[0].tensor, inputs[1].tensor), isMapped: false)]
        }
        let lifted = Pad(low: [0] + low, high: [0] + high, interior: [0] + interior)
        return [Batched(try lifted(inputs[0].tensor, inputs[1].tensor), isMapped: true)]
    }

    var lowering: LoweringRule {
        .kernel { builder, inputs, outputs in
            builder.copy(inputs[1].broadcast(to: outputs[0].type.shape), to: outputs[0])
            builder.copy(
                inputs[0],
                to: outputs[0].spread(
                    from: low, strides: interior.map { $0 + 1 }, shape: inputs[0].type.shape))
        }
    }

    var stableHLO: StableHLORule {
        .custom(sizes: ["low", "high"]) { writer, operation in
            let before = try operation.parameter(\.low, of: self)
            let after = try operation.parameter(\.high, of: self)
            let result = operation.results[0]
            guard before.allSatisfy(\.isStatic), after.allSatisfy(\.isStatic) else {
                let amounts = [writer.sizes(before), writer.sizes(after), writer.vector(interior)]
                return [writer.write("stablehlo.dynamic_pad", operation.operands + amounts, as: result)]
            }
            let amounts = ", low = \(low), high = \(high), interior = \(interior)"
            return [writer.write("stablehlo.pad", operation.operands, amounts, as: result)]
        }
    }
}

/// `x` with `low[k]` elements of `value` before and `high[k]` after it in each dimension.
public func pad(_ x: Tensor, low: [Int], high: [Int], value: some TensorConvertible = 0.0) throws -> Tensor {
    try Pad(low: low, high: high, interior: Array(repeating: 0, count: x.rank))(
        x, try value.tensor(beside: x.dtype).astype(x.dtype))
}

/// Each element's index along a dimension.
struct Iota: Primitive {
    let dtype: DType
    let shape: Shape
    let dimension: Int
    var name: String { "iota" }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        guard shape.indices.contains(dimension), dtype != .bool, shape.rank <= TensorLimits.largestRank else {
            throw TensorError(
                .argument, name, expected: "a number type and a dimension of \(shape)",
                got: "\(dtype), dimension \(dimension)")
        }
        return [TensorType(dtype, shape)]
    }

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        [Batched(try self(), isMapped: false)]
    }

    var lowering: LoweringRule {
        .elementwise { code, _, _, _ in [code.index(dimension, dtype)] }
    }

    var stableHLO: StableHLORule {
        .custom(sizes: ["shape"]) { writer, operation in
            [writer.iota(operation.results[0], dimension: dimension)]
        }
    }
}

/// Each element's index along `dimension` (lax.broadcasted_iota).
public func iota(_ dtype: DType, shape: Shape, dimension: Int = 0) throws -> Tensor {
    try Iota(dtype: dtype, shape: shape, dimension: dimension)()
}

/// 0, 1, …, count - 1.
public func arange(_ count: Int, dtype: DType = .int32) throws -> Tensor { try iota(dtype, shape: [count]) }
