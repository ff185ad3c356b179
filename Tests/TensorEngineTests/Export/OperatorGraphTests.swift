// Programs as operators that other frameworks have.
import Testing

@testable import TensorEngine

@Suite("Operator graphs")
struct OperatorGraphTests {
    private func graph(
        _ shapes: [Shape], _ function: ([Tensor]) throws -> Tensor
    ) throws -> OperatorGraph {
        try BatchPolymorphicProgram { batch in
            try makeProgram(shapes.map { TensorType(.float32, Shape($0.map { $0 == -1 ? batch : $0 })) }) {
                [try function($0)]
            }
        }.operatorGraph()
    }

    private func operators(_ graph: OperatorGraph) -> [Operator] { graph.nodes.map(\.operation) }

    @Test("a dense layer is a matrix product and an addition: the bias is not repeated before")
    func dense() throws {
        let graph = try graph([[-1, 4], [4, 3], [3]]) { try relu(matmul($0[0], $0[1]) + $0[2]) }
        #expect(
            operators(graph) == [.matrixProduct, .elementwise(.add), .elementwise(.relu)])
        #expect(graph.nodes[1].inputs[1] == graph.inputs[2])
        #expect(graph.type(of: graph.outputs[0]).dimensions.description == "[B, 3]")
    }

    @Test("what depends on constants and on the batch size alone is one constant, as small as it can be")
    func causalMask() throws {
        let graph = try graph([[-1, 5]]) { x in
            let places = try broadcastTo(arange(5), x[0].shape)
            let mask = try greaterEqual(expandDims(places, axis: 2), expandDims(places, axis: 1))
            return try select(mask, expandDims(x[0], axis: 2), -1)
        }
        #expect(operators(graph) == [.reshape, .select])
        let mask = try #require(graph.constants.first { $0.tensor.dtype == .bool }).tensor
        #expect(mask.shape == [1, 5, 5])
        #expect(try mask.doubles().reduce(0, +) == 15)
    }

    @Test("a loop is unrolled, and constants of its body are there once")
    func unrolled() throws {
        let graph = try graph([[-1, 2]]) { x in try foriLoop(0, 3, { _, x in try x * 0.5 }, initial: x[0]) }
        #expect(operators(graph) == Array(repeating: .elementwise(.mul), count: 3))
        #expect(graph.constants.count == 1)
    }

    @Test("contracted dimensions in the middle are a sum in Einstein's notation")
    func einsum() throws {
        let graph = try graph([[-1, 4, 2, 3], [-1, 5, 2, 3]]) {
            try TensorEngine.einsum("bqhd,bkhd->bhqk", $0[0], $0[1])
        }
        #expect(operators(graph) == [.einsum("abcd,aecd->acbe")])
    }

    @Test("a size that depends on the batch is computed where the graph runs")
    func meanOverBatch() throws {
        let graph = try graph([[-1, 2]]) { try mean($0[0], axes: [0]) }
        #expect(operators(graph).contains(.size(SymbolicDimension(fixed: 0, perBatch: 1))))
    }

    @Test("what has no counterpart is refused with its name and module path")
    func refused() throws {
        let error = #expect(throws: TensorError.self) {
            try graph([[-1, 4]]) { x in try ModulePath.$current.withValue("/Sort_0") { try sort(x[0]) } }
        }
        #expect(error?.path == "/Sort_0")
    }
}
