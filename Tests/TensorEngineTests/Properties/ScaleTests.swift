// Programs of very many equations: time grows with their number, and no stack overflows.
import Foundation
import Testing

@testable import TensorEngine

/// A function of very many operations.
private struct Chain: Sendable, CustomTestStringConvertible {
    let name: String
    /// About so many equations from one turn.
    let perTurn: Int
    let function: @Sendable (_ x: Tensor, _ turns: Int) throws -> Tensor
    var testDescription: String { name }
}

private let chains = [
    Chain(name: "elementwise, one after the other", perTurn: 2) { x, turns in
        var y = x
        for _ in 0..<turns { y = try Binary.add(Unary.tanh(y), x) }
        return try sum(y)
    },
    Chain(name: "views, reductions and products between elementwise work", perTurn: 8) { x, turns in
        var y = x
        for turn in 0..<turns {
            let column = try reshape(y, [4, 1])
            let product = try DotGeneral(
                lhsContracting: [1], rhsContracting: [0], lhsBatch: [], rhsBatch: [])(
                    column, try transpose(column))
            y = try Unary.tanh(Binary.mul(ReduceSum(axes: [turn % 2])(product), x))
        }
        return try sum(y)
    },
    // All of them live until the end, when they are read from the first to the last.
    Chain(name: "as many values at once", perTurn: 3) { x, turns in
        var values: [Tensor] = []
        for turn in 0..<turns {
            values.append(try ReduceSum(axes: [0])(Binary.mul(x, full([4], Double(turn)))))
        }
        var total = values[0]
        for (k, value) in values.enumerated() {
            total =
                try k % 64 == 63
                ? reshape(ReduceSum(axes: [0])(reshape(total + value, [1])), []) : total + value
        }
        return total
    },
    // Values of all sizes, which end in another order than they began: gaps of all sizes.
    Chain(name: "values of many sizes", perTurn: 4) { x, turns in
        var live: [Tensor] = []
        var total = try sum(x)
        for turn in 0..<turns {
            let size = 1 + (turn &* 7919) % 97
            live.append(try take(x, zeros([size], dtype: .int32), mode: .clamp))
            if live.count > 50 {
                total = try total + ReduceSum(axes: [0])(live.remove(at: (turn &* 31) % live.count))
            }
        }
        return total
    },
    Chain(name: "broadcasts of broadcasts", perTurn: 2) { x, turns in
        var (y, total) = (try Unary.tanh(x), x)
        for _ in 0..<turns {
            y = try BroadcastInDim(shape: [4], dimensions: [0])(y)
            total = try Binary.add(total, y)
        }
        return try sum(total)
    },
    // Half of the values end early, each beside one that stays: as many gaps as values.
    Chain(name: "gaps between values", perTurn: 6) { x, turns in
        var (early, late): ([Tensor], [Tensor]) = ([], [])
        for turn in 0..<(turns / 2) {
            let value = try ReduceSum(axes: [0])(Binary.mul(x, full([4], Double(turn))))
            if turn % 2 == 0 { early.append(value) } else { late.append(value) }
        }
        var total = try sum(x)
        for value in early { total = try ReduceSum(axes: [0])(reshape(total + value, [1])) }
        for value in late { total = try ReduceSum(axes: [0])(reshape(total + value, [1])) }
        return total
    },
    // The same input at every step, as in a recurrent network that is not a loop.
    Chain(name: "products with one matrix", perTurn: 5) { x, turns in
        var y = try reshape(x, [2, 2])
        let weights = y
        for _ in 0..<turns { y = try Unary.tanh(Binary.add(matmul(y, weights), weights)) }
        return try sum(y)
    },
]

/// Equations of the larger programs; `SPINDLE_SCALE_EQUATIONS` (a million, say) asks for others, and for the times.
private let wanted = ProcessInfo.processInfo.environment["SPINDLE_SCALE_EQUATIONS"].flatMap(Int.init)
private let isMeasuring = wanted != nil
private let largest = wanted ?? 40_000

@Suite(.serialized) struct ScaleTests {
    /// What this thread has used of a processor: other tests run beside this one.
    private func processorSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    /// Seconds for tracing, the passes with verification, the gradient, compilation and a run.
    private func time(_ chain: Chain, equations: Int) throws -> [(phase: String, seconds: Double)] {
        let turns = equations / chain.perTurn
        let x = try Tensor([0.5, -0.25, 1, 2] as [Float])
        var phases: [(phase: String, seconds: Double)] = []
        func measured<Result>(_ phase: String, _ body: () throws -> Result) rethrows -> Result {
            let start = processorSeconds()
            let result = try body()
            phases.append((phase, processorSeconds() - start))
            return result
        }
        let program = try measured("trace") {
            try makeProgram({ (x: Tensor) in try chain.function(x, turns) }, x)
        }
        for (name, pass) in Pipeline.standard { _ = try measured(name) { try pass(program) } }
        try measured("verify") { try program.verify() }
        let executable = try measured("compile") { try Executable(program) }
        let result = try measured("run") { try executable.run([x]) }
        #expect(try result[0].item().isFinite)
        // A gradient has several times the equations.
        let fewer = max(turns / 4, 1)
        let gradient = try measured("trace the gradient") {
            try makeProgram(
                { (x: Tensor) in try grad { (x: Tensor) in try chain.function(x, fewer) }(x) }, x)
        }
        let compiled = try measured("compile the gradient") { try Executable(gradient) }
        _ = try measured("run the gradient") { try compiled.run([x]) }
        _ = try measured("vmap") {
            try makeProgram(
                { (x: Tensor) in try vmap { (x: Tensor) in try chain.function(x, turns) }(x) },
                try stack([x, x]))
        }
        return phases
    }

    @Test("ten times the equations take about ten times as long, in every phase", arguments: chains)
    fileprivate func linear(chain: Chain) throws {
        let (small, large) = (
            try time(chain, equations: largest / 10), try time(chain, equations: largest)
        )
        for (a, b) in zip(small, large) {
            if isMeasuring { print("\(chain.name), \(a.phase): \(a.seconds) s, \(b.seconds) s") }
            #expect(b.seconds < 25 * max(a.seconds, 0.02), "\(a.phase)")
        }
    }

    @Test("200,000 equations are traced, compiled and run")
    func manyEquations() throws {
        let x = try Tensor([0.5, -0.25, 1, 2] as [Float])
        let compiled = jit { (x: Tensor) in try chains[0].function(x, 100_000) }
        #expect(try compiled(x).item().isFinite)
    }
}
