// What the kernels' tests share: memory that ends at a forbidden page, runs at every instruction set and thread count,
// and short ways to write a kernel's arguments.
import CKernels
import Foundation
import Testing

/// All tests of the kernels. Serialized, since the instruction set in use is one for the whole process.
@Suite(.serialized) enum KernelTests {}

/// Memory whose last byte is the last of a page, with a page behind it that may not be touched.
final class GuardedMemory {
    let pointer: UnsafeMutableRawPointer
    let byteCount: Int
    private let mapping: UnsafeMutableRawPointer
    private let mappingBytes: Int

    init(byteCount: Int) {
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let dataBytes = (byteCount + page - 1) / page * page
        mappingBytes = dataBytes + page
        mapping = mmap(nil, mappingBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
        mprotect(mapping + dataBytes, page, PROT_NONE)
        pointer = mapping + (dataBytes - byteCount)
        self.byteCount = byteCount
    }

    convenience init<Element>(_ elements: [Element]) {
        self.init(byteCount: elements.count * MemoryLayout<Element>.stride)
        elements.withUnsafeBytes {
            pointer.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(pointer), byteCount: byteCount)
        }
    }

    deinit { munmap(mapping, mappingBytes) }

    var bytes: [UInt8] { Array(UnsafeRawBufferPointer(start: pointer, count: byteCount)) }
}

/// Bytes of an array, for buffers of mixed element types.
func rawBytes<Element>(_ elements: [Element]) -> [UInt8] { elements.withUnsafeBytes { Array($0) } }

func elements<Element>(_ bytes: [UInt8], _ type: Element.Type) -> [Element] {
    let count = bytes.count / MemoryLayout<Element>.stride
    return [Element](unsafeUninitializedCapacity: count) { buffer, initialized in
        bytes.withUnsafeBytes { UnsafeMutableRawBufferPointer(buffer).copyMemory(from: $0) }
        initialized = count
    }
}

/// The instruction sets of this machine's processor.
let availableLevels: [spk_level] = {
    defer { _ = spk_set_level(SPK_LEVEL_AVX512) }
    let levels = [SPK_LEVEL_PORTABLE, SPK_LEVEL_AVX2, SPK_LEVEL_AVX512].filter { spk_set_level($0) == $0 }
    _ = spk_set_level(levels.last!)
    return levels
}()

typealias Kernel =
    @convention(c) (
        UnsafeRawPointer?, UnsafePointer<UnsafeMutableRawPointer?>?, OpaquePointer?
    ) -> Void

/// Runs a kernel on fresh copies of `slots` at every level, without a pool and with pools of 2 and 3 threads; expects the
/// same bytes each time and returns every slot's.
func runEverywhere<Arguments>(
    _ kernel: Kernel, _ arguments: Arguments, slots: [[UInt8]],
    sourceLocation: SourceLocation = #_sourceLocation
) -> [[UInt8]] {
    let pools = [nil, spk_pool_create(2), spk_pool_create(3)]
    defer { for pool in pools { spk_pool_destroy(pool) } }
    let highest = spk_get_level()
    defer { _ = spk_set_level(highest) }
    var first: [[UInt8]]?
    for level in availableLevels {
        #expect(spk_set_level(level) == level, sourceLocation: sourceLocation)
        for pool in pools {
            let memory = slots.map { GuardedMemory($0) }
            let table: [UnsafeMutableRawPointer?] = memory.map { $0.pointer }
            withUnsafePointer(to: arguments) { arguments in
                table.withUnsafeBufferPointer { kernel(UnsafeRawPointer(arguments), $0.baseAddress, pool) }
            }
            let result = memory.map(\.bytes)
            if let first {
                for slot in result.indices where result[slot] != first[slot] {
                    let at = zip(result[slot], first[slot]).enumerated().first {
                        $0.element.0 != $0.element.1
                    }!
                    Issue.record(
                        "slot \(slot) differs at byte \(at.offset): level \(level.rawValue), \(spk_pool_threads(pool)) threads",
                        sourceLocation: sourceLocation)
                }
            } else {
                first = result
            }
        }
    }
    return first!
}

extension spk_operand {
    /// float32
    init(_ slot: Int, _ strides: [Int], offset: Int = 0) {
        self.init(slot, SPK_FLOAT32, strides, offset: offset)
    }

    init(_ slot: Int, _ dtype: spk_dtype, _ strides: [Int], offset: Int = 0) {
        self.init()
        self.slot = Int32(slot)
        self.dtype = Int32(dtype.rawValue)
        self.offset = Int64(offset)
        withUnsafeMutableBytes(of: &self.strides) { raw in
            for (k, stride) in strides.enumerated() {
                raw.storeBytes(of: Int64(stride), toByteOffset: 8 * k, as: Int64.self)
            }
        }
    }
}

extension spk_instruction {
    init(
        _ op: spk_op, _ lane: spk_lane = SPK_LANE_F32, dst: Int = 0, dst2: Int = 0, _ a: Int = 0,
        _ b: Int = 0,
        _ c: Int = 0, _ d: Int = 0, integer: Int64 = 0, float: Double? = nil
    ) {
        self.init()
        self.op = UInt8(op.rawValue)
        self.lane = UInt8(lane.rawValue)
        self.dst = UInt16(dst)
        self.dst2 = UInt16(dst2)
        self.a = UInt16(a)
        self.b = UInt16(b)
        self.c = UInt16(c)
        self.d = UInt16(d)
        if let float { imm_f = float } else { imm_i = integer }
    }
    static func load(_ operand: Int, _ lane: spk_lane = SPK_LANE_F32, into register: Int) -> Self {
        Self(SPK_OP_LOAD, lane, dst: register, integer: Int64(operand))
    }
    static func store(_ register: Int, _ lane: spk_lane = SPK_LANE_F32, to operand: Int) -> Self {
        Self(SPK_OP_STORE, lane, register, integer: Int64(operand))
    }
}

/// Runs block code over an iteration space, everywhere.
func runFused(
    dims: [Int], _ operands: [spk_operand], _ code: [spk_instruction], slots: [[UInt8]],
    sourceLocation: SourceLocation = #_sourceLocation
) -> [[UInt8]] {
    operands.withUnsafeBufferPointer { operands in
        code.withUnsafeBufferPointer { code in
            var fused = spk_fused()
            fused.rank = Int32(dims.count)
            fused.operand_count = Int32(operands.count)
            fused.instruction_count = Int32(code.count)
            fused.register_count = 64
            withUnsafeMutableBytes(of: &fused.dims) { raw in
                for (k, size) in dims.enumerated() {
                    raw.storeBytes(of: Int64(size), toByteOffset: 8 * k, as: Int64.self)
                }
            }
            fused.operands = operands.baseAddress
            fused.instructions = code.baseAddress
            return runEverywhere(spk_run_fused, fused, slots: slots, sourceLocation: sourceLocation)
        }
    }
}

/// Runs one operation on dense vectors and returns its results.
func runOperation<Source, Result>(
    _ op: spk_op, _ lane: spk_lane, _ dtype: spk_dtype, _ sources: [[Source]], resultType: spk_dtype,
    resultLane: spk_lane, _ type: Result.Type, integer: Int64 = 0,
    sourceLocation: SourceLocation = #_sourceLocation
) -> [Result] {
    let count = sources[0].count
    var operands = sources.indices.map { spk_operand($0, dtype, [1]) }
    operands.append(spk_operand(sources.count, resultType, [1]))
    let loads = sources.indices.map { spk_instruction.load($0, lane, into: $0) }
    let operation = spk_instruction(
        op, op == SPK_OP_CONVERT ? resultLane : lane, dst: 3, 0, 1, 2, integer: integer)
    let code = loads + [operation, .store(3, resultLane, to: sources.count)]
    let output = [UInt8](repeating: 0xAA, count: count * MemoryLayout<Result>.stride)
    let slots = runFused(
        dims: [count], operands, code, slots: sources.map(rawBytes) + [output], sourceLocation: sourceLocation
    )
    return elements(slots[sources.count], type)
}

/// Reproducible numbers (SplitMix64).
struct TestRandom: RandomNumberGenerator {
    var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
    mutating func floats(_ count: Int, in range: ClosedRange<Float> = -2...2) -> [Float] {
        (0..<count).map { _ in Float.random(in: range, using: &self) }
    }
    mutating func integers<T: FixedWidthInteger>(_ count: Int, _ type: T.Type) -> [T] {
        (0..<count).map { _ in T(truncatingIfNeeded: next()) }
    }
}
