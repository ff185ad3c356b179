// Reductions over windows: sums, products, extrema, and where the extrema come from.
import CKernels

/// Windows that slide over every dimension of a shape.
struct WindowSlider: Sendable, Hashable {
    var window: [Int]
    var strides: [Int]
    var low: [Int]
    var high: [Int]
    /// Distance of two elements of the operand; 1 without holes.
    var dilation: [Int]
    /// Distance of two elements of a window.
    var windowDilation: [Int]

    init(
        window: [Int], strides: [Int], low: [Int], high: [Int], dilation: [Int], windowDilation: [Int]
    ) {
        self.window = window
        self.strides = strides
        self.low = low
        self.high = high
        self.dilation = dilation
        self.windowDilation = windowDilation
    }

    init(
        _ shape: Shape, window: [Int], strides: [Int], padding: WindowPadding, dilation: [Int],
        windowDilation: [Int], for operation: String
    ) throws {
        self.init(
            window: window, strides: strides, low: [], high: [], dilation: dilation,
            windowDilation: windowDilation)
        try checkSizes(shape, for: operation)
        let pairs = try padding.resolved(
            shape.dimensions, windows: zip(window, windowDilation).map(WindowArithmetic.dilated),
            strides: strides, for: operation)
        (low, high) = (pairs.map(\.low), pairs.map(\.high))
    }

    private func checkSizes(_ shape: Shape, for operation: String) throws {
        func check(_ values: [Int], _ what: String, least: Int) throws {
            try WindowArithmetic.check(values, what, rank: shape.rank, least: least, for: operation)
        }
        try check(shape.dimensions, "sizes", least: 0)
        try check(window, "sizes of the window", least: 1)
        try check(strides, "strides", least: 1)
        try check(dilation, "dilations", least: 1)
        try check(windowDilation, "window dilations", least: 1)
    }

    /// The shape of the windows' results.
    func outputShape(_ shape: Shape, for operation: String) throws -> Shape {
        try checkSizes(shape, for: operation)
        let least = -WindowArithmetic.bound
        try WindowArithmetic.check(
            low, "paddings before", rank: shape.rank, least: least, for: operation)
        try WindowArithmetic.check(
            high, "paddings after", rank: shape.rank, least: least, for: operation)
        return Shape(
            try shape.indices.map { d in
                let padded = WindowArithmetic.dilated(shape[d], dilation[d]) + low[d] + high[d]
                guard padded >= 0 else {
                    throw TensorError(
                        .argument, operation,
                        expected: "at most \(shape[d]) elements cut off dimension \(d) of \(shape)",
                        got: "padding of \(low[d]) and \(high[d])")
                }
                return WindowArithmetic.count(
                    padded, window: WindowArithmetic.dilated(window[d], windowDilation[d]), stride: strides[d]
                )
            })
    }

    /// With a dimension in front over which nothing slides.
    func lifted() -> WindowSlider {
        WindowSlider(
            window: [1] + window, strides: [1] + strides, low: [0] + low, high: [0] + high,
            dilation: [1] + dilation, windowDilation: [1] + windowDilation)
    }

    /// The windows' elements, one tensor of the windows' shape for each place in the window, in row-major order.
    func taps(of x: Tensor, fill: Double) throws -> [Tensor] {
        let output = try outputShape(x.shape, for: "reduceWindow")
        // Negative padding is a slice, after the holes are filled.
        let padded = try Pad(
            low: low.map { Swift.max($0, 0) }, high: high.map { Swift.max($0, 0) },
            interior: dilation.map { $0 - 1 })(x, try full([], fill, dtype: x.dtype))
        let cut = try slice(
            padded, starts: low.map { Swift.max(-$0, 0) },
            limits: padded.shape.indices.map { padded.shape[$0] - Swift.max(-high[$0], 0) })
        guard output.elementCount > 0 else {
            return try (0..<window.reduce(1, *)).map { _ in try zeros(output, dtype: x.dtype) }
        }
        var results: [Tensor] = []
        var place = [Int](repeating: 0, count: window.count)
        for _ in 0..<window.reduce(1, *) {
            let starts = place.indices.map { place[$0] * windowDilation[$0] }
            results.append(
                try slice(
                    cut, starts: starts,
                    limits: starts.indices.map { starts[$0] + (output[$0] - 1) * strides[$0] + 1 },
                    strides: strides))
            for d in place.indices.reversed() {
                place[d] += 1
                if place[d] < window[d] { break }
                place[d] = 0
            }
        }
        return results
    }

    /// The windows as attributes of StableHLO's reduce_window.
    var stableHLO: String {
        let array = StableHLOWriter.array
        return "base_dilations = \(array(dilation)), padding = \(StableHLOWriter.pairs(low, high)), "
            + "window_dilations = \(array(windowDilation)), window_dimensions = \(array(window)), "
            + "window_strides = \(array(strides))"
    }

    /// The kernels' arguments, for an operand and windows of these shapes.
    func arguments(_ input: Shape, _ output: Shape, _ reduction: WindowReduction) -> spk_window {
        var arguments = spk_window()
        arguments.reduction = Int32(bitPattern: reduction.kernel.rawValue)
        arguments.rank = Int32(Swift.max(window.count, 1))
        func set<Tuple>(_ target: inout Tuple, _ values: [Int], _ fallback: Int) {
            setDims(&target, values.isEmpty ? [fallback] : values)
        }
        set(&arguments.dims, input.dimensions, 1)
        set(&arguments.output, output.dimensions, 1)
        set(&arguments.window, window, 1)
        set(&arguments.stride, strides, 1)
        set(&arguments.padding, low, 0)
        set(&arguments.dilation, dilation, 1)
        set(&arguments.window_dilation, windowDilation, 1)
        return arguments
    }
}

/// What is made of the elements of a window.
public enum WindowReduction: Sendable, Hashable {
    case add, multiply, max, min

    var kernel: spk_window_reduction {
        switch self {
        case .add: SPK_WINDOW_ADD
        case .multiply: SPK_WINDOW_MUL
        case .max: SPK_WINDOW_MAX
        case .min: SPK_WINDOW_MIN
        }
    }

    var stableHLO: String {
        switch self {
        case .add: "stablehlo.add"
        case .multiply: "stablehlo.multiply"
        case .max: "stablehlo.maximum"
        case .min: "stablehlo.minimum"
        }
    }

    /// What padding counts as.
    var identity: Double {
        switch self {
        case .add: 0
        case .multiply: 1
        case .max: -.infinity
        case .min: .infinity
        }
    }
}

/// A reduction over windows; positions outside count as the identity. Numbers of 4 and 8 bytes and small integers.
struct ReduceWindow: Primitive {
    let slider: WindowSlider
    let reduction: WindowReduction
    var name: String { "reduceWindow" }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        guard !inputs[0].dtype.isHalfPrecision, inputs[0].dtype != .bool else {
            throw TensorError(
                .dtype, name, expected: "integers, float32 or float64", got: "\(inputs[0])")
        }
        return [TensorType(inputs[0].dtype, try slider.outputShape(inputs[0].shape, for: name))]
    }

    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        let y = try self(primals[0])
        guard let tangent = tangents[0] else { return ([y], [nil]) }
        switch reduction {
        case .add: return ([y], [try self(tangent)])
        case .max, .min:
            let gathered = try SelectAndGather(slider: slider, reduction: reduction)(tangent, primals[0])
            return ([y], [gathered])
        case .multiply:
            // The sum over places of the tangent there times all other elements.
            let factors = try slider.taps(of: primals[0], fill: 1)
            let moves = try slider.taps(of: tangent, fill: 0)
            var after = [Tensor?](repeating: nil, count: factors.count)
            for k in factors.indices.reversed().dropFirst() {
                after[k] = try after[k + 1].map { try factors[k + 1] * $0 } ?? factors[k + 1]
            }
            var before: Tensor?
            var total: Tensor?
            for k in factors.indices {
                var term = moves[k]
                if let before { term = try term * before }
                if let rest = after[k] { term = try term * rest }
                total = try sum(total, term)
                before = try before.map { try $0 * factors[k] } ?? factors[k]
            }
            return ([y], [total])
        }
    }

    /// The transpose of a sum: every element gets the cotangents of the windows that it is in.
    func transpose(_ cotangents: [Tensor?], _ operands: [LinearOperand]) throws -> [Tensor?] {
        guard let cotangent = cotangents[0], reduction == .add else { return [nil] }
        let shape = operands[0].type.shape
        let padding = shape.indices.map { d in
            WindowArithmetic.transposedPadding(
                input: shape[d], window: slider.window[d], output: cotangent.shape[d], low: slider.low[d],
                stride: slider.strides[d], dilation: slider.dilation[d],
                windowDilation: slider.windowDilation[d])
        }
        let transposed = WindowSlider(
            window: slider.window, strides: slider.dilation, low: padding.map(\.low),
            high: padding.map(\.high), dilation: slider.strides, windowDilation: slider.windowDilation)
        return [try ReduceWindow(slider: transposed, reduction: .add)(cotangent)]
    }

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        let lifted = inputs[0].isMapped ? ReduceWindow(slider: slider.lifted(), reduction: reduction) : self
        return [Batched(try lifted(inputs[0].tensor), isMapped: inputs[0].isMapped)]
    }

    var lowering: LoweringRule {
        .kernel { builder, inputs, outputs in
            let source = builder.dense(inputs[0])
            var arguments = slider.arguments(source.type.shape, outputs[0].type.shape, reduction)
            arguments.dtype = source.type.dtype.kernelType
            (arguments.src, arguments.src_offset) = (source.slot, source.offset)
            (arguments.dst, arguments.dst_offset) = (outputs[0].slot, outputs[0].offset)
            builder.step(arguments, spk_run_window, reads: [source], writes: [outputs[0]])
        }
    }

    var stableHLO: StableHLORule {
        .custom { writer, operation in
            let x = operation.operands[0]
            let initial = try writer.constant(reduction.identity, x.type.dtype)
            let region = StableHLOWriter.Region(arguments: [x.type.scalar, x.type.scalar]) {
                writer, arguments in
                [writer.write(reduction.stableHLO, arguments, as: x.type.scalar)]
            }
            return try writer.writeGeneric(
                "stablehlo.reduce_window", [x, initial], slider.stableHLO, [region], as: operation.results)
        }
    }
}

/// What selecting by windows has in common: values beside a key that decides, both floats of 4 or 8 bytes.
protocol WindowSelection: Primitive {
    var slider: WindowSlider { get }
    var reduction: WindowReduction { get }
    init(slider: WindowSlider, reduction: WindowReduction)
}

extension WindowSelection {
    func checkTypes(_ inputs: [TensorType]) throws {
        guard inputs.allSatisfy({ $0.dtype == .float32 || $0.dtype == .float64 }),
            reduction == .max || reduction == .min
        else {
            throw TensorError(
                .dtype, name, expected: "float32 or float64, and an extremum", got: "\(inputs), \(reduction)")
        }
    }

    /// Linear in the values, constant in the key.
    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        ([try self(primals[0], primals[1])], [try tangents[0].map { try self($0, primals[1]) }])
    }

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        guard inputs.contains(where: \.isMapped) else {
            return [Batched(try self(inputs[0].tensor, inputs[1].tensor), isMapped: false)]
        }
        let lifted = Self(slider: slider.lifted(), reduction: reduction)
        let operands = try inputs.map { try $0.materialized(size: size) }
        return [Batched(try lifted(operands[0], operands[1]), isMapped: true)]
    }

    func arguments(
        _ builder: inout PlanBuilder, _ inputs: [Operand], windows: Shape, to target: Operand
    ) -> (arguments: spk_window, reads: [Operand]) {
        let (values, key) = (builder.dense(inputs[0]), builder.dense(inputs[1]))
        var arguments = slider.arguments(key.type.shape, windows, reduction)
        (arguments.dtype, arguments.key_dtype) = (values.type.dtype.kernelType, key.type.dtype.kernelType)
        (arguments.src, arguments.src_offset) = (values.slot, values.offset)
        (arguments.key, arguments.key_offset) = (key.slot, key.offset)
        (arguments.dst, arguments.dst_offset) = (target.slot, target.offset)
        return (arguments, [values, key])
    }
}

/// Inputs: values and a key of one shape. From each window the value at the first extremum of the key.
struct SelectAndGather: WindowSelection {
    let slider: WindowSlider
    let reduction: WindowReduction
    var name: String { "selectAndGather" }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        try checkTypes(inputs)
        guard inputs[0].shape == inputs[1].shape else {
            throw TensorError(
                .shape, name, expected: "values of the key's shape \(inputs[1].shape)", got: "\(inputs[0])")
        }
        return [TensorType(inputs[0].dtype, try slider.outputShape(inputs[1].shape, for: name))]
    }

    func transpose(_ cotangents: [Tensor?], _ operands: [LinearOperand]) throws -> [Tensor?] {
        guard let cotangent = cotangents[0], let key = operands[1].known else { return [nil, nil] }
        return [try SelectAndScatter(slider: slider, reduction: reduction)(cotangent, key), nil]
    }

    var lowering: LoweringRule {
        .kernel { builder, inputs, outputs in
            let (arguments, reads) = arguments(
                &builder, inputs, windows: outputs[0].type.shape, to: outputs[0])
            builder.step(arguments, spk_run_window_gather, reads: reads, writes: [outputs[0]])
        }
    }

    /// The windows' elements one place after the other, keeping the extremum so far and its value.
    var stableHLO: StableHLORule {
        .composite { operands in [try gathered(operands[0], by: operands[1])] }
    }
}

extension SelectAndGather {
    /// The same in operations of their own. A hole or an element of the padding is chosen only where nothing else is.
    fileprivate func gathered(_ values: Tensor, by key: Tensor) throws -> Tensor {
        let keys = try slider.taps(of: key, fill: reduction.identity)
        let places = try slider.taps(of: onesLike(key), fill: 0)
        let candidates = try slider.taps(of: values, fill: 0)
        var best = keys[0]
        var isFound = try greater(places[0], 0)
        var result = candidates[0]
        for k in keys.indices.dropFirst() {
            let isBetter = try reduction == .max ? greater(keys[k], best) : less(keys[k], best)
            let isThere = try greater(places[k], 0)
            let isTaken = try and(isThere, or(isBetter, bitwiseNot(isFound)))
            best = try select(isTaken, keys[k], best)
            result = try select(isTaken, candidates[k], result)
            isFound = try or(isFound, isThere)
        }
        return result
    }
}

/// Inputs: a value for each window, and a key. Each value goes to the first extremum of its window's key; values that meet
/// are added in the order of the windows.
struct SelectAndScatter: WindowSelection {
    let slider: WindowSlider
    let reduction: WindowReduction
    var name: String { "selectAndScatter" }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        try checkTypes(inputs)
        let windows = try slider.outputShape(inputs[1].shape, for: name)
        guard inputs[0].shape == windows else {
            throw TensorError(.shape, name, expected: "values of shape \(windows)", got: "\(inputs[0])")
        }
        return [TensorType(inputs[0].dtype, inputs[1].shape)]
    }

    func transpose(_ cotangents: [Tensor?], _ operands: [LinearOperand]) throws -> [Tensor?] {
        guard let cotangent = cotangents[0], let key = operands[1].known else { return [nil, nil] }
        return [try SelectAndGather(slider: slider, reduction: reduction)(cotangent, key), nil]
    }

    var lowering: LoweringRule {
        .kernel { builder, inputs, outputs in
            builder.zero(outputs[0])
            guard inputs[0].type.shape.elementCount > 0 else { return }
            let (arguments, reads) = arguments(
                &builder, inputs, windows: inputs[0].type.shape, to: outputs[0])
            builder.step(
                arguments, spk_run_window_scatter, reads: reads + [outputs[0]], writes: [outputs[0]])
        }
    }

    /// The transpose of the gather, which is linear in the values.
    var stableHLO: StableHLORule {
        .composite { operands in
            let gather = SelectAndGather(slider: slider, reduction: reduction)
            let zeros = try TensorEngine.zeros(operands[1].shape, dtype: operands[0].dtype)
            return try vjp({ try gather.gathered($0, by: operands[1]) }, zeros).pullback(operands[0]).leaves
        }
    }
}

// MARK: - The function

/// A reduction over windows that slide over all dimensions (lax.reduce_window with add, mul, max or min and their
/// identities): the result has one element for each window. Padding counts as the identity: 0, 1, the lowest, the highest.
///
/// The gradient of an extremum goes to the first such element of a window. float16 and bfloat16 are computed in float32 and
/// rounded once.
///
/// - Parameters:
///   - window: its size in each dimension, 1 where it does not extend.
///   - strides: the distance of two windows; without, 1.
///   - padding: `same` and `sameLower` count for every dimension.
///   - baseDilation: the distance of two elements of `x`, the holes between them counting as the identity.
///   - windowDilation: the distance of two elements of a window.
public func reduceWindow(
    _ x: Tensor, _ reduction: WindowReduction, window: [Int], strides: [Int]? = nil,
    padding: WindowPadding = .valid, baseDilation: [Int]? = nil, windowDilation: [Int]? = nil
) throws -> Tensor {
    let ones = Array(repeating: 1, count: x.rank)
    let slider = try WindowSlider(
        x.shape, window: window, strides: strides ?? ones, padding: padding, dilation: baseDilation ?? ones,
        windowDilation: windowDilation ?? ones, for: "reduceWindow")
    let computed: DType = x.dtype.isHalfPrecision ? .float32 : x.dtype == .bool ? .int32 : x.dtype
    return try ReduceWindow(slider: slider, reduction: reduction)(try x.astype(computed)).astype(x.dtype)
}
