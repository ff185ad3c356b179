// The form between a program and the graphs of other frameworks: operators that all of them have, with NumPy's broadcasting.

/// A program as a list of operators with one result each, which a dialect (TensorFlow, ONNX) maps one by one.
///
/// Broadcasts that elementwise operators do themselves are gone, loops of known length are unrolled, and what depends on constants
/// alone is a constant. So a dense layer is here what it is elsewhere: a matrix product and an addition.
package struct OperatorGraph: Sendable {
    /// A value of the graph, by its number.
    package struct Value: Sendable, Hashable {
        package let index: Int
    }

    package struct Node: Sendable {
        package let operation: Operator
        package let inputs: [Value]
        package let output: Value
        /// The module path, and the primitive of the program that the node belongs to, for names and errors.
        package let path: String
        package let primitive: String
    }

    package struct ValueType: Sendable, Hashable {
        package let dtype: DType
        package let dimensions: [SymbolicDimension]

        package init(dtype: DType, dimensions: [SymbolicDimension]) {
            self.dtype = dtype
            self.dimensions = dimensions
        }
    }

    /// By number.
    package internal(set) var types: [ValueType] = []
    /// The program's inputs.
    package internal(set) var inputs: [Value] = []
    package internal(set) var constants: [(value: Value, tensor: Tensor)] = []
    /// In the order of evaluation.
    package internal(set) var nodes: [Node] = []
    package internal(set) var outputs: [Value] = []

    package func type(of value: Value) -> ValueType { types[value.index] }

    mutating func makeValue(_ type: ValueType) -> Value {
        types.append(type)
        return Value(index: types.count - 1)
    }

    /// Without nodes and constants that no output needs. Inputs stay.
    mutating func removeUnused() {
        var isNeeded = [Bool](repeating: false, count: types.count)
        for value in outputs { isNeeded[value.index] = true }
        var kept: [Node] = []
        for node in nodes.reversed() where isNeeded[node.output.index] {
            for value in node.inputs { isNeeded[value.index] = true }
            kept.append(node)
        }
        nodes = kept.reversed()
        constants = constants.filter { isNeeded[$0.value.index] }
    }
}

/// What a node computes. Types and sizes of results are those of the node's output.
package enum Operator: Sendable, Hashable {
    /// Element by element; operands broadcast.
    case elementwise(ElementwiseOperator)
    /// Operands: condition, where it holds, where not; they broadcast.
    case select
    /// To the output's element type.
    case convert
    /// `[…, m, k] × [k, n]`.
    case matrixProduct
    /// Sums of products, in Einstein's notation.
    case einsum(String)
    /// Operands: `[batch, spatial…, features]` and `[spatial…, features / groups, outputs]`, of two or three spatial dimensions.
    case convolution(strides: [Int], low: [Int], high: [Int], dilations: [Int], groups: Int)
    /// Over windows of the spatial dimensions (two or three) of `[batch, spatial…, features]`, without overlap beyond the edges.
    case pool(Pool, window: [Int], strides: [Int], low: [Int], high: [Int])
    /// Repeats the operand, aligned at the last dimension, to the output's sizes.
    case broadcast
    /// To the output's sizes.
    case reshape
    case transpose([Int])
    case slice(starts: [Int], limits: [SymbolicDimension], strides: [Int])
    case reverse([Int])
    case concatenate(axis: Int)
    /// Operands: the tensor, and the scalar to put around it.
    case pad(low: [Int], high: [Int])
    /// Over ascending axes, which go.
    case reduce(Reduction, axes: [Int])
    /// The position of the first extremum, int32.
    case argExtremum(isMaximum: Bool, axis: Int)
    /// Slices along an axis, at indices that are inside: the axis is replaced by the dimensions of the indices.
    case gather(axis: Int)
    /// Elements along the last axis, at indices that are inside, of which there is one list for each row.
    case gatherAlongLastAxis
    case cumulativeSum(axis: Int, isReversed: Bool)
    /// The index along an axis.
    case iota(axis: Int)
    /// A size as a scalar.
    case size(SymbolicDimension)

    package enum Pool: Sendable { case maximum, mean }

    package enum Reduction: String, Sendable { case sum, product, maximum, minimum, and, or }
}

/// The elementwise operators, named as the primitives are.
package enum ElementwiseOperator: String, Sendable, CaseIterable {
    case neg, abs, sign, logicalNot, square, sqrt, rsqrt, exp, expm1, log, log1p, relu
    case sin, cos, tan, asin, acos, atan, sinh, cosh, tanh, asinh, acosh, atanh, logistic
    case erf, erfc, erfInv, ndtri, lgamma, digamma, besselI0e, besselI1e
    case floor, ceil, round, isFinite
    case add, sub, mul, div, pow, max, min, rem, atan2, xLogY, xLog1PY, zeta
    case equal, notEqual, less, lessEqual, greater, greaterEqual
    case and, or, xor, shiftLeft, bitwiseNot
}
