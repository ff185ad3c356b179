// Programs and plans as text, and the counting of their arithmetic.
import Testing

@testable import TensorEngine

@Suite("Printed programs and plans")
struct ProgramPrintingTests {
    @Test("a program prints one aligned equation a line, with literals in place, and closes with its counts")
    func program() throws {
        let program = try makeProgram(
            { (arguments: [Tensor]) in
                let product = try ModulePath.$current.withValue("/Dense_0") {
                    try matmul(arguments[1], arguments[0])
                }
                return [try sum(tanh(product + 1.5), axes: [1])]
            }, [try zeros([8, 4]), try zeros([2, 8])])
        #expect(
            program.description == """
                program(x0: float32[8,4], x1: float32[2,8]) -> (float32[2]) {
                  v0: float32[2,4]  = dotGeneral x1 x0  lhsContracting=[1] rhsContracting=[0]  # /Dense_0
                  v1: float32[2,4]  = add v0 1.5
                  v2: float32[2,4]  = tanh v1
                  v3: float32[2]    = reduceSum v2      axes=[1]
                  return v3
                }
                5 equations: 1 add, 1 broadcastInDim, 1 dotGeneral, 1 reduceSum, 1 tanh
                2 inputs of 192 B; 1 output of 8 B; 1 constant of 4 B; 152 FLOP
                """)
    }

    @Test("inputs are printed with their names, long constants are cut, long result lists are counted")
    func names() throws {
        let table = try Tensor((0..<100).map { Float($0) / 2 })
        let program = try makeProgram(
            { (x: Tensor) in try (0..<7).map { try x * Double($0) + table } }, try zeros([100]))
        let text = program.text(inputNames: ["params/scale"])
        #expect(text.contains("x0: float32[100]  params/scale\n"))
        #expect(text.contains(") -> (7 results) {"))
        #expect(text.contains("c0: float32[100]  = 0.0 0.5 1.0 1.5 2.0 2.5 … (100 elements)\n"))
    }

    @Test("the programs of a loop follow it, indented, and so do the steps of its plan")
    func loops() throws {
        let program = try makeProgram(
            { (x: Tensor) in
                try whileLoop({ try less(sum($0), 100) }, { try $0 * 2 }, initial: x)
            }, try ones([3]))
        let text = program.description
        #expect(text.contains("\n    condition(x0: float32[3]) -> (bool[]) {\n"))
        #expect(
            text.contains(
                "\n    body(x0: float32[3]) -> (float32[3]) {\n      v0: float32[3]  = mul x0 2.0\n"))
        let plan = try Executable(program).planDescription
        let lines = plan.split(separator: "\n").map { $0.trimmingCharacters(in: [" "]) }
        let body = try #require(lines.firstIndex(of: "body"))
        #expect(lines[body + 1].contains("fused") && lines[body + 1].contains(" mul"))
    }

    @Test("a plan's step says kernel, operands, operations, work and module")
    func plan() throws {
        let executable = try Executable(
            try makeProgram(
                { (arguments: [Tensor]) in
                    try ModulePath.$current.withValue("/Dense_0") {
                        [try relu(matmul(arguments[0], arguments[1]) + 1)]
                    }
                }, [try zeros([2, 8]), try zeros([8, 4])]))
        let lines = executable.planDescription.split(separator: "\n").map { line in
            line.split(separator: " ").joined(separator: " ")
        }
        try #require(lines.count == 3)
        #expect(lines[0].hasPrefix("2 steps; arena 64 B; 2 inputs of 192 B; 1 output of 32 B"))
        #expect(lines[1] == "0 gemm t0@0: float32[2,4] ← x0 x1 dotGeneral 128 FLOP # /Dense_0")
        #expect(lines[2] == "1 fused y0: float32[2,4] ← t0@0 add relu 16 FLOP # /Dense_0")
    }

    @Test(
        "arithmetic is counted: two operations a term of a product, one an element, a scan's body by its length"
    )
    func counts() throws {
        func count(_ types: [Shape], _ function: ([Tensor]) throws -> Tensor) throws -> Double {
            try makeProgram(function, types.map { try zeros($0) }).operationCount
        }
        #expect(try count([[5, 7], [7, 3]]) { try matmul($0[0], $0[1]) } == 2 * 5 * 7 * 3)
        #expect(try count([[2, 5, 7], [2, 7, 3]]) { try matmul($0[0], $0[1]) } == 2 * 2 * 5 * 7 * 3)
        #expect(try count([[4, 6]]) { try exp($0[0]) } == 24)
        #expect(try count([[4, 6]]) { try sum($0[0], axes: [0]) } == 24)
        #expect(try count([[4, 6]]) { try transpose($0[0]) } == 0)
        let looped = try count([[10, 3]]) { arguments in
            try scan(
                { (carry: Tensor, row: Tensor) in (try carry + row, row) }, initial: zeros([3]),
                over: arguments[0]
            ).carry
        }
        #expect(looped == 30)
        let kernel: Shape = [3, 3, 2, 4]
        let convolved = try count([[1, 8, 8, 2], kernel]) {
            try convGeneralDilated(
                $0[0], $0[1], strides: [1, 1], padding: .same, dimensionNumbers: .channelsLast(rank: 4))
        }
        #expect(convolved == 2 * Double(8 * 8) * Double(kernel.elementCount))
    }

    @Test(arguments: [
        (0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (1_048_575, "1.0 MiB"), (300 << 20, "300 MiB"),
    ])
    func byteTexts(count: Int, text: String) { #expect(Quantity.bytes(count) == text) }
}
