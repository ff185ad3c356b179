// Initializers whose kernels keep lengths: orthogonal matrices.
import TensorEngine

extension Initializer {
    /// A matrix with orthonormal rows or columns, whichever are fewer, times `scale`. The kernel's axis `columnAxis` is one side of
    /// the matrix, all other axes together the other (Saxe et al. 2013).
    public static func orthogonal(scale: Double = 1, columnAxis: Int = -1) -> Initializer {
        Initializer { key, shape, dtype in
            let axis = columnAxis < 0 ? columnAxis + shape.rank : columnAxis
            guard shape.rank >= 2, shape.indices.contains(axis) else {
                throw ModuleError(
                    .argument, "orthogonal",
                    expected: "a kernel of rank 2 or more that has the axis \(columnAxis)",
                    got: "shape \(shape)", fix: "A vector has no orthogonal form; use normal or zeros for it."
                )
            }
            var others = shape.dimensions
            let columns = others.remove(at: axis)
            let matrix = try key.orthogonal(others.reduce(1, *), columns, dtype: dtype)
            let kernel = try moveAxis(reshape(matrix, Shape(others + [columns])), from: -1, to: axis)
            return try kernel * full([], scale, dtype: dtype)
        }
    }

    /// A convolution kernel `[window…, in, out]` of one to three window axes that is zero but for an orthogonal matrix at the
    /// centre, so that the layer begins as an orthogonal map of each position (Xiao et al. 2018). Needs in ≤ out.
    public static func deltaOrthogonal(scale: Double = 1, columnAxis: Int = -1) -> Initializer {
        Initializer { key, shape, dtype in
            guard (3...5).contains(shape.rank), shape[shape.rank - 2] <= shape[shape.rank - 1] else {
                throw ModuleError(
                    .argument, "deltaOrthogonal",
                    expected: "a kernel of rank 3 to 5 with at least as many outputs as inputs",
                    got: "shape \(shape)")
            }
            let matrix = try orthogonal(scale: scale, columnAxis: columnAxis)(
                key, Shape(shape.suffix(2)), dtype: dtype)
            let window = shape.dropLast(2)
            if window.contains(0) { return try full(shape, 0, dtype: dtype) }
            let placed = try reshape(matrix, Shape(window.map { _ in 1 } + shape.suffix(2)))
            return try pad(
                placed, low: window.map { ($0 - 1) / 2 } + [0, 0], high: window.map { $0 / 2 } + [0, 0])
        }
    }
}
