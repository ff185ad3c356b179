// The transposed convolution layer.
import TensorEngine

/// A transposed convolution: the input, spread by the strides, convolved with a kernel; it enlarges where a convolution of the
/// same strides reduces.
///
/// Input `[batch…, spatial…, inputs]`, with any number of batch dimensions; output `[batch…, spatial…, features]`. Parameters:
///
/// | name | shape | initializer |
/// |---|---|---|
/// | `kernel` | `[kernel…, inputs, features]`, the last two exchanged with `transposeKernel` | `kernelInitializer`, LeCun normal |
/// | `bias` | `[features]` | `biasInitializer`, zeros; only with `useBias` |
public final class ConvTranspose: Module, Layer {
    public let features: Int
    /// The kernel's size in each spatial dimension, of which there are as many.
    public let kernelSize: [Int]
    /// nil: 1.
    public let strides: [Int]?
    /// `same`, `valid`, `circular`, or explicit: the padding of the convolution over the spread input.
    public let padding: ConvPadding
    /// Distance of two kernel elements; nil: 1.
    public let kernelDilation: [Int]?
    public let useBias: Bool
    /// Factors on the kernel, of its shape.
    public let mask: Tensor?
    /// Flips the kernel and exchanges its features, so that with the kernel of a `Conv` this is its transpose.
    public let transposeKernel: Bool
    /// The type to compute in; nil: what input and parameters promote to.
    public let dtype: DType?
    /// The type that parameters are kept in.
    public let paramDType: DType
    public let kernelInitializer: Initializer
    public let biasInitializer: Initializer

    public init(
        features: Int, kernelSize: [Int], strides: [Int]? = nil, padding: ConvPadding = .same,
        kernelDilation: [Int]? = nil, useBias: Bool = true, mask: Tensor? = nil,
        transposeKernel: Bool = false, dtype: DType? = nil, paramDType: DType = .float32,
        kernelInitializer: Initializer = .lecunNormal(), biasInitializer: Initializer = .zeros,
        name: String? = nil
    ) {
        self.features = features
        self.kernelSize = kernelSize
        self.strides = strides
        self.padding = padding
        self.kernelDilation = kernelDilation
        self.useBias = useBias
        self.mask = mask
        self.transposeKernel = transposeKernel
        self.dtype = dtype
        self.paramDType = paramDType
        self.kernelInitializer = kernelInitializer
        self.biasInitializer = biasInitializer
        super.init(name: name)
    }

    public func forward(_ x: Tensor) throws -> Tensor {
        let geometry = try ConvGeometry(
            className, kernel: kernelSize, strides: strides, inputDilation: nil,
            kernelDilation: kernelDilation)
        guard features > 0 else {
            throw ModuleError(.argument, className, expected: "1 feature or more", got: "\(features)")
        }
        let edges: WindowPadding
        switch padding {
        case .same: edges = .same
        case .valid, .circular: edges = .valid
        case .explicit(let pairs): edges = .explicit(pairs)
        case .causal, .reflect:
            throw ModuleError(
                .argument, className, expected: "same, valid, circular or explicit padding",
                got: "\(padding)")
        }
        let (flat, batch) = try geometry.flattened(x)
        let inputs = flat.shape[flat.rank - 1]
        let kernel = try masked(
            try param(
                "kernel", kernelInitializer,
                Shape(kernelSize + (transposeKernel ? [features, inputs] : [inputs, features])),
                dtype: paramDType), mask, className)
        let bias = useBias ? try param("bias", biasInitializer, [features], dtype: paramDType) : nil
        let operands = try promoted([flat, kernel] + (bias.map { [$0] } ?? []), to: dtype)
        var y = try convTranspose(
            operands[0], operands[1], strides: geometry.strides, padding: edges,
            rhsDilation: geometry.kernelDilation, transposeKernel: transposeKernel)
        if case .circular = padding { y = try wrapped(y, Array(flat.shape.dropFirst().dropLast()), geometry) }
        if useBias { y = try y + operands[2] }
        return try geometry.restored(y, batch: batch)
    }

    /// The result wrapped around to the input's size times the strides: padded to whole periods, which are added up. Where the
    /// odd element goes is Flax's convention.
    private func wrapped(_ y: Tensor, _ inputs: [Int], _ geometry: ConvGeometry) throws -> Tensor {
        let periods = zip(inputs, geometry.strides).map { $0 * $1 }
        guard periods.allSatisfy({ $0 > 0 }) else {
            throw ModuleError(
                .argument, className, expected: "at least one element to repeat", got: "sizes \(inputs)")
        }
        let missing = periods.enumerated().map { k, period in
            let rest = (period - y.shape[k + 1]) % (2 * period)
            return rest < 0 ? rest + 2 * period : rest
        }
        let (smaller, larger) = (missing.map { $0 / 2 }, missing.map { ($0 + 1) / 2 })
        var result = try pad(
            y, low: [0] + (transposeKernel ? smaller : larger) + [0],
            high: [0] + (transposeKernel ? larger : smaller) + [0])
        for (k, period) in periods.enumerated() {
            var shape = result.shape.dimensions
            shape.replaceSubrange((k + 1)...(k + 1), with: [shape[k + 1] / period, period])
            result = try sum(reshape(result, Shape(shape)), axes: [k + 1])
        }
        return result
    }
}
