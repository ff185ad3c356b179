// Matrix products of every kind: dotGeneral, and matmul, dot, inner on top of it.
import CKernels

/// Sums of products over contracted dimensions, one result per combination of batch and free dimensions (lax.dot_general).
/// The result's dimensions are: batch, then the left operand's free ones, then the right one's.
struct DotGeneral: Primitive {
    let lhsContracting: [Int]
    let rhsContracting: [Int]
    let lhsBatch: [Int]
    let rhsBatch: [Int]
    var name: String { "dotGeneral" }

    func lhsFree(_ rank: Int) -> [Int] {
        (0..<rank).filter { !lhsContracting.contains($0) && !lhsBatch.contains($0) }
    }
    func rhsFree(_ rank: Int) -> [Int] {
        (0..<rank).filter { !rhsContracting.contains($0) && !rhsBatch.contains($0) }
    }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        let (lhs, rhs) = (inputs[0], inputs[1])
        func isValid(_ axes: [Int], _ type: TensorType) -> Bool {
            Set(axes).count == axes.count && axes.allSatisfy(type.shape.indices.contains)
        }
        guard isValid(lhsContracting + lhsBatch, lhs), isValid(rhsContracting + rhsBatch, rhs),
            lhsContracting.count == rhsContracting.count, lhsBatch.count == rhsBatch.count
        else {
            throw TensorError(
                .argument, name, expected: "distinct dimensions of \(lhs) and \(rhs), as many on each side",
                got: "contracting \(lhsContracting) and \(rhsContracting), batch \(lhsBatch) and \(rhsBatch)")
        }
        guard lhs.dtype == rhs.dtype, lhs.dtype != .bool else {
            throw TensorError(
                .dtype, name, expected: "two operands of one number type", got: "\(lhs) and \(rhs)")
        }
        for (what, pairs) in [
            ("contracting", zip(lhsContracting, rhsContracting)), ("batch", zip(lhsBatch, rhsBatch)),
        ] {
            for (i, j) in pairs where lhs.shape[i] != rhs.shape[j] {
                throw TensorError(
                    .shape, name, expected: "\(what) dimensions of one size",
                    got: "lhs \(lhs.shape) dimension \(i) and rhs \(rhs.shape) dimension \(j)",
                    fix: what == "contracting" ? "A kernel was made for inputs of width \(rhs.shape[j])." : ""
                )
            }
        }
        let shape =
            lhsBatch.map { lhs.shape[$0] } + lhsFree(lhs.shape.rank).map { lhs.shape[$0] }
            + rhsFree(rhs.shape.rank).map { rhs.shape[$0] }
        guard shape.count <= TensorLimits.largestRank else {
            throw TensorError(
                .shape, name, expected: "a result of rank at most \(TensorLimits.largestRank)",
                got: "\(shape)")
        }
        return [TensorType(lhs.dtype, Shape(shape))]
    }

    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        let fromLhs = try tangents[0].map { try self($0, primals[1]) }
        let fromRhs = try tangents[1].map { try self(primals[0], $0) }
        return ([try self(primals[0], primals[1])], [try sum(fromLhs, fromRhs)])
    }

    func transpose(_ cotangents: [Tensor?], _ operands: [LinearOperand]) throws -> [Tensor?] {
        guard let cotangent = cotangents[0] else { return [nil, nil] }
        let (lhsRank, rhsRank) = (operands[0].type.shape.rank, operands[1].type.shape.rank)
        let (lhsFree, rhsFree) = (lhsFree(lhsRank), rhsFree(rhsRank))
        let batch = Array(0..<lhsBatch.count)
        let ctLhs = batch.count..<(batch.count + lhsFree.count)
        let ctRhs = (batch.count + lhsFree.count)..<cotangent.rank

        var results: [Tensor?] = [nil, nil]
        if operands[0].isLinear, let rhs = operands[1].known {
            // Contract the cotangent with rhs over rhs's free dimensions: [batch, lhs free, rhs contracting].
            let product = try DotGeneral(
                lhsContracting: Array(ctRhs), rhsContracting: rhsFree, lhsBatch: batch, rhsBatch: rhsBatch)(
                    cotangent, rhs)
            // rhs's contracting dimensions come out in ascending order.
            let contracted = rhsContracting.sorted().map {
                lhsContracting[rhsContracting.firstIndex(of: $0) ?? 0]
            }
            results[0] = try TensorEngine.transpose(
                product, axes: inverse(of: lhsBatch + lhsFree + contracted))
        }
        if operands[1].isLinear, let lhs = operands[0].known {
            // [batch, lhs contracting, rhs free], so that the kernel's gradient is xᵀ·ct, as it is stored.
            let product = try DotGeneral(
                lhsContracting: lhsFree, rhsContracting: Array(ctLhs), lhsBatch: lhsBatch, rhsBatch: batch)(
                    lhs, cotangent)
            let contracted = lhsContracting.sorted().map {
                rhsContracting[lhsContracting.firstIndex(of: $0) ?? 0]
            }
            results[1] = try TensorEngine.transpose(
                product, axes: inverse(of: rhsBatch + contracted + rhsFree))
        }
        return results
    }

    private func inverse(of permutation: [Int]) -> [Int] {
        var result = permutation
        for (k, axis) in permutation.enumerated() { result[axis] = k }
        return result
    }

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        let (lhs, rhs) = (inputs[0], inputs[1])
        func raised(_ axes: [Int], _ isMapped: Bool) -> [Int] { isMapped ? axes.map { $0 + 1 } : axes }
        let areBothMapped = lhs.isMapped && rhs.isMapped
        let lifted = DotGeneral(
            lhsContracting: raised(lhsContracting, lhs.isMapped),
            rhsContracting: raised(rhsContracting, rhs.isMapped),
            lhsBatch: (areBothMapped ? [0] : []) + raised(lhsBatch, lhs.isMapped),
            rhsBatch: (areBothMapped ? [0] : []) + raised(rhsBatch, rhs.isMapped))
        let result = try lifted(lhs.tensor, rhs.tensor)
        guard lhs.isMapped != rhs.isMapped else { return [Batched(result, isMapped: areBothMapped)] }
        // The member axis is the first free dimension of the mapped side.
        let position = lhs.isMapped ? lhsBatch.count : lhsBatch.count + lhsFree(lhs.tensor.rank).count
        return [Batched(try moveAxis(result, from: position, to: 0), isMapped: true)]
    }

    var lowering: LoweringRule {
        .contraction { lhs, rhs in
            (
                [lhsBatch, lhsFree(lhs.shape.rank), lhsContracting],
                [rhsBatch, rhsContracting, rhsFree(rhs.shape.rank)]
            )
        }
    }

    var stableHLO: StableHLORule {
        .custom { writer, operation in
            let batch = lhsBatch.isEmpty ? "" : "batching_dims = \(lhsBatch) x \(rhsBatch), "
            let attributes =
                ", \(batch)contracting_dims = \(lhsContracting) x \(rhsContracting), precision = [HIGHEST, HIGHEST]"
            return [
                writer.write(
                    "stablehlo.dot_general", operation.operands, attributes, as: operation.results[0])
            ]
        }
    }
}

/// Sums of products (lax.dot_general), with promotion. float16 and bfloat16 are summed in float32 and rounded once.
///
/// - Parameter preferredElementType: the type of sums and result instead of the operands'.
public func dotGeneral(
    _ lhs: Tensor, _ rhs: Tensor, contracting: (lhs: [Int], rhs: [Int]),
    batch: (lhs: [Int], rhs: [Int]) = ([], []), preferredElementType: DType? = nil
) throws -> Tensor {
    let dtype = preferredElementType ?? DType.promote(lhs.dtype, rhs.dtype)
    let computed = dtype.isHalfPrecision ? .float32 : dtype == .bool ? .int32 : dtype
    let dot = DotGeneral(
        lhsContracting: contracting.lhs, rhsContracting: contracting.rhs, lhsBatch: batch.lhs,
        rhsBatch: batch.rhs)
    return try dot(try lhs.astype(computed), try rhs.astype(computed)).astype(dtype)
}

/// The matrix product, batched over leading dimensions with broadcasting (NumPy's matmul).
public func matmul(_ lhs: Tensor, _ rhs: Tensor) throws -> Tensor {
    guard lhs.rank > 0, rhs.rank > 0 else {
        throw TensorError(
            .shape, "matmul", expected: "operands of rank 1 or more", got: "\(lhs.type) and \(rhs.type)")
    }
    if lhs.rank == 1 || rhs.rank <= 2 {
        // No batch on the right: the left's dimensions stay in front.
        if rhs.rank <= 2 {
            return try dotGeneral(lhs, rhs, contracting: ([lhs.rank - 1], [max(rhs.rank - 2, 0)]))
        }
        return try dotGeneral(lhs, rhs, contracting: ([0], [rhs.rank - 2]))
    }
    let (x, y) = (lhs, rhs)
    let batchShape = try broadcastShapes(
        [Shape(x.shape.dropLast(2)), Shape(y.shape.dropLast(2))], for: "matmul")
    let a = try broadcastTo(x, Shape(batchShape.dimensions + x.shape.suffix(2)))
    let b = try broadcastTo(y, Shape(batchShape.dimensions + y.shape.suffix(2)))
    let batch = Array(batchShape.indices)
    return try dotGeneral(a, b, contracting: ([a.rank - 1], [b.rank - 2]), batch: (batch, batch))
}

/// The sum of products over the last dimensions (NumPy's inner): for vectors, the scalar product.
public func inner(_ lhs: Tensor, _ rhs: Tensor) throws -> Tensor {
    guard lhs.rank > 0, rhs.rank > 0 else { return try lhs * rhs }
    return try dotGeneral(lhs, rhs, contracting: ([lhs.rank - 1], [rhs.rank - 1]))
}

/// NumPy's dot: the last dimension of `lhs` with the last but one of `rhs`.
public func dot(_ lhs: Tensor, _ rhs: Tensor) throws -> Tensor {
    guard lhs.rank > 0, rhs.rank > 0 else { return try lhs * rhs }
    return try dotGeneral(lhs, rhs, contracting: ([lhs.rank - 1], [max(rhs.rank - 2, 0)]))
}
