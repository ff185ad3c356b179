// What the compiler computes again instead of keeping it, and products that are written as their readers want them.
import Testing

@testable import TensorEngine

@Suite struct RecomputationTests {
    /// A bias and an activation between two products, both of which a later group reads again.
    private func network(_ activation: @escaping (Tensor) throws -> Tensor) throws -> (Program, [Tensor]) {
        let key = try PRNGKey(seed: 3)
        let inputs = try [key.normal([64, 96]), key.normal([96, 96]), key.normal([96])]
        let program = try makeProgram(
            { (inputs: [Tensor]) in
                let hidden = try matmul(inputs[0], inputs[1]) + inputs[2]
                let active = try activation(hidden)
                let next = try matmul(active, inputs[1])
                return [try next * active * hidden]
            }, inputs)
        return (program, inputs)
    }

    private func count(_ name: String, in program: Program) -> Int {
        program.equations.count { $0.primitive.name == name }
    }

    @Test("A bias that a later group needs is added again there, with the same bits")
    func cheapResults() throws {
        let (program, inputs) = try network { try relu($0) }
        let optimized = try Pipeline.run(program)
        try optimized.verify()
        #expect(count("add", in: program) == 1)
        #expect(count("add", in: optimized) == 2)
        let kept = try Executable(optimized: eliminateDeadCode(program)).run(inputs)
        let again = try Executable(program).run(inputs)
        #expect(try kept[0].elements(as: Float.self) == again[0].elements(as: Float.self))
    }

    @Test("What is expensive is kept")
    func expensiveResults() throws {
        let (program, _) = try network { try tanh($0) }
        let optimized = try Pipeline.run(program)
        #expect(count("tanh", in: optimized) == 1)
        #expect(count("add", in: optimized) == 2)
    }

    @Test("What a product or the caller needs in memory is not computed twice")
    func storedAnyway() throws {
        let key = try PRNGKey(seed: 3)
        let inputs = try [key.normal([64, 96]), key.normal([96, 96]), key.normal([96])]
        let program = try makeProgram(
            { (inputs: [Tensor]) in
                let hidden = try matmul(inputs[0], inputs[1]) + inputs[2]
                let next = try matmul(hidden, inputs[1])
                return [try next * hidden]
            }, inputs)
        #expect(count("add", in: try Pipeline.run(program)) == 1)
    }

    @Test("Attention over heads that lie side by side copies nothing")
    func headsSideBySide() throws {
        let key = try PRNGKey(seed: 5)
        let inputs = try (0..<3).map { try key.foldIn($0).normal([3, 16, 4, 32]) }
        let program = try makeProgram(
            { (inputs: [Tensor]) in
                let weights = try einsum("bqhd,bkhd->bhqk", inputs[0], inputs[1])
                return [try einsum("bhqk,bkhd->bqhd", exp(weights), inputs[2]) * 2]
            }, inputs)
        let executable = try Executable(program)
        #expect(!executable.plan.steps.contains { $0.kernelName == "copy" }, "\(executable.planDescription)")

        // The same sums in the same order, one head after the other.
        let result = try executable.run(inputs)[0]
        for (member, head) in [(0, 0), (2, 3)] {
            let parts = try inputs.map {
                try reshape(
                    slice(slice($0, axis: 0, member..<(member + 1)), axis: 2, head..<(head + 1)), [16, 32])
            }
            let expected = try matmul(exp(matmul(parts[0], transpose(parts[1]))), parts[2]) * 2
            let own = try reshape(
                slice(slice(result, axis: 0, member..<(member + 1)), axis: 2, head..<(head + 1)), [16, 32])
            #expect(try own.elements(as: Float.self) == expected.elements(as: Float.self))
        }
    }
}
