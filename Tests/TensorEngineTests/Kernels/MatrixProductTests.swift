// Tests of the matrix products: bit for bit a chain of fused multiply-adds in the order of k.
import CKernels
import Foundation
import Testing

extension KernelTests {
    @Suite struct MatrixProductTests {
        struct Shape {
            var batch = 1
            var m: Int
            var n: Int
            var k: Int
        }

        enum Initial: CaseIterable { case none, bias, biasOfRows, full, inPlace }

        /// One product, everywhere, against a chain of `fma` in the order of k: equal bit for bit.
        private func check(
            _ shape: Shape, transposesA: Bool = false, transposesB: Bool = false, inPanels: Bool = false,
            initial: Initial = .none, padding: Int = 0, seed: UInt64 = 1,
            sourceLocation: SourceLocation = #_sourceLocation
        ) {
            var random = TestRandom(seed)
            let (batch, m, n, k) = (shape.batch, shape.m, shape.n, shape.k)
            let a = random.floats(batch * m * k), b = random.floats(batch * k * n)
            let row = n + padding
            let before = random.floats(batch * m * row)
            let biases = random.floats(initial == .biasOfRows ? m : n)
            let aStrides = transposesA ? [m * k, 1, m] : [m * k, k, 1]
            let bStrides = transposesB ? [k * n, 1, k] : [k * n, n, 1]
            let cStrides = [m * row, row, 1]
            var gemm = spk_gemm()
            gemm.batch = Int64(batch)
            gemm.m = Int64(m)
            gemm.n = Int64(n)
            gemm.k = Int64(k)
            gemm.a = spk_operand(0, aStrides)
            gemm.b = spk_operand(1, bStrides)
            gemm.c = spk_operand(2, cStrides)
            let initialStrides: [Int]
            switch initial {
            case .none: (gemm.`init`, initialStrides) = (spk_operand(-1, []), [0, 0, 0])
            case .bias: (gemm.`init`, initialStrides) = (spk_operand(3, [0, 0, 1]), [0, 0, 1])
            case .biasOfRows: (gemm.`init`, initialStrides) = (spk_operand(3, [0, 1, 0]), [0, 1, 0])
            case .full: (gemm.`init`, initialStrides) = (spk_operand(4, cStrides), cStrides)
            case .inPlace: (gemm.`init`, initialStrides) = (spk_operand(2, cStrides), cStrides)
            }
            var panels = b
            if inPanels {
                gemm.b_in_panels = 1
                let width = Int(SPK_PANEL_COLUMNS)
                for l in 0..<k {
                    for j in 0..<n {
                        panels[(j / width * k + l) * width + j % width] = b[l * bStrides[1] + j * bStrides[2]]
                    }
                }
            }
            let slots = [a, panels, before, biases, before].map(rawBytes)
            let result = elements(
                runEverywhere(spk_run_gemm, gemm, slots: slots, sourceLocation: sourceLocation)[2], Float.self
            )

            var expected = before
            for q in 0..<batch {
                for i in 0..<m {
                    for j in 0..<n {
                        let at = q * initialStrides[0] + i * initialStrides[1] + j * initialStrides[2]
                        var sum: Float =
                            initial == .none
                            ? 0 : (initial == .full || initial == .inPlace ? before : biases)[at]
                        for l in 0..<k {
                            sum = fmaf(
                                a[q * aStrides[0] + i * aStrides[1] + l * aStrides[2]],
                                b[q * bStrides[0] + l * bStrides[1] + j * bStrides[2]], sum)
                        }
                        expected[q * cStrides[0] + i * row + j] = sum
                    }
                }
            }
            let differs = zip(result, expected).contains { $0.bitPattern != $1.bitPattern }
            #expect(
                !differs, "\(shape) \(transposesA) \(transposesB) \(initial)", sourceLocation: sourceLocation)
        }

        @Test("Every element is one chain of fused multiply-adds, for small and odd shapes in all layouts")
        func smallShapes() {
            for (m, n, k) in [
                (1, 1, 1), (1, 5, 3), (20, 5, 10), (7, 16, 9), (14, 32, 8), (15, 33, 17), (3, 64, 5),
                (6, 65, 5), (2, 49, 4),
                (29, 47, 31), (5, 31, 40), (13, 1, 21),
            ] {
                for layout in 0..<4 {
                    check(
                        Shape(m: m, n: n, k: k), transposesA: layout & 1 != 0, transposesB: layout & 2 != 0,
                        initial: Initial.allCases[(m + layout) % 5], padding: layout)
                }
            }
        }

        @Test("All kinds of initial values", arguments: Initial.allCases)
        func initialValues(initial: Initial) {
            check(Shape(batch: 3, m: 19, n: 37, k: 12), initial: initial, padding: 5)
        }

        @Test("An empty sum is the initial value or zero; empty results are left alone")
        func emptyDimensions() {
            check(Shape(m: 5, n: 7, k: 0))
            check(Shape(m: 5, n: 7, k: 0), initial: .bias)
            check(Shape(m: 0, n: 7, k: 3))
            check(Shape(m: 5, n: 0, k: 3), transposesB: true)
            check(Shape(batch: 0, m: 5, n: 4, k: 3))
        }

        @Test("Large products: several passes over k, threads, batches")
        func largeShapes() {
            check(Shape(m: 65, n: 70, k: 600))
            check(Shape(m: 130, n: 96, k: 30), transposesB: true, initial: .bias)
            check(Shape(m: 64, n: 10, k: 300), transposesA: true)
            check(Shape(batch: 9, m: 33, n: 40, k: 20), transposesB: true)
            check(Shape(batch: 2, m: 3, n: 200, k: 270))
            check(Shape(m: 300, n: 16, k: 27), initial: .full)
        }

        @Test("Two batch dimensions, the inner one side by side in every row")
        func innerBatch() {
            var random = TestRandom(7)
            let (outer, inner, m, n, k) = (3, 4, 9, 21, 13)
            let a = random.floats(outer * m * inner * k), b = random.floats(outer * k * inner * n)
            var gemm = spk_gemm()
            gemm.batch = Int64(outer * inner)
            gemm.batch_inner = Int64(inner)
            (gemm.m, gemm.n, gemm.k) = (Int64(m), Int64(n), Int64(k))
            gemm.a = spk_operand(0, [m * inner * k, inner * k, 1, k])
            gemm.b = spk_operand(1, [k * inner * n, inner * n, 1, n])
            gemm.c = spk_operand(2, [m * inner * n, inner * n, 1, n])
            gemm.`init` = spk_operand(-1, [])
            let slots = [a, b, Array(repeating: Float.nan, count: outer * m * inner * n)].map(rawBytes)
            let result = elements(runEverywhere(spk_run_gemm, gemm, slots: slots)[2], Float.self)

            var expected = result
            for o in 0..<outer {
                for q in 0..<inner {
                    for i in 0..<m {
                        for j in 0..<n {
                            var sum: Float = 0
                            for l in 0..<k {
                                sum = fmaf(
                                    a[((o * m + i) * inner + q) * k + l],
                                    b[((o * k + l) * inner + q) * n + j], sum)
                            }
                            expected[((o * m + i) * inner + q) * n + j] = sum
                        }
                    }
                }
            }
            #expect(result.map(\.bitPattern) == expected.map(\.bitPattern))
        }

        @Test("Strides of whole pages, where both sides are packed")
        func packedShapes() {
            check(Shape(m: 115, n: 130, k: 512), initial: .bias)
            check(Shape(m: 114, n: 150, k: 512), transposesB: true)
            check(Shape(m: 512, n: 129, k: 9), transposesA: true, initial: .full)
            check(Shape(m: 225, n: 1024, k: 3))
        }

        @Test("The right side in panels, as loops prepare it")
        func panels() {
            for m in [1, 2, 6, 17, 32, 115] {
                check(Shape(m: m, n: 64, k: 33), inPanels: true, initial: .bias, padding: 3)
                check(Shape(m: m, n: 96, k: 600), transposesA: true, inPanels: true)
            }
            check(Shape(m: 32, n: 256, k: 512), inPanels: true)
        }

        @Test("The plain product of every other type")
        func plainProducts() {
            plain(SPK_FLOAT64, Double.self) { fma($0, $1, $2) }
            plain(SPK_INT8, Int8.self) { $2 &+ $0 &* $1 }
            plain(SPK_INT16, Int16.self) { $2 &+ $0 &* $1 }
            plain(SPK_INT32, Int32.self) { $2 &+ $0 &* $1 }
            plain(SPK_INT64, Int64.self) { $2 &+ $0 &* $1 }
            plain(SPK_UINT8, UInt8.self) { $2 &+ $0 &* $1 }
            plain(SPK_UINT16, UInt16.self) { $2 &+ $0 &* $1 }
            plain(SPK_UINT32, UInt32.self) { $2 &+ $0 &* $1 }
            plain(SPK_UINT64, UInt64.self) { $2 &+ $0 &* $1 }
        }

        private func plain<T: Numeric & Equatable>(
            _ dtype: spk_dtype, _ type: T.Type, _ accumulate: (T, T, T) -> T
        ) {
            let (batch, m, n, k) = (2, 9, 21, 13)
            var random = TestRandom(7)
            let a = (0..<batch * m * k).map { _ in T(exactly: Int.random(in: 0...100, using: &random))! }
            let b = (0..<batch * k * n).map { _ in T(exactly: Int.random(in: 0...100, using: &random))! }
            for transposes in [false, true] {
                let bStrides = transposes ? [k * n, 1, k] : [k * n, n, 1]
                var matmul = spk_matmul_plain()
                (matmul.batch, matmul.m, matmul.n, matmul.k) = (Int64(batch), Int64(m), Int64(n), Int64(k))
                matmul.a = spk_operand(0, dtype, [m * k, k, 1])
                matmul.b = spk_operand(1, dtype, bStrides)
                matmul.c = spk_operand(2, dtype, [m * n, n, 1])
                let output = [T](repeating: 1, count: batch * m * n)
                let slots = runEverywhere(
                    spk_run_matmul_plain, matmul, slots: [rawBytes(a), rawBytes(b), rawBytes(output)])
                var expected = output
                for q in 0..<batch {
                    for i in 0..<m {
                        for j in 0..<n {
                            var sum: T = 0
                            for l in 0..<k {
                                sum = accumulate(
                                    a[q * m * k + i * k + l],
                                    b[q * k * n + l * bStrides[1] + j * bStrides[2]], sum)
                            }
                            expected[q * m * n + i * n + j] = sum
                        }
                    }
                }
                #expect(elements(slots[2], type) == expected)
            }
        }
    }
}
