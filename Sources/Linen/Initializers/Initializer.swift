// How parameters begin. jax.nn.initializers, with the same numbers for the same key.
import TensorEngine

/// Makes the first value of a parameter.
public struct Initializer: Sendable {
    private let make: @Sendable (PRNGKey, Shape, DType) throws -> Tensor

    /// An initializer of your own.
    public init(_ make: @escaping @Sendable (PRNGKey, Shape, DType) throws -> Tensor) { self.make = make }

    public func callAsFunction(_ key: PRNGKey, _ shape: Shape, dtype: DType = .float32) throws -> Tensor {
        let value = try make(key, shape, dtype)
        guard value.shape == shape else {
            throw ModuleError(
                .argument, "initializer", expected: "a tensor of the shape that was asked for, \(shape)",
                got: "\(value.type)")
        }
        return value
    }
}

extension Initializer {
    /// 0 everywhere.
    public static let zeros = Initializer { _, shape, dtype in try full(shape, 0, dtype: dtype) }

    /// 1 everywhere.
    public static let ones = Initializer { _, shape, dtype in try full(shape, 1, dtype: dtype) }

    /// One value everywhere.
    public static func constant(_ value: Double) -> Initializer {
        Initializer { _, shape, dtype in try full(shape, value, dtype: dtype) }
    }

    /// Normal with mean 0.
    public static func normal(stddev: Double = 0.01) -> Initializer {
        Initializer { key, shape, dtype in
            try scaledNormal(key, shape, dtype, stddev: try full([], stddev, dtype: dtype))
        }
    }

    /// Uniform in `[0, scale)`.
    public static func uniform(scale: Double = 0.01) -> Initializer {
        Initializer { key, shape, dtype in
            try key.uniform(shape, dtype: dtype) * full([], scale, dtype: dtype)
        }
    }

    /// Normal, cut off at `lower` and `upper` and only then multiplied by `stddev`: the deviation comes out smaller than that.
    public static func truncatedNormal(
        stddev: Double = 0.01, lower: Double = -2, upper: Double = 2
    ) -> Initializer {
        Initializer { key, shape, dtype in
            try key.truncatedNormal(low: lower, high: upper, shape, dtype: dtype)
                * full([], stddev, dtype: dtype)
        }
    }

    /// Normal numbers as compiled JAX makes them: √2 times the deviation first, then times erf⁻¹ of a uniform number.
    static func scaledNormal(
        _ key: PRNGKey, _ shape: Shape, _ dtype: DType, stddev: Tensor
    ) throws -> Tensor {
        guard dtype.isFloating else {
            throw ModuleError(
                .argument, "initializer", expected: "a float type for random numbers", got: "\(dtype)")
        }
        let factor = try full([], Double(2).squareRoot(), dtype: dtype) * stddev
        return try factor * key.symmetricErfInv(shape, dtype: dtype)
    }
}
