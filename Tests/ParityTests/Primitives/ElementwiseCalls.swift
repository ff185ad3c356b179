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
            try only("axis")
            let axes = axes ?? [-1]
            return try name == "softmax" ? softmax(x, axes: axes) : logSoftmax(x, axes: axes)
        case "round":
            try only("decimals")
            return try keywords["decimals"]?.intValue.map { try round(x, decimals: $0) } ?? round(x)
        case "lax.round":
            try only("rounding_method")
            return try round(x, keywords["rounding_method"]?.intValue == 1 ? .toNearestEven : .awayFromZero)
        case "nan_to_num":
            try only("nan", "posinf", "neginf")
            return try nanToNum(
                x, nan: keywords["nan"]?.doubleValue ?? 0, posInf: keywords["posinf"]?.doubleValue,
                negInf: keywords["neginf"]?.doubleValue)
        case "lax.integer_pow":
            try only("y")
            return try integerPow(x, try keywords.member("y").intValue ?? 0)
        case "squareplus":
            try only("b")
            return try squareplus(x, b: keywords["b"]?.doubleValue ?? 4)
        case "glu":
            try only("axis")
            return try glu(x, axis: axis ?? -1)
        case "special.multigammaln":
            try only("d")
            return try multigammaln(x, d: try keywords.member("d").intValue ?? 0)
        default: break
        }
        guard
            let function = Self.functions[name]
                ?? Activation.byName[name].map({ activation in { try activation($0) } })
        else { return nil }
        try only()
        return try function(x)
    }

    private static let functions: [String: @Sendable (Tensor) throws -> Tensor] = [
        "abs": { try abs($0) }, "negative": { try -$0 }, "positive": { $0 }, "identity": { $0 },
        "sign": { try sign($0) }, "square": { try square($0) }, "reciprocal": { try reciprocal($0) },
        "sqrt": { try sqrt($0) }, "lax.rsqrt": { try rsqrt($0) }, "cbrt": { try cbrt($0) },
        "exp": { try exp($0) }, "exp2": { try exp2($0) }, "expm1": { try expm1($0) },
        "log": { try log($0) }, "log2": { try log2($0) }, "log10": { try log10($0) },
        "log1p": { try log1p($0) },

        "sin": { try sin($0) }, "cos": { try cos($0) }, "tan": { try tan($0) },
        "arcsin": { try asin($0) }, "arccos": { try acos($0) }, "arctan": { try atan($0) },
        "sinh": { try sinh($0) }, "cosh": { try cosh($0) }, "tanh": { try tanh($0) },
        "arcsinh": { try asinh($0) }, "arccosh": { try acosh($0) }, "arctanh": { try atanh($0) },
        "degrees": { try degrees($0) }, "radians": { try radians($0) }, "sinc": { try sinc($0) },
        "sigmoid": { try sigmoid($0) }, "special.expit": { try sigmoid($0) },

        "floor": { try floor($0) }, "ceil": { try ceil($0) }, "trunc": { try trunc($0) },
        "fix": { try trunc($0) }, "rint": { try round($0) }, "isnan": { try isNaN($0) },
        "isinf": { try isInf($0) }, "isfinite": { try isFinite($0) }, "lax.is_finite": { try isFinite($0) },
        "signbit": { try signbit($0) },

        "logical_not": { try logicalNot($0) }, "invert": { try bitwiseNot($0) },
        "lax.clz": { try clz($0) }, "lax.population_count": { try populationCount($0) },

        "lax.erf": { try erf($0) }, "lax.erfc": { try erfc($0) }, "lax.erf_inv": { try erfInv($0) },
        "lax.lgamma": { try lgamma($0) }, "special.gammaln": { try lgamma($0) },
        "lax.digamma": { try digamma($0) }, "lax.bessel_i0e": { try i0e($0) },
        "lax.bessel_i1e": { try i1e($0) }, "special.i0": { try i0($0) }, "special.i1": { try i1($0) },
        "special.ndtr": { try ndtr($0) }, "special.ndtri": { try ndtri($0) },
        "special.log_ndtr": { try logNdtr($0) }, "special.logit": { try logit($0) },
        "special.entr": { try entr($0) }, "log1mexp": { try log1mexp($0) },
    ]

    func binary(_ a: any TensorConvertible, _ b: any TensorConvertible) throws -> [Tensor]? {
        if name == "divmod" {
            let (quotient, remainder) = try divmod(a, b)
            return [quotient, remainder]
        }
        guard let result = try arithmetic(a, b) ?? comparison(a, b) ?? bitwise(a, b) else { return nil }
        try only()
        return [result]
    }

    private func arithmetic(_ a: any TensorConvertible, _ b: any TensorConvertible) throws -> Tensor? {
        switch name {
        case "add": try combine(a, b, { try $0 + $1 }, { try $0 + $1 })
        case "subtract": try combine(a, b, { try $0 - $1 }, { try $0 - $1 })
        case "multiply": try combine(a, b, { try $0 * $1 }, { try $0 * $1 })
        case "divide": try combine(a, b, { try $0 / $1 }, { try $0 / $1 })
        case "power": try pow(a, b)
        case "float_power": try floatPower(a, b)
        case "floor_divide": try floorDivide(a, b)
        case "mod", "remainder": try mod(a, b)
        case "fmod": try fmod(a, b)
        case "lax.rem": try rem(a, b)
        case "arctan2": try atan2(a, b)
        case "hypot": try hypot(a, b)
        case "logaddexp": try logAddExp(a, b)
        case "logaddexp2": try logAddExp2(a, b)
        case "copysign": try copysign(a, b)
        case "heaviside": try heaviside(a, b)
        case "nextafter", "lax.nextafter": try nextAfter(a, b)
        case "special.xlogy": try xlogy(a, b)
        case "special.xlog1py": try xlog1py(a, b)
        case "special.rel_entr": try relEntr(a, b)
        case "special.kl_div": try klDiv(a, b)
        case "special.betaln": try betaln(a, b)
        case "special.zeta": try zeta(a, b)
        default: nil
        }
    }

    private func comparison(_ a: any TensorConvertible, _ b: any TensorConvertible) throws -> Tensor? {
        switch name {
        case "isclose": try isClose(a, b)
        case "allclose": try allClose(a, b)
        case "array_equal": try arrayEqual(tensor(a), tensor(b))
        case "maximum": try maximum(a, b)
        case "minimum": try minimum(a, b)
        case "fmax": try fmax(a, b)
        case "fmin": try fmin(a, b)
        case "equal": try equal(a, b)
        case "not_equal": try notEqual(a, b)
        case "less": try less(a, b)
        case "less_equal": try lessEqual(a, b)
        case "greater": try greater(a, b)
        case "greater_equal": try greaterEqual(a, b)
        default: nil
        }
    }

    private func bitwise(_ a: any TensorConvertible, _ b: any TensorConvertible) throws -> Tensor? {
        switch name {
        case "logical_and": try logicalAnd(tensor(a), tensor(b))
        case "logical_or": try logicalOr(tensor(a), tensor(b))
        case "logical_xor": try logicalXor(tensor(a), tensor(b))
        case "bitwise_and": try and(a, b)
        case "bitwise_or": try or(a, b)
        case "bitwise_xor": try xor(a, b)
        case "left_shift", "lax.shift_left": try shiftLeft(a, b)
        case "right_shift": try shiftRight(a, b)
        case "lax.shift_right_logical": try shiftRightLogical(a, b)
        case "lax.shift_right_arithmetic": try shiftRightArithmetic(a, b)
        default: nil
        }
    }

    private func tensor(_ operand: any TensorConvertible) throws -> Tensor {
        try operand.tensor(beside: tensors.first?.dtype ?? .float32)
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
