// Programs with an open batch size: the sizes that are derived, and what is refused.
import Testing

@testable import TensorEngine

@Suite struct BatchPolymorphicProgramTests {
    /// The program of a function of `[B] + rest`.
    private func traced(
        _ rest: [Int], _ function: @escaping (Tensor) throws -> Tensor
    ) throws -> BatchPolymorphicProgram {
        try BatchPolymorphicProgram { batchSize in
            try makeProgram(function, try zeros(Shape([batchSize] + rest)))
        }
    }

    private func outputSizes(_ program: BatchPolymorphicProgram) -> String {
        program.dimensions(of: program.program.outputs[0]).map(\.description).joined(separator: ", ")
    }

    @Test func `Sizes are a multiple of the batch size and a rest`() throws {
        let program = try traced([5, 3]) { x in
            let rows = try reshape(x, [-1, 3])
            return try pad(rows, low: [2, 0], high: [0, 1])
        }
        #expect(outputSizes(program) == "5·B + 2, 4")
        #expect(program.isPolymorphic)
        #expect(program.dimension(of: program.program.inputs[0], axis: 0).size(batch: 64) == 64)
    }

    @Test func `A parameter is a size as well`() throws {
        let program = try traced([3]) { x in try slice(x, axis: 0, 1..<(x.shape[0] - 1)) }
        let equation = try #require(program.program.equations.indices.last)
        let primitive = try #require(program.program.equations[equation].primitive as? Slice)
        let limits = try program.parameter(\.limits, of: primitive, at: equation)
        #expect(limits == [SymbolicDimension(fixed: -1, perBatch: 1), SymbolicDimension(fixed: 3)])
        let starts = try program.parameter(\.starts, of: primitive, at: equation)
        #expect(starts.map(\.staticSize) == [1, 0])
    }

    @Test func `The divisor of a mean over the batch is a number of members`() throws {
        let program = try traced([4]) { try mean($0) }
        let values = program.program.constants.compactMap { program.batchDependentValue(of: $0.variable) }
        #expect(values == [SymbolicDimension(fixed: 0, perBatch: 4)])
    }

    @Test func `Loops have their programs, and calls are in line`() throws {
        let program = try traced([4]) { x in
            let doubled = customJVP({ (x: Tensor) in try x + x }, rule: { (try $0 + $0, try $1 + $1) })
            return try foriLoop(0, 3, { _, value in try stopGradient(doubled(value)) }, initial: x)
        }
        #expect(!program.program.equations.contains { $0.primitive.inlined != nil })
        let loop = try #require(program.program.equations.indices.last)
        let body = try #require(program.subprograms(at: loop).first)
        #expect(body.program.equations.map(\.primitive.name).contains("add"))
        #expect(!body.program.equations.contains { $0.primitive.inlined != nil })
        #expect(body.dimensions(of: try #require(body.program.outputs.last))[0].perBatch == 1)
    }

    @Test func `Without a batch every size is known`() throws {
        let program = try BatchPolymorphicProgram(try makeProgram({ try $0 + 1 }, zeros([7, 2])))
        #expect(outputSizes(program) == "7, 2" && !program.isPolymorphic)
    }

    @Test func `What is not of this form is refused with the name of the operation`() throws {
        #expect {
            try traced([1]) { x in try matmul(x, transpose(x)).reshaped([-1]) }
        } throws: {
            "\($0)".hasPrefix("reshape: expected sizes of the form fixed + perBatch · B")
        }
        #expect {
            try traced([]) { x in try x * Tensor((0..<x.shape[0]).map(Float.init)) }
        } throws: {
            "\($0)".hasPrefix("mul: expected constants that do not depend on the batch size")
        }
        #expect {
            try traced([]) { x in x.shape[0] > 220 ? try exp(x) : try sin(x) }
        } throws: {
            "\($0)".hasPrefix("BatchPolymorphicProgram: expected sin, as at the first batch size, got exp")
        }
        #expect {
            try traced([4]) { x in try integerPow(x, x.shape[0] % 5) }
        } throws: {
            "\($0)".hasPrefix("integerPow: expected sizes")
        }
    }
}

extension Tensor {
    fileprivate func reshaped(_ shape: Shape) throws -> Tensor { try reshape(self, shape) }
}
