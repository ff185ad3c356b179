// Models that do nothing sensible but contain the operations that presets do not: real software judges them as it does presets.
import Linen
import Serialization
import TensorEngine

extension GraphExample {
    static func operations() throws -> [GraphExample] {
        var special = try elementwise("operations_special", specialFunctions)
        special.hasONNX = false
        return [
            try elementwise("operations_elementwise", commonFunctions), special, try convolutions(),
            try windows(),
            try rearranging(), try reading(), try reducing(),
        ]
    }

    private typealias Function = @Sendable (Tensor) throws -> Tensor

    /// A model whose outputs are `y0`, `y1`, … of these functions of its input.
    private static func model(
        _ name: String, _ shape: Shape, _ variables: FrozenDict,
        _ functions: [(FrozenDict, Tensor) throws -> Tensor]
    ) throws -> GraphExample {
        try GraphExample(
            name, variables, .init("x", .float32, shape), outputs: functions.indices.map { "y\($0)" }
        ) { variables, x in
            try functions.map { try $0(variables, x) }
        }
    }

    private static func model(
        _ name: String, _ shape: Shape, _ functions: [Function]
    ) throws -> GraphExample {
        try model(name, shape, [:], functions.map { function in { _, x in try function(x) } })
    }

    // MARK: Elementwise

    private static func elementwise(_ name: String, _ functions: [Function]) throws -> GraphExample {
        try model(name, [7], functions)
    }

    private static let commonFunctions: [Function] = [
        { x in try -x }, { x in try abs(x) }, { x in try sign(x) }, { x in try square(x) },
        { x in try sqrt(abs(x)) }, { x in try rsqrt(abs(x) + 0.1) }, { x in try exp(x) },
        { x in try exp2(x) },
        { x in try expm1(x) }, { x in try log(abs(x) + 0.1) }, { x in try log1p(abs(x)) },
        { x in try relu(x) },
        { x in try sin(x) }, { x in try cos(x) }, { x in try tan(x / 4) }, { x in try asin(tanh(x)) },
        { x in try acos(tanh(x)) }, { x in try atan(x) }, { x in try sinh(x) }, { x in try cosh(x) },
        { x in try asinh(x) }, { x in try acosh(abs(x) + 1.5) }, { x in try atanh(tanh(x) / 2) },
        { x in try logistic(x) }, { x in try erf(x) }, { x in try erfc(x) }, { x in try ndtr(x) },
        { x in try floor(x * 3) }, { x in try ceil(x * 3) }, { x in try round(x * 2) },
        { x in try trunc(x * 3) },
        { x in try integerPow(x, 5) }, { x in try integerPow(abs(x) + 1, -2) }, { x in try softplus(x * 20) },
        { x in try pow(abs(x), x) }, { x in try maximum(x, 0.25) }, { x in try minimum(x, square(x)) },
        { x in try rem(x * 5, 2) }, { x in try mod(x * 5, 2) }, { x in try selu(x) }, { x in try gelu(x) },
        { x in try softmax(x) }, { x in try logSoftmax(x) }, { x in try silu(x) + elu(x) + hardTanh(x) },
        { x in try select(or(and(greater(x, 0), less(x, 1)), notEqual(x, x)), x, -x) },
        { x in try select(logicalNot(isFinite(x)), 0, x) + (x * 10).astype(.int32).astype(.float32) },
        { x in try floorDivide((x * 50).astype(.int32), 7).astype(.float32) },
    ]

    private static let specialFunctions: [Function] = [
        { x in try erfInv(tanh(x) / 2) }, { x in try lgamma(abs(x) + 0.5) },
        { x in try digamma(abs(x) + 0.5) },
        { x in try atan2(x, x + 1) }, { x in try xlogy(x, abs(x) + 0.1) }, { x in try xlog1py(x, abs(x)) },
        { x in try i0e(x) }, { x in try i1e(x) }, { x in try ndtri(logistic(x)) },
        { x in try and((x * 50).astype(.int32), 12).astype(.float32) },
    ]

    // MARK: Images

    private static func convolutions() throws -> GraphExample {
        let key = try PRNGKey(seed: 5)
        func kernel(_ shape: Shape) throws -> Tree { .tensor(try key.normal(shape) / 3) }
        let kernels: FrozenDict = [
            "plain": try kernel([3, 3, 4, 6]), "grouped": try kernel([3, 2, 2, 6]),
            "deep": try kernel([3, 3, 1, 8]), "line": try kernel([3, 4, 5]),
            "first": try kernel([5, 4, 2, 2]),
        ]
        let variables: FrozenDict = ["params": .dictionary(kernels)]
        func convolution(
            _ name: String, _ input: @escaping Function = { $0 },
            _ body: @escaping (Tensor, Tensor) throws -> Tensor
        ) -> (FrozenDict, Tensor) throws -> Tensor {
            { try body(input($1), $0.tensor(at: "params/\(name)")) }
        }
        let last = ConvDimensionNumbers.channelsLast(rank: 4)
        let uneven = WindowPadding.explicit([(low: 2, high: 0), (low: 1, high: 3)])
        return try model(
            "operations_convolutions", [7, 6, 4], variables,
            [
                convolution("plain") {
                    try convGeneralDilated($0, $1, strides: [2, 1], padding: .same, dimensionNumbers: last)
                },
                convolution("plain") {
                    try convGeneralDilated($0, $1, strides: [2, 3], padding: uneven, dimensionNumbers: last)
                },
                convolution("plain") {
                    try convGeneralDilated(
                        $0, $1, strides: [1, 1], padding: .same, rhsDilation: [2, 1], dimensionNumbers: last)
                },
                convolution("plain") {
                    try convGeneralDilated(
                        $0, $1, strides: [1, 1],
                        padding: .explicit([(low: -1, high: 0), (low: 0, high: -1)]),
                        dimensionNumbers: last)
                },
                convolution("grouped") {
                    try convGeneralDilated(
                        $0, $1, strides: [1, 2], padding: .same, dimensionNumbers: last, featureGroupCount: 2)
                },
                convolution("deep") {
                    try convGeneralDilated(
                        $0, $1, strides: [1, 1], padding: .same, dimensionNumbers: last, featureGroupCount: 4)
                },
                convolution("plain") { try convTranspose($0, $1, strides: [2, 2], padding: .same) },
                convolution("line", { try reshape($0, [-1, 42, 4]) }) {
                    try convGeneralDilated(
                        $0, $1, strides: [2], padding: .same, dimensionNumbers: .channelsLast(rank: 3))
                },
                // Features first, as in PyTorch.
                convolution("first", { try transpose($0, axes: [0, 3, 1, 2]) }) {
                    try convGeneralDilated($0, $1, strides: [1, 1])
                },
            ])
    }

    private static func windows() throws -> GraphExample {
        let functions: [Function] = [
            { x in try avgPool(x, windowShape: [3, 2], strides: [2, 2], padding: .same) },
            { x in
                try avgPool(x, windowShape: [3, 3], strides: [2, 1], padding: .same, countsPadding: false)
            },
            { x in
                try maxPool(
                    x, windowShape: [3, 3], strides: [2, 2],
                    padding: .explicit([(low: 2, high: 1), (low: 0, high: 2)]))
            },
            { x in try maxPool(x, windowShape: [2, 2], strides: [2, 2], padding: .same) },
            { x in try minPool(x, windowShape: [2, 3]) },
            { x in try maxPool(reshape(x, [-1, 42, 4]), windowShape: [3], strides: [2]) },
            { x in try avgPool(reshape(x, [-1, 7, 3, 2, 4]), windowShape: [2, 2, 2]) },
            { x in try reduceWindow(x, .max, window: [1, 2, 2, 1], windowDilation: [1, 2, 1, 1]) },
            { x in try reduceWindow(x, .add, window: [1, 1, 2, 3], strides: [1, 2, 1, 1]) },
            { x in try reduceWindow(x, .multiply, window: [1, 2, 1, 1], baseDilation: [1, 2, 1, 1]) },
        ]
        return try model("operations_windows", [7, 6, 4], functions)
    }

    // MARK: Places

    private static func rearranging() throws -> GraphExample {
        let functions: [Function] = [
            { x in try flip(x, axes: [1, 2]) }, { x in try transpose(x, axes: [2, 0, 1]) },
            { x in try slice(x, starts: [0, 1, 2], limits: [x.shape[0], 4, 6], strides: [1, 2, 3]) },
            { x in try concatenate([x, x * 2, square(x)], axis: 2) }, { x in try stack([x, -x], axis: 1) },
            { x in try pad(x, low: [0, 1, 0], high: [0, 2, 3], value: 0.5) },
            { x in try reshape(x, [-1, 6]) * 2 }, { x in try reshape(x, [x.shape[0] * 2, 2, 6]) },
            { x in
                try x + iota(.float32, shape: x.shape, dimension: 0)
                    + iota(.float32, shape: x.shape, dimension: 1)
            },
            { x in try broadcastTo(expandDims(x, axis: 1), [x.shape[0], 3, 4, 6]) * 1.5 },
            { x in try tile(x, [1, 2, 1]) }, { x in try roll(x, shift: 2, axis: 2) },
            { x in try einsum("bij,bkj->bik", x, x) }, { x in try einsum("bij,bik->bjk", x, x) },
            { x in try matmul(x, swapAxes(x, 1, 2)) },
            { x in try scan(x) },
        ]
        return try model("operations_rearranging", [4, 6], functions)
    }

    /// A running product along the second axis, from the end, with the slices doubled on the side.
    private static func scan(_ x: Tensor) throws -> Tensor {
        let rows = try moveAxis(x, from: 1, to: 0)
        let (last, stacked) = try TensorEngine.scan(
            { carry, row in (try tanh(carry * 0.5 + row), try row * 2 + carry) },
            initial: zeros([x.shape[0], 6]), over: rows, reverse: true)
        return try moveAxis(stacked, from: 0, to: 1) + expandDims(last, axis: 1)
    }

    private static func reading() throws -> GraphExample {
        @Sendable func places(_ x: Tensor) throws -> Tensor { try (x * 4).astype(.int32) }
        let functions: [Function] = [
            { x in try take(arange(5).astype(.float32) * 1.5, places(x), axis: 0, mode: .clamp) },
            { x in
                let taken = try take(arange(3).astype(.float32), places(x), axis: 0, mode: .fill)
                return try select(equal(taken, taken), taken, -7)
            },
            { x in try take(x, Tensor([3, 0, 0] as [Int32]), axis: 2) },
            { x in try takeAlongAxis(x, argmax(x, axis: 2, keepDims: true), axis: 2) },
            { x in try takeAlongAxis(x, mod(abs(places(x)), 4), axis: 1, mode: .clamp) },
            { x in try oneHot(mod(abs(places(x)), 4), count: 4) },
        ]
        return try model("operations_reading", [4, 6], functions)
    }

    private static func reducing() throws -> GraphExample {
        let functions: [Function] = [
            { x in try sum(x, axes: [1]) }, { x in try mean(x, axes: [0, 2]) + mean(x) },
            { x in try max(x, axes: [2]) - reshape(min(x, axes: [1, 2]), [-1, 1]) },
            { x in try prod(x, axes: [1]) }, { x in try argmax(x, axis: 1).astype(.float32) },
            { x in try argmin(x, axis: 2).astype(.float32) },
            { x in
                try select(TensorEngine.any(greater(x, 1), axes: [2]), 1.0, 0.0)
                    + TensorEngine.all(less(x, 0.5), axes: [2]).astype(.float32)
            },
            { x in try cumsum(x, axis: 2) + cumsum(x, axis: 1, reverse: true) },
            { x in try logSumExp(x, axes: [1, 2]) }, { x in try variance(x, axes: [1]) },
        ]
        return try model("operations_reducing", [4, 6], functions)
    }
}
