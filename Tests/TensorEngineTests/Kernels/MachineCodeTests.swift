// Elementwise groups as machine code: the bits of the block interpreter at the other instruction sets, on memory that ends at
// a forbidden page.
import CKernels
import Testing

@testable import TensorEngine

/// A group over `rows` times `columns` elements, with its code.
private struct Group {
    enum Lies: CaseIterable { case alike, rowByRow, sameInEachRow, scalar }

    let rows: Int
    let columns: Int
    var code = BlockCode()
    private(set) var types: [DType] = []
    private var operands: [spk_operand] = []
    private(set) var slots: [[UInt8]] = []

    init(rows: Int, columns: Int) {
        self.rows = rows
        self.columns = columns
    }

    private mutating func add(_ type: DType, _ strides: [Int], _ bytes: [UInt8]) -> Int {
        operands.append(spk_operand(slots.count, spk_dtype(UInt32(type.kernelType)), strides))
        types.append(type)
        slots.append(bytes)
        return operands.count - 1
    }

    mutating func load(_ type: DType, _ lies: Lies, _ element: (Int) -> [UInt8]) -> Register {
        let (strides, count) =
            switch lies {
            case .alike: ([columns, 1], rows * columns)
            case .rowByRow: ([1, 0], rows)
            case .sameInEachRow: ([0, 1], columns)
            case .scalar: ([0, 0], 1)
            }
        let operand = add(type, strides, (0..<count).flatMap(element))
        return code.load(operand, type)
    }

    /// Stores to where a loaded operand lies.
    mutating func store(_ register: Register, _ type: DType, inPlaceOf loaded: Int) {
        operands.append(operands[loaded])
        types.append(type)
        code.store(register, operands.count - 1, type)
    }

    mutating func store(_ register: Register, _ type: DType) {
        let operand = add(type, [columns, 1], Array(repeating: 0xAA, count: rows * columns * type.byteWidth))
        code.store(register, operand, type)
    }

    /// The group's machine code; nil where it is not to be had.
    func machineCode() -> [UInt8]? {
        let accesses = operands.map { operand -> VectorProgram.Access in
            operand.strides.1 != 0 ? .stream : operand.strides.0 != 0 ? .column : .scalar
        }
        return VectorProgram(code, accesses: accesses, types: types).flatMap(VectorEmitter.code)
    }

    /// Runs the group everywhere, as code where there is AVX-512; expects the same bytes.
    func check(weight: Int64 = 100, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let bytes = try #require(machineCode(), sourceLocation: sourceLocation)
        let (instructions, registers) = try #require(code.allocateRegisters(limit: 64))
        let memory = try #require(spk_code_memory_create())
        defer { spk_code_memory_destroy(memory) }
        let function = try #require(spk_code_memory_add(memory, bytes, Int64(bytes.count)))
        spk_code_memory_seal(memory)
        operands.withUnsafeBufferPointer { operands in
            instructions.withUnsafeBufferPointer { instructions in
                var group = spk_fused()
                group.rank = 2
                setDims(&group.dims, [rows, columns])
                group.operand_count = Int32(operands.count)
                group.instruction_count = Int32(instructions.count)
                group.register_count = Int32(registers)
                group.operands = operands.baseAddress
                group.instructions = instructions.baseAddress
                group.code = function
                group.weight = weight
                _ = runEverywhere(spk_run_fused, group, slots: slots, sourceLocation: sourceLocation)
            }
        }
    }
}

extension KernelTests {
    @Suite(.enabled(if: availableLevels.contains(SPK_LEVEL_AVX512))) struct MachineCodeTests {
        /// Numbers of all kinds: small and large, of both signs, zeros, subnormals, infinities, NaN.
        private func float(_ random: inout TestRandom) -> Float {
            switch Int.random(in: 0..<12, using: &random) {
            case 0:
                [0, -0.0, 1, -1, .infinity, -.infinity, .nan, 0x1p-140, -0x1p-149, 0x1p31].randomElement(
                    using: &random)!
            case 1: Float(bitPattern: .random(in: 0...UInt32.max, using: &random))
            case 2...4: Float(Int.random(in: -9...9, using: &random))
            default: .random(in: -4...4, using: &random)
            }
        }

        private func element(_ type: DType, _ random: inout TestRandom) -> [UInt8] {
            switch type {
            case .float32: rawBytes([float(&random)])
            case .bool: [UInt8.random(in: 0...2, using: &random)]
            default:
                rawBytes([
                    UInt32.random(in: 0...(Bool.random(using: &random) ? 40 : UInt32.max), using: &random)
                ])
            }
        }

        @Test("the mathematics of float32, over all magnitudes")
        func mathematics() throws {
            for operation in [
                SPK_OP_EXP, SPK_OP_LOG, SPK_OP_TANH, SPK_OP_LOGISTIC, SPK_OP_ERF, SPK_OP_SQRT, SPK_OP_RSQRT,
                SPK_OP_FLOOR, SPK_OP_CEIL, SPK_OP_ROUND_EVEN, SPK_OP_SIGN,
            ] {
                var group = Group(rows: 1, columns: 262_147)
                let x = group.load(.float32, .alike) { rawBytes([UInt32(truncatingIfNeeded: $0 &* 16_381)]) }
                let y = group.code.emit(operation, .float32, x)
                let isNaN = group.code.emit(SPK_OP_NE, .float32, y, y, isComparison: true)
                group.store(isNaN, .bool)
                // Which NaN it is does not count.
                let zero = group.code.constant(0, .float32)
                group.store(group.code.emit(SPK_OP_SELECT, .float32, isNaN, zero, y, isExact: true), .float32)
                try group.check()
            }
        }

        @Test("random groups of floats, words and conditions, over rows of every length", arguments: 0..<60)
        func randomGroups(_ number: Int) throws {
            var random = TestRandom(UInt64(number))
            let rows = Int.random(in: 1...5, using: &random),
                columns = number < 40 ? number + 1 : Int.random(in: 41...700, using: &random)
            var group = Group(rows: rows, columns: columns)
            var values: [DType: [Register]] = [:]
            for type in [DType.float32, .int32, .uint32, .bool] {
                for lies in Group.Lies.allCases {
                    values[type, default: []].append(group.load(type, lies) { _ in element(type, &random) })
                }
            }
            for _ in 0..<Int.random(in: 5...40, using: &random) {
                let (type, result) = step(&group.code, values, &random)
                values[type]!.append(result)
            }
            for (type, registers) in values.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
                for register in registers.suffix(2) {
                    guard type == .float32 else {
                        group.store(register, type)
                        continue
                    }
                    let isNumber = group.code.emit(
                        SPK_OP_EQ, .float32, register, register, isComparison: true)
                    let zero = group.code.constant(0, .float32)
                    group.store(
                        group.code.emit(SPK_OP_SELECT, .float32, isNumber, register, zero, isExact: true),
                        .float32)
                }
            }
            // More conditions at once than there are mask registers: then there is no code.
            guard group.machineCode() != nil else { return }
            try group.check()
        }

        /// A random operation on random operands.
        private func step(
            _ code: inout BlockCode, _ values: [DType: [Register]], _ random: inout TestRandom
        ) -> (DType, Register) {
            func pick(_ type: DType) -> Register { values[type]!.randomElement(using: &random)! }
            let words: DType = Bool.random(using: &random) ? .int32 : .uint32
            let comparison = [SPK_OP_EQ, SPK_OP_NE, SPK_OP_LT, SPK_OP_LE, SPK_OP_GT, SPK_OP_GE]
                .randomElement(using: &random)!
            switch Int.random(in: 0..<12, using: &random) {
            case 0...2:
                let operation = [SPK_OP_ADD, SPK_OP_SUB, SPK_OP_MUL, SPK_OP_DIV, SPK_OP_MAX, SPK_OP_MIN]
                    .randomElement(using: &random)!
                return (.float32, code.emit(operation, .float32, pick(.float32), pick(.float32)))
            case 3:
                let operation = [
                    SPK_OP_NEG, SPK_OP_ABS, SPK_OP_SIGN, SPK_OP_SQRT, SPK_OP_FLOOR, SPK_OP_EXP, SPK_OP_TANH,
                    SPK_OP_LOG,
                ].randomElement(using: &random)!
                return (.float32, code.emit(operation, .float32, pick(.float32)))
            case 4:
                return (
                    .float32, code.emit(SPK_OP_FMA, .float32, pick(.float32), pick(.float32), pick(.float32))
                )
            case 5:
                let power = Int64.random(in: 0...7, using: &random)
                return (.float32, code.emit(SPK_OP_INTEGER_POW, .float32, pick(.float32), integer: power))
            case 6:
                let type = [DType.float32, words].randomElement(using: &random)!
                return (.bool, code.emit(comparison, type, pick(type), pick(type), isComparison: true))
            case 7:
                let type = [DType.float32, words, .bool].randomElement(using: &random)!
                return (
                    type, code.emit(SPK_OP_SELECT, type, pick(.bool), pick(type), pick(type), isExact: true)
                )
            case 8:
                let operation = [SPK_OP_AND, SPK_OP_OR, SPK_OP_XOR].randomElement(using: &random)!
                return (.bool, code.emit(operation, .bool, pick(.bool), pick(.bool), isExact: true))
            case 9:
                let operation = [
                    SPK_OP_ADD, SPK_OP_SUB, SPK_OP_MUL, SPK_OP_MAX, SPK_OP_MIN, SPK_OP_AND, SPK_OP_OR,
                    SPK_OP_XOR,
                    SPK_OP_SHL, SPK_OP_SHR, SPK_OP_SHR_LOGICAL,
                ].randomElement(using: &random)!
                return (words, code.emit(operation, words, pick(words), pick(words)))
            case 10:
                let operation = [SPK_OP_NEG, SPK_OP_ABS, SPK_OP_NOT].randomElement(using: &random)!
                return (words, code.emit(operation, words, pick(words)))
            default:
                let from = [DType.float32, .int32, .uint32, .bool].randomElement(using: &random)!
                let to = from == .float32 ? DType.int32 : .float32
                return (to, code.convert(pick(from), from: from, to: to))
            }
        }

        @Test("more values than registers wait in memory")
        func spilling() throws {
            var group = Group(rows: 3, columns: 37)
            var random = TestRandom(9)
            let loaded = (0..<50).map { k in
                group.load(.float32, k % 7 == 0 ? .rowByRow : .alike) { _ in
                    rawBytes([Float.random(in: 1...2, using: &random)])
                }
            }
            let roots = loaded.map { group.code.emit(SPK_OP_SQRT, .float32, $0) }
            var total = group.code.emit(SPK_OP_MUL, .float32, roots[0], roots[49])
            for k in 1..<50 {
                total = group.code.emit(SPK_OP_FMA, .float32, roots[k], roots[(k * 17) % 50], total)
            }
            for root in roots.reversed() { total = group.code.emit(SPK_OP_SUB, .float32, total, root) }
            group.store(total, .float32)
            try group.check()
        }

        @Test("operands that change places: all is read before anything is written")
        func exchange() throws {
            var group = Group(rows: 2, columns: 35)
            let count = 2 * 35
            let loaded = (0..<40).map { k in
                group.load(.float32, .alike) { rawBytes([Float(k * count + $0)]) }
            }
            for k in 0..<40 { group.store(loaded[39 - k], .float32, inPlaceOf: k) }
            try group.check()
        }

        @Test("few elements of very much work each")
        func heavyElements() throws {
            var group = Group(rows: 1, columns: 5)
            var x = group.load(.float32, .alike) { rawBytes([Float($0)]) }
            for _ in 0..<100 { x = group.code.emit(SPK_OP_ADD, .float32, x, x) }
            group.store(x, .float32)
            try group.check(weight: 100_000)
        }

        @Test("what only the interpreter knows has no code")
        func refusals() throws {
            var cosine = Group(rows: 1, columns: 8)
            let x = cosine.load(.float32, .alike) { _ in rawBytes([Float(1)]) }
            cosine.store(cosine.code.emit(SPK_OP_COS, .float32, x), .float32)
            #expect(cosine.machineCode() == nil)

            var wide = Group(rows: 1, columns: 8)
            wide.store(wide.load(.float64, .alike) { _ in rawBytes([1.0]) }, .float64)
            #expect(wide.machineCode() == nil)
        }

        @Test("code that does not fit the memory for it is refused, more regions are added where one is full")
        func codeMemory() throws {
            let memory = try #require(spk_code_memory_create())
            defer { spk_code_memory_destroy(memory) }
            let result: [UInt8] = [0xC3]
            #expect(spk_code_memory_add(memory, result, 0) == nil)
            let large = [UInt8](repeating: 0xC3, count: 700_000)
            for _ in 0..<3 {
                let code = try #require(spk_code_memory_add(memory, large, Int64(large.count)))
                code(nil)
            }
            let tooLarge = [UInt8](repeating: 0xC3, count: 2 << 20)
            #expect(spk_code_memory_add(memory, tooLarge, Int64(tooLarge.count)) == nil)
        }
    }
}
