// Initializers that keep the variance of a layer's outputs in bounds: LeCun's, He's, Glorot's.
import TensorEngine

extension Initializer {
    /// Which number of units the variance is divided by.
    public enum Fan: String, Sendable, CaseIterable {
        case fanIn = "fan_in"
        case fanOut = "fan_out"
        case fanAverage = "fan_avg"
        /// The geometric mean of both.
        case fanGeometricAverage = "fan_geo_avg"
    }

    public enum Distribution: String, Sendable, CaseIterable {
        case truncatedNormal = "truncated_normal"
        case normal
        case uniform
    }

    /// Axes of a kernel. All that are in none of the lists are the receptive field, which counts into both fans.
    public struct KernelAxes: Sendable {
        public var input: [Int]
        public var output: [Int]
        public var batch: [Int]

        public init(input: [Int] = [-2], output: [Int] = [-1], batch: [Int] = []) {
            self.input = input
            self.output = output
            self.batch = batch
        }
    }

    /// Variance `scale` / fan.
    public static func varianceScaling(
        _ scale: Double, _ mode: Fan, _ distribution: Distribution, axes: KernelAxes = KernelAxes()
    ) -> Initializer {
        Initializer { key, shape, dtype in
            let fan = try fan(of: shape, mode, axes)
            // In the parameter's type, as JAX computes it.
            let variance = try full([], scale / fan, dtype: dtype)
            switch distribution {
            case .normal:
                return try scaledNormal(key, shape, dtype, stddev: sqrt(variance))
            case .uniform:
                return try key.uniform(shape, dtype: dtype, low: -1.0, high: 1.0) * sqrt(3.0 * variance)
            case .truncatedNormal:
                // The deviation of a standard normal number cut off at ±2.
                let deviation = try full([], 0.87962566103423978, dtype: dtype)
                return try key.truncatedNormal(low: -2.0, high: 2.0, shape, dtype: dtype)
                    * (sqrt(variance) / deviation)
            }
        }
    }

    /// Truncated normal with variance 1 / fan_in, linen's default for kernels.
    public static func lecunNormal(axes: KernelAxes = KernelAxes()) -> Initializer {
        varianceScaling(1, .fanIn, .truncatedNormal, axes: axes)
    }
    /// Uniform with variance 1 / fan_in.
    public static func lecunUniform(axes: KernelAxes = KernelAxes()) -> Initializer {
        varianceScaling(1, .fanIn, .uniform, axes: axes)
    }
    /// Truncated normal with variance 2 / fan_in.
    public static func heNormal(axes: KernelAxes = KernelAxes()) -> Initializer {
        varianceScaling(2, .fanIn, .truncatedNormal, axes: axes)
    }
    /// Uniform with variance 2 / fan_in.
    public static func heUniform(axes: KernelAxes = KernelAxes()) -> Initializer {
        varianceScaling(2, .fanIn, .uniform, axes: axes)
    }
    /// Truncated normal with variance 2 / (fan_in + fan_out).
    public static func glorotNormal(axes: KernelAxes = KernelAxes()) -> Initializer {
        varianceScaling(1, .fanAverage, .truncatedNormal, axes: axes)
    }
    /// Uniform with variance 2 / (fan_in + fan_out).
    public static func glorotUniform(axes: KernelAxes = KernelAxes()) -> Initializer {
        varianceScaling(1, .fanAverage, .uniform, axes: axes)
    }

    private static func fan(of shape: Shape, _ mode: Fan, _ axes: KernelAxes) throws -> Double {
        func size(_ list: [Int]) throws -> Double {
            try list.reduce(1.0) { product, axis in
                let resolved = axis < 0 ? axis + shape.rank : axis
                guard shape.indices.contains(resolved) else {
                    throw ModuleError(
                        .argument, "varianceScaling",
                        expected: "axes in -\(shape.rank)..<\(shape.rank) for shape \(shape)", got: "\(axis)",
                        fix: "A vector has no inputs and outputs; use normal, uniform or zeros for it.")
                }
                return product * Double(shape[resolved])
            }
        }
        let (input, output, batch) = (try size(axes.input), try size(axes.output), try size(axes.batch))
        // As JAX has it: an axis that is both input and output is divided out twice.
        let receptiveField = shape.reduce(1.0) { $0 * Double($1) } / input / output / batch
        let fan =
            switch mode {
            case .fanIn: input * receptiveField
            case .fanOut: output * receptiveField
            case .fanAverage: (input + output) * receptiveField / 2
            case .fanGeometricAverage: (input * output).squareRoot() * receptiveField
            }
        // An empty kernel has no numbers to draw, and a fan of 0 / 0.
        return fan.isFinite && fan > 0 ? fan : 1
    }
}
