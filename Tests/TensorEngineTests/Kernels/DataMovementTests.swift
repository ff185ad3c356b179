// Tests of copies, fills, gathers, scatters and sorting permutations against index arithmetic.
import CKernels
import Foundation
import Testing

extension KernelTests {
    @Suite struct DataMovementTests {
        private func checkCopy<T: FixedWidthInteger>(
            _ dtype: spk_dtype, _ type: T.Type, _ dims: [Int], _ source: [Int], _ target: [Int],
            offset: Int = 0
        ) {
            func extent(_ strides: [Int]) -> Int {
                zip(dims, strides).reduce(1) { $0 + max(0, $1.0 - 1) * abs($1.1) }
            }
            let values = (0..<extent(source)).map { T(truncatingIfNeeded: $0 &* 2_654_435_761) }
            let before = [T](repeating: 77, count: extent(target))
            var copy = spk_copy()
            copy.rank = Int32(dims.count)
            withUnsafeMutableBytes(of: &copy.dims) { raw in
                for (k, size) in dims.enumerated() {
                    raw.storeBytes(of: Int64(size), toByteOffset: 8 * k, as: Int64.self)
                }
            }
            copy.src = spk_operand(0, dtype, source, offset: offset)
            copy.dst = spk_operand(1, dtype, target)
            let slots = runEverywhere(spk_run_copy, copy, slots: [rawBytes(values), rawBytes(before)])
            var expected = before
            for linear in 0..<dims.reduce(1, *) {
                var rest = linear
                var (from, to) = (offset, 0)
                for d in dims.indices.reversed() {
                    from += rest % dims[d] * source[d]
                    to += rest % dims[d] * target[d]
                    rest /= dims[d]
                }
                expected[to] = values[from]
            }
            #expect(elements(slots[1], type) == expected, "\(dims) \(source) \(target)")
        }

        private func checkCopies<T: FixedWidthInteger>(_ dtype: spk_dtype, _ type: T.Type) {
            checkCopy(dtype, type, [1000], [1], [1])
            checkCopy(dtype, type, [37, 53], [1, 37], [53, 1])
            checkCopy(dtype, type, [64, 48], [1, 70], [50, 1])
            checkCopy(dtype, type, [48, 64], [1, 48], [64, 1])
            checkCopy(dtype, type, [300, 400], [1, 300], [400, 1])
            checkCopy(dtype, type, [3, 20, 30], [600, 1, 20], [600, 30, 1])
            checkCopy(dtype, type, [6, 5, 4, 3], [1, 6, 30, 120], [60, 12, 3, 1])
            checkCopy(dtype, type, [9, 17], [0, 1], [17, 1])
            checkCopy(dtype, type, [9, 17], [1, 0], [17, 1])
            checkCopy(dtype, type, [50], [-1], [1], offset: 49)
            checkCopy(dtype, type, [10, 7], [2, 40], [1, 10])
            checkCopy(dtype, type, [4, 0, 3], [1, 1, 1], [1, 1, 1])
            checkCopy(dtype, type, [], [], [])
            checkCopy(dtype, type, [20, 24, 24, 3], [1728, 72, 3, 1], [2028, 78, 3, 1])
        }

        @Test("Copies of every element size: dense, transposed, broadcast, reversed, padded")
        func copies() {
            checkCopies(SPK_UINT8, UInt8.self)
            checkCopies(SPK_FLOAT16, UInt16.self)
            checkCopies(SPK_FLOAT32, UInt32.self)
            checkCopies(SPK_INT64, UInt64.self)
            checkCopy(SPK_FLOAT32, UInt32.self, [700, 300], [1, 700], [300, 1])
        }

        @Test("Fills of every element size")
        func fills() {
            for (dtype, width) in [(SPK_UINT8, 1), (SPK_INT16, 2), (SPK_FLOAT32, 4), (SPK_FLOAT64, 8)] {
                for bits in [0, 0x0123_4567_89AB_CDEF] as [UInt64] {
                    let fill = spk_fill(
                        slot: 0, dtype: Int32(dtype.rawValue), offset: 3, count: 301, bits: bits)
                    let before = [UInt8](repeating: 9, count: 305 * width)
                    let slots = runEverywhere(spk_run_fill, fill, slots: [before])
                    let pattern = withUnsafeBytes(of: bits) { Array($0.prefix(width)) }
                    var expected = before
                    for i in 3..<304 { expected.replaceSubrange(i * width..<(i + 1) * width, with: pattern) }
                    #expect(slots[0] == expected)
                }
            }
        }

        @Test("take and take_along_axis gather, clamp and fill")
        func gathers() {
            for (outer, count, inner, indices) in [
                (2, 9, 5, 12), (1, 40, 64, 100), (3, 7, 1, 4), (1, 200, 300, 400), (2, 0, 3, 2),
            ] {
                var random = TestRandom(37)
                let source = random.floats(outer * count * inner)
                let places = (0..<indices).map { _ in Int32.random(in: -3...Int32(count + 3), using: &random)
                }
                let placesAlong = (0..<outer * indices * inner).map { _ in
                    Int32.random(in: -3...Int32(count + 3), using: &random)
                }
                for mode in [SPK_INDEX_CLAMP, SPK_INDEX_FILL] where count > 0 || mode == SPK_INDEX_FILL {
                    func value(_ o: Int, _ place: Int32, _ i: Int) -> UInt32 {
                        let inside = place >= 0 && place < count
                        if !inside, mode == SPK_INDEX_FILL { return 0x7FC0_0000 }
                        return source[(o * count + min(max(Int(place), 0), count - 1)) * inner + i].bitPattern
                    }
                    let output = rawBytes([Float](repeating: 0, count: outer * indices * inner))
                    let take = spk_take(
                        dtype: Int32(SPK_FLOAT32.rawValue), mode: Int32(mode.rawValue), outer: Int64(outer),
                        count: Int64(count),
                        inner: Int64(inner), indices: Int64(indices), src: 0, index: 1, dst: 2, src_offset: 0,
                        index_offset: 0,
                        dst_offset: 0)
                    let along = spk_take_along(
                        dtype: take.dtype, mode: take.mode, outer: take.outer, count: take.count,
                        inner: take.inner,
                        indices: take.indices, src: 0, index: 1, dst: 2, src_offset: 0, index_offset: 0,
                        dst_offset: 0)
                    let taken = runEverywhere(
                        spk_run_take, take, slots: [rawBytes(source), rawBytes(places), output])
                    let takenAlong = runEverywhere(
                        spk_run_take_along, along, slots: [rawBytes(source), rawBytes(placesAlong), output])
                    var expected: [UInt32] = [], expectedAlong: [UInt32] = []
                    for o in 0..<outer {
                        for j in 0..<indices {
                            for i in 0..<inner {
                                expected.append(value(o, places[j], i))
                                expectedAlong.append(value(o, placesAlong[(o * indices + j) * inner + i], i))
                            }
                        }
                    }
                    #expect(elements(taken[2], UInt32.self) == expected)
                    #expect(elements(takenAlong[2], UInt32.self) == expectedAlong)
                }
            }
        }

        @Test("What stands for elements out of range, by type")
        func fillValues() {
            func filled(_ dtype: spk_dtype, _ width: Int) -> [UInt8] {
                let take = spk_take(
                    dtype: Int32(dtype.rawValue), mode: Int32(SPK_INDEX_FILL.rawValue), outer: 1, count: 1,
                    inner: 1, indices: 1,
                    src: 0, index: 1, dst: 2, src_offset: 0, index_offset: 0, dst_offset: 0)
                let blank = [UInt8](repeating: 0, count: width)
                return runEverywhere(spk_run_take, take, slots: [blank, rawBytes([Int32(5)]), blank])[2]
            }
            #expect(elements(filled(SPK_INT8, 1), Int8.self) == [.min])
            #expect(elements(filled(SPK_INT32, 4), Int32.self) == [.min])
            #expect(elements(filled(SPK_INT64, 8), Int64.self) == [.min])
            #expect(elements(filled(SPK_UINT16, 2), UInt16.self) == [.max])
            #expect(elements(filled(SPK_FLOAT16, 2), Float16.self)[0].isNaN)
            #expect(elements(filled(SPK_FLOAT64, 8), Double.self)[0].isNaN)
        }

        @Test("Scatters add in the order of the indices and drop what is out of range")
        func scatters() {
            for (outer, count, inner, indices) in [(2, 9, 5, 40), (1, 20, 300, 500), (3, 4, 1, 30)] {
                var random = TestRandom(41)
                let updates = random.floats(outer * indices * inner),
                    before = random.floats(outer * count * inner)
                let places = (0..<indices).map { _ in Int32.random(in: -2...Int32(count + 1), using: &random)
                }
                let placesAlong = (0..<outer * indices * inner).map { _ in
                    Int32.random(in: -2...Int32(count + 1), using: &random)
                }
                let add = spk_scatter_add(
                    dtype: Int32(SPK_FLOAT32.rawValue), outer: Int64(outer), count: Int64(count),
                    inner: Int64(inner),
                    indices: Int64(indices), src: 0, index: 1, dst: 2, src_offset: 0, index_offset: 0,
                    dst_offset: 0)
                let along = spk_scatter_add_along(
                    dtype: add.dtype, outer: add.outer, count: add.count, inner: add.inner,
                    indices: add.indices, src: 0, index: 1,
                    dst: 2, src_offset: 0, index_offset: 0, dst_offset: 0)
                let added = runEverywhere(
                    spk_run_scatter_add, add, slots: [rawBytes(updates), rawBytes(places), rawBytes(before)])
                let addedAlong = runEverywhere(
                    spk_run_scatter_add_along, along,
                    slots: [rawBytes(updates), rawBytes(placesAlong), rawBytes(before)])
                var expected = before, expectedAlong = before
                for o in 0..<outer {
                    for j in 0..<indices {
                        for i in 0..<inner {
                            let at = (o * indices + j) * inner + i
                            if (0..<count).contains(Int(places[j])) {
                                expected[(o * count + Int(places[j])) * inner + i] += updates[at]
                            }
                            if (0..<count).contains(Int(placesAlong[at])) {
                                expectedAlong[(o * count + Int(placesAlong[at])) * inner + i] += updates[at]
                            }
                        }
                    }
                }
                #expect(elements(added[2], Float.self) == expected)
                #expect(elements(addedAlong[2], Float.self) == expectedAlong)
            }
        }

        @Test("Sorting permutations: stable, NaN last, zeros equal, any type and length")
        func sorting() {
            for count in [0, 1, 2, 20, 100, 5000] {
                var random = TestRandom(43)
                var floats = (0..<2 * count).map { _ in Float(Int.random(in: -30...30, using: &random)) / 4 }
                for i in stride(from: 3, to: floats.count, by: 11) {
                    floats[i] = [.nan, -0.0, .infinity, -.infinity][i % 4]
                }
                sort(SPK_FLOAT32, floats, count) { $1.isNaN ? !$0.isNaN : $0 < $1 }
                sort(SPK_FLOAT64, floats.map(Double.init), count) { $1.isNaN ? !$0.isNaN : $0 < $1 }
                sort(SPK_FLOAT16, floats.map(Float16.init), count) { $1.isNaN ? !$0.isNaN : $0 < $1 }
                sort(SPK_INT8, random.integers(2 * count, Int8.self), count, <)
                sort(SPK_INT32, random.integers(2 * count, Int32.self), count, <)
                sort(SPK_INT64, random.integers(2 * count, Int64.self), count, <)
                sort(SPK_UINT32, random.integers(2 * count, UInt32.self), count, <)
                sort(SPK_UINT64, random.integers(2 * count, UInt64.self).map { $0 >> 60 }, count, <)
            }
        }

        private func sort<T>(_ dtype: spk_dtype, _ values: [T], _ count: Int, _ precedes: (T, T) -> Bool) {
            for descending in [false, true] {
                let arguments = spk_argsort(
                    dtype: Int32(dtype.rawValue), descending: descending ? 1 : 0, outer: 2,
                    count: Int64(count), src: 0, dst: 1,
                    scratch: 2, src_offset: 0, dst_offset: 0, scratch_offset: 0)
                let scratch = [UInt8](repeating: 0, count: Int(spk_argsort_scratch_bytes(Int64(count))))
                let output = rawBytes([Int32](repeating: -1, count: 2 * count))
                let slots = runEverywhere(
                    spk_run_argsort, arguments, slots: [rawBytes(values), output, scratch])
                var expected: [Int32] = []
                for o in 0..<2 {
                    let row = Array(values[o * count..<(o + 1) * count])
                    expected += row.indices.sorted { a, b in
                        let (x, y) = descending ? (row[b], row[a]) : (row[a], row[b])
                        return precedes(x, y) || (!precedes(y, x) && a < b)
                    }.map { Int32($0) }
                }
                #expect(
                    elements(slots[1], Int32.self) == expected, "\(dtype) \(count) descending \(descending)")
            }
        }
    }
}
