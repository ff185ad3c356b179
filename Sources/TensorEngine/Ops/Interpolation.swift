// Piecewise linear interpolation.

/// The values at `x` of the function that is linear between the points (`xp`, `fp`), xp ascending (jnp.interp).
///
/// - Parameters:
///   - left: what is below xp's first point gives; by default fp's first value.
///   - right: what is above xp's last point gives; by default fp's last value.
public func interp(
    _ x: Tensor, _ xp: Tensor, _ fp: Tensor, left: Tensor? = nil, right: Tensor? = nil
) throws -> Tensor {
    guard xp.rank == 1, xp.shape == fp.shape, xp.shape[0] > 0 else {
        throw TensorError(
            .shape, "interp", expected: "xp and fp to be vectors of one size above 0",
            got: "\(xp.type) and \(fp.type)")
    }
    let dtype = [x, xp, fp].map(\.dtype).reduce(.bool, DType.promote).floating
    let (x, xp, fp) = (try x.astype(dtype), try xp.astype(dtype), try fp.astype(dtype))
    let last = xp.shape[0] - 1
    let upper = try clip(searchSorted(xp, x, side: .right), Swift.min(1, last), last)
    let lower = try maximum(upper - 1, 0)
    func at(_ table: Tensor, _ index: Tensor) throws -> Tensor { try take(table, index, mode: .clamp) }
    let (start, value) = (try at(xp, lower), try at(fp, lower))
    let step = try at(xp, upper) - start
    // Points that coincide have no slope; their quotient must not reach the derivative.
    let spacing = dtype == .float64 ? 0x1p-104 : 0x1p-46
    let isPoint = try lessEqual(abs(step), spacing)
    let slope = try (x - start) / select(isPoint, onesLike(step), step)
    var result = try select(isPoint, value, value + slope * (at(fp, upper) - value))
    result = try select(less(x, index(xp, [0])), left ?? index(fp, [0]), result)
    return try select(greater(x, index(xp, [.at(last)])), right ?? index(fp, [.at(last)]), result)
}
