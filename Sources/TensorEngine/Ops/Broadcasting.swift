// Making shapes fit: broadcastInDim, and NumPy's rules on top of it.

/// Repeats an operand along new or unit dimensions: operand dimension `k` becomes result dimension `dimensions[k]`.
struct BroadcastInDim: Primitive {
    let shape: Shape
    let dimensions: [Int]
    var name: String { "broadcastInDim" }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        let operand = inputs[0].shape
        let isAscending = zip(dimensions, dimensions.dropFirst()).allSatisfy { $0 < $1 }
        let fits =
            dimensions.count == operand.rank && isAscending
            && zip(operand, dimensions).allSatisfy {
                shape.indices.contains($1) && ($0 == 1 || $0 == shape[$1])
            }
        guard fits, shape.rank <= TensorLimits.largestRank, shape.allSatisfy({ $0 >= 0 }) else {
            throw TensorError(
                .shape, name,
                expected:
                    "each dimension of \(operand) to be 1 or to equal its counterpart of \(shape), rank at most \(TensorLimits.largestRank)",
                got: "dimensions \(dimensions)")
        }
        return [TensorType(inputs[0].dtype, shape)]
    }

    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        ([try self(primals[0])], [try tangents[0].map { try self($0) }])
    }

    func transpose(_ cotangents: [Tensor?], _ operands: [LinearOperand]) throws -> [Tensor?] {
        guard let cotangent = cotangents[0] else { return [nil] }
        let operand = operands[0].type.shape
        // Sum over what was added, and over what was stretched from 1.
        let summed = shape.indices.filter { axis in
            guard let k = dimensions.firstIndex(of: axis) else { return true }
            return operand[k] == 1 && shape[axis] != 1
        }
        let reduced = summed.isEmpty ? cotangent : try ReduceSum(axes: summed)(cotangent)
        return [try reshape(reduced, operand)]
    }

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        guard inputs[0].isMapped else { return [Batched(try self(inputs[0].tensor), isMapped: false)] }
        let lifted = BroadcastInDim(
            shape: Shape([size] + shape.dimensions), dimensions: [0] + dimensions.map { $0 + 1 })
        return [Batched(try lifted(inputs[0].tensor), isMapped: true)]
    }

    var lowering: LoweringRule {
        .view { layout, input, output in
            var strides = [Int](repeating: 0, count: output.shape.rank)
            for (k, axis) in dimensions.enumerated() {
                strides[axis] = input.shape[k] == 1 && output.shape[axis] != 1 ? 0 : layout.strides[k]
            }
            return Layout(base: layout.base, offset: layout.offset, strides: strides)
        }
    }

    var stableHLO: StableHLORule {
        .custom(sizes: ["shape"]) { writer, operation in
            [writer.broadcast(operation.operands[0], dimensions: dimensions, to: operation.results[0])]
        }
    }
}

/// Repeats `x`: its dimension `k` becomes dimension `dimensions[k]` of the result (lax.broadcast_in_dim).
public func broadcastInDim(_ x: Tensor, shape: Shape, dimensions: [Int]) throws -> Tensor {
    if x.shape == shape, dimensions == Array(shape.indices) { return x }
    return try BroadcastInDim(shape: shape, dimensions: dimensions)(x)
}

/// `x` repeated to `shape` by NumPy's rules: aligned at the last dimension.
public func broadcastTo(_ x: Tensor, _ shape: Shape) throws -> Tensor {
    if x.shape == shape { return x }
    guard x.rank <= shape.rank else {
        throw TensorError(
            .shape, "broadcastTo", expected: "at most rank \(shape.rank) for \(shape)", got: "\(x.type)")
    }
    return try broadcastInDim(x, shape: shape, dimensions: Array((shape.rank - x.rank)..<shape.rank))
}

/// The shape to which all of `shapes` broadcast.
func broadcastShapes(_ shapes: [Shape], for operation: String) throws -> Shape {
    let rank = shapes.map(\.rank).max() ?? 0
    var result = [Int](repeating: 1, count: rank)
    for shape in shapes {
        for (k, size) in shape.enumerated() where size != 1 {
            let axis = rank - shape.rank + k
            guard result[axis] == 1 || result[axis] == size else {
                throw TensorError(
                    .shape, operation, expected: "shapes that broadcast together",
                    got: shapes.map(\.description).joined(separator: " and "),
                    fix: "Aligned at the last dimension, sizes must be equal or 1.")
            }
            result[axis] = size
        }
    }
    return Shape(result)
}

/// A tensor of one value.
public func full(_ shape: Shape, _ value: Double, dtype: DType = .float32) throws -> Tensor {
    try broadcastInDim(Constant.scalar(value, dtype), shape: shape, dimensions: [])
}

/// A tensor of zeros.
public func zeros(_ shape: Shape, dtype: DType = .float32) throws -> Tensor {
    try full(shape, 0, dtype: dtype)
}

/// A tensor of ones.
public func ones(_ shape: Shape, dtype: DType = .float32) throws -> Tensor {
    try full(shape, 1, dtype: dtype)
}

/// Scalar constants.
enum Constant {
    /// A scalar of the given type; floats round, integers truncate and saturate.
    static func scalar(_ value: Double, _ dtype: DType) throws -> Tensor {
        func integer<I: FixedWidthInteger & TensorScalar>(_: I.Type) throws -> Tensor {
            try Tensor(
                value.isNaN ? 0 : I(exactly: value.rounded(.towardZero)) ?? (value < 0 ? I.min : I.max))
        }
        func half(_ bits: UInt16) throws -> Tensor {
            try withUnsafeBytes(of: bits) { try Tensor(bytes: $0, type: TensorType(dtype, [])) }
        }
        return switch dtype {
        case .bool: try Tensor(value != 0)
        case .int8: try integer(Int8.self)
        case .int16: try integer(Int16.self)
        case .int32: try integer(Int32.self)
        case .int64: try integer(Int64.self)
        case .uint8: try integer(UInt8.self)
        case .uint16: try integer(UInt16.self)
        case .uint32: try integer(UInt32.self)
        case .uint64: try integer(UInt64.self)
        case .float16: try half(HalfPrecision.float16(from: Float(value)))
        case .bfloat16: try half(HalfPrecision.bfloat16(from: Float(value)))
        case .float32: try Tensor(Float(value))
        case .float64: try Tensor(value)
        }
    }
}
