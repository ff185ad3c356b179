// Tensors, types, promotion and the errors of shapes that do not fit.
import Glibc
import Testing

@testable import TensorEngine

@Suite struct ValueTests {
    @Test(
        "types promote as in JAX with 64-bit types disabled",
        arguments: [
            (DType.int32, DType.uint32, DType.int32), (.uint8, .int8, .int16),
            (.float16, .bfloat16, .float32),
            (.int32, .bfloat16, .bfloat16), (.bool, .uint8, .uint8), (.float32, .float64, .float64),
            (.int8, .uint16, .int32),
        ])
    func promotion(a: DType, b: DType, expected: DType) {
        #expect(DType.promote(a, b) == expected)
        #expect(DType.promote(b, a) == expected)
    }

    @Test("a literal adopts the tensor's type")
    func literals() throws {
        #expect(try (zeros([2], dtype: .bfloat16) * 1.5).dtype == .bfloat16)
        #expect(try (zeros([2], dtype: .int32) * 2).dtype == .int32)
        #expect(try (zeros([2], dtype: .int32) * 1.5).dtype == .float32)
    }

    @Test("shapes that do not fit are an error with both shapes")
    func shapeErrors() throws {
        let error = #expect(throws: TensorError.self) { try zeros([2, 3]) + zeros([4, 3]) }
        #expect(error?.description.contains("[2, 3] and [4, 3]") == true)
        let product = #expect(throws: TensorError.self) { try matmul(zeros([128, 784]), zeros([512, 256])) }
        #expect(product?.description.contains("[128, 784]") == true)
        #expect(throws: TensorError.self) { try reshape(zeros([6]), [4, -1]) }
        #expect(throws: TensorError.self) { try zeros([1 << 40, 1 << 40]) }
        #expect(throws: TensorError.self) { try slice(zeros([3]), axis: 0, 1..<5) }
        #expect(throws: TensorError.self) { try sum(zeros([3]), axes: [2]) }
    }

    @Test("empty tensors pass through everything")
    func empty() throws {
        let x = try zeros([0, 3])
        #expect(try sum(x).item() == 0)
        #expect(try matmul(x, zeros([3, 2])).shape == [0, 2])
        #expect(try matmul(zeros([2, 0]), x).elements(as: Float.self) == [0, 0, 0, 0, 0, 0])
        #expect(try (exp(x) + 1).shape == [0, 3])
        #expect(try concatenate([x, ones([1, 3])]).elements(as: Float.self) == [1, 1, 1])
    }

    @Test("half precision rounds each result", arguments: [DType.float16, .bfloat16])
    func halfPrecision(dtype: DType) throws {
        let x = try Tensor([1, 1.0 / 3, 65504, -2.5e-5] as [Float]).astype(dtype)
        let sum = try (x + x).astype(.float32)
        let expected = try x.doubles().map { $0 * 2 }
        let rounded = try Tensor(expected.map { Float($0) }).astype(dtype).doubles()
        #expect(try sum.doubles() == rounded)
    }

    @Test("trees flatten in the order of their keys and keep their order of creation")
    func trees() throws {
        let tree: FrozenDict = [
            "b": .tensor(try Tensor(Float(1))), "a": .dictionary(["z": .tensor(try Tensor(Float(2)))]),
        ]
        #expect(tree.keys == ["b", "a"])
        #expect(try tree.leaves.map { try $0.item() } == [2, 1])
        let doubled = try tree.map { try $0 * 2 }
        #expect(doubled.keys == ["a", "b"])
        #expect(try doubled.tensor(at: "a/z").item() == 4)
        #expect(throws: TensorError.self) { try tree.replacingLeaves([try Tensor(Float(0))]) }
    }

    @Test(
        "float64 products agree with a plain sum, as they lie and transposed", arguments: [false, true],
        [false, true])
    func float64Products(isLhsTransposed: Bool, isRhsTransposed: Bool) throws {
        let (m, k, n) = (24, 31, 17)
        let a = (0..<(m * k)).map { Glibc.sin(Double($0)) }
        let b = (0..<(k * n)).map { Glibc.cos(Double($0) * 0.7) }
        var lhs = try Tensor(a, shape: [m, k])
        var rhs = try Tensor(b, shape: [k, n])
        // The same values, stored the other way round and turned back by a view.
        let product = jit { (x: Tensor, y: Tensor) in
            let left = isLhsTransposed ? try transpose(x) : x
            let right = isRhsTransposed ? try transpose(y) : y
            return try matmul(left, right)
        }
        if isLhsTransposed { lhs = try transpose(lhs) }
        if isRhsTransposed { rhs = try transpose(rhs) }
        let result = try product(lhs, rhs).elements(as: Double.self)
        for i in 0..<m {
            for j in 0..<n {
                let expected = (0..<k).reduce(0.0) { $0 + a[i * k + $1] * b[$1 * n + j] }
                #expect((result[i * n + j] - expected).magnitude < 1e-12)
            }
        }
    }
}
