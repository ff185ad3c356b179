// Tests of the thread pool, of the choice of the instruction set, and of running a plan.
import CKernels
import Foundation
import Synchronization
import Testing

/// How often each tile ran.
private final class TileCounts: Sendable {
    let counts: [Atomic<Int>.Box]
    init(_ tiles: Int) { counts = (0..<tiles).map { _ in Atomic<Int>.Box() } }
}

extension Atomic where Value == Int {
    fileprivate final class Box: Sendable {
        let value = Atomic<Int>(0)
    }
}

extension KernelTests {
    @Suite struct PoolTests {
        private func run(_ pool: OpaquePointer?, _ tiles: Int) -> [Int] {
            let counts = TileCounts(tiles)
            let body: @convention(c) (UnsafeMutableRawPointer?, Int64) -> Void = { context, tile in
                let counts = Unmanaged<TileCounts>.fromOpaque(context!).takeUnretainedValue()
                counts.counts[Int(tile)].value.add(1, ordering: .relaxed)
            }
            spk_pool_run(pool, Int64(tiles), body, Unmanaged.passUnretained(counts).toOpaque())
            return counts.counts.map { $0.value.load(ordering: .relaxed) }
        }

        @Test("Every tile runs exactly once, for any number of threads and tiles", arguments: [1, 2, 3, 8])
        func everyTileOnce(threads: Int) {
            let pool = spk_pool_create(Int32(threads))
            defer { spk_pool_destroy(pool) }
            #expect(spk_pool_threads(pool) == threads)
            for round in 0..<300 {
                let tiles = [0, 1, 2, 3, 7, 64, 1000][round % 7]
                #expect(run(pool, tiles).allSatisfy { $0 == 1 })
            }
        }

        @Test("A pool whose workers have gone to sleep wakes up")
        func wakesUp() {
            let pool = spk_pool_create(2)
            defer { spk_pool_destroy(pool) }
            for _ in 0..<20 {
                usleep(1000)
                #expect(run(pool, 16).allSatisfy { $0 == 1 })
            }
        }

        @Test("Without a pool, and inside a tile, tiles run on the caller")
        func runsInline() {
            #expect(run(nil, 5) == [1, 1, 1, 1, 1])
            let pool = spk_pool_create(2)
            defer { spk_pool_destroy(pool) }
            final class Nested {
                let pool: OpaquePointer?
                let inner = TileCounts(4 * 6)
                init(_ pool: OpaquePointer?) { self.pool = pool }
            }
            let nested = Nested(pool)
            let outer: @convention(c) (UnsafeMutableRawPointer?, Int64) -> Void = { context, _ in
                let nested = Unmanaged<Nested>.fromOpaque(context!).takeUnretainedValue()
                let inner: @convention(c) (UnsafeMutableRawPointer?, Int64) -> Void = { context, tile in
                    let nested = Unmanaged<Nested>.fromOpaque(context!).takeUnretainedValue()
                    nested.inner.counts[Int(tile)].value.add(1, ordering: .relaxed)
                }
                spk_pool_run(nested.pool, 24, inner, context)
            }
            spk_pool_run(pool, 5, outer, Unmanaged.passUnretained(nested).toOpaque())
            #expect(nested.inner.counts.allSatisfy { $0.value.load(ordering: .relaxed) == 5 })
        }

        @Test("A level that the processor lacks is not taken; a plan runs its steps in order")
        func levelsAndPlans() {
            let highest = spk_get_level()
            #expect(availableLevels.contains(highest))
            #expect(spk_set_level(SPK_LEVEL_PORTABLE) == SPK_LEVEL_PORTABLE)
            #expect(spk_set_level(highest) == highest)

            var output = [Float](repeating: 0, count: 8)
            var fill = spk_fill(
                slot: 0, dtype: Int32(SPK_FLOAT32.rawValue), offset: 0, count: 8, bits: 0x3F80_0000)
            var second = spk_fill(
                slot: 0, dtype: Int32(SPK_FLOAT32.rawValue), offset: 2, count: 3, bits: 0x4000_0000)
            withUnsafePointer(to: &fill) { first in
                withUnsafePointer(to: &second) { second in
                    let steps = [
                        spk_step(run: spk_run_fill, arguments: first),
                        spk_step(run: spk_run_fill, arguments: second),
                    ]
                    output.withUnsafeMutableBytes { raw in
                        let slots = [raw.baseAddress]
                        spk_run_plan(steps, 2, slots, nil)
                    }
                }
            }
            #expect(output == [1, 1, 2, 2, 2, 1, 1, 1])
        }
    }
}
