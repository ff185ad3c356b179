// Products of looked-up rows, compiled: the table is multiplied instead.
import Testing

@testable import TensorEngine

@Suite struct GatherProductTests {
    private let table: Tensor
    private let weights: Tensor
    private let tokens: Tensor

    init() throws {
        let keys = try PRNGKey(seed: 5).split(3)
        table = try keys[0].normal([7, 12])
        weights = try keys[1].normal([12, 20])
        tokens = try keys[2].randint([6, 9], low: 0, high: 7)
    }

    /// The sizes of the products of a compiled function, in multiply-adds.
    private func products(_ function: @escaping ([Tensor]) throws -> [Tensor], _ inputs: [Tensor]) throws
        -> [Int]
    {
        let program = try Pipeline.run(makeProgram(function, inputs))
        return program.equations.compactMap { equation in
            guard let product = equation.primitive as? DotGeneral else { return nil }
            let lhs = program.type(of: equation.inputs[0]).shape
            return product.lhsContracting.reduce(program.type(of: equation.outputs[0]).shape.elementCount) {
                $0 * lhs[$1]
            }
        }
    }

    private func expectClose(_ a: [Tensor], _ b: [Tensor], sourceLocation: SourceLocation = #_sourceLocation)
        throws
    {
        for (a, b) in zip(a, b) {
            #expect(a.type == b.type, sourceLocation: sourceLocation)
            for (x, y) in zip(try a.doubles(), try b.doubles()) {
                // Sums of 54 terms of magnitude 1, in another order.
                #expect(
                    abs(x - y) <= 1e-5 * max(1, abs(y)) || (x.isNaN && y.isNaN),
                    sourceLocation: sourceLocation)
            }
        }
    }

    @Test(
        "the rows of the product are looked up, with the same bits",
        arguments: [IndexMode.clamp, .fill, .promiseInBounds])
    func product(_ mode: IndexMode) throws {
        let outside = try concatenate([tokens, full([6, 1], 7, dtype: .int32)], axis: 1)
        let function = { (inputs: [Tensor]) in
            [
                try matmul(
                    transpose(take(inputs[0], inputs[2], axis: 0, mode: mode), axes: [1, 0, 2]), inputs[1])
            ]
        }
        let inputs = [table, weights, outside]
        #expect(try products(function, inputs) == [7 * 12 * 20])
        let compiled = try Executable(makeProgram(function, inputs)).run(inputs)[0],
            eager = try function(inputs)[0]
        for (a, b) in zip(try compiled.doubles(), try eager.doubles()) {
            #expect(a == b || (a.isNaN && b.isNaN))
        }
    }

    @Test("gradients of table and weights are products of the table's size")
    func gradients() throws {
        let function = { (inputs: [Tensor]) in
            try grad { (arguments: [Tensor]) in
                let rows = try transpose(
                    take(arguments[0], inputs[2], axis: 0, mode: .fill), axes: [1, 0, 2])
                return try sum(tanh(matmul(rows, arguments[1])))
            }([inputs[0], inputs[1]])
        }
        let inputs = [table, weights, tokens]
        #expect(try products(function, inputs) == [1680, 1680, 1680])
        try expectClose(Executable(makeProgram(function, inputs)).run(inputs), function(inputs))
    }

    @Test("an index outside makes the weights' gradient NaN, as uncompiled")
    func outside() throws {
        let tokens = try select(equal(tokens, 3), 9, tokens)
        let function = { (inputs: [Tensor]) in
            let rows = try take(inputs[0], inputs[2], axis: 0, mode: .fill)
            let cotangent = try take(inputs[1], clip(inputs[2], 0, 6), axis: 0, mode: .clamp)
            return [try einsum("btd,btn->dn", rows, cotangent)]
        }
        let inputs = [table, try transpose(weights), tokens]
        let compiled = try Executable(makeProgram(function, inputs)).run(inputs)
        #expect(try compiled[0].doubles().allSatisfy(\.isNaN))
        #expect(try function(inputs)[0].doubles().allSatisfy(\.isNaN))
    }

    @Test("a table that is hardly smaller than what is looked up stays")
    func largeTable() throws {
        let function = { (inputs: [Tensor]) in
            [try matmul(take(inputs[0], inputs[2], axis: 0, mode: .clamp), inputs[1])]
        }
        let few = try slice(tokens, axis: 0, 0..<2)
        #expect(try products(function, [table, weights, few]) == [18 * 12 * 20])
    }
}
