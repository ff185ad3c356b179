// What this machine can do at most, measured with the engine's own kernels.
import TensorEngine

package enum Roofline {
    /// Float32 products that stay in the cache, and a copy of what is much larger than it: the best of short runs.
    package static func measure() throws -> PlanProfile.Limits {
        let key = try PRNGKey(seed: 0)
        // Large enough for every thread to have tiles, small enough for the second cache.
        let (rows, depth, columns) = (448, 256, 256)
        let a = try key.normal([rows, depth])
        let b = try key.normal([depth, columns])
        let product = try makeProgram({ [try matmul($0[0], $0[1])] }, [a, b])
        let productRate = try rate(product, [a, b]) * 2 * Double(rows * depth * columns)
        let large = try zeros([48 << 20])
        let negation = try makeProgram({ [try -$0[0]] }, [large])
        let copyRate = try rate(negation, [large]) * 2 * Double(large.type.byteCount)
        return PlanProfile.Limits(operationsPerSecond: productRate, bytesPerSecond: copyRate)
    }

    /// Runs of a program per second, in the best of several bursts.
    private static func rate(_ program: Program, _ inputs: [Tensor]) throws -> Double {
        let execution = try BoundExecution(try Executable(program), inputs: inputs)
        execution.run()
        return Benchmark.burstRates(of: execution, seconds: 0.5, shortestBurst: 0.01).last ?? 0
    }
}
