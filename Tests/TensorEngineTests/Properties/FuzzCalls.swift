// The public functions as the fuzzer calls them.

@testable import TensorEngine

extension Fuzzer {
    /// Functions of tensors and parameters.
    static let calls: [(name: String, call: Call)] =
        unary + binary + rearranging + reducing + indexing + contracting + making + random

    private static let unary: [(name: String, call: Call)] = [
        ("abs", { [try abs($0.tensor())] }), ("sign", { [try sign($0.tensor())] }),
        ("floor", { [try floor($0.tensor())] }), ("round", { [try round($0.tensor())] }),
        ("exp", { [try exp($0.tensor())] }), ("log1p", { [try log1p($0.tensor())] }),
        ("sqrt", { [try sqrt($0.tensor())] }), ("rsqrt", { [try rsqrt($0.tensor())] }),
        ("sin", { [try sin($0.tensor())] }), ("tanh", { [try tanh($0.tensor())] }),
        ("erf", { [try erf($0.tensor())] }), ("erfInv", { [try erfInv($0.tensor())] }),
        ("relu", { [try relu($0.tensor())] }), ("square", { [try square($0.tensor())] }),
        ("neg", { [try -$0.tensor()] }), ("logicalNot", { [try logicalNot($0.tensor())] }),
        ("isFinite", { [try isFinite($0.tensor())] }), ("stopGradient", { [try stopGradient($0.tensor())] }),
        ("integerPow", { [try integerPow($0.tensor(), $0.int())] }),
        ("astype", { [try $0.tensor().astype($0.dtype())] }),
        ("bitcast", { [try bitcast($0.tensor(), to: $0.dtype())] }),
        ("clip", { [try clip($0.tensor(), $0.number(), $0.number())] }),
    ]

    private static func pair(_ function: @escaping @Sendable (Tensor, Tensor) throws -> Tensor) -> Call {
        { fuzzer in
            let x = try fuzzer.tensor()
            let y = try fuzzer.partner(x)
            return [try fuzzer.bool() ? function(x, y) : function(y, x)]
        }
    }

    private static let binary: [(name: String, call: Call)] = [
        ("add", pair { try $0 + $1 }), ("sub", pair { try $0 - $1 }), ("mul", pair { try $0 * $1 }),
        ("div", pair { try $0 / $1 }), ("maximum", pair { try maximum($0, $1) }),
        ("minimum", pair { try minimum($0, $1) }), ("pow", pair { try pow($0, $1) }),
        ("rem", pair { try rem($0, $1) }), ("nextAfter", pair { try nextAfter($0, $1) }),
        ("and", pair { try and($0, $1) }), ("or", pair { try or($0, $1) }), ("xor", pair { try xor($0, $1) }),
        ("shiftLeft", pair { try shiftLeft($0, $1) }),
        ("shiftRightLogical", pair { try shiftRightLogical($0, $1) }),
        ("equal", pair { try equal($0, $1) }), ("less", pair { try less($0, $1) }),
        ("greaterEqual", pair { try greaterEqual($0, $1) }),
        ("add a number", { [try $0.tensor() + $0.number()] }),
        ("add an int", { [try $0.tensor() + $0.int()] }),
        (
            "select",
            {
                let x = try $0.tensor()
                return [try select($0.partner(x), x, $0.partner(x))]
            }
        ),
    ]

    private static let rearranging: [(name: String, call: Call)] = [
        ("reshape", { [try reshape($0.tensor(), $0.shape())] }),
        ("reshape to -1", { [try reshape($0.tensor(), Shape([-1] + $0.smallShape().dimensions))] }),
        ("expandDims", { [try expandDims($0.tensor(), axis: $0.int())] }),
        ("squeeze", { [try squeeze($0.tensor(), axes: $0.ints())] }),
        ("transpose", { [try transpose($0.tensor(), axes: $0.axes())] }),
        ("transpose all", { [try transpose($0.tensor())] }),
        ("moveAxis", { [try moveAxis($0.tensor(), from: $0.int(), to: $0.int())] }),
        ("slice", { [try slice($0.tensor(), starts: $0.ints(), limits: $0.ints(), strides: $0.ints())] }),
        (
            "slice all axes",
            { fuzzer in
                let x = try fuzzer.tensor()
                let (starts, limits) = (x.shape.map { _ in fuzzer.int() }, x.shape.map { _ in fuzzer.int() })
                return [
                    try slice(x, starts: starts, limits: limits, strides: x.shape.map { _ in fuzzer.int() })
                ]
            }
        ),
        (
            "slice an axis",
            {
                let (a, b) = ($0.int(), $0.int())
                return [try slice($0.tensor(), axis: $0.int(), min(a, b)..<max(a, b))]
            }
        ),
        ("flip", { [try flip($0.tensor(), axes: $0.ints())] }),
        (
            "concatenate",
            {
                let x = try $0.tensor()
                return [try concatenate([x, $0.partner(x), $0.partner(x)], axis: $0.int())]
            }
        ),
        ("concatenate nothing", { [try concatenate([], axis: $0.int())] }),
        (
            "stack",
            {
                let x = try $0.tensor()
                return [try stack([x, $0.partner(x)], axis: $0.int())]
            }
        ),
        ("pad", { [try pad($0.tensor(), low: $0.ints(), high: $0.ints(), value: $0.number())] }),
        (
            "pad all axes",
            { fuzzer in
                let x = try fuzzer.tensor()
                return [
                    try pad(
                        x, low: x.shape.map { _ in fuzzer.int() }, high: x.shape.map { _ in fuzzer.int() })
                ]
            }
        ),
        ("broadcastTo", { [try broadcastTo($0.tensor(), $0.shape())] }),
        (
            "broadcastInDim",
            { [try broadcastInDim($0.tensor(), shape: $0.shape(), dimensions: $0.ints())] }
        ),
    ]

    private static let reducing: [(name: String, call: Call)] = [
        ("sum", { [try sum($0.tensor(), axes: $0.axes(), keepDims: $0.bool())] }),
        ("mean", { [try mean($0.tensor(), axes: $0.axes(), keepDims: $0.bool())] }),
        ("variance", { [try variance($0.tensor(), axes: $0.axes(), keepDims: $0.bool())] }),
        ("max", { [try max($0.tensor(), axes: $0.axes(), keepDims: $0.bool())] }),
        ("min", { [try min($0.tensor(), axes: $0.axes(), keepDims: $0.bool())] }),
        ("prod", { [try prod($0.tensor(), axes: $0.axes(), keepDims: $0.bool())] }),
        ("all", { [try all($0.tensor(), axes: $0.axes(), keepDims: $0.bool())] }),
        ("any", { [try any($0.tensor(), axes: $0.axes(), keepDims: $0.bool())] }),
        ("argmax", { [try argmax($0.tensor(), axis: $0.int())] }),
        ("argmin", { [try argmin($0.tensor(), axis: $0.int())] }),
        ("logSumExp", { [try logSumExp($0.tensor(), axes: $0.axes(), keepDims: $0.bool())] }),
        ("softmax", { [try softmax($0.tensor(), axis: $0.int())] }),
        ("logSoftmax", { [try logSoftmax($0.tensor(), axis: $0.int())] }),
    ]

    private static let indexing: [(name: String, call: Call)] = [
        ("take", { [try take($0.tensor(), $0.indices(), axis: $0.int(), mode: $0.bool() ? .clamp : .fill)] }),
        (
            "takeAlongAxis",
            {
                let x = try $0.tensor()
                return [
                    try takeAlongAxis(
                        x, $0.bool() ? $0.indices() : $0.partner(x).astype(.int32), axis: $0.int(),
                        mode: $0.bool() ? .clamp : .fill)
                ]
            }
        ),
        ("argsort", { [try argsort($0.tensor(), axis: $0.int(), descending: $0.bool())] }),
        ("sort", { [try sort($0.tensor(), axis: $0.int())] }),
        ("oneHot", { [try oneHot($0.indices(), count: $0.size(), dtype: $0.dtype())] }),
    ]

    private static let contracting: [(name: String, call: Call)] = [
        ("matmul", pair { try matmul($0, $1) }), ("dot", pair { try dot($0, $1) }),
        ("inner", pair { try inner($0, $1) }),
        ("matmul with a transpose", pair { try matmul($0, transpose($1)) }),
        (
            "dotGeneral",
            {
                let x = try $0.tensor()
                return [
                    try dotGeneral(
                        x, $0.partner(x), contracting: ($0.ints(), $0.ints()), batch: ($0.ints(), $0.ints()))
                ]
            }
        ),
        (
            "dotGeneral of one axis",
            {
                let (x, axis) = (try $0.tensor(), $0.int())
                return [try dotGeneral(x, $0.partner(x), contracting: ([axis], [axis]))]
            }
        ),
    ]

    private static let counted: Call = {
        let count: Int = $0.size()
        return [try arange(count, dtype: $0.dtype())]
    }

    private static let making: [(name: String, call: Call)] = [
        ("zeros", { [try zeros($0.shape(), dtype: $0.dtype())] }),
        ("full", { [try full($0.shape(), $0.number(), dtype: $0.dtype())] }),
        ("iota", { [try iota($0.dtype(), shape: $0.shape(), dimension: $0.int())] }),
        ("arange", counted),
        ("Tensor", { [try Tensor([1, 2, 3, 4, 5, 6] as [Float], shape: $0.shape())] }),
        ("Tensor of signs", { _ in [try Tensor([1, 2, 3, 4, 5, 6] as [Float], shape: [-2, -3])] }),
    ]

    private static let random: [(name: String, call: Call)] = [
        (
            "uniform",
            { [try $0.key().uniform($0.shape(), dtype: $0.dtype(), low: $0.number(), high: $0.number())] }
        ),
        ("normal", { [try $0.key().normal($0.shape(), dtype: $0.dtype())] }),
        (
            "truncatedNormal",
            {
                [
                    try $0.key().truncatedNormal(
                        low: $0.number(), high: $0.number(), $0.shape(), dtype: $0.dtype())
                ]
            }
        ),
        ("bernoulli", { [try $0.key().bernoulli($0.number(), $0.shape())] }),
        ("bits", { [try $0.key().bits($0.shape(), dtype: $0.dtype())] }),
        ("randint", { [try $0.key().randint($0.shape(), low: $0.int(), high: $0.int(), dtype: $0.dtype())] }),
        ("permutation", { [try $0.key().permutation($0.size())] }),
        (
            "permutation of a tensor",
            { [try $0.key().permutation($0.tensor(), axis: $0.int(), independent: $0.bool())] }
        ),
        ("split", { try $0.key().split($0.size()).prefix(3).map(\.data) }),
        ("splitData", { [try $0.key().splitData($0.shape())] }),
        ("foldIn", { [try $0.key().foldIn($0.int()).data] }),
    ]
}
