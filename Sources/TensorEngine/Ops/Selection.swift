// Choosing, converting and combining elements: select, astype, clip, fused multiply-add, integer powers, stopGradient.
import CKernels

/// condition ? onTrue : onFalse, element by element.
struct Select: Primitive {
    var name: String { "select" }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        guard inputs[0].dtype == .bool, inputs[1] == inputs[2], inputs[0].shape == inputs[1].shape else {
            throw TensorError(
                .shape, name, expected: "a bool condition and two choices of one type, all of one shape",
                got: "\(inputs[0]), \(inputs[1]) and \(inputs[2])")
        }
        return [inputs[1]]
    }

    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        let y = try self(primals[0], primals[1], primals[2])
        guard tangents[1] != nil || tangents[2] != nil else { return ([y], [nil]) }
        return ([y], [try self(primals[0], try tangents[1] ?? zerosLike(y), try tangents[2] ?? zerosLike(y))])
    }

    func transpose(_ cotangents: [Tensor?], _ operands: [LinearOperand]) throws -> [Tensor?] {
        guard let cotangent = cotangents[0], let condition = operands[0].known else {
            return [nil, nil, nil]
        }
        let zeros = try zerosLike(cotangent)
        return [
            nil,
            operands[1].isLinear ? try self(condition, cotangent, zeros) : nil,
            operands[2].isLinear ? try self(condition, zeros, cotangent) : nil,
        ]
    }

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        let operands = try inputs.map { try $0.materialized(size: size) }
        return [Batched(try self(operands[0], operands[1], operands[2]), isMapped: true)]
    }

    var lowering: LoweringRule {
        .elementwise { code, registers, inputs, _ in
            [
                code.emit(
                    SPK_OP_SELECT, inputs[1].dtype, registers[0], registers[1], registers[2], isExact: true)
            ]
        }
    }

    var stableHLO: StableHLORule {
        .custom { writer, operation in
            let operands = operation.operands
            return [writer.select(operands[0], operands[1], operands[2])]
        }
    }
}

/// `onTrue` where `condition` holds, `onFalse` elsewhere, with promotion and broadcasting (jnp.where).
public func select(
    _ condition: Tensor, _ onTrue: some TensorConvertible, _ onFalse: some TensorConvertible
) throws -> Tensor {
    let anchor = ((onTrue as? Tensor) ?? (onFalse as? Tensor))?.dtype ?? .float32
    let (x, y) = (try onTrue.tensor(beside: anchor), try onFalse.tensor(beside: anchor))
    let dtype = DType.promote(x.dtype, y.dtype)
    let shape = try broadcastShapes([condition.shape, x.shape, y.shape], for: "select")
    return try Select()(
        try broadcastTo(condition.astype(.bool), shape), try broadcastTo(x.astype(dtype), shape),
        try broadcastTo(y.astype(dtype), shape))
}

/// Conversion to another element type.
struct Convert: Primitive {
    let dtype: DType
    var name: String { "convert" }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] { [TensorType(dtype, inputs[0].shape)] }

    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        let isDifferentiable = primals[0].dtype.isFloating && dtype.isFloating
        return ([try self(primals[0])], [isDifferentiable ? try tangents[0].map { try self($0) } : nil])
    }

    func transpose(_ cotangents: [Tensor?], _ operands: [LinearOperand]) throws -> [Tensor?] {
        [try cotangents[0]?.astype(operands[0].type.dtype)]
    }

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        [Batched(try self(inputs[0].tensor), isMapped: inputs[0].isMapped)]
    }

    var lowering: LoweringRule {
        .elementwise { code, registers, inputs, outputs in
            [code.convert(registers[0], from: inputs[0].dtype, to: outputs[0].dtype)]
        }
    }

    var stableHLO: StableHLORule {
        .custom { writer, operation in
            let x = operation.operands[0]
            // To bool is "not zero", not the lowest bit.
            return [
                dtype == .bool
                    ? writer.compare("NE", x, try writer.splat(0, x.type)) : writer.convert(x, to: dtype)
            ]
        }
    }
}

extension Tensor {
    /// The tensor with its elements converted: floats to integers truncate and saturate (NaN gives 0), integers to narrower
    /// ones wrap, numbers to bool are `!= 0`.
    public func astype(_ dtype: DType) throws -> Tensor {
        dtype == self.dtype ? self : try Convert(dtype: dtype)(self)
    }
}

/// a · b + c with one rounding.
struct FusedMultiplyAdd: Primitive {
    var name: String { "fma" }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        guard inputs[0] == inputs[1], inputs[1] == inputs[2], inputs[0].dtype.isFloating else {
            throw TensorError(
                .shape, name, expected: "three float operands of one type and shape", got: "\(inputs)")
        }
        return [inputs[0]]
    }

    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        let product = try sum(
            tangents[0].map { try $0 * primals[1] }, tangents[1].map { try primals[0] * $0 })
        return ([try self(primals[0], primals[1], primals[2])], [try sum(product, tangents[2])])
    }

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        let operands = try inputs.map { try $0.materialized(size: size) }
        return [Batched(try self(operands[0], operands[1], operands[2]), isMapped: true)]
    }

    var lowering: LoweringRule {
        .elementwise { code, registers, inputs, _ in
            [code.emit(SPK_OP_FMA, inputs[0].dtype, registers[0], registers[1], registers[2])]
        }
    }

    /// In float64, where a product of float32 is exact; StableHLO has no such operation.
    var stableHLO: StableHLORule {
        .composite { x in
            let wide = try x.map { try $0.astype(.float64) }
            return [try (wide[0] * wide[1] + wide[2]).astype(x[0].dtype)]
        }
    }
}

/// x to a constant whole power, by repeated multiplication.
struct IntegerPow: Primitive {
    let exponent: Int
    var name: String { "integerPow" }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        guard Int32(exactly: exponent) != nil else {
            throw TensorError(
                .argument, name, expected: "an exponent that fits into int32", got: "\(exponent)")
        }
        return [inputs[0]]
    }

    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        let y = try self(primals[0])
        guard exponent != 0, let tangent = tangents[0] else { return ([y], [nil]) }
        return ([y], [try tangent * (Double(exponent) * integerPow(primals[0], exponent - 1))])
    }

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        [Batched(try self(inputs[0].tensor), isMapped: inputs[0].isMapped)]
    }

    var lowering: LoweringRule {
        .elementwise { code, registers, inputs, _ in
            let dtype = inputs[0].dtype
            let power = code.emit(SPK_OP_INTEGER_POW, dtype, registers[0], integer: Int64(exponent.magnitude))
            return [exponent < 0 ? code.emit(SPK_OP_DIV, dtype, code.constant(1, dtype), power) : power]
        }
    }

    var stableHLO: StableHLORule {
        StableHLORule.composite { x in
            var (result, square) = (try onesLike(x[0]), x[0])
            var rest = exponent.magnitude
            while rest > 0 {
                if rest & 1 == 1 { result = try result * square }
                rest >>= 1
                if rest > 0 { square = try square * square }
            }
            return [exponent < 0 ? try 1 / result : result]
        }.computedInAccumulationType
    }
}

/// x to a constant whole power.
public func integerPow(_ x: Tensor, _ exponent: Int) throws -> Tensor {
    let operand = exponent < 0 ? try x.astype(x.dtype.floating) : x
    return try IntegerPow(exponent: exponent)(operand)
}

/// The identity with derivative zero.
struct StopGradient: Primitive {
    var name: String { "stopGradient" }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] { [inputs[0]] }

    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        ([primals[0]], [nil])
    }

    /// Stays, for a gradient that is taken through the batch.
    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        [Batched(try self(inputs[0].tensor), isMapped: inputs[0].isMapped)]
    }

    var lowering: LoweringRule { .view { layout, _, _ in layout } }

    var stableHLO: StableHLORule { .identity }
}

/// The same values, counted as a constant by `grad` and its kin.
public func stopGradient(_ x: Tensor) throws -> Tensor { try StopGradient()(x) }

/// `x` limited to `low...high`.
public func clip(_ x: Tensor, _ low: some TensorConvertible, _ high: some TensorConvertible) throws -> Tensor
{
    try minimum(maximum(x, low), high)
}

/// `x` limited to `low...high`, with the derivative of lax.clamp: that of `x` strictly inside, of a limit where it is strictly
/// passed, and none at a limit.
public func clamp(
    _ low: some TensorConvertible, _ x: Tensor, _ high: some TensorConvertible
) throws -> Tensor {
    let (lower, upper) = (try low.tensor(beside: x.dtype), try high.tensor(beside: x.dtype))
    guard lower.dtype == x.dtype, upper.dtype == x.dtype else {
        throw TensorError(
            .dtype, "clamp", expected: "limits of the type \(x.dtype)",
            got: "\(lower.dtype) and \(upper.dtype)")
    }
    let isInside = try and(greater(x, lower), less(x, upper))
    let isBelow = try and(greater(lower, x), less(lower, upper))
    let atLimit = try stopGradient(clip(x, lower, upper))
    return try select(isInside, x, select(less(upper, x), upper, select(isBelow, lower, atLimit)))
}
