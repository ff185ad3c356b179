// Running reductions along an axis.
import CKernels

/// A running sum, product, extremum or logarithm of a sum of exponentials.
struct Cumulative: Primitive {
    enum Kind: Sendable { case sum, prod, max, min, logSumExp }

    let kind: Kind
    let axis: Int
    /// From the end to the beginning.
    let isReversed: Bool

    var name: String {
        switch kind {
        case .sum: "cumsum"
        case .prod: "cumprod"
        case .max: "cummax"
        case .min: "cummin"
        case .logSumExp: "cumLogSumExp"
        }
    }

    private var kernel: spk_cumulation {
        switch kind {
        case .sum: SPK_CUMSUM
        case .prod: SPK_CUMPROD
        case .max: SPK_CUMMAX
        case .min: SPK_CUMMIN
        case .logSumExp: SPK_CUMLOGSUMEXP
        }
    }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        let input = inputs[0]
        guard input.shape.indices.contains(axis) else {
            throw TensorError(.argument, name, expected: "an axis of \(input.shape)", got: "\(axis)")
        }
        guard kind == .logSumExp ? input.dtype.isFloating : input.dtype != .bool else {
            throw TensorError(
                .dtype, name, expected: kind == .logSumExp ? "floats" : "numbers", got: "\(input)",
                fix: "Convert with astype first.")
        }
        return [input]
    }

    /// Sums are linear. The others are scanned as pairs of value and tangent: half precision in float32, rounded once.
    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        let x = primals[0]
        let y = try self(x)
        guard let tangent = tangents[0] else { return ([y], [nil]) }
        if kind == .sum { return ([y], [try self(tangent)]) }
        let wide = x.dtype.accumulation
        let pairs = try [x, tangent].map { try moveAxis($0.astype(wide), from: axis, to: 0) }
        let scanned = try associativeScan(combine, pairs, reverse: isReversed)
        return ([y], [try moveAxis(scanned[1].astype(x.dtype), from: 0, to: axis)])
    }

    /// The combination of two neighbouring parts' values and tangents.
    private func combine(_ first: [Tensor], _ second: [Tensor]) throws -> [Tensor] {
        let (a, b, da, db) = (first[0], second[0], first[1], second[1])
        switch kind {
        case .sum:
            return [try a + b, try da + db]
        case .prod:
            return [try a * b, try da * b + a * db]
        case .max, .min:
            let y = try kind == .max ? maximum(a, b) : minimum(a, b)
            return [y, try da * Binary.share(a, b, of: y) + db * Binary.share(b, a, of: y)]
        case .logSumExp:
            let y = try logAddExp(a, b)
            let common = try Binary.finiteAbove(y)
            let (shareOfA, shareOfB) = (
                try exp(Binary.finiteAbove(a) - common), try exp(Binary.finiteAbove(b) - common)
            )
            return [y, try da * shareOfA + db * shareOfB]
        }
    }

    func transpose(_ cotangents: [Tensor?], _ operands: [LinearOperand]) throws -> [Tensor?] {
        guard kind == .sum else { return [nil] }
        let backwards = Cumulative(kind: .sum, axis: axis, isReversed: !isReversed)
        return [try cotangents[0].map { try backwards($0) }]
    }

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        let lifted =
            inputs[0].isMapped ? Cumulative(kind: kind, axis: axis + 1, isReversed: isReversed) : self
        return [Batched(try lifted(inputs[0].tensor), isMapped: inputs[0].isMapped)]
    }

    var lowering: LoweringRule {
        .kernel { builder, inputs, outputs in
            let source = builder.dense(inputs[0])
            let split = AxisSplit(source.type.shape, axis: axis)
            builder.step(
                spk_cumulative(
                    cumulation: Int32(bitPattern: kernel.rawValue), dtype: source.type.dtype.kernelType,
                    reverse: isReversed ? 1 : 0, outer: split.outer, count: split.count, inner: split.inner,
                    src: source.slot, dst: outputs[0].slot, src_offset: source.offset,
                    dst_offset: outputs[0].offset),
                spk_run_cumulative, reads: [source], writes: outputs)
        }
    }

    /// A reduction over windows that end (begin) at each element; of logarithms in steps of doubled distance.
    var stableHLO: StableHLORule {
        let rule: StableHLORule =
            switch kind {
            case .sum: .composite { x in [try running(x[0], .add)] }
            case .prod: .composite { x in [try running(x[0], .multiply)] }
            case .max: .composite { x in [try running(x[0], .max)] }
            case .min: .composite { x in [try running(x[0], .min)] }
            case .logSumExp:
                .composite { x in
                    let front = try moveAxis(x[0], from: axis, to: 0)
                    let scanned = try associativeScan(
                        { try logAddExp($0, $1) }, front, reverse: isReversed)
                    return [try moveAxis(scanned, from: 0, to: axis)]
                }
            }
        return rule.computedInAccumulationType
    }

    private func running(_ x: Tensor, _ reduction: WindowReduction) throws -> Tensor {
        let size = x.shape[axis]
        guard x.shape.elementCount > 0 else { return x }
        var (window, low, high) = (x.shape.map { _ in 1 }, x.shape.map { _ in 0 }, x.shape.map { _ in 0 })
        window[axis] = size
        if isReversed { high[axis] = size - 1 } else { low[axis] = size - 1 }
        let padding = zip(low, high).map { (low: $0, high: $1) }
        return try reduceWindow(x, reduction, window: window, padding: .explicit(padding))
    }
}

// MARK: - The functions

/// Applies a running reduction along `axis`, or to all elements in row-major order without one.
private func cumulative(_ kind: Cumulative.Kind, _ x: Tensor, _ axis: Int?, _ isReversed: Bool) throws
    -> Tensor
{
    let x = try axis == nil ? reshape(x, [x.shape.elementCount]) : x
    let primitive = Cumulative(kind: kind, axis: 0, isReversed: isReversed)
    return try Cumulative(
        kind: kind, axis: try x.shape.normalized(axis: axis ?? 0, for: primitive.name), isReversed: isReversed
    )(x)
}

/// Sums of the elements so far along `axis`; without one, of all elements in row-major order. bool is summed as int32; other
/// integers keep their type and wrap.
public func cumsum(_ x: Tensor, axis: Int? = nil, reverse: Bool = false) throws -> Tensor {
    try cumulative(.sum, x.dtype == .bool ? x.astype(.int32) : x, axis, reverse)
}

/// Products of the elements so far along `axis`; without one, of all elements in row-major order.
public func cumprod(_ x: Tensor, axis: Int? = nil, reverse: Bool = false) throws -> Tensor {
    try cumulative(.prod, x.dtype == .bool ? x.astype(.int32) : x, axis, reverse)
}

/// The largest element so far along `axis`; NaN stays from where it first occurs.
public func cummax(_ x: Tensor, axis: Int = 0, reverse: Bool = false) throws -> Tensor {
    try cumulative(.max, x, axis, reverse)
}

/// The smallest element so far along `axis`; NaN stays from where it first occurs.
public func cummin(_ x: Tensor, axis: Int = 0, reverse: Bool = false) throws -> Tensor {
    try cumulative(.min, x, axis, reverse)
}

/// log(Σ eˣ) of the elements so far along `axis`, without overflow.
public func cumLogSumExp(_ x: Tensor, axis: Int = 0, reverse: Bool = false) throws -> Tensor {
    try cumulative(.logSumExp, x.astype(x.dtype.floating), axis, reverse)
}
