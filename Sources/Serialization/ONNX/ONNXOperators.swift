// The operators of an operator graph as operations of ONNX, opset 18: https://onnx.ai/onnx/operators/.
import TensorEngine

extension ONNXGraph {
    /// Adds the nodes for one operator, and names the result.
    mutating func map(_ node: OperatorGraph.Node) throws -> String {
        let result = graph.type(of: node.output)
        let inputs = try node.inputs.map { try reference($0) }
        let types = node.inputs.map { graph.type(of: $0) }
        switch node.operation {
        case .elementwise(let operation): return try elementwise(operation, inputs, types[0].dtype)
        case .select: return add("Where", inputs)
        case .convert: return cast(inputs[0], to: result.dtype)
        case .matrixProduct: return add("MatMul", inputs)
        case .einsum(let equation): return add("Einsum", inputs, ["equation": .text(equation)])
        case .convolution(let strides, let low, let high, let dilations, let groups):
            let spatial = strides.count
            let kernel = add(
                "Transpose", [inputs[1]], ["perm": .integers([spatial + 1, spatial] + Array(0..<spatial))])
            let product = add(
                "Conv", [featuresFirst(inputs[0], spatial), kernel],
                [
                    "strides": .integers(strides), "pads": .integers(low + high),
                    "dilations": .integers(dilations), "group": .integer(groups),
                ])
            return featuresLast(product, spatial)
        case .pool(let pool, let window, let strides, let low, let high):
            let image = featuresFirst(inputs[0], window.count)
            let pooled =
                pool == .maximum
                ? add(
                    "MaxPool", [image],
                    [
                        "kernel_shape": .integers(window), "strides": .integers(strides),
                        "pads": .integers(low + high),
                    ])
                : add(
                    "AveragePool", [image],
                    [
                        "kernel_shape": .integers(window), "strides": .integers(strides),
                        "pads": .integers(low + high), "count_include_pad": .integer(1),
                    ])
            return featuresLast(pooled, window.count)
        case .broadcast: return add("Expand", [inputs[0], try vector(result.dimensions)])
        case .reshape: return try reshape(inputs[0], result.dimensions)
        case .transpose(let permutation):
            return add("Transpose", inputs, ["perm": .integers(permutation)])
        case .slice(let starts, let limits, let strides):
            let ends = zip(limits, types[0].dimensions).map {
                // Where all of an axis is meant, any number beyond it.
                $0 == $1 ? SymbolicDimension(fixed: Int(Int64.max)) : $0
            }
            return try slice(inputs[0], starts, vector(ends), strides)
        case .reverse(let axes):
            let backwards = axes.map { _ in -1 }
            let ends = axes.map { _ in Int(Int64.min) }
            return try add(
                "Slice",
                [inputs[0], constant(backwards), constant(ends), constant(axes), constant(backwards)])
        case .concatenate(let axis): return add("Concat", inputs, ["axis": .integer(axis)])
        case .pad(let low, let high):
            return try add("Pad", [inputs[0], constant(low + high), inputs[1]])
        case .reduce(let reduction, let axes): return try reduce(reduction, inputs[0], axes)
        case .argExtremum(let isMaximum, let axis):
            let position = add(
                isMaximum ? "ArgMax" : "ArgMin", inputs, ["axis": .integer(axis), "keepdims": .integer(0)])
            return cast(position, to: .int32)
        case .gather(let axis): return add("Gather", inputs, ["axis": .integer(axis)])
        case .gatherAlongLastAxis: return add("GatherElements", inputs, ["axis": .integer(-1)])
        case .cumulativeSum(let axis, let isReversed):
            return try add(
                "CumSum", [inputs[0], scalar(Double(axis), .int64)],
                ["reverse": .integer(isReversed ? 1 : 0)])
        case .iota:
            let count = add("Squeeze", [try size(result.dimensions[0])])
            let range = try add("Range", [scalar(0, .int64), count, scalar(1, .int64)])
            return cast(range, to: result.dtype)
        case .size(let size): return cast(add("Squeeze", [try self.size(size)]), to: result.dtype)
        }
    }

    // MARK: More than one node

    private mutating func cast(_ input: String, to dtype: DType) -> String {
        add("Cast", [input], ["to": .integer(ONNXType(dtype).rawValue)])
    }

    /// From `[batch, spatial…, features]` to `[batch, features, spatial…]`.
    private mutating func featuresFirst(_ input: String, _ spatial: Int) -> String {
        add("Transpose", [input], ["perm": .integers([0, spatial + 1] + Array(1...spatial))])
    }

    private mutating func featuresLast(_ input: String, _ spatial: Int) -> String {
        add("Transpose", [input], ["perm": .integers([0] + Array(2...(spatial + 1)) + [1])])
    }

    private mutating func slice(
        _ input: String, _ starts: [Int], _ ends: String, _ strides: [Int]
    ) throws -> String {
        try add("Slice", [input, constant(starts), ends, constant(Array(starts.indices)), constant(strides)])
    }

    private mutating func reshape(_ input: String, _ dimensions: [SymbolicDimension]) throws -> String {
        let open = dimensions.filter { !$0.isStatic }.count
        let hasEmpty = dimensions.contains { $0.staticSize == 0 }
        // One open size can be left to what remains. A size of 0 is meant as such.
        let shape =
            open == 1 && !hasEmpty
            ? try constant(dimensions.map { $0.staticSize ?? -1 }) : try vector(dimensions)
        return hasEmpty
            ? add("Reshape", [input, shape], ["allowzero": .integer(1)]) : add("Reshape", [input, shape])
    }

    private mutating func reduce(
        _ reduction: Operator.Reduction, _ input: String, _ axes: [Int]
    ) throws -> String {
        func reduced(_ name: String, _ input: String, _ graph: inout ONNXGraph) throws -> String {
            // Without axes ONNX would reduce all of them.
            if axes.isEmpty { return input }
            return graph.add(name, [input, try graph.constant(axes)], ["keepdims": .integer(0)])
        }
        switch reduction {
        case .sum: return try reduced("ReduceSum", input, &self)
        case .product: return try reduced("ReduceProd", input, &self)
        case .maximum: return try reduced("ReduceMax", input, &self)
        case .minimum: return try reduced("ReduceMin", input, &self)
        case .and, .or:
            let number = cast(input, to: .int32)
            return cast(
                try reduced(reduction == .and ? "ReduceMin" : "ReduceMax", number, &self), to: .bool)
        }
    }

    // MARK: Elementwise

    private mutating func elementwise(
        _ operation: ElementwiseOperator, _ inputs: [String], _ dtype: DType
    ) throws -> String {
        if let name = counterpart(of: operation, dtype) { return add(name, inputs) }
        switch operation {
        case .square: return add("Mul", [inputs[0], inputs[0]])
        case .rsqrt: return add("Reciprocal", [add("Sqrt", inputs)])
        case .expm1: return add("Sub", [add("Exp", inputs), try scalar(1, dtype)])
        case .log1p: return add("Log", [add("Add", [inputs[0], try scalar(1, dtype)])])
        case .erfc: return add("Sub", [try scalar(1, dtype), add("Erf", inputs)])
        case .isFinite: return add("Not", [add("Or", [add("IsInf", inputs), add("IsNaN", inputs)])])
        case .rem: return add("Mod", inputs, ["fmod": .integer(1)])
        case .notEqual: return add("Not", [add("Equal", inputs)])
        default: throw refusal("\(operation.rawValue) of \(dtype)")
        }
    }

    /// The operation of ONNX, where it is one.
    private func counterpart(of operation: ElementwiseOperator, _ dtype: DType) -> String? {
        let isBool = dtype == .bool
        return switch operation {
        case .neg: "Neg"
        case .abs: "Abs"
        case .sign: "Sign"
        case .logicalNot: "Not"
        case .sqrt: "Sqrt"
        case .exp: "Exp"
        case .log: "Log"
        case .relu: "Relu"
        case .sin: "Sin"
        case .cos: "Cos"
        case .tan: "Tan"
        case .asin: "Asin"
        case .acos: "Acos"
        case .atan: "Atan"
        case .sinh: "Sinh"
        case .cosh: "Cosh"
        case .tanh: "Tanh"
        case .asinh: "Asinh"
        case .acosh: "Acosh"
        case .atanh: "Atanh"
        case .logistic: "Sigmoid"
        case .erf: "Erf"
        case .floor: "Floor"
        case .ceil: "Ceil"
        case .round: "Round"
        case .add: isBool ? "Or" : "Add"
        case .sub: "Sub"
        case .mul: isBool ? "And" : "Mul"
        case .div: "Div"
        case .pow: "Pow"
        case .max: isBool ? "Or" : "Max"
        case .min: isBool ? "And" : "Min"
        case .equal: "Equal"
        case .less: "Less"
        case .lessEqual: "LessOrEqual"
        case .greater: "Greater"
        case .greaterEqual: "GreaterOrEqual"
        case .and: isBool ? "And" : "BitwiseAnd"
        case .or: isBool ? "Or" : "BitwiseOr"
        case .xor: isBool ? "Xor" : "BitwiseXor"
        case .bitwiseNot: isBool ? "Not" : "BitwiseNot"
        case .square, .rsqrt, .expm1, .log1p, .erfc, .isFinite, .rem, .notEqual: nil
        case .erfInv, .ndtri, .lgamma, .digamma, .besselI0e, .besselI1e, .atan2, .xLogY, .xLog1PY, .zeta,
            .shiftLeft:
            nil
        }
    }
}
