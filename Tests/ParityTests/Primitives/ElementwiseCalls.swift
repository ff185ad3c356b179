// Golden cases: elementwise operations of one and two operands, activations, softmax.
import JobSpec
import Linen
import TensorEngine

extension PrimitiveCall {
    func unary(_ x: Tensor) throws -> Tensor? {
        switch name {
        case "gelu":
            try only("approximate")
            return try gelu(x, approximate: keywords["approximate"]?.boolValue ?? true)
        case "leaky_relu":
            try only("negative_slope")
            return try leakyReLU(x, negativeSlope: keywords["negative_slope"]?.doubleValue ?? 0.01)
        case "elu":
            try only("alpha")
            return try elu(x, alpha: keywords["alpha"]?.doubleValue ?? 1)
        case "celu":
            try only("alpha")
            return try celu(x, alpha: keywords["alpha"]?.doubleValue ?? 1)
        case "softmax", "log_softmax":
            return try name == "softmax" ? softmax(x, axes: axes ?? [-1]) : logSoftmax(x, axes: axes ?? [-1])
        default: break
        }
        let functions: [String: (Tensor) throws -> Tensor] = [
            "abs": { try abs($0) }, "negative": { try -$0 }, "exp": { try exp($0) },
            "expm1": { try expm1($0) },
            "log": { try log($0) }, "log1p": { try log1p($0) }, "sqrt": { try sqrt($0) },
            "sin": { try sin($0) },
            "cos": { try cos($0) }, "tanh": { try tanh($0) }, "square": { try square($0) },
            "floor": { try floor($0) },
            "ceil": { try ceil($0) }, "round": { try round($0) }, "rint": { try round($0) },
            "sign": { try sign($0) },
            "isfinite": { try isFinite($0) }, "lax.rsqrt": { try rsqrt($0) }, "lax.erf": { try erf($0) },
            "lax.erf_inv": { try erfInv($0) }, "logical_not": { try logicalNot($0) }, "identity": { $0 },
            "positive": { $0 }, "sigmoid": { try sigmoid($0) }, "special.expit": { try sigmoid($0) },
        ]
        guard
            let function = functions[name]
                ?? Activation.byName[name].map({ activation in { try activation($0) } })
        else { return nil }
        try only()
        return try function(x)
    }

    func binary(_ a: any TensorConvertible, _ b: any TensorConvertible) throws -> Tensor? {
        switch name {
        case "add": return try combine(a, b, { try $0 + $1 }, { try $0 + $1 })
        case "subtract": return try combine(a, b, { try $0 - $1 }, { try $0 - $1 })
        case "multiply": return try combine(a, b, { try $0 * $1 }, { try $0 * $1 })
        case "divide": return try combine(a, b, { try $0 / $1 }, { try $0 / $1 })
        case "power": return try pow(a, b)
        case "maximum": return try maximum(a, b)
        case "minimum": return try minimum(a, b)
        case "lax.rem", "fmod": return try rem(a, b)
        case "nextafter": return try nextAfter(a, b)
        case "equal": return try equal(a, b)
        case "not_equal": return try notEqual(a, b)
        case "less": return try less(a, b)
        case "less_equal": return try lessEqual(a, b)
        case "greater": return try greater(a, b)
        case "greater_equal": return try greaterEqual(a, b)
        case "bitwise_and", "logical_and": return try and(a, b)
        case "bitwise_or", "logical_or": return try or(a, b)
        case "bitwise_xor", "logical_xor": return try xor(a, b)
        case "left_shift": return try shiftLeft(a, b)
        case "lax.shift_right_logical": return try shiftRightLogical(a, b)
        default: return nil
        }
    }

    /// An operator between a tensor and a tensor or literal.
    func combine(
        _ a: any TensorConvertible, _ b: any TensorConvertible,
        _ left: (Tensor, any TensorConvertible) throws -> Tensor,
        _ right: (any TensorConvertible, Tensor) throws -> Tensor
    ) throws -> Tensor? {
        if let a = a as? Tensor { return try left(a, b) }
        if let b = b as? Tensor { return try right(a, b) }
        return nil
    }
}
