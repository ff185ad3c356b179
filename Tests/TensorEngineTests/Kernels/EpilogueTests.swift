// Elementwise work on a product's tiles: the same bits as after the product, at every instruction set.
import CKernels
import Testing

@testable import TensorEngine

private func bytes(_ tensors: [Tensor]) throws -> [[UInt8]] {
    try tensors.map { try $0.withUnsafeBytes { Array($0) } }
}

extension KernelTests {
    @Suite struct EpilogueTests {
        /// Compiled as one step, `function` gives the bits that its operations give one by one.
        private func check(
            _ inputs: [Tensor], steps: Int = 1, sourceLocation: SourceLocation = #_sourceLocation,
            _ function: @escaping ([Tensor]) throws -> [Tensor]
        ) throws {
            let program = try makeProgram(function, inputs)
            let executable = try Executable(program)
            #expect(executable.plan.steps.count == steps, sourceLocation: sourceLocation)
            defer { _ = spk_set_level(SPK_LEVEL_AVX512) }
            var results: [[[UInt8]]] = []
            for level in availableLevels {
                _ = spk_set_level(level)
                results.append(try bytes(function(inputs)))
                results.append(try bytes(executable.run(inputs)))
            }
            #expect(results.allSatisfy { $0 == results[0] }, sourceLocation: sourceLocation)
        }

        private func matrices(_ shapes: [Shape]) throws -> [Tensor] {
            try zip(shapes, PRNGKey(seed: 3).split(shapes.count)).map { try $1.normal($0) }
        }

        @Test("bias and activation, for shapes at and beside the edges of tiles, plain and transposed")
        func biasAndActivation() throws {
            for (m, n, k) in [
                (1, 2, 1), (20, 5, 10), (64, 64, 64), (65, 33, 17), (128, 512, 40), (100, 700, 30),
                (3, 1100, 9),
                (300, 10, 64), (257, 256, 3), (40, 1024, 300),
            ] {
                let steps = m * n < Epilogues.smallestProduct ? 2 : 1
                try check(matrices([[m, k], [k, n], [n]]), steps: steps) {
                    [try relu(matmul($0[0], $0[1]) + $0[2])]
                }
                try check(matrices([[m, k], [n, k], [n]]), steps: steps) {
                    [try relu(matmul($0[0], transpose($0[1])) + $0[2])]
                }
                try check(matrices([[k, m], [k, n], [m, 1]]), steps: steps) {
                    [try tanh(matmul(transpose($0[0]), $0[1]) * $0[2])]
                }
            }
        }

        @Test("a product that others read too is kept")
        func keptProduct() throws {
            try check(matrices([[70, 20], [20, 600], [70, 600]])) {
                let product = try matmul($0[0], $0[1])
                return [product, try product * $0[2] + 1]
            }
            try check(matrices([[70, 20], [20, 60], [60, 5]]), steps: 2) {
                let product = try matmul($0[0], $0[1])
                return [try exp(product), try matmul(product, $0[2])]
            }
        }

        @Test("batches of products, and operands that lie otherwise than the product")
        func batches() throws {
            try check(matrices([[6, 40, 8], [6, 8, 50], [50], [6, 1, 50]])) {
                [try logistic(matmul($0[0], $0[1]) * $0[2] + $0[3])]
            }
            // The transposed operand is copied first.
            try check(matrices([[2, 3, 14, 5], [2, 3, 5, 6], [6, 14, 3, 2]]), steps: 2) {
                [try matmul($0[0], $0[1]) - transpose($0[2])]
            }
        }

        @Test("an update of weights in place, its scalars computed on the way")
        func update() throws {
            let inputs = try matrices([[30, 200], [30, 600], [200, 600], [200, 600]])
            let step: ([Tensor]) throws -> [Tensor] = { x in
                let gradient = try matmul(transpose(x[0]), x[1])
                let momentum = try 0.9 * x[3] + gradient
                return [x[0], x[1], try x[2] - 0.1 * momentum, momentum]
            }
            let program = try makeProgram(step, inputs)
            let executable = try Executable(program, carry: [0, 1, 2, 3])
            #expect(executable.plan.steps.count { $0.name == "spk_gemm" } == 1)
            #expect(!executable.plan.steps.contains { $0.name == "spk_fused" })
            #expect(executable.arenaByteCount == 0)
            let bound = try BoundExecution(executable, inputs: inputs)
            bound.run(repetitions: 2)
            let expected = try step(step(inputs))
            #expect(try bytes((0..<4).map { try bound.output($0) }) == bytes(expected))
        }

        @Test("work that needs the whole product, or an input that a later step still reads, stays behind")
        func notFused() throws {
            try check(matrices([[40, 30], [30, 50]]), steps: 3) {
                let product = try matmul($0[0], $0[1])
                return [try product / sum(product)]
            }
            let inputs = try matrices([[8, 8], [8, 8]])
            let step: ([Tensor]) throws -> [Tensor] = { x in
                let update = try x[1] - matmul(transpose(x[0]), x[0])
                return [try matmul(update, x[1]), update]
            }
            let bound = try BoundExecution(
                try Executable(try makeProgram(step, inputs), carry: [0, 1]), inputs: inputs)
            bound.run(repetitions: 2)
            #expect(try bytes([bound.output(0), bound.output(1)]) == bytes(step(step(inputs))))
        }
    }
}
