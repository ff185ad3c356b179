// Suite primitives: one operation at a time, its value and its vector-Jacobian products.
import JobSpec
import Linen
import TensorEngine
import Testing

@Suite("Operations are JAX's")
struct PrimitiveParityTests {
    @Test(
        "every operation that is built has JAX's values and gradients",
        arguments: [
            ("binary", 33), ("control_flow", 27), ("conv", 27), ("dtypes", 7), ("integers", 13),
            ("linalg", 20),
            ("matmul", 20), ("pools", 16), ("reductions", 41), ("shapes", 56), ("special_values", 16),
            ("transforms", 43), ("unary", 37),
        ])
    func primitives(group: String, notBuilt: Int) throws {
        try checkParity("primitives", group, notBuilt: notBuilt) { try check($0) }
    }

    private func check(_ parityCase: ParityCase) throws {
        let config = parityCase.config
        guard let name = config["op"]?.stringValue else { throw NotBuilt("functions under transformations") }
        // XLA's values there are no requirement (the fixtures' README).
        if parityCase.name.hasPrefix("int_divzero") || parityCase.name.hasPrefix("int_modzero") {
            throw NotBuilt("integer division by zero")
        }
        let inputs = try (parityCase.inputs["args"]?.arrayValue ?? []).map { try $0.tensor() }
        let keywords = config["kwargs"] ?? [:]
        let weak = try (config["weak"]?.objectValue ?? [:]).map {
            (Int($0.key) ?? 0, try PrimitiveCall.number($0.value))
        }
        .sorted { $0.0 < $1.0 }
        func run(_ tensors: [Tensor]) throws -> [Tensor] {
            var operands: [any TensorConvertible] = tensors
            for (position, number) in weak { operands.insert(number, at: position) }
            return try PrimitiveCall(name: name, operands: operands, keywords: keywords).results()
        }
        func compare(_ outputs: [Tensor]) throws {
            if parityCase.expectsError { return }
            let expected = try parityCase.expected.member("out").arrayValue ?? []
            guard outputs.count == expected.count else { throw ParityMismatch("\(outputs.count) outputs") }
            for (index, (got, want)) in zip(outputs, expected).enumerated() {
                try expectClose(got, want, parityCase.tolerance, "out \(index)")
            }
        }
        do {
            try compare(run(inputs))
        } catch let mismatch as ParityMismatch {
            // XLA takes subnormal inputs of some operations for zeros, which is no requirement.
            let flushed = try inputs.map(PrimitiveParityTests.withoutSubnormals)
            guard flushed.contains(where: { $0.changed }) else { throw mismatch }
            try compare(run(flushed.map(\.tensor)))
        }
        guard let gradients = parityCase.expected["grads"]?.arrayValue, !gradients.isEmpty else { return }
        if name == "prod" { throw NotBuilt("the derivative of prod") }
        let positions = config["wrt"]?.integers ?? []
        let cotangents = try (parityCase.inputs["ct"]?.arrayValue ?? []).map { try $0.tensor() }
        let (_, pullback) = try vjp(
            { (variables: [Tensor]) in
                var tensors = inputs
                for (variable, position) in zip(variables, positions) { tensors[position] = variable }
                return try run(tensors).filter(\.dtype.isFloating)
            }, positions.map { inputs[$0] })
        for (index, (got, want)) in zip(try pullback(cotangents), gradients).enumerated() {
            try expectClose(got, want, parityCase.tolerance, "gradient \(index)")
        }
    }
}

extension PrimitiveParityTests {
    /// The tensor with zeros for its subnormal numbers, and whether it had any.
    fileprivate static func withoutSubnormals(_ tensor: Tensor) throws -> (tensor: Tensor, changed: Bool) {
        guard tensor.dtype == .float32 else { return (tensor, false) }
        let values: [Float] = try tensor.elements()
        return (
            try Tensor(values.map { $0.isSubnormal ? 0 : $0 }, shape: tensor.shape),
            values.contains(where: \.isSubnormal)
        )
    }
}

/// One call of an operation by its name in the golden cases (jnp's, or with a prefix).
private struct PrimitiveCall {
    let name: String
    let operands: [any TensorConvertible]
    let keywords: JSONValue

    /// A number that stands in the source: a literal of that kind.
    static func number(_ json: JSONValue) throws -> any TensorConvertible {
        if case .int = json, let value = json.intValue { return value }
        if let value = json.doubleValue { return value }
        throw NotBuilt("literal \(json)")
    }

    private var axes: [Int]? { keywords["axis"].flatMap { $0.integers ?? $0.intValue.map { [$0] } } }
    private var axis: Int? { keywords["axis"]?.intValue }
    private var keepDims: Bool { keywords["keepdims"]?.boolValue ?? false }

    /// Throws `NotBuilt` for keyword arguments that the operation here does not have.
    private func only(_ known: String...) throws {
        for key in keywords.objectValue?.keys ?? [] where !known.contains(key) {
            throw NotBuilt("\(name)(\(key):)")
        }
    }

    func results() throws -> [Tensor] {
        let tensors = operands.compactMap { $0 as? Tensor }
        if operands.count == 2, let result = try binary(operands[0], operands[1]) { return [result] }
        guard tensors.count == operands.count else { throw NotBuilt("\(name) of literals") }
        if tensors.count == 1,
            let result = try unary(tensors[0]) ?? reduction(tensors[0]) ?? shaped(tensors[0])
        {
            return [result]
        }
        return [try several(tensors)]
    }

    private func unary(_ x: Tensor) throws -> Tensor? {
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
            if keywords["axis"]?.arrayValue != nil { throw NotBuilt("\(name) over several axes") }
            return try name == "softmax" ? softmax(x, axis: axis ?? -1) : logSoftmax(x, axis: axis ?? -1)
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

    private func binary(_ a: any TensorConvertible, _ b: any TensorConvertible) throws -> Tensor? {
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
    private func combine(
        _ a: any TensorConvertible, _ b: any TensorConvertible,
        _ left: (Tensor, any TensorConvertible) throws -> Tensor,
        _ right: (any TensorConvertible, Tensor) throws -> Tensor
    ) throws -> Tensor? {
        if let a = a as? Tensor { return try left(a, b) }
        if let b = b as? Tensor { return try right(a, b) }
        return nil
    }

    private func reduction(_ x: Tensor) throws -> Tensor? {
        switch name {
        case "sum": return try reduced { try sum(x, axes: axes, keepDims: keepDims) }
        case "mean": return try reduced { try mean(x, axes: axes, keepDims: keepDims) }
        case "max": return try reduced { try max(x, axes: axes, keepDims: keepDims) }
        case "min": return try reduced { try min(x, axes: axes, keepDims: keepDims) }
        case "prod": return try reduced { try prod(x, axes: axes, keepDims: keepDims) }
        case "var": return try reduced { try variance(x, axes: axes, keepDims: keepDims) }
        case "logsumexp": return try reduced { try logSumExp(x, axes: axes, keepDims: keepDims) }
        case "any": return try reduced { try any(x, axes: axes, keepDims: keepDims) }
        case "all": return try reduced { try all(x, axes: axes, keepDims: keepDims) }
        case "argmax": return try argument(x) { try argmax($0, axis: $1) }
        case "argmin": return try argument(x) { try argmin($0, axis: $1) }
        default: return nil
        }
    }

    private func reduced(_ body: () throws -> Tensor) throws -> Tensor {
        try only("axis", "keepdims")
        return try body()
    }

    /// argmax and argmin: over all elements without an axis.
    private func argument(_ x: Tensor, _ body: (Tensor, Int) throws -> Tensor) throws -> Tensor {
        try only("axis")
        if let axis { return try body(x, axis) }
        return try body(reshape(x, [x.shape.elementCount]), 0)
    }

    private func shaped(_ x: Tensor) throws -> Tensor? {
        switch name {
        case "astype": return try x.astype(try keywords.member("dtype").dtype())
        case "bitcast": return try bitcast(x, to: try keywords.member("dtype").dtype())
        case "reshape":
            let sizes = try keywords.member("shape").integers ?? []
            let known = sizes.filter { $0 >= 0 }.reduce(1, *)
            return try reshape(
                x, Shape(sizes.map { $0 < 0 ? x.shape.elementCount / Swift.max(known, 1) : $0 }))
        case "transpose": return try transpose(x, axes: keywords["axes"]?.integers)
        case "expand_dims":
            guard let axis else { throw NotBuilt("expand_dims of several axes") }
            return try expandDims(x, axis: axis)
        case "squeeze": return try squeeze(x, axes: axes ?? [])
        case "broadcast_to": return try broadcastTo(x, Shape(try keywords.member("shape").integers ?? []))
        case "moveaxis":
            guard let source = keywords["source"]?.intValue,
                let destination = keywords["destination"]?.intValue
            else { throw NotBuilt("moveaxis of several axes") }
            return try moveAxis(x, from: source, to: destination)
        case "flip": return try flip(x, axes: axes ?? Array(x.shape.indices))
        case "slice":
            return try slice(
                x, starts: try keywords.member("start").integers ?? [],
                limits: try keywords.member("limit").integers ?? [], strides: keywords["strides"]?.integers)
        case "sort": return try sort(x, axis: axis ?? -1)
        case "argsort": return try argsort(x, axis: axis ?? -1)
        case "one_hot":
            try only("num_classes")
            return try oneHot(x, count: try keywords.member("num_classes").intValue ?? 0)
        default: return nil
        }
    }

    private func several(_ x: [Tensor]) throws -> Tensor {
        switch (name, x.count) {
        case ("matmul", 2): return try matmul(x[0], x[1])
        case ("dot", 2): return try dot(x[0], x[1])
        case ("inner", 2): return try inner(x[0], x[1])
        case ("dot_general", 2):
            func pair(_ key: String) -> (lhs: [Int], rhs: [Int]) {
                (keywords[key]?[0]?.integers ?? [], keywords[key]?[1]?.integers ?? [])
            }
            return try dotGeneral(x[0], x[1], contracting: pair("contract"), batch: pair("batch"))
        case ("concatenate", _): return try concatenate(x, axis: axis ?? 0)
        case ("stack", _): return try stack(x, axis: axis ?? 0)
        case ("where", 3): return try select(x[0], x[1], x[2])
        case ("clip", 3): return try clip(x[0], x[1], x[2])
        case ("take", 2):
            try only("axis")
            if let axis { return try take(x[0], x[1], axis: axis) }
            return try take(reshape(x[0], [x[0].shape.elementCount]), x[1])
        case ("take_along_axis", 2): return try takeAlongAxis(x[0], x[1], axis: axis ?? -1)
        default: throw NotBuilt(name)
        }
    }
}
