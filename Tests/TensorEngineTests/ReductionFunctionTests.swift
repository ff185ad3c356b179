// Running reductions, statistics, products' derivatives, tensors from nothing.
import Foundation
import Testing

@testable import TensorEngine

private func bytes(_ tensor: Tensor) throws -> [UInt8] { try tensor.withUnsafeBytes { Array($0) } }

@Suite struct CumulativeTests {
    typealias Function = @Sendable (Tensor, Int, Bool) throws -> Tensor

    private static let functions:
        [(name: String, function: Function, combine: @Sendable (Double, Double) -> Double)] = [
            ("cumsum", { try cumsum($0, axis: $1, reverse: $2) }, { $0 + $1 }),
            ("cumprod", { try cumprod($0, axis: $1, reverse: $2) }, { $0 * $1 }),
            ("cummax", { try cummax($0, axis: $1, reverse: $2) }, { max($0, $1) }),
            ("cummin", { try cummin($0, axis: $1, reverse: $2) }, { min($0, $1) }),
            (
                "cumLogSumExp", { try cumLogSumExp($0, axis: $1, reverse: $2) },
                { log(exp($0) + exp($1)) }
            ),
        ]

    private static func entry(_ name: String) throws -> (Function, (Double, Double) -> Double) {
        let entry = try #require(functions.first { $0.name == name })
        return (entry.function, entry.combine)
    }

    @Test(
        "each running reduction is a loop, from either end, along any axis", arguments: functions.map(\.name))
    func loops(name: String) throws {
        let (function, combine) = try Self.entry(name)
        let values = (0..<60).map { Double(($0 * 37) % 23 - 11) / 12 }
        let x = try Tensor(values, shape: [3, 4, 5])
        for axis in 0..<3 {
            for reverse in [false, true] {
                let got: [Double] = try moveAxis(function(x, axis, reverse), from: axis, to: -1).elements()
                let lines: [Double] = try moveAxis(x, from: axis, to: -1).elements()
                let length = x.shape[axis]
                for start in stride(from: 0, to: 60, by: length) {
                    var line = Array(lines[start..<(start + length)])
                    var result = Array(got[start..<(start + length)])
                    if reverse { (line, result) = (line.reversed(), result.reversed()) }
                    var running = line[0]
                    for k in line.indices {
                        if k > 0 { running = combine(running, line[k]) }
                        #expect(abs(result[k] - running) <= 1e-12 * (1 + abs(running)))
                    }
                }
            }
        }
    }

    @Test(
        "derivatives agree with differences, the second ones too; members of a batch are as alone",
        arguments: functions.map(\.name))
    func derivatives(name: String) throws {
        let (function, _) = try Self.entry(name)
        // A zero among the factors, no ties.
        let values = [0.7, -0.3, 0, 0.9, 0.4, -0.8, 0.2]
        let weights = try Tensor([0.3, -1, 2, 0.5, 1, -0.7, 0.9])
        for reverse in [false, true] {
            func loss(_ x: Tensor) throws -> Tensor { try sum(square(function(x, 0, reverse)) * weights) }
            let slope = grad(loss)
            let curvature = grad { (x: Tensor) in try sum(slope(x) * weights) }
            func difference(_ f: (Tensor) throws -> Double, _ k: Int) throws -> Double {
                func moved(_ step: Double) throws -> Tensor {
                    var values = values
                    values[k] += step
                    return try Tensor(values)
                }
                return try (f(moved(1e-5)) - f(moved(-1e-5))) / 2e-5
            }
            let x = try Tensor(values)
            for k in values.indices {
                let first = try difference({ try loss($0).item() }, k)
                #expect(abs(try slope(x).doubles()[k] - first) < 1e-8)
                let second = try difference({ try sum(slope($0) * weights).item() }, k)
                #expect(abs(try curvature(x).doubles()[k] - second) < 1e-8)
            }
            let batch = try stack([x, -x, x * 0.5])
            let mapped = try vmap { (x: Tensor) in try slope(x) }(batch)
            let alone = try stack([slope(x), slope(-x), slope(x * 0.5)])
            #expect(try bytes(mapped) == bytes(alone))
        }
    }

    @Test(
        "half precision accumulates in float32 and rounds each result; small integers wrap; bool counts; NaN stays"
    )
    func types() throws {
        let x = try Tensor((0..<200).map { 1 + Float($0 % 7) / 64 }).astype(.bfloat16)
        let wide = try cumsum(x.astype(.float32)).astype(.bfloat16)
        #expect(try bytes(cumsum(x)) == bytes(wide))
        #expect(try cumsum(Tensor([100, 100] as [Int8])).elements() == [100, -56] as [Int8])
        #expect(try cumsum(Tensor([true, false, true])).elements() == [1, 1, 2] as [Int32])
        #expect(try cumsum(Tensor([1.0, 2, 3, 4], shape: [2, 2])).doubles() == [1, 3, 6, 10])
        #expect(try cummax(Tensor([1.0, .nan, 3])).doubles().map(\.isNaN) == [false, true, true])
        #expect(try cumLogSumExp(Tensor([-Double.infinity, 0, 800])).doubles() == [-.infinity, 0, 800])
        #expect(try cumprod(zeros([0, 3]), axis: 0).shape == [0, 3])
        #expect(try cumsum(zeros([3, 0]), axis: 1).shape == [3, 0])
        #expect(throws: TensorError.self) { try cumsum(x, axis: 1) }
        #expect(throws: TensorError.self) { try cummax(Tensor([true])) }
    }

    @Test("equal elements share the derivative of a running maximum, as the parallel scan meets them")
    func ties() throws {
        let gradient = try grad { (x: Tensor) in try sum(cummax(x)) }(Tensor([2.0, 2, 1, 2]))
        #expect(try gradient.doubles().reduce(0, +) == 4)
        #expect(try gradient.doubles()[2] == 0)
    }
}

@Suite struct StatisticsTests {
    @Test("products have derivatives without division, with one zero and with two, the second ones too")
    func products() throws {
        func expect(_ values: [Double]) throws {
            let x = try Tensor(values)
            let slope = grad { (x: Tensor) in try prod(x) }
            let curvature = try jacfwd { (x: Tensor) in try slope(x) }(x)
            for i in values.indices {
                func without(_ skipped: Int...) -> Double {
                    values.indices.reduce(1) { skipped.contains($1) ? $0 : $0 * values[$1] }
                }
                #expect(abs(try slope(x).doubles()[i] - without(i)) < 1e-12)
                for j in values.indices {
                    let want = i == j ? 0 : without(i, j)
                    #expect(abs(try curvature.doubles()[i * values.count + j] - want) < 1e-12)
                }
            }
        }
        try expect([2, 3, -1.5, 0.5, 4])
        try expect([2, 0, -1.5, 0.5])
        try expect([2, 0, -1.5, 0, 0.5, 7, 3])
        try expect([3])
        #expect(try grad { (x: Tensor) in try prod(x) }(zeros([0])).shape == [0])
    }

    @Test("quantiles lie between neighbours of the sorted elements, by each method")
    func quantiles() throws {
        let x = try Tensor([4.0, 1, 3, 2])
        let shares = try Tensor([0, 0.5, 0.4, 1])
        func values(_ method: QuantileMethod) throws -> [Double] {
            try quantile(x, shares, method: method).doubles()
        }
        #expect(try zip(values(.linear), [1, 2.5, 2.2, 4]).allSatisfy { abs($0 - $1) < 1e-12 })
        #expect(try values(.lower) == [1, 2, 2, 4])
        #expect(try values(.higher) == [1, 3, 3, 4])
        #expect(try values(.midpoint) == [1, 2.5, 2.5, 4])
        #expect(try values(.nearest) == [1, 2, 2, 4])
        #expect(try percentile(x, 50).item() == 2.5)
        #expect(try quantile(x, Tensor([-1.0, 2])).doubles() == [1, 4])
        let matrix = try Tensor((0..<24).map(Double.init), shape: [2, 3, 4])
        #expect(try quantile(matrix, shares, axes: [0, 2], keepDims: true).shape == [4, 1, 3, 1])
        #expect(try median(matrix, axes: [0, 2]).doubles() == [7.5, 11.5, 15.5])
        #expect(try median(Tensor([1.0, .nan])).item().isNaN)
        #expect(try median(Tensor([1, 4] as [Int32])).item() == 2.5)
        #expect(try grad { (x: Tensor) in try median(x) }(x).doubles() == [0, 0, 0.5, 0.5])
        #expect(throws: TensorError.self) { try median(zeros([0])) }
        #expect(throws: TensorError.self) { try quantile(x, zeros([2, 2])) }
    }

    @Test("deviations with degrees of freedom, and reductions that pass NaN over")
    func deviations() throws {
        let x = try Tensor([1.0, 2, 4, 9])
        #expect(try variance(x).item() == 9.5)
        #expect(abs(try variance(x, ddof: 1).item() - 38.0 / 3) < 1e-12)
        #expect(try variance(x, ddof: 4).item().isNaN && variance(x, ddof: .min).item() >= 0)
        #expect(try ptp(x).item() == 8)
        let holes = try Tensor([1.0, .nan, 3, .nan, .nan, .nan], shape: [2, 3])
        #expect(try nansum(holes, axes: [1]).doubles() == [4, 0])
        #expect(try nanprod(holes, axes: [1]).doubles() == [3, 1])
        #expect(try nanmean(holes).item() == 2)
        #expect(try nanmax(holes, axes: [1]).doubles()[0] == 3 && nanmax(holes, axes: [1]).doubles()[1].isNaN)
        #expect(try nanmin(holes).item() == 1)
        #expect(try nanvar(holes).item() == 1 && nanstd(holes).item() == 1)
        #expect(try nanvar(holes, axes: [1], ddof: 2).doubles().allSatisfy(\.isNaN))
        #expect(try countNonzero(Tensor([0.0, .nan, -0.0, 2])).item() == 2)
        #expect(try nanmax(Tensor([3, 5] as [Int32])).elements() == [5] as [Int32])
    }

    @Test("logarithms of sums: weights, empty sums, several axes; logic on bits")
    func logicAndSums() throws {
        let x = try Tensor([0.0, 1000, 5])
        let weights = try Tensor([2.0, 0, 1])
        #expect(abs(try logSumExp(x, weights: weights).item() - 5.013385901721449) < 1e-12)
        #expect(try logSumExp(x, weights: -weights).item().isNaN)
        #expect(try logSumExp(zeros([2, 0]), axes: [1]).doubles() == [-.infinity, -.infinity])
        #expect(try softmax(zeros([3, 0])).shape == [3, 0])
        #expect(try softmax(zeros([2, 3, 4]), axes: [0, 2]).doubles().allSatisfy { $0 == 0.125 })
        let bits = try Tensor([0b1100, 0b1010, 0b1001] as [UInt8])
        #expect(try reduceAnd(bits).elements() == [0b1000] as [UInt8])
        #expect(try reduceOr(bits).elements() == [0b1111] as [UInt8])
        #expect(try reduceXor(bits).elements() == [0b1111] as [UInt8])
        #expect(try reduceXor(Tensor([true, true, true])).elements() == [true])
        #expect(throws: TensorError.self) { try reduceXor(x) }
    }
}

@Suite struct CreationTests {
    @Test("ranges end before their stop, grids at it")
    func ranges() throws {
        #expect(try arange(2, 11, step: 3).elements() == [2, 5, 8] as [Int32])
        #expect(try arange(5, 0, step: -2).elements() == [5, 3, 1] as [Int32])
        #expect(try arange(5, 1).shape == [0])
        #expect(
            try arange(250, 260, dtype: .uint8).elements() == [250, 251, 252, 253, 254, 255, 0, 1, 2, 3]
                as [UInt8])
        #expect(try arange(0, 1, step: 0.25, dtype: .float64).doubles() == [0, 0.25, 0.5, 0.75])
        #expect(try linspace(-1, 1, count: 5).doubles() == [-1, -0.5, 0, 0.5, 1])
        #expect(try linspace(0, 10, count: 4, dtype: .int32).elements() == [0, 3, 6, 10] as [Int32])
        #expect(try linspace(0, 1, count: 4, endpoint: false).doubles() == [0, 0.25, 0.5, 0.75])
        #expect(try linspace(3, 4, count: 1).doubles() == [3] && linspace(3, 4, count: 0).shape == [0])
        #expect(try logspace(0, 3, count: 4, base: 2, dtype: .float64).doubles() == [1, 2, 4, 8])
        for (start, stop, step) in [(0, 1, 0), (0, .infinity, 1), (.nan, 1, 1), (0, 1e300, 1e-300)]
            as [(Double, Double, Double)]
        {
            #expect(throws: TensorError.self) { try arange(start, stop, step: step) }
        }
        #expect(throws: TensorError.self) { try arange(0, 1, step: 0) }
        #expect(throws: TensorError.self) { try linspace(0, 1, count: -1) }
    }

    @Test("matrices of ones on and below diagonals, wherever these lie")
    func matrices() throws {
        #expect(try eye(2, 3, k: 1).doubles() == [0, 1, 0, 0, 0, 1])
        #expect(try eye(2, k: -1).doubles() == [0, 0, 1, 0])
        #expect(try identity(2, dtype: .int32).elements() == [1, 0, 0, 1] as [Int32])
        #expect(try tri(2, 3).doubles() == [1, 0, 0, 1, 1, 0])
        #expect(try tri(2, k: .max).doubles() == [1, 1, 1, 1] && tri(2, k: .min).doubles() == [0, 0, 0, 0])
        #expect(try eye(0, 3).shape == [0, 3])
        #expect(throws: TensorError.self) { try eye(-1) }
        #expect(throws: TensorError.self) { try eye(1 << 30, 1 << 30) }
    }
}
