// Profiles of plans: every step is timed, also those inside of loops, and the run is the same.
import Testing

@testable import TensorEngine

@Suite struct PlanProfileTests {
    @Test("A profile has each step with its runs, its time and its work, and changes nothing")
    func profile() throws {
        let matrix = try PRNGKey(seed: 1).normal([24, 24])
        let length = 5
        let program = try makeProgram(
            { (arguments: [Tensor]) in
                let (last, sums) = try scan(
                    { (carry: Tensor, x: Tensor) in
                        let next = try tanh(matmul(carry, arguments[1]) + x)
                        return (next, try sum(next))
                    }, initial: arguments[0], over: try zeros([length, 24]))
                return [last, sums]
            }, [matrix, matrix])
        let executable = try Executable(program, carry: [0, nil])
        let profiled = try BoundExecution(executable, inputs: [matrix, matrix])
        let profile = profiled.profile(repetitions: 3)
        let plain = try BoundExecution(executable, inputs: [matrix, matrix])
        plain.run(repetitions: 3)
        #expect(try profiled.output(0).elements(as: Float.self) == plain.output(0).elements(as: Float.self))

        #expect(profile.steps.count == executable.plan.steps.reduce(0) { $0 + $1.count })
        let product = try #require(profile.steps.first { $0.depth == 1 && $0.kernel == "gemm" })
        #expect(product.runs == Double(length))
        #expect(product.operationCount >= Double(length * 2 * 24 * 24 * 24))
        #expect(product.seconds > 0 && product.seconds <= profile.seconds)
        let outer = profile.steps.filter { $0.depth == 0 }
        #expect(outer.allSatisfy { $0.runs == 1 })
        #expect(abs(outer.reduce(0) { $0 + $1.seconds } - profile.seconds) <= 1e-9)

        let limits = PlanProfile.Limits(operationsPerSecond: 1e11, bytesPerSecond: 1e10)
        let text = profile.description(limits: limits, leastShare: 0)
        #expect(text.contains("scan") && text.contains("gemm") && text.contains("of limit"))
    }
}
