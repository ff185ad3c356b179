// The operators of an operator graph as operations of TensorFlow: https://www.tensorflow.org/api_docs/python/tf/raw_ops.
import TensorEngine

extension TensorFlowGraph {
    /// Adds the nodes for one operator, and names the result.
    mutating func map(_ node: OperatorGraph.Node) throws -> String {
        let result = graph.type(of: node.output)
        let inputs = try node.inputs.map { try reference($0) }
        let types = node.inputs.map { graph.type(of: $0) }
        let type = TensorFlowNode.Attribute.type(TensorFlowType(types.first?.dtype ?? result.dtype))
        switch node.operation {
        case .elementwise(let operation):
            let counterpart = try self.counterpart(of: operation, types[0].dtype)
            // Logic has one type only, and so no attribute for it.
            return counterpart.name.hasPrefix("Logical")
                ? add(counterpart.name, counterpart.output, inputs, [:])
                : add(counterpart.name, counterpart.output, inputs, ["T": type])
        case .select:
            return add("SelectV2", "output", inputs, ["T": .type(TensorFlowType(result.dtype))])
        case .convert:
            return cast(inputs[0], from: types[0].dtype, to: result.dtype)
        case .matrixProduct:
            return types[0].dimensions.count == 2
                ? add("MatMul", "product", inputs, ["T": type])
                : add("BatchMatMulV2", "output", inputs, ["T": type])
        case .einsum(let equation):
            return add(
                "Einsum", "output", inputs,
                ["equation": .text(equation), "N": .integer(inputs.count), "T": type])
        case .convolution(let strides, let low, let high, let dilations, let groups):
            return try convolution(
                inputs, types, result, Windows(strides: strides, low: low, high: high, dilations: dilations),
                groups: groups)
        case .pool(let pool, let window, let strides, let low, let high):
            let windows = Windows(
                strides: strides, low: low, high: high, dilations: window.map { _ in 1 })
            return try self.pool(pool, inputs[0], types[0], window, windows)
        case .broadcast:
            return add(
                "BroadcastTo", "output", [inputs[0], try vector(result.dimensions)],
                ["T": type, "Tidx": .type(.int32)])
        case .reshape:
            return try reshape(inputs[0], result)
        case .transpose(let permutation):
            return add(
                "Transpose", "y", [inputs[0], try constant(permutation)],
                ["T": type, "Tperm": .type(.int32)])
        case .slice(let starts, let limits, let strides):
            return try slice(inputs[0], types[0], starts, limits, strides)
        case .reverse(let axes):
            return add(
                "ReverseV2", "output", [inputs[0], try constant(axes)], ["T": type, "Tidx": .type(.int32)])
        case .concatenate(let axis):
            return add(
                "ConcatV2", "output", inputs + [try constant(axis)],
                ["N": .integer(inputs.count), "T": type, "Tidx": .type(.int32)])
        case .pad(let low, let high):
            return try pad(inputs[0], types[0].dtype, low: low, high: high, value: inputs[1])
        case .reduce(let reduction, let axes):
            return try reduce(reduction, inputs[0], type, axes)
        case .argExtremum(let isMaximum, let axis):
            return add(
                isMaximum ? "ArgMax" : "ArgMin", "output", [inputs[0], try constant(axis)],
                ["T": type, "Tidx": .type(.int32), "output_type": .type(.int32)])
        case .gather(let axis):
            return try gather(inputs, types, axis: axis, sharedDimensions: 0)
        case .gatherAlongLastAxis:
            let last = types[0].dimensions.count - 1
            return try gather(inputs, types, axis: last, sharedDimensions: last)
        case .cumulativeSum(let axis, let isReversed):
            return add(
                "Cumsum", "out", [inputs[0], try constant(axis)],
                ["T": type, "Tidx": .type(.int32), "reverse": .flag(isReversed)])
        case .iota:
            let range = add(
                "Range", "output",
                [try constant(0), try scalar(result.dimensions[0]), try constant(1)],
                ["Tidx": .type(.int32)])
            return cast(range, from: .int32, to: result.dtype)
        case .size(let size):
            return cast(try scalar(size), from: .int32, to: result.dtype)
        }
    }

    // MARK: Elementwise

    /// The operation of TensorFlow, and what its output is called.
    private func counterpart(
        of operation: ElementwiseOperator, _ dtype: DType
    ) throws -> (name: String, output: String) {
        let isBool = dtype == .bool
        return switch operation {
        case .neg: ("Neg", "y")
        case .abs: ("Abs", "y")
        case .sign: ("Sign", "y")
        case .logicalNot: ("LogicalNot", "y")
        case .square: ("Square", "y")
        case .sqrt: ("Sqrt", "y")
        case .rsqrt: ("Rsqrt", "y")
        case .exp: ("Exp", "y")
        case .expm1: ("Expm1", "y")
        case .log: ("Log", "y")
        case .log1p: ("Log1p", "y")
        case .relu: ("Relu", "activations")
        case .sin: ("Sin", "y")
        case .cos: ("Cos", "y")
        case .tan: ("Tan", "y")
        case .asin: ("Asin", "y")
        case .acos: ("Acos", "y")
        case .atan: ("Atan", "y")
        case .sinh: ("Sinh", "y")
        case .cosh: ("Cosh", "y")
        case .tanh: ("Tanh", "y")
        case .asinh: ("Asinh", "y")
        case .acosh: ("Acosh", "y")
        case .atanh: ("Atanh", "y")
        case .logistic: ("Sigmoid", "y")
        case .erf: ("Erf", "y")
        case .erfc: ("Erfc", "y")
        case .erfInv: ("Erfinv", "y")
        case .ndtri: ("Ndtri", "y")
        case .lgamma: ("Lgamma", "y")
        case .digamma: ("Digamma", "y")
        case .besselI0e: ("BesselI0e", "y")
        case .besselI1e: ("BesselI1e", "y")
        case .floor: ("Floor", "y")
        case .ceil: ("Ceil", "y")
        case .round: ("Round", "y")
        case .isFinite: ("IsFinite", "y")
        case .add: isBool ? ("LogicalOr", "z") : ("AddV2", "z")
        case .sub: ("Sub", "z")
        case .mul: isBool ? ("LogicalAnd", "z") : ("Mul", "z")
        case .div: (dtype.isFloating ? "RealDiv" : "TruncateDiv", "z")
        case .pow: ("Pow", "z")
        case .max: isBool ? ("LogicalOr", "z") : ("Maximum", "z")
        case .min: isBool ? ("LogicalAnd", "z") : ("Minimum", "z")
        case .rem: ("TruncateMod", "z")
        case .atan2: ("Atan2", "z")
        case .xLogY: ("Xlogy", "z")
        case .xLog1PY: ("Xlog1py", "z")
        case .zeta: ("Zeta", "z")
        case .equal: ("Equal", "z")
        case .notEqual: ("NotEqual", "z")
        case .less: ("Less", "z")
        case .lessEqual: ("LessEqual", "z")
        case .greater: ("Greater", "z")
        case .greaterEqual: ("GreaterEqual", "z")
        case .and: isBool ? ("LogicalAnd", "z") : ("BitwiseAnd", "z")
        case .or: isBool ? ("LogicalOr", "z") : ("BitwiseOr", "z")
        case .xor: isBool ? ("NotEqual", "z") : ("BitwiseXor", "z")
        case .shiftLeft: ("LeftShift", "z")
        case .bitwiseNot: isBool ? ("LogicalNot", "y") : ("Invert", "y")
        }
    }
}
