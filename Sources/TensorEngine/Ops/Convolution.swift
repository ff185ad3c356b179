// Convolution: the primitive with its rules. Functions on it are in ConvolutionFunctions.swift.
import CKernels

/// Which dimension of the operands and the result of a convolution is what.
public struct ConvDimensionNumbers: Sendable, Hashable {
    /// Of the input: batch, feature, then the spatial dimensions.
    public var lhs: [Int]
    /// Of the kernel: output feature, input feature, then the spatial dimensions.
    public var rhs: [Int]
    /// Of the result: batch, feature, then the spatial dimensions.
    public var out: [Int]

    public init(lhs: [Int], rhs: [Int], out: [Int]) {
        self.lhs = lhs
        self.rhs = rhs
        self.out = out
    }

    /// From labels such as `("NHWC", "HWIO", "NHWC")`: N batch, C feature, O and I output and input feature, any other
    /// letters for the spatial dimensions, in whose order the kernel's labels have them.
    public init(_ lhs: String, _ rhs: String, _ out: String) throws {
        let (lhsLabels, rhsLabels, outLabels) = (Array(lhs), Array(rhs), Array(out))
        let spatial = rhsLabels.filter { $0 != "O" && $0 != "I" }
        func positions(_ labels: [Character], _ wanted: [Character]) throws -> [Int] {
            guard labels.count == wanted.count, Set(labels) == Set(wanted), Set(labels).count == labels.count
            else {
                throw TensorError(
                    .argument, "convGeneralDilated",
                    expected: "each of \(String(wanted)) once in the dimension numbers",
                    got: "\(lhs), \(rhs), \(out)")
            }
            return wanted.compactMap { labels.firstIndex(of: $0) }
        }
        self.init(
            lhs: try positions(lhsLabels, ["N", "C"] + spatial),
            rhs: try positions(rhsLabels, ["O", "I"] + spatial),
            out: try positions(outLabels, ["N", "C"] + spatial))
    }

    /// JAX's default: NCHW, OIHW, NCHW for operands of the given rank.
    public static func channelsFirst(rank: Int) -> ConvDimensionNumbers {
        let all = Array(0..<rank)
        return ConvDimensionNumbers(lhs: all, rhs: all, out: all)
    }

    /// NHWC, HWIO, NHWC for operands of the given rank, as linen has them; at least 2.
    public static func channelsLast(rank: Int) -> ConvDimensionNumbers {
        let spatial = rank > 2 ? Array(1..<(rank - 1)) : []
        return ConvDimensionNumbers(
            lhs: [0, rank - 1] + spatial, rhs: [rank - 1, rank - 2] + spatial.map { $0 - 1 },
            out: [0, rank - 1] + spatial)
    }

    /// Such as `[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]`.
    var stableHLO: String {
        func labels(_ spec: [Int], _ first: String, _ second: String) -> String {
            var names = spec.map { _ in "" }
            for (k, axis) in spec.enumerated() { names[axis] = k == 0 ? first : k == 1 ? second : "\(k - 2)" }
            return "[\(names.joined(separator: ", "))]"
        }
        return "\(labels(lhs, "b", "f"))x\(labels(rhs, "o", "i"))->\(labels(out, "b", "f"))"
    }

    func raised() -> ConvDimensionNumbers {
        ConvDimensionNumbers(lhs: lhs.map { $0 + 1 }, rhs: rhs.map { $0 + 1 }, out: out.map { $0 + 1 })
    }
}

/// Sums of products over windows and input features (lax.conv_general_dilated); operands of one number type.
struct ConvGeneralDilated: Primitive {
    var strides: [Int]
    var low: [Int]
    var high: [Int]
    /// Distance of two elements of the input; 1 without holes.
    var lhsDilation: [Int]
    /// Distance of two elements of the kernel.
    var rhsDilation: [Int]
    var numbers: ConvDimensionNumbers
    var featureGroups = 1
    var batchGroups = 1
    var name: String { "convGeneralDilated" }

    // MARK: Shapes

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        let (lhs, rhs) = (inputs[0], inputs[1])
        let rank = lhs.shape.rank
        guard rank >= 2, rank <= 5, rhs.shape.rank == rank, lhs.dtype == rhs.dtype, lhs.dtype != .bool else {
            throw TensorError(
                .shape, name,
                expected:
                    "input and kernel of one number type and of one rank from 2 (no spatial dimension) to 5",
                got: "\(lhs) and \(rhs)")
        }
        let axes = Array(0..<rank)
        guard [numbers.lhs, numbers.rhs, numbers.out].allSatisfy({ $0.sorted() == axes }) else {
            throw TensorError(
                .argument, name, expected: "dimension numbers of rank \(rank)", got: "\(numbers)")
        }
        let spatial = rank - 2
        try WindowArithmetic.check(strides, "strides", rank: spatial, least: 1, for: name)
        try WindowArithmetic.check(lhsDilation, "input dilations", rank: spatial, least: 1, for: name)
        try WindowArithmetic.check(rhsDilation, "kernel dilations", rank: spatial, least: 1, for: name)
        let least = -WindowArithmetic.bound
        try WindowArithmetic.check(low, "paddings before", rank: spatial, least: least, for: name)
        try WindowArithmetic.check(high, "paddings after", rank: spatial, least: least, for: name)
        try WindowArithmetic.check(
            lhs.shape.dimensions, "sizes of the input", rank: rank, least: 0, for: name)
        try WindowArithmetic.check(
            rhs.shape.dimensions, "sizes of the kernel", rank: rank, least: 0, for: name)

        let (batch, channels) = (lhs.shape[numbers.lhs[0]], lhs.shape[numbers.lhs[1]])
        let (features, kernelChannels) = (rhs.shape[numbers.rhs[0]], rhs.shape[numbers.rhs[1]])
        let bounds = 1...TensorLimits.largestByteCount
        guard bounds.contains(featureGroups), bounds.contains(batchGroups),
            featureGroups == 1 || batchGroups == 1
        else {
            throw TensorError(
                .argument, name, expected: "feature groups or batch groups, 1 or more",
                got: "\(featureGroups) feature groups and \(batchGroups) batch groups")
        }
        guard channels % featureGroups == 0, channels / featureGroups == kernelChannels else {
            throw TensorError(
                .shape, name,
                expected:
                    "input features (dimension \(numbers.lhs[1]) of \(lhs.shape)) to be \(featureGroups) groups of the kernel's \(kernelChannels) (dimension \(numbers.rhs[1]) of \(rhs.shape))",
                got: "\(channels)",
                fix: "A kernel was made for inputs of \(kernelChannels * featureGroups) features.")
        }
        guard features % featureGroups == 0, features % batchGroups == 0 else {
            throw TensorError(
                .shape, name,
                expected:
                    "output features (dimension \(numbers.rhs[0]) of the kernel \(rhs.shape)) in \(max(featureGroups, batchGroups)) groups",
                got: "\(features)")
        }
        guard batch % batchGroups == 0 else {
            throw TensorError(
                .shape, name,
                expected: "a batch (dimension \(numbers.lhs[0]) of \(lhs.shape)) in \(batchGroups) groups",
                got: "\(batch)")
        }
        var shape = Shape(Array(repeating: 0, count: rank))
        shape[numbers.out[0]] = batch / batchGroups
        shape[numbers.out[1]] = features
        for d in 0..<spatial {
            let size = lhs.shape[numbers.lhs[d + 2]]
            let padded = WindowArithmetic.dilated(size, lhsDilation[d]) + low[d] + high[d]
            guard padded >= 0 else {
                throw TensorError(
                    .argument, name,
                    expected:
                        "at most \(size) elements cut off dimension \(numbers.lhs[d + 2]) of \(lhs.shape)",
                    got: "padding of \(low[d]) and \(high[d])")
            }
            let window = WindowArithmetic.dilated(rhs.shape[numbers.rhs[d + 2]], rhsDilation[d])
            shape[numbers.out[d + 2]] = WindowArithmetic.count(padded, window: window, stride: strides[d])
        }
        return [TensorType(lhs.dtype, shape)]
    }

    // MARK: Derivatives

    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        let fromLhs = try tangents[0].map { try self($0, primals[1]) }
        let fromRhs = try tangents[1].map { try self(primals[0], $0) }
        return ([try self(primals[0], primals[1])], [try sum(fromLhs, fromRhs)])
    }

    func transpose(_ cotangents: [Tensor?], _ operands: [LinearOperand]) throws -> [Tensor?] {
        guard let cotangent = cotangents[0] else { return [nil, nil] }
        let (lhsShape, rhsShape) = (operands[0].type.shape, operands[1].type.shape)
        var results: [Tensor?] = [nil, nil]
        if operands[0].isLinear, let rhs = operands[1].known {
            results[0] = try transposeInput(cotangent, rhs, lhsShape)
        }
        if operands[1].isLinear, let lhs = operands[0].known {
            results[1] =
                cotangent.shape.elementCount == 0
                ? try zeros(rhsShape, dtype: lhs.dtype) : try transposeKernel(cotangent, lhs, rhsShape)
        }
        return results
    }

    /// The cotangent of the input: a convolution of the results' cotangents, spread by the strides, with the kernel
    /// backwards.
    private func transposeInput(_ cotangent: Tensor, _ rhs: Tensor, _ lhsShape: Shape) throws -> Tensor {
        let groups = featureGroups * batchGroups
        var kernel = rhs
        if groups > 1 {
            kernel = try splitAxis(kernel, numbers.rhs[0], groups)
            kernel = try mergeAxis(kernel, numbers.rhs[0], into: numbers.rhs[1])
        }
        kernel = try flip(kernel, axes: Array(numbers.rhs.dropFirst(2)))
        let padding = low.indices.map { d in
            WindowArithmetic.transposedPadding(
                input: lhsShape[numbers.lhs[d + 2]], window: rhs.shape[numbers.rhs[d + 2]],
                output: cotangent.shape[numbers.out[d + 2]], low: low[d], stride: strides[d],
                dilation: lhsDilation[d], windowDilation: rhsDilation[d])
        }
        let transposed = ConvGeneralDilated(
            strides: lhsDilation, low: padding.map(\.low), high: padding.map(\.high), lhsDilation: strides,
            rhsDilation: rhsDilation,
            numbers: ConvDimensionNumbers(
                lhs: numbers.out, rhs: swapped(numbers.rhs), out: numbers.lhs),
            featureGroups: groups)
        let result = try transposed(cotangent, kernel)
        guard batchGroups > 1 else { return result }
        let split = try splitAxis(result, numbers.lhs[1], batchGroups)
        return try mergeAxis(split, numbers.lhs[1], into: numbers.lhs[0])
    }

    /// The cotangent of the kernel: a convolution of the input with the results' cotangents, batch and features exchanged.
    private func transposeKernel(_ cotangent: Tensor, _ lhs: Tensor, _ rhsShape: Shape) throws -> Tensor {
        let after = low.indices.map { d in
            let input = WindowArithmetic.dilated(lhs.shape[numbers.lhs[d + 2]], lhsDilation[d])
            let kernel = WindowArithmetic.dilated(rhsShape[numbers.rhs[d + 2]], rhsDilation[d])
            let output = WindowArithmetic.dilated(cotangent.shape[numbers.out[d + 2]], strides[d])
            return output - input + kernel - low[d] - 1
        }
        return try ConvGeneralDilated(
            strides: rhsDilation, low: low, high: after, lhsDilation: lhsDilation, rhsDilation: strides,
            numbers: ConvDimensionNumbers(
                lhs: swapped(numbers.lhs), rhs: swapped(numbers.out), out: swapped(numbers.rhs)),
            featureGroups: batchGroups, batchGroups: featureGroups)(lhs, cotangent)
    }

    private func swapped(_ spec: [Int]) -> [Int] { [spec[1], spec[0]] + spec.dropFirst(2) }

    // MARK: Batching

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        var (lhs, rhs) = (inputs[0], inputs[1])
        guard lhs.isMapped || rhs.isMapped else {
            return [Batched(try self(lhs.tensor, rhs.tensor), isMapped: false)]
        }
        guard size > 0 else {
            // No members, no groups either: nothing but the shape of a result.
            let type = try outputTypes([lhs.memberType, rhs.memberType])[0]
            let none = try zeros(Shape([0] + type.shape.dimensions), dtype: type.dtype)
            return [Batched(none, isMapped: true)]
        }
        // Groups leave no room for a batch on one side alone.
        if rhs.isMapped, featureGroups > 1 || batchGroups > 1 {
            lhs = Batched(try lhs.materialized(size: size), isMapped: true)
        }
        if lhs.isMapped, batchGroups > 1 {
            rhs = Batched(try rhs.materialized(size: size), isMapped: true)
        }
        var lifted = self
        let result: Tensor
        let position: Int
        switch (lhs.isMapped, rhs.isMapped) {
        case (true, true):
            // Groups of nothing may be any number; one beyond all bounds is refused by the shape rule.
            func times(_ groups: Int) -> Int {
                let (product, overflow) = groups.multipliedReportingOverflow(by: size)
                return overflow ? Int.max : product
            }
            if batchGroups > 1 {
                lifted.batchGroups = times(batchGroups)
            } else {
                lifted.featureGroups = times(featureGroups)
            }
            let x = try mergeAxis(lhs.tensor, 0, into: numbers.lhs[batchGroups > 1 ? 0 : 1])
            result = try lifted(x, try mergeAxis(rhs.tensor, 0, into: numbers.rhs[0]))
            position = numbers.out[1]
        case (true, false):
            result = try lifted(try mergeAxis(lhs.tensor, 0, into: numbers.lhs[0]), rhs.tensor)
            position = numbers.out[0]
        default:
            result = try lifted(lhs.tensor, try mergeAxis(rhs.tensor, 0, into: numbers.rhs[0]))
            position = numbers.out[1]
        }
        return [
            Batched(
                try moveAxis(splitAxis(result, position, size), from: position, to: 0), isMapped: true)
        ]
    }

    /// Dimension `axis` as `groups` in front of the rest of it.
    private func splitAxis(_ x: Tensor, _ axis: Int, _ groups: Int) throws -> Tensor {
        var dimensions = x.shape.dimensions
        dimensions.replaceSubrange(axis...axis, with: [groups, groups == 0 ? 0 : dimensions[axis] / groups])
        return try reshape(x, Shape(dimensions))
    }

    /// Dimension `source` taken out and put in front of what is then dimension `target`, both as one.
    private func mergeAxis(_ x: Tensor, _ source: Int, into target: Int) throws -> Tensor {
        var permutation = Array(x.shape.indices)
        permutation.remove(at: source)
        permutation.insert(source, at: target)
        var dimensions = permutation.map { x.shape[$0] }
        dimensions.replaceSubrange(
            target...(target + 1), with: [dimensions[target] * dimensions[target + 1]])
        return try reshape(TensorEngine.transpose(x, axes: permutation), Shape(dimensions))
    }

    var lowering: LoweringRule {
        .kernel { builder, inputs, outputs in lower(&builder, inputs[0], inputs[1], to: outputs[0]) }
    }

    var stableHLO: StableHLORule {
        .custom { writer, operation in
            let window =
                "stride = \(strides), pad = [\(zip(low, high).map { "[\($0), \($1)]" }.joined(separator: ", "))], "
                + "lhs_dilate = \(lhsDilation), rhs_dilate = \(rhsDilation)"
            let attributes =
                " dim_numbers = \(numbers.stableHLO), window = {\(window)} "
                + "{batch_group_count = \(batchGroups) : i64, feature_group_count = \(featureGroups) : i64, "
                + "precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]}"
            return [
                writer.write(
                    call: "stablehlo.convolution", operation.operands, attributes, as: operation.results[0])
            ]
        }
    }
}
