// Tests of reductions and running reductions, in the order that the interface promises.
import CKernels
import Foundation
import Testing

extension KernelTests {
    @Suite struct ReductionTests {
        /// The order that the interface promises, for one column or row of partial results.
        private func tree(_ leaves: [Float], _ combine: (Float, Float) -> Float) -> Float {
            if leaves.count == 1 { return leaves[0] }
            var left = 1
            while left * 2 < leaves.count { left *= 2 }
            return combine(tree(Array(leaves[..<left]), combine), tree(Array(leaves[left...]), combine))
        }

        private func ordered(
            _ values: [Float], identity: Float, lanes: Bool, _ combine: (Float, Float) -> Float
        ) -> Float {
            if values.isEmpty { return identity }
            let size = lanes ? 4096 : 256
            let chunks = stride(from: 0, to: values.count, by: size).map { start -> Float in
                let chunk = values[start..<min(start + size, values.count)]
                guard lanes else { return chunk.reduce(identity, combine) }
                var sums = [Float](repeating: identity, count: 16)
                for (i, x) in chunk.enumerated() { sums[i % 16] = combine(sums[i % 16], x) }
                for half in [8, 4, 2, 1] { for i in 0..<half { sums[i] = combine(sums[i], sums[i + half]) } }
                return sums[0]
            }
            return tree(chunks, combine)
        }

        private func run<S, R>(
            _ reduction: spk_reduction, _ dtype: spk_dtype, _ values: [S],
            _ shape: (outer: Int, count: Int, inner: Int),
            _ result: R.Type, sourceLocation: SourceLocation = #_sourceLocation
        ) -> [R] {
            var reduce = spk_reduce()
            reduce.reduction = Int32(reduction.rawValue)
            reduce.dtype = Int32(dtype.rawValue)
            (reduce.outer, reduce.count, reduce.inner) = (
                Int64(shape.outer), Int64(shape.count), Int64(shape.inner)
            )
            reduce.dst = 1
            let output = [UInt8](repeating: 0x55, count: shape.outer * shape.inner * MemoryLayout<R>.stride)
            let slots = runEverywhere(
                spk_run_reduce, reduce, slots: [rawBytes(values), output], sourceLocation: sourceLocation)
            return elements(slots[1], result)
        }

        @Test("Sums and products have the promised order, bit for bit, for every shape")
        func promisedOrder() {
            for (outer, count, inner) in [
                (1, 1, 1), (3, 10, 1), (5, 16, 1), (2, 33, 1), (1, 5000, 1), (2, 40000, 1), (1, 140_001, 1),
                (700, 100, 1),
                (1, 3, 10), (2, 256, 5), (2, 257, 17), (1, 7000, 10), (1, 1000, 70), (3, 700, 40),
                (40, 60, 33), (1, 9, 64),
                (4, 0, 3), (4, 0, 1), (0, 3, 2), (1, 20000, 3),
            ] {
                var random = TestRandom(UInt64(count))
                let values = random.floats(outer * count * inner)
                for (reduction, identity, combine) in [
                    (SPK_REDUCE_SUM, 0, { $0 + $1 }), (SPK_REDUCE_PROD, 1, { $0 * $1 }),
                ] as [(spk_reduction, Float, (Float, Float) -> Float)]
                where reduction == SPK_REDUCE_SUM || values.count < 10000 {
                    let result = run(reduction, SPK_FLOAT32, values, (outer, count, inner), Float.self)
                    var expected: [Float] = []
                    for o in 0..<outer {
                        for i in 0..<inner {
                            let column = (0..<count).map { values[(o * count + $0) * inner + i] }
                            expected.append(ordered(column, identity: identity, lanes: inner == 1, combine))
                        }
                    }
                    #expect(
                        result.map(\.bitPattern) == expected.map(\.bitPattern),
                        "[\(outer), \(count), \(inner)] \(reduction)")
                }
            }
        }

        @Test("Extrema and their first places; NaN wins; the identity of nothing")
        func extrema() {
            for (outer, count, inner) in [
                (7, 10, 1), (1, 40, 1), (3, 17, 1), (140, 500, 1), (2, 9, 20), (1, 300, 20), (1, 70_000, 1),
            ] {
                var random = TestRandom(23)
                var values = (0..<outer * count * inner).map { _ in
                    Float(Int.random(in: -50...50, using: &random))
                }
                for i in stride(from: 5, to: values.count, by: 97) where i % 3 == 0 { values[i] = .nan }
                func check(_ maximum: Bool) {
                    let best = run(
                        maximum ? SPK_REDUCE_MAX : SPK_REDUCE_MIN, SPK_FLOAT32, values, (outer, count, inner),
                        Float.self)
                    let place = run(
                        maximum ? SPK_REDUCE_ARGMAX : SPK_REDUCE_ARGMIN, SPK_FLOAT32, values,
                        (outer, count, inner), Int32.self)
                    for o in 0..<outer {
                        for i in 0..<inner {
                            let column = (0..<count).map { values[(o * count + $0) * inner + i] }
                            let first =
                                column.firstIndex { $0.isNaN }
                                ?? column.firstIndex { $0 == (maximum ? column.max()! : column.min()!) }!
                            #expect(Int(place[o * inner + i]) == first)
                            let value = best[o * inner + i]
                            #expect(value == column[first] || (value.isNaN && column[first].isNaN))
                        }
                    }
                }
                check(true)
                check(false)
            }
            let lowest = [-Float.infinity]
            #expect(run(SPK_REDUCE_ARGMAX, SPK_FLOAT32, lowest, (1, 1, 1), Int32.self) == [0])
            #expect(
                run(SPK_REDUCE_ARGMAX, SPK_FLOAT32, lowest + lowest + lowest, (1, 3, 1), Int32.self) == [0])
            #expect(
                run(SPK_REDUCE_MAX, SPK_FLOAT32, [Float](), (2, 0, 1), Float.self) == [
                    -.infinity, -.infinity,
                ])
            #expect(
                run(SPK_REDUCE_MIN, SPK_FLOAT32, [Float](), (1, 0, 2), Float.self) == [.infinity, .infinity])
            #expect(run(SPK_REDUCE_MAX, SPK_INT8, [Int8](), (1, 0, 1), Int8.self) == [.min])
            #expect(run(SPK_REDUCE_MIN, SPK_UINT16, [UInt16](), (1, 0, 1), UInt16.self) == [.max])
            #expect(run(SPK_REDUCE_ARGMIN, SPK_FLOAT64, [Double](), (1, 0, 1), Int32.self) == [0])
        }

        @Test("Every integer type, with wrapping sums and products and bitwise reductions")
        func integers() {
            integer(SPK_INT8, Int8.self)
            integer(SPK_INT16, Int16.self)
            integer(SPK_INT32, Int32.self)
            integer(SPK_INT64, Int64.self)
            integer(SPK_UINT8, UInt8.self)
            integer(SPK_UINT16, UInt16.self)
            integer(SPK_UINT32, UInt32.self)
            integer(SPK_UINT64, UInt64.self)
            let flags = (0..<60).map { UInt8($0 % 7 == 0 ? 1 : 0) }
            #expect(run(SPK_REDUCE_AND, SPK_BOOL, flags, (6, 10, 1), UInt8.self) == [0, 0, 0, 0, 0, 0])
            #expect(
                run(SPK_REDUCE_OR, SPK_BOOL, flags, (20, 3, 1), UInt8.self)
                    == (0..<20).map { o in
                        (0..<3).contains { flags[o * 3 + $0] != 0 } ? 1 : 0
                    })
            #expect(run(SPK_REDUCE_AND, SPK_BOOL, [UInt8](), (1, 0, 1), UInt8.self) == [1])
            #expect(run(SPK_REDUCE_XOR, SPK_BOOL, flags, (1, 60, 1), UInt8.self) == [1])
        }

        private func integer<T: FixedWidthInteger>(_ dtype: spk_dtype, _ type: T.Type) {
            var random = TestRandom(29)
            for (outer, count, inner) in [(3, 37, 1), (2, 300, 19)] {
                let values = random.integers(outer * count * inner, type)
                for (reduction, identity, combine) in [
                    (SPK_REDUCE_SUM, 0, { $0 &+ $1 }), (SPK_REDUCE_PROD, 1, { $0 &* $1 }),
                    (SPK_REDUCE_MAX, .min, { max($0, $1) }),
                    (SPK_REDUCE_MIN, .max, { min($0, $1) }), (SPK_REDUCE_AND, ~0, { $0 & $1 }),
                    (SPK_REDUCE_OR, 0, { $0 | $1 }),
                    (SPK_REDUCE_XOR, 0, { $0 ^ $1 }),
                ] as [(spk_reduction, T, (T, T) -> T)] {
                    var expected: [T] = []
                    for o in 0..<outer {
                        for i in 0..<inner {
                            expected.append(
                                (0..<count).reduce(identity) {
                                    combine($0, values[(o * count + $1) * inner + i])
                                })
                        }
                    }
                    #expect(
                        run(reduction, dtype, values, (outer, count, inner), type) == expected,
                        "\(type) \(reduction)")
                }
                let places = run(SPK_REDUCE_ARGMAX, dtype, values, (outer, count, inner), Int32.self)
                for (k, place) in places.enumerated() {
                    let column = (0..<count).map { values[(k / inner * count + $0) * inner + k % inner] }
                    #expect(Int(place) == column.firstIndex(of: column.max()!)!)
                }
            }
        }

        @Test("16-bit floats accumulate in float32 and round once; float64 sums in double")
        func otherFloats() {
            let halves = (0..<4000).map { Float16(Float($0 % 17) * 0.01) }
            let sum = run(SPK_REDUCE_SUM, SPK_FLOAT16, halves.map(\.bitPattern), (1, 4000, 1), UInt16.self)
            let exact = ordered(halves.map(Float.init), identity: 0, lanes: true, +)
            #expect(sum == [Float16(exact).bitPattern])
            let bfloats = (0..<300).map { UInt16(0x3F80 + $0 % 5) }
            let columns = run(SPK_REDUCE_SUM, SPK_BFLOAT16, bfloats, (1, 100, 3), UInt16.self)
            for i in 0..<3 {
                let total = (0..<100).reduce(Float(0)) {
                    $0 + Float(bitPattern: UInt32(bfloats[$1 * 3 + i]) << 16)
                }
                #expect(abs(Float(bitPattern: UInt32(columns[i]) << 16) - total) <= total / 256)
            }
            let doubles = (0..<1000).map { 1 + Double($0) * 1e-12 }
            let mean = run(SPK_REDUCE_SUM, SPK_FLOAT64, doubles, (1, 1000, 1), Double.self)[0]
            #expect(abs(mean - doubles.reduce(0, +)) < 1e-12 * 1000)
            #expect(run(SPK_REDUCE_MAX, SPK_FLOAT64, doubles, (10, 100, 1), Double.self).last == doubles.last)
        }

        @Test("Running sums, products and extrema, both ways, in every layout")
        func cumulative() {
            for (outer, count, inner) in [(3, 20, 1), (2, 30, 17), (1, 260, 260), (300, 220, 1), (2, 0, 3)] {
                var random = TestRandom(31)
                let values = random.floats(outer * count * inner)
                for reverse in [false, true] {
                    for (cumulation, combine) in [
                        (SPK_CUMSUM, { $0 + $1 }), (SPK_CUMPROD, { $0 * $1 }), (SPK_CUMMAX, { max($0, $1) }),
                        (SPK_CUMMIN, { min($0, $1) }),
                    ] as [(spk_cumulation, (Float, Float) -> Float)]
                    where cumulation == SPK_CUMSUM || values.count < 10000 {
                        var arguments = spk_cumulative()
                        arguments.cumulation = Int32(cumulation.rawValue)
                        arguments.dtype = Int32(SPK_FLOAT32.rawValue)
                        arguments.reverse = reverse ? 1 : 0
                        (arguments.outer, arguments.count, arguments.inner) = (
                            Int64(outer), Int64(count), Int64(inner)
                        )
                        arguments.dst = 1
                        let slots = runEverywhere(
                            spk_run_cumulative, arguments, slots: [rawBytes(values), rawBytes(values)])
                        var expected = values
                        for o in 0..<outer {
                            for i in 0..<inner {
                                var total: Float?
                                for step in 0..<count {
                                    let at = (o * count + (reverse ? count - 1 - step : step)) * inner + i
                                    total = total.map { combine($0, values[at]) } ?? values[at]
                                    expected[at] = total!
                                }
                            }
                        }
                        #expect(
                            elements(slots[1], Float.self).map(\.bitPattern) == expected.map(\.bitPattern))
                    }
                }
            }
            var arguments = spk_cumulative()
            arguments.dtype = Int32(SPK_INT8.rawValue)
            (arguments.outer, arguments.count, arguments.inner, arguments.dst) = (1, 4, 1, 1)
            let bytes: [Int8] = [100, 100, 100, -7]
            let slots = runEverywhere(
                spk_run_cumulative, arguments, slots: [rawBytes(bytes), rawBytes(bytes)])
            #expect(elements(slots[1], Int8.self) == [100, -56, 44, 37])
        }
    }
}
