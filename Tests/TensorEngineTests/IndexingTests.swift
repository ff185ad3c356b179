// NumPy's indexing, updates at an index, and einsum, against plain loops.
import Testing

@testable import TensorEngine

/// 0, 1, 2, … as float32, so that an element says where it comes from.
private func counted(_ shape: Shape) throws -> Tensor {
    try reshape(iota(.float32, shape: [shape.elementCount]), shape)
}

@Suite struct IndexingTests {
    @Test("index tensors side by side stay in place, apart they go in front, and broadcast")
    func placement() throws {
        let x = try counted([2, 3, 4])
        let rows = try Tensor([Int32(1), 0])
        let columns = try Tensor([Int32(-1), 2])
        let beside = try x[.all, .tensor(rows), .tensor(columns)]
        #expect(beside.shape == [2, 2])
        #expect(try beside.doubles() == [7, 2, 19, 14])
        let apart = try x[.tensor(rows), .all, .tensor(columns)]
        #expect(apart.shape == [2, 3])
        #expect(try apart.doubles() == [15, 19, 23, 2, 6, 10])
        // A position counts as an index tensor beside one.
        let mixed = try x[0, .all, .tensor(columns)]
        #expect(mixed.shape == [2, 3])
        #expect(try mixed.doubles() == [3, 7, 11, 2, 6, 10])
        let grid = try x[.ellipsis, .tensor(reshape(rows, [2, 1])), .tensor(columns)]
        #expect(grid.shape == [2, 2, 2])
        #expect(try grid.doubles() == [7, 6, 3, 2, 19, 18, 15, 14])
    }

    @Test("ranges follow Python, backwards too, and new axes stand where they are written")
    func ranges() throws {
        let x = try counted([6])
        func check(_ start: Int?, _ stop: Int?, _ step: Int, _ expected: [Double]) throws {
            #expect(try x[.range(start, stop, step: step)].doubles() == expected)
        }
        try check(nil, nil, -1, [5, 4, 3, 2, 1, 0])
        try check(-2, nil, -2, [4, 2, 0])
        try check(1, 100, 2, [1, 3, 5])
        try check(4, 1, 1, [])
        try check(-100, 2, 1, [0, 1])
        try check(0, -7, -1, [0])
        try check(nil, 0, -3, [5, 2])
        #expect(try counted([2, 3])[.newAxis, 1, .ellipsis, .newAxis].shape == [1, 3, 1])
        #expect(throws: TensorError.self) { try x[.range(nil, nil, step: 0)] }
        #expect(throws: TensorError.self) { try x[0, 0] }
        #expect(throws: TensorError.self) { try x[.tensor(Tensor([true]))] }
    }

    @Test("updates reach the elements that the index names, for each way of writing it")
    func updates() throws {
        let x = try counted([3, 4])
        let rows = try Tensor([Int32(2), 0, 2, 7])
        let columns = try Tensor([Int32(1), -1, 1, 0])
        // Pairs: (2, 1) twice, (0, 3), and one outside.
        var expected = try x.doubles()
        expected[9] += 20
        expected[3] += 10
        #expect(try x.at(.tensor(rows), .tensor(columns)).add(10).doubles() == expected)
        // A range in front: element by element.
        var scaled = try x.doubles()
        for row in [1, 2] { for column in [1, 3] { scaled[row * 4 + column] *= 3 } }
        let places = try Tensor([Int32(1), -1])
        #expect(try x.at(.range(1, nil), .tensor(places)).multiply(3).doubles() == scaled)
        // Every second row backwards, with values that broadcast.
        let strided = try x.at(.range(nil, nil, step: -2)).set(Tensor([Float(9), 8, 7, 6]))
        #expect(try strided.doubles() == [9, 8, 7, 6, 4, 5, 6, 7, 9, 8, 7, 6])
        let window = try x.at(.range(1, 3), 2).max(7)
        #expect(try window.doubles() == [0, 1, 2, 3, 4, 5, 7, 7, 8, 9, 10, 11])
        #expect(try x.at(9).set(0).doubles() == x.doubles())
        #expect(try x.at(.tensor(rows)).divide(2).doubles().suffix(4) == [2, 2.25, 2.5, 2.75])
    }

    @Test("the gradient of an update goes to the one that stays")
    func gradientOfSet() throws {
        let x = try counted([3])
        let places = try Tensor([Int32(1), 1, -1, 5])
        let (_, pullback) = try vjp(
            { (v: [Tensor]) in try v[0].at(.tensor(places)).set(v[1]) }, [x, counted([4])])
        let gradients = try pullback(Tensor([Float(10), 20, 30]))
        #expect(try gradients[0].doubles() == [10, 0, 0])
        #expect(try gradients[1].doubles() == [0, 20, 30, 0])
    }

    @Test("an update of a carried buffer takes its place and writes the window alone")
    func updateInPlace() throws {
        let types = [TensorType(.float32, [1000, 8]), TensorType(.float32, [1, 8]), TensorType(.int32, [])]
        let recorded = try Trace.record(types) { x in
            ([try dynamicUpdateSliceInDim(x[0], x[1], start: x[2])], ())
        }
        let executable = try Executable(recorded.program, carry: [0])
        #expect(executable.plan.inputOfOutput == [0])
        let bound = try BoundExecution(
            executable, inputs: [zeros([1000, 8]), ones([1, 8]), Tensor(Int32(3))])
        bound.run()
        try bound.set(2, Tensor(Int32(-1)))
        bound.run()
        let rows = try sum(bound.output(0), axes: [1]).doubles()
        #expect(rows.enumerated().filter { $0.element == 8 }.map(\.offset) == [3, 999])
    }

    @Test("einsum sums products over the labels that the result lacks")
    func einsumOfLabels() throws {
        let (a, b, c) = (try counted([2, 3]), try counted([3, 3]), try counted([3, 2]))
        func at(_ x: Tensor, _ i: Int, _ j: Int) throws -> Double { try x.doubles()[i * x.shape[1] + j] }
        // Implicit output in alphabetical order, a diagonal, a sum, an ellipsis that broadcasts.
        #expect(try einsum("kj,ij", a, b).shape == [3, 2])
        #expect(try einsum("ii", b).item() == 12)
        #expect(try einsum("ii->i", b).doubles() == [0, 4, 8])
        #expect(try einsum("ij->j", a).doubles() == [3, 5, 7])
        let wide = try counted([2, 1, 2, 3])
        #expect(try einsum("...ij,...jk->...ik", wide, counted([4, 3, 2])).shape == [2, 4, 2, 2])
        var chain = [Double](repeating: 0, count: 4)
        for i in 0..<2 {
            for l in 0..<2 {
                for j in 0..<3 {
                    for k in 0..<3 { chain[i * 2 + l] += try at(a, i, j) * at(b, j, k) * at(c, k, l) }
                }
            }
        }
        #expect(try einsum("ij,jk,kl->il", a, b, c).doubles() == chain)
        var elementwise = [Double](repeating: 0, count: 2)
        for i in 0..<2 { for j in 0..<3 { elementwise[i] += try at(a, i, j) * at(a, i, j) * at(c, j, i) } }
        #expect(try einsum("ij,ij,ji->i", a, a, c).doubles() == elementwise)
        for wrong in ["ij,jk", "ij-jk", "i->i", "ij->ii", "ij->k", "i.j->i", "i1->i", ""] {
            #expect(throws: TensorError.self, "\(wrong)") { try einsum(wrong, a) }
        }
        #expect(throws: TensorError.self) { try einsum("ij,jk->ik", a, c[.range(0, 2)]) }
    }

    @Test("padding with the array's own elements repeats as often as it takes")
    func padding() throws {
        let x = try Tensor([Float(1), 2, 3])
        func check(_ mode: PadMode, _ expected: [Double]) throws {
            #expect(try pad(x, [(4, 5)], mode: mode).doubles() == expected)
        }
        // NumPy's results.
        try check(.reflect, [1, 2, 3, 2, 1, 2, 3, 2, 1, 2, 3, 2])
        try check(.symmetric, [3, 3, 2, 1, 1, 2, 3, 3, 2, 1, 1, 2])
        try check(.wrap, [3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2])
        try check(.edge, [1, 1, 1, 1, 1, 2, 3, 3, 3, 3, 3, 3])
        try check(.maximum, [3, 3, 3, 3, 1, 2, 3, 3, 3, 3, 3, 3])
        #expect(throws: TensorError.self) { try pad(zeros([0]), [(1, 0)], mode: .edge) }
        #expect(throws: TensorError.self) { try pad(x, value: 0, [PaddingDimension(low: -2, high: -2)]) }
    }
}
