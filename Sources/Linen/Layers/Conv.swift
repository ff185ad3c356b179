// The convolution layers: with one kernel for all places, and with a kernel for each.
import TensorEngine

/// A convolution: every output is a sum of products of a kernel with a window of the input.
///
/// Input `[batch…, spatial…, inputs]`, with any number of batch dimensions; output `[batch…, spatial…, features]`. Parameters:
///
/// | name | shape | initializer |
/// |---|---|---|
/// | `kernel` | `[kernel…, inputs / featureGroupCount, features]` | `kernelInitializer`, LeCun normal |
/// | `bias` | `[features]` | `biasInitializer`, zeros; only with `useBias` |
public final class Conv: Module, Layer {
    public let features: Int
    /// The kernel's size in each spatial dimension, of which there are as many.
    public let kernelSize: [Int]
    /// nil: 1.
    public let strides: [Int]?
    public let padding: ConvPadding
    /// Distance of two input elements; nil: 1, which is without holes.
    public let inputDilation: [Int]?
    /// Distance of two kernel elements; nil: 1.
    public let kernelDilation: [Int]?
    /// Groups of features that are convolved on their own; the number of inputs for a depthwise convolution.
    public let featureGroupCount: Int
    public let useBias: Bool
    /// Factors on the kernel, of its shape.
    public let mask: Tensor?
    /// The type to compute in; nil: what input and parameters promote to.
    public let dtype: DType?
    /// The type that parameters are kept in.
    public let paramDType: DType
    public let kernelInitializer: Initializer
    public let biasInitializer: Initializer

    public init(
        features: Int, kernelSize: [Int], strides: [Int]? = nil, padding: ConvPadding = .same,
        inputDilation: [Int]? = nil, kernelDilation: [Int]? = nil, featureGroupCount: Int = 1,
        useBias: Bool = true, mask: Tensor? = nil, dtype: DType? = nil, paramDType: DType = .float32,
        kernelInitializer: Initializer = .lecunNormal(), biasInitializer: Initializer = .zeros,
        name: String? = nil
    ) {
        self.features = features
        self.kernelSize = kernelSize
        self.strides = strides
        self.padding = padding
        self.inputDilation = inputDilation
        self.kernelDilation = kernelDilation
        self.featureGroupCount = featureGroupCount
        self.useBias = useBias
        self.mask = mask
        self.dtype = dtype
        self.paramDType = paramDType
        self.kernelInitializer = kernelInitializer
        self.biasInitializer = biasInitializer
        super.init(name: name)
    }

    public func forward(_ x: Tensor) throws -> Tensor {
        let geometry = try ConvGeometry(
            className, kernel: kernelSize, strides: strides, inputDilation: inputDilation,
            kernelDilation: kernelDilation)
        let (flat, batch) = try geometry.flattened(x)
        let inputs = flat.shape[flat.rank - 1]
        guard features > 0, featureGroupCount > 0, inputs % featureGroupCount == 0,
            features % featureGroupCount == 0
        else {
            throw ModuleError(
                .argument, className,
                expected: "inputs and features in \(featureGroupCount) groups of one size",
                got: "\(inputs) inputs and \(features) features")
        }
        let kernel = try masked(
            try param(
                "kernel", kernelInitializer, Shape(kernelSize + [inputs / featureGroupCount, features]),
                dtype: paramDType), mask, className)
        let bias = useBias ? try param("bias", biasInitializer, [features], dtype: paramDType) : nil
        let operands = try promoted([flat, kernel] + (bias.map { [$0] } ?? []), to: dtype)
        let (padded, edges) = try geometry.padded(operands[0], padding)
        var y = try convGeneralDilated(
            padded, operands[1], strides: geometry.strides, padding: edges,
            lhsDilation: geometry.inputDilation, rhsDilation: geometry.kernelDilation,
            dimensionNumbers: .channelsLast(rank: padded.rank), featureGroupCount: featureGroupCount)
        if useBias { y = try y + operands[2] }
        return try geometry.restored(y, batch: batch)
    }
}

/// The kernel times its mask, which must have its shape.
func masked(_ kernel: Tensor, _ mask: Tensor?, _ layer: String) throws -> Tensor {
    guard let mask else { return kernel }
    guard mask.shape == kernel.shape else {
        throw ModuleError(
            .argument, layer, expected: "a mask of the kernel's shape \(kernel.shape)", got: "\(mask.type)")
    }
    return try kernel * mask
}

/// A convolution with a kernel of its own at each place: a locally connected layer.
///
/// Input and output as `Conv`'s. Parameters, with `places…` the output's spatial dimensions:
///
/// | name | shape | initializer |
/// |---|---|---|
/// | `kernel` | `[places…, inputs · elements of the window, features]` | `kernelInitializer`, LeCun normal |
/// | `bias` | `[places…, features]` | `biasInitializer`, zeros; only with `useBias` |
public final class ConvLocal: Module, Layer {
    public let features: Int
    public let kernelSize: [Int]
    /// nil: 1.
    public let strides: [Int]?
    public let padding: ConvPadding
    /// Distance of two input elements; nil: 1.
    public let inputDilation: [Int]?
    /// Distance of two kernel elements; nil: 1.
    public let kernelDilation: [Int]?
    public let useBias: Bool
    /// Factors on the kernel, of its shape.
    public let mask: Tensor?
    /// The type to compute in; nil: what input and parameters promote to.
    public let dtype: DType?
    /// The type that parameters are kept in.
    public let paramDType: DType
    public let kernelInitializer: Initializer
    public let biasInitializer: Initializer

    public init(
        features: Int, kernelSize: [Int], strides: [Int]? = nil, padding: ConvPadding = .same,
        inputDilation: [Int]? = nil, kernelDilation: [Int]? = nil, useBias: Bool = true, mask: Tensor? = nil,
        dtype: DType? = nil, paramDType: DType = .float32,
        kernelInitializer: Initializer = .lecunNormal(), biasInitializer: Initializer = .zeros,
        name: String? = nil
    ) {
        self.features = features
        self.kernelSize = kernelSize
        self.strides = strides
        self.padding = padding
        self.inputDilation = inputDilation
        self.kernelDilation = kernelDilation
        self.useBias = useBias
        self.mask = mask
        self.dtype = dtype
        self.paramDType = paramDType
        self.kernelInitializer = kernelInitializer
        self.biasInitializer = biasInitializer
        super.init(name: name)
    }

    public func forward(_ x: Tensor) throws -> Tensor {
        let geometry = try ConvGeometry(
            className, kernel: kernelSize, strides: strides, inputDilation: inputDilation,
            kernelDilation: kernelDilation)
        guard features > 0 else {
            throw ModuleError(.argument, className, expected: "1 feature or more", got: "\(features)")
        }
        let (flat, batch) = try geometry.flattened(x)
        let (padded, edges) = try geometry.padded(flat, padding)
        let patches = try convGeneralDilatedPatches(
            padded.astype(dtype ?? padded.dtype.floating), window: kernelSize, strides: geometry.strides,
            padding: edges, lhsDilation: geometry.inputDilation, rhsDilation: geometry.kernelDilation)
        let places = Array(patches.shape.dropFirst().dropLast())
        let kernel = try masked(
            try param(
                "kernel", kernelInitializer, Shape(places + [patches.shape[patches.rank - 1], features]),
                dtype: paramDType), mask, className)
        let bias =
            useBias ? try param("bias", biasInitializer, Shape(places + [features]), dtype: paramDType) : nil
        let operands = try promoted([padded, kernel] + (bias.map { [$0] } ?? []), to: dtype)
        var y = try convGeneralDilatedLocal(
            operands[0], operands[1], window: kernelSize, strides: geometry.strides, padding: edges,
            lhsDilation: geometry.inputDilation, rhsDilation: geometry.kernelDilation)
        if useBias { y = try y + operands[2] }
        return try geometry.restored(y, batch: batch)
    }
}
