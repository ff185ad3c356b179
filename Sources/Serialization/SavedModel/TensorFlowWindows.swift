// Convolutions and pooling as TensorFlow has them, and the operators that need more than one node.
import TensorEngine

/// How windows lie on the spatial dimensions of images.
struct Windows {
    var strides: [Int]
    var low: [Int]
    var high: [Int]
    var dilations: [Int]

    /// True where nothing lies around the image.
    var isValid: Bool { (low + high).allSatisfy { $0 == 0 } }

    /// True where the padding is what TensorFlow calls SAME for images and windows of these sizes.
    func isSame(_ sizes: [Int], _ window: [Int]) -> Bool {
        sizes.indices.allSatisfy { k in
            let reach = (window[k] - 1) * dilations[k] + 1
            let count = (sizes[k] + strides[k] - 1) / strides[k]
            let total = max(0, (count - 1) * strides[k] + reach - sizes[k])
            return low[k] == total / 2 && high[k] == total - total / 2
        }
    }

    var unpadded: Windows {
        Windows(
            strides: strides, low: low.map { _ in 0 }, high: high.map { _ in 0 }, dilations: dilations)
    }
}

extension TensorFlowGraph {
    // MARK: Images

    mutating func convolution(
        _ inputs: [String], _ types: [OperatorGraph.ValueType], _ result: OperatorGraph.ValueType,
        _ windows: Windows, groups: Int
    ) throws -> String {
        let spatial = windows.strides.count
        let image = types[0].dimensions
        let kernel = types[1].dimensions.map(\.fixed)
        let isSame = windows.isSame(image[1...spatial].map(\.fixed), Array(kernel[..<spatial]))
        guard isSame || windows.isValid else {
            let zero = add(
                "Const", "output", [],
                [
                    "value": .tensor(try zeros([], dtype: result.dtype)),
                    "dtype": .type(TensorFlowType(result.dtype)),
                ])
            let padded = try pad(
                inputs[0], result.dtype, low: [0] + windows.low + [0], high: [0] + windows.high + [0],
                value: zero)
            var sizes = image
            for k in 0..<spatial {
                sizes[k + 1] = SymbolicDimension(
                    fixed: image[k + 1].fixed + windows.low[k] + windows.high[k])
            }
            return try convolution(
                [padded, inputs[1]], [.init(dtype: result.dtype, dimensions: sizes), types[1]], result,
                windows.unpadded, groups: groups)
        }
        let type = TensorFlowNode.Attribute.type(TensorFlowType(result.dtype))
        let padding = TensorFlowNode.Attribute.text(isSame ? "SAME" : "VALID")
        let strides = TensorFlowNode.Attribute.integers([1] + windows.strides + [1])
        let dilations = TensorFlowNode.Attribute.integers([1] + windows.dilations + [1])
        func plain(_ image: String, _ kernel: String, _ graph: inout TensorFlowGraph) -> String {
            graph.add(
                spatial == 2 ? "Conv2D" : "Conv3D", "output", [image, kernel],
                ["T": type, "strides": strides, "padding": padding, "dilations": dilations])
        }
        if groups == 1 { return plain(inputs[0], inputs[1], &self) }
        let isUniform = windows.dilations.allSatisfy { $0 == 1 } && Set(windows.strides).count == 1
        if spatial == 2, kernel[2] == 1, image[3].fixed == groups, isUniform {
            // Of each feature its own outputs: the kernel's are [height, width, features, outputs of each].
            let shape = kernel[..<2] + [groups, kernel[3] / groups]
            let filter = add(
                "Reshape", "output", [inputs[1], try constant(Array(shape))],
                ["T": type, "Tshape": .type(.int32)])
            return add(
                "DepthwiseConv2dNative", "output", [inputs[0], filter],
                ["T": type, "strides": strides, "padding": padding])
        }
        let images = try split(inputs[0], type, into: groups, axis: spatial + 1)
        let kernels = try split(inputs[1], type, into: groups, axis: spatial + 1)
        let parts = zip(images, kernels).map { plain($0, $1, &self) }
        return add(
            "ConcatV2", "output", parts + [try constant(spatial + 1)],
            ["N": .integer(groups), "T": type, "Tidx": .type(.int32)])
    }

    private mutating func split(
        _ input: String, _ type: TensorFlowNode.Attribute, into count: Int, axis: Int
    ) throws -> [String] {
        let first = add(
            "Split", "output", [try constant(axis), input], ["T": type, "num_split": .integer(count)])
        return (0..<count).map { "\(first.dropLast())\($0)" }
    }

    mutating func pool(
        _ pool: Operator.Pool, _ input: String, _ type: OperatorGraph.ValueType, _ window: [Int],
        _ windows: Windows
    ) throws -> String {
        let spatial = window.count
        // A mean over what is around the image too: TensorFlow's SAME would leave that out.
        let isSame =
            pool == .maximum
            && windows.isSame(type.dimensions[1...spatial].map(\.fixed), window)
        var image = input
        if !isSame, !windows.isValid {
            let outside = try full([], pool == .maximum ? -.infinity : 0, dtype: type.dtype)
            let value = add(
                "Const", "output", [],
                ["value": .tensor(outside), "dtype": .type(TensorFlowType(type.dtype))])
            image = try pad(
                input, type.dtype, low: [0] + windows.low + [0], high: [0] + windows.high + [0],
                value: value)
        }
        let name = (pool == .maximum ? "MaxPool" : "AvgPool") + (spatial == 3 ? "3D" : "")
        return add(
            name, "output", [image],
            [
                "T": .type(TensorFlowType(type.dtype)), "ksize": .integers([1] + window + [1]),
                "strides": .integers([1] + windows.strides + [1]),
                "padding": .text(isSame ? "SAME" : "VALID"),
            ])
    }

    // MARK: Rearranging

    mutating func pad(
        _ input: String, _ dtype: DType, low: [Int], high: [Int], value: String
    ) throws -> String {
        let amounts = try Tensor(
            zip(low, high).flatMap { [Int32(clamping: $0), Int32(clamping: $1)] }, shape: [low.count, 2])
        let paddings = add(
            "Const", "output", [], ["value": .tensor(amounts), "dtype": .type(.int32)])
        return add(
            "PadV2", "output", [input, paddings, value],
            ["T": .type(TensorFlowType(dtype)), "Tpaddings": .type(.int32)])
    }

    mutating func reshape(_ input: String, _ result: OperatorGraph.ValueType) throws -> String {
        let open = result.dimensions.filter { !$0.isStatic }.count
        let hasEmpty = result.dimensions.contains { $0.staticSize == 0 }
        // One open size can be left to what remains.
        let shape =
            open == 1 && !hasEmpty
            ? try constant(result.dimensions.tensorFlowShape) : try vector(result.dimensions)
        return add(
            "Reshape", "output", [input, shape],
            ["T": .type(TensorFlowType(result.dtype)), "Tshape": .type(.int32)])
    }

    mutating func slice(
        _ input: String, _ type: OperatorGraph.ValueType, _ starts: [Int], _ limits: [SymbolicDimension],
        _ strides: [Int]
    ) throws -> String {
        // Where all of an axis is meant, the mask says so, and its limit does not matter.
        var mask = 0
        var ends = limits
        for axis in limits.indices where limits[axis] == type.dimensions[axis] {
            mask |= 1 << axis
            ends[axis] = SymbolicDimension(fixed: 0)
        }
        return add(
            "StridedSlice", "output",
            [input, try constant(starts), try vector(ends), try constant(strides)],
            ["T": .type(TensorFlowType(type.dtype)), "Index": .type(.int32), "end_mask": .integer(mask)])
    }

    mutating func cast(_ input: String, from source: DType, to target: DType) -> String {
        if source == target { return input }
        return add(
            "Cast", "y", [input],
            ["SrcT": .type(TensorFlowType(source)), "DstT": .type(TensorFlowType(target))])
    }

    // MARK: Reducing and reading

    mutating func reduce(
        _ reduction: Operator.Reduction, _ input: String, _ type: TensorFlowNode.Attribute, _ axes: [Int]
    ) throws -> String {
        let operands = [input, try constant(axes)]
        return switch reduction {
        case .sum: add("Sum", "output", operands, ["T": type, "Tidx": .type(.int32)])
        case .product: add("Prod", "output", operands, ["T": type, "Tidx": .type(.int32)])
        case .maximum: add("Max", "output", operands, ["T": type, "Tidx": .type(.int32)])
        case .minimum: add("Min", "output", operands, ["T": type, "Tidx": .type(.int32)])
        case .and: add("All", "output", operands, ["Tidx": .type(.int32)])
        case .or: add("Any", "output", operands, ["Tidx": .type(.int32)])
        }
    }

    mutating func gather(
        _ inputs: [String], _ types: [OperatorGraph.ValueType], axis: Int, sharedDimensions: Int
    ) throws -> String {
        add(
            "GatherV2", "output", inputs + [try constant(axis)],
            [
                "Tparams": .type(TensorFlowType(types[0].dtype)),
                "Tindices": .type(TensorFlowType(types[1].dtype)), "Taxis": .type(.int32),
                "batch_dims": .integer(sharedDimensions),
            ])
    }
}
