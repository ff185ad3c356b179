// Functions of whole families as the fuzzer calls them: padding, windows, indexing, statistics, linear algebra.

@testable import TensorEngine

extension Fuzzer {
    static let families: [(name: String, call: Call)] =
        elementwise + shapes + places + statistics + windows + matrices + creation

    /// A result of one tensor.
    private static func one(
        _ name: String, _ function: @escaping @Sendable (inout Fuzzer, Tensor) throws -> Tensor
    ) -> (name: String, call: Call) {
        (
            name,
            { fuzzer in
                let x = try fuzzer.tensor()
                return [try function(&fuzzer, x)]
            }
        )
    }

    /// A result of two tensors, of one type more often than not.
    private static func two(
        _ name: String, _ function: @escaping @Sendable (inout Fuzzer, Tensor, Tensor) throws -> Tensor
    ) -> (name: String, call: Call) {
        (
            name,
            { fuzzer in
                let x = try fuzzer.tensor()
                let y = try fuzzer.partner(x)
                return [try function(&fuzzer, x, y)]
            }
        )
    }

    private static let elementwise = [
        one("lgamma") { try lgamma($1) }, one("digamma") { try digamma($1) }, one("ndtri") { try ndtri($1) },
        one("polygamma") { try polygamma($0.int(), $1) }, one("i0e") { try i0e($1) },
        one("trunc") { try trunc($1) }, one("round to decimals") { try round($1, decimals: $0.int()) },
        one("isNaN") { try isNaN($1) }, one("signbit") { try signbit($1) },
        one("nanToNum") { try nanToNum($1, nan: $0.number(), posInf: $0.number()) },
        one("bitwiseNot") { try bitwiseNot($1) }, one("populationCount") { try populationCount($1) },
        one("clz") { try clz($1) }, two("copysign") { try copysign($1, $2) },
        two("mod") { try mod($1, $2) }, two("floorDivide") { try floorDivide($1, $2) },
        two("fmod") { try fmod($1, $2) }, two("zeta") { try zeta($1, $2) },
        two("logAddExp") { try logAddExp($1, $2) }, two("heaviside") { try heaviside($1, $2) },
        two("shiftRight") { try shiftRight($1, $2) }, two("logicalXor") { try logicalXor($1, $2) },
    ]

    private static let shapes = [
        one("swapAxes") { try swapAxes($1, $0.int(), $0.int()) },
        one("moveAxis, several") { try moveAxis($1, from: $0.ints(), to: $0.ints()) },
        one("expandDims, several") { try expandDims($1, axes: $0.ints()) },
        one("atLeast") { try atLeast($1, rank: $0.int()) },
        one("tile") { try tile($1, $0.ints()) },
        one("repeated") { try repeated($1, $0.int(), axis: $0.bool() ? nil : $0.int()) },
        one("repeated counts") { try repeated($1, $0.ints(), axis: $0.int()) },
        one("roll") { try roll($1, shift: $0.int(), axis: $0.bool() ? nil : $0.int()) },
        one("roll, several") { try roll($1, shifts: $0.ints(), axes: $0.ints()) },
        one("rot90") { try rot90($1, k: $0.int(), axes: ($0.int(), $0.int())) },
        one("diff") { try diff($1, order: Int.random(in: -1...4, using: &$0.generator), axis: $0.int()) },
        one("split") { try split($1, into: $0.int(), axis: $0.int())[0] },
        one("split at") { try split($1, at: $0.ints(), axis: $0.int())[0] },
        one("pad in modes") { fuzzer, x in
            let modes: [PadMode] = [
                .constant(fuzzer.number()), .edge, .reflect, .symmetric, .wrap, .maximum, .mean,
            ]
            return try pad(
                x, x.shape.map { _ in (fuzzer.int(), fuzzer.int()) }, mode: modes.random(&fuzzer.generator))
        },
        one("tril") { try tril($1, k: $0.int()) }, one("triu") { try triu($1, k: $0.int()) },
        one("diagonal") { try diagonal($1, offset: $0.int(), axis1: $0.int(), axis2: $0.int()) },
        one("diag") { try diag($1, k: $0.int()) },
        one("trace") { try trace($1, offset: $0.int(), axis1: $0.int(), axis2: $0.int()) },
        two("selectN") { try selectN($0.indices(), [$1, $2]) },
    ]

    private static func item(_ fuzzer: inout Fuzzer) throws -> TensorIndex {
        switch Int.random(in: 0..<7, using: &fuzzer.generator) {
        case 0: return .at(fuzzer.int())
        case 1: return .range(fuzzer.int(), fuzzer.int(), step: fuzzer.int())
        case 2: return .range(nil, fuzzer.int(), step: fuzzer.int())
        case 3: return .ellipsis
        case 4: return .newAxis
        case 5: return .all
        default: return .tensor(try fuzzer.indices())
        }
    }

    private static func items(_ fuzzer: inout Fuzzer) throws -> [TensorIndex] {
        let count = Int.random(in: 0...3, using: &fuzzer.generator)
        return try (0..<count).map { _ in try item(&fuzzer) }
    }

    private static let places = [
        one("index") { try index($1, items(&$0)) },
        two("at.set") { fuzzer, x, y in
            let first = try item(&fuzzer)
            return try x.at(first).set(y)
        },
        two("at.add") { fuzzer, x, y in
            let (first, second) = (try item(&fuzzer), try item(&fuzzer))
            return try x.at(first, second).add(y)
        },
        two("at.multiply by a number") { fuzzer, x, _ in
            let first = try item(&fuzzer)
            return try x.at(first).multiply(fuzzer.number())
        },
        one("dynamicSlice") { fuzzer, x in
            let starts = try x.shape.map { _ in try Tensor(Int32(truncatingIfNeeded: fuzzer.int())) }
            return try dynamicSlice(x, starts: starts, sizes: x.shape.map { _ in fuzzer.int() })
        },
        two("dynamicUpdateSlice") { fuzzer, x, y in
            let starts = try x.shape.map { _ in try Tensor(Int32(truncatingIfNeeded: fuzzer.int())) }
            return try dynamicUpdateSlice(x, y, starts: starts)
        },
        one("dynamicSliceInDim") {
            try dynamicSliceInDim($1, start: $0.indices(), size: $0.int(), axis: $0.int())
        },
        one("segmentSum") { try segmentSum($1, $0.indices(), count: $0.size()) },
        one("segmentMax") { try segmentMax($1, $0.indices(), count: $0.size()) },
        one("bincount") { try bincount($1, length: $0.size()) },
        one("topK") { try topK($1, k: $0.int(), axis: $0.int()).values },
        two("sortKeyValue") { try sortKeyValue($1, $2, axis: $0.int()).values },
        two("searchSorted") { try searchSorted($1, $2, side: $0.bool() ? .left : .right) },
        two("interp") { try interp($0.tensor(), $1, $2) },
    ]

    private static let statistics = [
        one("cumsum") { try cumsum($1, axis: $0.bool() ? nil : $0.int(), reverse: $0.bool()) },
        one("cumprod") { try cumprod($1, axis: $0.int(), reverse: $0.bool()) },
        one("cummax") { try cummax($1, axis: $0.int()) },
        one("cumLogSumExp") { try cumLogSumExp($1, axis: $0.int()) },
        one("std") { try std($1, axes: $0.axes(), ddof: $0.int()) },
        one("standardize") { try standardize($1, axes: $0.ints()) },
        one("nanmean") { try nanmean($1, axes: $0.axes(), keepDims: $0.bool()) },
        one("nanmax") { try nanmax($1, axes: $0.axes(), keepDims: $0.bool()) },
        one("quantile") { try quantile($1, $0.number(), axes: $0.axes()) },
        one("median") { try median($1, axes: $0.axes(), keepDims: $0.bool()) },
        one("countNonzero") { try countNonzero($1, axes: $0.axes()) },
    ]

    private static func padding(_ fuzzer: inout Fuzzer, _ rank: Int) -> WindowPadding {
        switch Int.random(in: 0..<4, using: &fuzzer.generator) {
        case 0: .valid
        case 1: .same
        case 2: .sameLower
        default: .explicit((0..<rank).map { _ in (low: fuzzer.int(), high: fuzzer.int()) })
        }
    }

    private static let windows = [
        one("reduceWindow") { fuzzer, x in
            func numbers() -> [Int] { x.shape.map { _ in fuzzer.int() } }
            let reduction: WindowReduction = [.add, .multiply, .max, .min].random(&fuzzer.generator)
            let (window, strides) = (numbers(), numbers())
            return try reduceWindow(
                x, reduction, window: window, strides: fuzzer.bool() ? nil : strides,
                padding: padding(&fuzzer, x.rank), baseDilation: fuzzer.bool() ? nil : numbers(),
                windowDilation: fuzzer.bool() ? nil : numbers())
        },
        two("convGeneralDilated") { fuzzer, x, y in
            let spatial = max(x.rank - 2, 0)
            func numbers() -> [Int] { (0..<spatial).map { _ in fuzzer.int() } }
            let strides = numbers()
            return try convGeneralDilated(
                x, y, strides: strides, padding: padding(&fuzzer, spatial),
                lhsDilation: fuzzer.bool() ? nil : numbers(), rhsDilation: fuzzer.bool() ? nil : numbers(),
                featureGroupCount: fuzzer.int(), batchGroupCount: fuzzer.int())
        },
        two("convGeneralDilated, one group") { fuzzer, x, y in
            try convGeneralDilated(
                x, y, strides: (0..<max(x.rank - 2, 0)).map { _ in 1 },
                padding: padding(&fuzzer, max(x.rank - 2, 0)))
        },
        two("convTranspose") { fuzzer, x, y in
            let spatial = max(x.rank - 2, 0)
            return try convTranspose(
                x, y, strides: (0..<spatial).map { _ in fuzzer.int() }, padding: padding(&fuzzer, spatial))
        },
    ]

    private static let matrices = [
        one("cholesky") { try cholesky($1) }, one("det") { try det($1) }, one("inv") { try inv($1) },
        one("lu") { try lu($1).lu }, one("qr") { try qr($1, mode: $0.bool() ? .reduced : .complete).q },
        one("svd") { try svd($1, fullMatrices: $0.bool()).u }, one("eigh") { try eigh($1).v },
        one("pinv") { try pinv($1) }, one("matrixRank") { try matrixRank($1) },
        one("matrixPower") { try matrixPower($1, $0.int()) }, two("solve") { try solve($1, $2) },
        two("triangularSolve") { try triangularSolve($1, $2, leftSide: $0.bool(), lower: $0.bool()) },
        two("tensordot") { try tensordot($1, $2, axes: $0.int()) },
        two("tensordot, axes") { try tensordot($1, $2, axes: ($0.ints(), $0.ints())) },
        two("kron") { try kron($1, $2) }, two("outer") { try outer($1, $2) },
        two("einsum") { fuzzer, x, y in
            let texts = [
                "ij,jk->ik", "i,i->", "ii,i->i", "...i,i->...", "ij,ij", "ab,cd->dacb", "i->", ",->", "i j",
            ]
            return try einsum(texts.random(&fuzzer.generator), x, y)
        },
    ]

    private static let creation: [(name: String, call: Call)] = [
        ("arange of bounds", { [try arange($0.int(), $0.int(), step: $0.int(), dtype: $0.dtype())] }),
        (
            "arange of numbers",
            { [try arange($0.number(), $0.number(), step: $0.number(), dtype: $0.dtype())] }
        ),
        ("linspace", { [try linspace($0.number(), $0.number(), count: $0.size(), dtype: $0.dtype())] }),
        ("eye", { [try eye($0.size(), $0.size(), k: $0.int(), dtype: $0.dtype())] }),
        ("tri", { [try tri($0.size(), k: $0.int(), dtype: $0.dtype())] }),
        ("gumbel", { [try $0.key().gumbel($0.shape(), dtype: $0.dtype())] }),
        ("exponential", { [try $0.key().exponential($0.shape(), dtype: $0.dtype())] }),
    ]
}
