// Padding in all ways: with a value, also negative and between elements; with the array's own elements; with its statistics.

/// What `pad` puts around an array.
public enum PadMode: Sendable, Hashable {
    /// A number.
    case constant(Double)
    /// The nearest element.
    case edge
    /// The elements mirrored at the border, which is not repeated.
    case reflect
    /// The elements mirrored at the border, which is repeated.
    case symmetric
    /// The elements of the other end.
    case wrap
    /// The largest, smallest or mean element of the line; means of integers are rounded.
    case maximum, minimum, mean

    /// The mode with NumPy's name; `value` is that of "constant".
    public init?(name: String, value: Double = 0) {
        switch name {
        case "constant": self = .constant(value)
        case "edge": self = .edge
        case "reflect": self = .reflect
        case "symmetric": self = .symmetric
        case "wrap": self = .wrap
        case "maximum": self = .maximum
        case "minimum": self = .minimum
        case "mean": self = .mean
        default: return nil
        }
    }
}

/// `x` with `widths[k].0` elements before and `widths[k].1` after it in each dimension (jnp.pad).
public func pad(_ x: Tensor, _ widths: [(Int, Int)], mode: PadMode) throws -> Tensor {
    guard widths.count == x.rank, widths.allSatisfy({ $0.0 >= 0 && $0.1 >= 0 }),
        widths.allSatisfy({ $0.0 < Int(Int32.max) && $0.1 < Int(Int32.max) })
    else {
        throw TensorError(
            .argument, "pad", expected: "two widths of 0 or more for each dimension of \(x.type)",
            got: "\(widths)")
    }
    if case .constant(let value) = mode {
        return try pad(x, low: widths.map(\.0), high: widths.map(\.1), value: value)
    }
    var result = x
    for (axis, width) in widths.enumerated() where width != (0, 0) {
        guard x.shape[axis] > 0 else {
            throw TensorError(
                .shape, "pad", expected: "elements along axis \(axis) to pad with", got: "\(x.type)")
        }
        result = try padded(result, axis: axis, width, mode)
    }
    return result
}

/// `x` padded along one axis with what is in it.
private func padded(_ x: Tensor, axis: Int, _ width: (Int, Int), _ mode: PadMode) throws -> Tensor {
    let size = x.shape[axis]
    let source: (Int) -> Int
    switch mode {
    case .edge: source = { min(max($0, 0), size - 1) }
    case .wrap: source = { modulo($0, size) }
    case .reflect:
        source = { position in
            let period = 2 * max(size - 1, 1)
            let place = modulo(position, period)
            return size == 1 ? 0 : min(place, period - place)
        }
    case .symmetric:
        source = { position in
            let place = modulo(position, 2 * size)
            return min(place, 2 * size - 1 - place)
        }
    case .constant, .maximum, .minimum, .mean:
        let line = try statistic(x, axis: axis, mode)
        func part(_ count: Int) throws -> Tensor {
            var shape = x.shape
            shape[axis] = count
            return try broadcastTo(line, shape)
        }
        return try concatenate([part(width.0), x, part(width.1)], axis: axis)
    }
    guard size + width.0 + width.1 <= Int(Int32.max) else {
        throw TensorError(.resource, "pad", expected: "less than 2³¹ elements along an axis", got: "\(width)")
    }
    let sources = (-width.0..<(size + width.1)).map { Int32(truncatingIfNeeded: source($0)) }
    return try Take(axis: axis, mode: .clamp)(x, Tensor(sources))
}

private func modulo(_ a: Int, _ b: Int) -> Int {
    let remainder = a % b
    return remainder < 0 ? remainder + b : remainder
}

private func statistic(_ x: Tensor, axis: Int, _ mode: PadMode) throws -> Tensor {
    switch mode {
    case .maximum: return try max(x, axes: [axis], keepDims: true)
    case .minimum: return try min(x, axes: [axis], keepDims: true)
    default:
        let average = try mean(x, axes: [axis], keepDims: true)
        return x.dtype.isFloating ? average : try round(average).astype(x.dtype)
    }
}

/// What `pad` does to one dimension, as in lax.pad: elements before and after it (cut off where negative), and between two
/// neighbours, which come first.
public struct PaddingDimension: Sendable, Hashable {
    public var low: Int
    public var high: Int
    public var interior: Int

    public init(low: Int, high: Int, interior: Int = 0) {
        self.low = low
        self.high = high
        self.interior = interior
    }
}

/// `x` with `value` around and between its elements; negative amounts cut off, after the interior was filled (lax.pad).
public func pad(_ x: Tensor, value: some TensorConvertible, _ dimensions: [PaddingDimension]) throws -> Tensor
{
    guard dimensions.count == x.rank,
        dimensions.allSatisfy({
            $0.interior >= 0 && [$0.low, $0.high].allSatisfy { $0.magnitude < UInt(1) << 40 }
        })
    else {
        throw TensorError(
            .argument, "pad", expected: "amounts for each dimension of \(x.type), 0 or more between elements",
            got: "\(dimensions)")
    }
    let padded = try Pad(
        low: dimensions.map { Swift.max($0.low, 0) }, high: dimensions.map { Swift.max($0.high, 0) },
        interior: dimensions.map(\.interior))(x, try value.tensor(beside: x.dtype).astype(x.dtype))
    guard dimensions.contains(where: { $0.low < 0 || $0.high < 0 }) else { return padded }
    let starts = dimensions.map { Swift.max(-$0.low, 0) }
    let limits = zip(dimensions, padded.shape).map { $1 + Swift.min($0.high, 0) }
    guard zip(starts, limits).allSatisfy({ $0 <= $1 }) else {
        throw TensorError(
            .shape, "pad", expected: "sizes of 0 or more to remain of \(x.type)", got: "\(dimensions)")
    }
    return try slice(padded, starts: starts, limits: limits)
}
