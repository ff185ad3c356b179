// Tests of the block interpreter's frame: layouts, storage types, stores in place, splats. Operations: OperationTests.
import CKernels
import Foundation
import Testing

extension KernelTests {
    @Suite struct BlockInterpreterTests {
        /// Strides of a dense array with these sizes.
        private func dense(_ dims: [Int]) -> [Int] {
            var strides = [Int](repeating: 1, count: dims.count)
            for d in dims.indices.dropLast().reversed() { strides[d] = strides[d + 1] * dims[d + 1] }
            return strides
        }

        /// out = a * b + c over an iteration space, against index arithmetic.
        private func checkLayout(_ dims: [Int], _ a: [Int], _ b: [Int], _ c: [Int], _ out: [Int]) {
            func extent(_ strides: [Int]) -> Int { zip(dims, strides).reduce(1) { $0 + ($1.0 - 1) * $1.1 } }
            var random = TestRandom(3)
            let sources = [a, b, c].map { random.floats(extent($0)) }
            let before = [Float](repeating: 9, count: extent(out))
            let code: [spk_instruction] = [
                .load(0, into: 0), .load(1, into: 1), .load(2, into: 2), .init(SPK_OP_FMA, dst: 2, 0, 1, 2),
                .store(2, to: 3),
            ]
            let operands = [a, b, c, out].enumerated().map { spk_operand($0.offset, $0.element) }
            let slots = runFused(dims: dims, operands, code, slots: (sources + [before]).map(rawBytes))
            var expected = before
            for linear in 0..<dims.reduce(1, *) {
                var rest = linear
                var at = [0, 0, 0, 0]
                for d in dims.indices.reversed() {
                    for (k, strides) in [a, b, c, out].enumerated() { at[k] += rest % dims[d] * strides[d] }
                    rest /= dims[d]
                }
                expected[at[3]] = fmaf(sources[0][at[0]], sources[1][at[1]], sources[2][at[2]])
            }
            #expect(elements(slots[3], Float.self) == expected, "\(dims) \(a) \(b) \(c) \(out)")
        }

        @Test("Dense, broadcast, transposed and padded operands of any rank")
        func layouts() {
            checkLayout([1000], [1], [0], [1], [1])
            checkLayout([1024], [1], [1], [1], [1])
            checkLayout([37, 53], [53, 1], [0, 1], [1, 0], [53, 1])
            checkLayout([53, 37], [1, 53], [60, 1], [0, 0], [40, 1])
            checkLayout([300, 3], [3, 1], [0, 1], [1, 0], [1, 300])
            checkLayout([7, 11, 13], dense([7, 11, 13]), [0, 13, 1], [11, 1, 0], dense([7, 11, 13]))
            checkLayout([5, 1, 9, 30], dense([5, 1, 9, 30]), [0, 0, 1, 9], [9, 5, 0, 1], [1, 7, 150, 5])
            checkLayout(
                [2, 3, 2, 3, 2, 3, 2, 2], dense([2, 3, 2, 3, 2, 3, 2, 2]), [1, 0, 0, 0, 0, 0, 0, 2],
                [0, 0, 0, 0, 1, 0, 0, 0], dense([2, 3, 2, 3, 2, 3, 2, 2]))
            checkLayout([70, 600], [600, 1], [0, 1], [1, 0], [600, 1])
            checkLayout([], [], [], [], [])
        }

        @Test("Negative strides reverse; an empty iteration space does nothing")
        func reversalAndEmptiness() {
            let source: [Float] = (0..<700).map { Float($0) }
            let code: [spk_instruction] = [.load(0, into: 0), .store(0, to: 1)]
            let slots = runFused(
                dims: [700], [spk_operand(0, [-1], offset: 699), spk_operand(1, [1])], code,
                slots: [rawBytes(source), rawBytes(source)])
            #expect(elements(slots[1], Float.self) == source.reversed())
            let untouched = runFused(
                dims: [4, 0], [spk_operand(0, [1, 1]), spk_operand(1, [1, 1])], code,
                slots: [rawBytes(source), rawBytes([Float(7)])])
            #expect(elements(untouched[1], Float.self) == [7])
        }

        @Test(
            "A value loaded before its memory is overwritten stays the old one",
            arguments: [16, 500, 1024, 40000])
        func storesInPlace(count: Int) {
            // old = x; x = x + 1; y = old * 2; x is also read again, new.
            let code: [spk_instruction] = [
                .load(0, into: 0), .init(SPK_OP_CONST, dst: 1, float: 1), .init(SPK_OP_ADD, dst: 2, 0, 1),
                .store(2, to: 0),
                .init(SPK_OP_ADD, dst: 3, 0, 0), .store(3, to: 1), .load(0, into: 4), .store(4, to: 2),
            ]
            let x: [Float] = (0..<count).map { Float($0) }
            let slots = runFused(
                dims: [count], [spk_operand(0, [1]), spk_operand(1, [1]), spk_operand(2, [1])], code,
                slots: [x, x, x].map(rawBytes))
            #expect(elements(slots[0], Float.self) == x.map { $0 + 1 })
            #expect(elements(slots[1], Float.self) == x.map { $0 * 2 })
            #expect(elements(slots[2], Float.self) == x.map { $0 + 1 })
        }

        @Test("Scalars computed from scalars are stored to every element, or to one")
        func splats() {
            let code: [spk_instruction] = [
                .load(0, into: 0), .init(SPK_OP_CONST, dst: 1, float: 3), .init(SPK_OP_POW, dst: 0, 0, 1),
                .store(0, to: 1),
                .load(2, into: 2), .init(SPK_OP_MUL, dst: 0, 2, 0), .store(0, to: 3),
            ]
            let x: [Float] = (0..<999).map { Float($0) }
            let slots = runFused(
                dims: [999],
                [spk_operand(0, [0]), spk_operand(1, [1]), spk_operand(2, [1]), spk_operand(2, [1])], code,
                slots: [rawBytes([Float(2)]), rawBytes(x), rawBytes(x)])
            #expect(elements(slots[1], Float.self).allSatisfy { $0 == 8 })
            #expect(elements(slots[2], Float.self) == x.map { $0 * 8 })
        }

        @Test("Indices along each dimension")
        func indices() {
            let dims = [3, 5, 70, 2]
            for (dimension, size) in dims.enumerated() {
                for (lane, dtype) in [
                    (SPK_LANE_I32, SPK_INT32), (SPK_LANE_F32, SPK_FLOAT32), (SPK_LANE_I64, SPK_INT64),
                ] {
                    let code: [spk_instruction] = [
                        .init(SPK_OP_INDEX, lane, dst: 0, integer: Int64(dimension)), .store(0, lane, to: 0),
                    ]
                    let width = dtype == SPK_INT64 ? 8 : 4
                    let total = dims.reduce(1, *)
                    let slots = runFused(
                        dims: dims, [spk_operand(0, dtype, dense(dims))], code,
                        slots: [[UInt8](repeating: 0, count: total * width)])
                    let expected = (0..<total).map { $0 / dense(dims)[dimension] % size }
                    switch dtype {
                    case SPK_INT32: #expect(elements(slots[0], Int32.self).map(Int.init) == expected)
                    case SPK_INT64: #expect(elements(slots[0], Int64.self).map(Int.init) == expected)
                    default: #expect(elements(slots[0], Float.self).map(Int.init) == expected)
                    }
                }
            }
        }

        @Test("Threefry-2x32 gives the published known answers")
        func threefry() {
            // Key, counter and result of Salmon et al.'s known-answer tests.
            for (key, counter, result) in [
                ([0, 0], [0, 0], [0x6b20_0159, 0x99ba_4efe]),
                ([0xffff_ffff, 0xffff_ffff], [0xffff_ffff, 0xffff_ffff], [0x1cb9_96fc, 0xbb00_2be7]),
                ([0x1319_8a2e, 0x0370_7344], [0x243f_6a88, 0x85a3_08d3], [0xc492_3a9c, 0x483d_f7a0]),
            ] as [([UInt32], [UInt32], [UInt32])] {
                let words = (key + counter).enumerated().map {
                    spk_instruction(SPK_OP_CONST, SPK_LANE_U32, dst: $0.offset, integer: Int64($0.element))
                }
                let code: [spk_instruction] =
                    words + [
                        .init(SPK_OP_THREEFRY, SPK_LANE_U32, dst: 4, dst2: 5, 0, 1, 2, 3),
                        .store(4, SPK_LANE_U32, to: 0),
                        .store(5, SPK_LANE_U32, to: 1),
                    ]
                let slots = runFused(
                    dims: [20], [spk_operand(0, SPK_UINT32, [1]), spk_operand(1, SPK_UINT32, [1])], code,
                    slots: [
                        rawBytes([UInt32](repeating: 0, count: 20)),
                        rawBytes([UInt32](repeating: 0, count: 20)),
                    ])
                #expect(elements(slots[0], UInt32.self) == [UInt32](repeating: result[0], count: 20))
                #expect(elements(slots[1], UInt32.self) == [UInt32](repeating: result[1], count: 20))
            }
        }

        @Test("Every storage type is loaded and stored, dense and strided")
        func storageTypes() {
            storage(SPK_BOOL, SPK_LANE_I32, (0..<999).map { UInt8($0 % 2) })
            storage(SPK_INT8, SPK_LANE_I32, (0..<999).map { Int8(truncatingIfNeeded: $0) })
            storage(SPK_INT16, SPK_LANE_I32, (0..<999).map { Int16($0 * 60 - 30000) })
            storage(SPK_INT32, SPK_LANE_I32, (0..<999).map { Int32($0) &* 123_456_789 })
            storage(SPK_INT64, SPK_LANE_I64, (0..<999).map { Int64($0) &* 1_234_567_891_234_567 })
            storage(SPK_UINT8, SPK_LANE_U32, (0..<999).map { UInt8(truncatingIfNeeded: $0) })
            storage(SPK_UINT16, SPK_LANE_U32, (0..<999).map { UInt16($0 * 60) })
            storage(SPK_UINT32, SPK_LANE_U32, (0..<999).map { UInt32($0) &* 123_456_789 })
            storage(SPK_UINT64, SPK_LANE_U64, (0..<999).map { UInt64($0) &* 1_234_567_891_234_567 })
            storage(SPK_FLOAT32, SPK_LANE_F32, (0..<999).map { Float($0) / 7 })
            storage(SPK_FLOAT64, SPK_LANE_F64, (0..<999).map { Double($0) / 7 })
            storage(SPK_BFLOAT16, SPK_LANE_F32, (0..<999).map { UInt16($0 * 32) })
            // All halves, but signalling NaN, which become quiet.
            let halves = (0...UInt16.max).filter { $0 & 0x7C00 != 0x7C00 || $0 & 0x3FF == 0 }
            storage(SPK_FLOAT16, SPK_LANE_F32, halves)
        }

        private func storage<T: Equatable>(_ dtype: spk_dtype, _ lane: spk_lane, _ values: [T]) {
            let code: [spk_instruction] = [.load(0, lane, into: 0), .store(0, lane, to: 1)]
            let count = values.count
            let same = runFused(
                dims: [count], [spk_operand(0, dtype, [1]), spk_operand(1, dtype, [1])], code,
                slots: [rawBytes(values), rawBytes(values.map { _ in values[0] })])
            #expect(elements(same[1], T.self) == values)
            let reversed = runFused(
                dims: [count], [spk_operand(0, dtype, [1]), spk_operand(1, dtype, [-1], offset: count - 1)],
                code,
                slots: [rawBytes(values), rawBytes(values.map { _ in values[0] })])
            #expect(elements(reversed[1], T.self) == values.reversed())
        }

        @Test("float32 to float16 and bfloat16 rounds to nearest even, on storing and in registers")
        func halfPrecision() {
            var random = TestRandom(5)
            var values = (0..<20000).map { _ in Float(bitPattern: UInt32(truncatingIfNeeded: random.next())) }
            values += (0..<4000).map { _ in Float.random(in: -1e-4...1e-4, using: &random) }
            values += [
                65504, 65519.99, 65520, 1e9, -65520, .infinity, -0.0, 5.9604645e-8, 2.9802322e-8,
                2.98023259e-8,
            ]
            values = values.filter { !$0.isNaN }
            let half = runOperation(
                SPK_OP_COPY, SPK_LANE_F32, SPK_FLOAT32, [values], resultType: SPK_FLOAT16,
                resultLane: SPK_LANE_F32,
                UInt16.self)
            #expect(half == values.map { Float16($0).bitPattern })
            let rounded = runOperation(
                SPK_OP_ROUND_F16, SPK_LANE_F32, SPK_FLOAT32, [values], resultType: SPK_FLOAT32,
                resultLane: SPK_LANE_F32,
                Float.self)
            #expect(rounded.map(\.bitPattern) == values.map { Float(Float16($0)).bitPattern })
            let expected = values.map { value -> UInt32 in
                let bits = value.bitPattern
                guard value.isFinite else { return bits >> 16 }
                let low = bits & 0xFFFF, high = bits >> 16
                return low > 0x8000 || (low == 0x8000 && high & 1 == 1) ? high + 1 : high
            }
            let bfloat = runOperation(
                SPK_OP_COPY, SPK_LANE_F32, SPK_FLOAT32, [values], resultType: SPK_BFLOAT16,
                resultLane: SPK_LANE_F32,
                UInt16.self)
            #expect(bfloat.map(UInt32.init) == expected)
            let roundedBfloat = runOperation(
                SPK_OP_ROUND_BF16, SPK_LANE_F32, SPK_FLOAT32, [values], resultType: SPK_FLOAT32,
                resultLane: SPK_LANE_F32, UInt32.self)
            #expect(roundedBfloat == expected.map { $0 << 16 })
            let nan = runOperation(
                SPK_OP_ROUND_F16, SPK_LANE_F32, SPK_FLOAT32, [[Float.nan, -.nan]], resultType: SPK_FLOAT16,
                resultLane: SPK_LANE_F32, Float16.self)
            #expect(nan.allSatisfy { $0.isNaN })
        }
    }
}
