// Collects the steps of a plan and the buffers they use.
import CKernels

/// A value as a step sees it: its type and where it lies.
public struct Operand: Sendable {
    var type: TensorType
    var layout: Layout

    var slot: Int32 { Int32(truncatingIfNeeded: layout.base) }
    var offset: Int64 { Int64(layout.offset) }
    var isDense: Bool { layout.isDense(type.shape) }

    /// The part of this value that begins at `start` along `axis`.
    func sliced(axis: Int, from start: Int, shape: Shape) -> Operand {
        var result = self
        result.type.shape = shape
        result.layout.offset += start * layout.strides[axis]
        return result
    }

    /// Every `strides[k]`-th element of this value from `start` on.
    func spread(from start: [Int], strides: [Int], shape: Shape) -> Operand {
        var result = self
        result.type.shape = shape
        result.layout.offset += zip(start, layout.strides).reduce(0) { $0 + $1.0 * $1.1 }
        result.layout.strides = zip(strides, layout.strides).map { $0 * $1 }
        return result
    }

    /// A scalar repeated to a shape.
    func broadcast(to shape: Shape) -> Operand {
        Operand(
            type: TensorType(type.dtype, shape),
            layout: Layout(
                base: layout.base, offset: layout.offset, strides: Array(repeating: 0, count: shape.rank)))
    }

    func permuted(_ permutation: [Int]) -> Operand {
        Operand(
            type: TensorType(type.dtype, Shape(permutation.map { type.shape[$0] })),
            layout: Layout(
                base: layout.base, offset: layout.offset, strides: permutation.map { layout.strides[$0] }))
    }

    /// The kernels' operand for an iteration over `strides.count` dimensions.
    func kernelOperand(strides: [Int]) -> spk_operand {
        var operand = spk_operand()
        operand.slot = slot
        operand.dtype = type.dtype.kernelType
        operand.offset = offset
        withUnsafeMutableBytes(of: &operand.strides) { bytes in
            let target = bytes.bindMemory(to: Int64.self)
            for (k, stride) in strides.enumerated() { target[k] = Int64(stride) }
        }
        return operand
    }
}

/// Where a buffer's memory comes from.
enum BufferSource: Sendable, Hashable {
    case input(Int)
    case constant(Int)
    case output(Int)
    /// A part of the arena.
    case temporary
    /// A part of another buffer, which a loop moves along: has no memory of its own.
    case window(of: Int)
}

/// A place for a value while a plan runs.
struct PlannedBuffer: Sendable {
    let type: TensorType
    let source: BufferSource

    var byteCount: Int { type.byteCount }
}

/// Owns the argument blocks of a plan's steps, and their machine code.
final class ArgumentStorage: @unchecked Sendable {
    // Written while the plan is built, by one thread; constant afterwards.
    private var blocks: [UnsafeMutableRawPointer] = []
    private var codeMemory: OpaquePointer?
    /// Whether elementwise groups become machine code: where the processor has AVX-512, for plans that run often.
    let takesMachineCode: Bool

    init(takesMachineCode: Bool) {
        self.takesMachineCode = takesMachineCode && spk_get_level() == SPK_LEVEL_AVX512
    }

    /// The code, ready to be called; nil where the system allows none.
    func store(code: [UInt8]) -> spk_code? {
        if codeMemory == nil { codeMemory = spk_code_memory_create() }
        return codeMemory.flatMap { spk_code_memory_add($0, code, Int64(code.count)) }
    }

    /// To be called when the plan is complete.
    func seal() { codeMemory.map(spk_code_memory_seal) }

    func store<T>(_ value: T) -> UnsafeRawPointer {
        let block = UnsafeMutableRawPointer.allocate(
            byteCount: max(MemoryLayout<T>.size, 1), alignment: max(MemoryLayout<T>.alignment, 16))
        block.storeBytes(of: value, as: T.self)
        blocks.append(block)
        return UnsafeRawPointer(block)
    }

    func store<T>(_ values: [T]) -> UnsafePointer<T> {
        let block = UnsafeMutableRawPointer.allocate(
            byteCount: max(MemoryLayout<T>.stride * values.count, 1),
            alignment: max(MemoryLayout<T>.alignment, 16))
        let typed = block.bindMemory(to: T.self, capacity: values.count)
        typed.initialize(from: values, count: values.count)
        blocks.append(block)
        return UnsafePointer(typed)
    }

    deinit {
        for block in blocks { block.deallocate() }
        codeMemory.map(spk_code_memory_destroy)
    }
}

/// One step of a plan, and which buffers it touches.
struct PlannedStep: Sendable {
    var step: spk_step
    var name: String
    var reads: [Int]
    var writes: [Int]
    /// Buffers that are read element by element where the result is written, so that a result may take their place.
    var replaceable: Set<Int>
    /// The steps that a control-flow step runs: a loop's body, the branches of a choice.
    var bodies: [[PlannedStep]] = []
    /// What the step computes; nil for copies of results.
    var origin: StepOrigin?
}

/// The equations that a step computes, for reports.
struct StepOrigin: Sendable {
    let source: LoweredProgram
    let equations: [Int]
}

/// A program that was lowered, shared by its steps.
final class LoweredProgram: Sendable {
    let program: Program

    init(_ program: Program) { self.program = program }
}

extension spk_step: @retroactive @unchecked Sendable {}

/// Builds the flat list of steps. Kernels' lowering rules add steps through it.
public struct PlanBuilder {
    let arguments: ArgumentStorage
    private(set) var steps: [PlannedStep] = []
    /// The buffers by their numbers, which are also their slots.
    private(set) var buffers: [PlannedBuffer] = []
    /// The values of the buffers that are constants.
    private(set) var constants: [Tensor] = []
    /// What the steps that are being added compute.
    var origin: StepOrigin?
    /// In a loop's body: the buffers below this number do not change while the loop runs.
    private var invariantCount = 0
    /// Steps to run before the loop whose body this is.
    private var preparation: [PlannedStep] = []
    /// Loop-invariant operands as `preparation` leaves them, by where they lay.
    private var prepared: [Layout: Operand] = [:]
    /// The buffers of prepared operands.
    private var preparedBuffers: Set<Int> = []

    /// - Parameter takesMachineCode: see `ArgumentStorage`.
    init(takesMachineCode: Bool) {
        self.init(
            arguments: ArgumentStorage(takesMachineCode: takesMachineCode), buffers: [], constants: [])
    }

    private init(
        arguments: ArgumentStorage, buffers: [PlannedBuffer], constants: [Tensor]
    ) {
        self.arguments = arguments
        self.buffers = buffers
        self.constants = constants
    }

    mutating func makeBuffer(_ type: TensorType, _ source: BufferSource) -> Operand {
        buffers.append(PlannedBuffer(type: type, source: source))
        return Operand(type: type, layout: Layout(base: buffers.count - 1, dense: type.shape))
    }

    /// A value in the arena.
    mutating func temporary(_ type: TensorType) -> Operand { makeBuffer(type, .temporary) }

    mutating func constant(_ value: Tensor) -> Operand {
        constants.append(value)
        return makeBuffer(value.type, .constant(constants.count - 1))
    }

    /// Appends a step.
    mutating func step<Arguments>(
        _ arguments: Arguments, _ kernel: @escaping spk_kernel, name: String = "\(Arguments.self)",
        reads: [Operand],
        writes: [Operand], replaceable: Set<Int> = []
    ) {
        steps.append(
            PlannedStep(
                step: spk_step(run: kernel, arguments: self.arguments.store(arguments)), name: name,
                reads: reads.map(\.layout.base), writes: writes.map(\.layout.base), replaceable: replaceable,
                origin: origin))
    }

    /// The steps of a program that reads and writes the given places, to be run by a control-flow step.
    ///
    /// - Parameter invariantCount: for a loop's body, how many buffers there were before the loop. What the body reads from
    ///   them may be prepared by steps before the loop, which are appended here.
    mutating func body(
        _ program: Program, inputs: [Operand], outputs: [Operand], invariantCount: Int = 0
    ) throws -> [PlannedStep] {
        var inner = PlanBuilder(arguments: arguments, buffers: [], constants: [])
        inner.invariantCount = invariantCount
        swap(&inner.buffers, &buffers)
        swap(&inner.constants, &constants)
        var lowering = Lowering(try Pipeline.run(program), builder: inner, inputs: inputs, outputs: outputs)
        defer {
            swap(&lowering.builder.buffers, &buffers)
            swap(&lowering.builder.constants, &constants)
        }
        try lowering.lower()
        steps += lowering.builder.preparation
        preparedBuffers.formUnion(lowering.builder.prepared.values.map(\.layout.base))
        return lowering.builder.steps
    }

    /// One position of a value along its leading axis, to be moved along by a loop.
    mutating func window(of operand: Operand) -> (slice: Operand, window: spk_loop_slice) {
        let type = TensorType(operand.type.dtype, Shape(operand.type.shape.dropFirst()))
        buffers.append(PlannedBuffer(type: type, source: .window(of: operand.layout.base)))
        let slot = buffers.count - 1
        let slice = Operand(
            type: type,
            layout: Layout(
                base: slot, offset: operand.layout.offset, strides: Array(operand.layout.strides.dropFirst()))
        )
        let stride = operand.layout.strides[0] * operand.type.dtype.byteWidth
        return (slice, spk_loop_slice(slot: Int32(slot), source: operand.slot, stride_bytes: Int64(stride)))
    }

    /// Appends a step that runs other steps. It touches what they touch, as far as that is older than buffer `first`,
    /// besides what it reads and writes itself.
    mutating func controlStep<Arguments>(
        _ arguments: Arguments, _ kernel: @escaping spk_kernel, bodies: [[PlannedStep]], first: Int,
        touching operands: [Operand]
    ) {
        func outer(_ buffer: Int) -> Int? {
            var buffer = buffer
            while case .window(let source) = buffers[buffer].source { buffer = source }
            return buffer < first || preparedBuffers.contains(buffer) ? buffer : nil
        }
        let own = operands.map(\.layout.base)
        let reads = bodies.flatMap { $0.flatMap(\.reads) }.compactMap(outer)
        let writes = bodies.flatMap { $0.flatMap(\.writes) }.compactMap(outer)
        steps.append(
            PlannedStep(
                step: spk_step(run: kernel, arguments: self.arguments.store(arguments)),
                name: "\(Arguments.self)", reads: Array(Set(own + reads)), writes: Array(Set(own + writes)),
                replaceable: [], bodies: bodies, origin: origin))
    }

    /// The value in dense row-major order: itself, or a copy.
    mutating func dense(_ operand: Operand) -> Operand {
        if operand.isDense {
            return Operand(
                type: operand.type,
                layout: Layout(
                    base: operand.layout.base, offset: operand.layout.offset,
                    strides: operand.type.shape.denseStrides))
        }
        let result = temporary(operand.type)
        copy(operand, to: result)
        return result
    }

    /// Copies one value to another place of the same shape. `others` are places that must not be given away meanwhile.
    mutating func copy(_ source: Operand, to target: Operand, touching others: [Operand] = []) {
        guard source.type.shape.elementCount > 0 else { return }
        let (dims, strides) = collapse(source.type.shape, [source.layout.strides, target.layout.strides])
        var arguments = spk_copy()
        arguments.rank = Int32(dims.count)
        setDims(&arguments.dims, dims)
        arguments.src = source.kernelOperand(strides: strides[0])
        arguments.dst = target.kernelOperand(strides: strides[1])
        step(arguments, spk_run_copy, reads: [source] + others, writes: [target])
    }

    /// Fills a dense value with zeros.
    mutating func zero(_ target: Operand) {
        step(
            spk_fill(
                slot: target.slot, dtype: target.type.dtype.kernelType, offset: target.offset,
                count: Int64(target.type.shape.elementCount), bits: 0),
            spk_run_fill, reads: [], writes: [target])
    }

    /// Reduces `operand` over `axes` into the dense `target`.
    mutating func reduce(_ operand: Operand, over axes: [Int], _ kernel: spk_reduction, to target: Operand) {
        guard !axes.isEmpty else { return copy(operand, to: target) }
        let shape = operand.type.shape
        let significant = axes.filter { shape[$0] != 1 }
        let first = significant.first ?? axes[0]
        let last = significant.last ?? axes[0]
        let kept = shape.indices.filter { !axes.contains($0) }
        let isOneRun = kept.allSatisfy { $0 < first || $0 > last || shape[$0] == 1 }

        // The order of summation depends on the logical shape only: strided operands are copied to row-major order first.
        let source = isOneRun ? dense(operand) : dense(operand.permuted(kept + axes))
        let count = axes.reduce(1) { $0 * shape[$1] }
        let inner = isOneRun ? kept.filter { $0 > last }.reduce(1) { $0 * shape[$1] } : 1
        let outer = kept.reduce(1) { $0 * shape[$1] } / Swift.max(inner, 1)
        step(
            spk_reduce(
                reduction: Int32(bitPattern: kernel.rawValue), dtype: operand.type.dtype.kernelType,
                outer: Int64(outer),
                count: Int64(count), inner: Int64(inner), src: source.slot, dst: target.slot,
                src_offset: source.offset,
                dst_offset: target.offset),
            spk_run_reduce, reads: [source], writes: [target])
    }

    /// `target` = `lhs` · `rhs`, dimensions given as [batch, rows, contracted] and [batch, contracted, columns].
    mutating func contract(
        _ lhs: Operand, _ lhsGroups: [[Int]], _ rhs: Operand, _ rhsGroups: [[Int]], to target: Operand
    ) {
        let product = product(lhs, lhsGroups, rhs, rhsGroups, to: target)
        if lhs.type.dtype == .float32 {
            step(product.gemm, spk_run_gemm, reads: product.operands, writes: [target])
        } else {
            let gemm = product.gemm
            step(
                spk_matmul_plain(
                    batch: gemm.batch, m: gemm.m, n: gemm.n, k: gemm.k, a: gemm.a, b: gemm.b, c: gemm.c),
                spk_run_matmul_plain, reads: product.operands, writes: [target])
        }
    }

    /// The arguments of a product, and its operands. Without a target it is written nowhere.
    mutating func product(
        _ lhs: Operand, _ lhsGroups: [[Int]], _ rhs: Operand, _ rhsGroups: [[Int]], to target: Operand? = nil
    ) -> (gemm: spk_gemm, operands: [Operand]) {
        let (batch, rows) = (lhsGroups[0].count, lhsGroups[0].count + lhsGroups[1].count)
        let targetGroups = [
            Array(0..<batch), Array(batch..<rows), Array(rows..<(target?.type.shape.rank ?? rows)),
        ]
        // Two batch dimensions where that saves copies: heads side by side in each member.
        var split = 0
        if lhs.type.dtype == .float32 {
            func lies(_ operand: Operand, _ groups: [[Int]], _ split: Int) -> Bool {
                strides(of: groups, split: split, in: operand) != nil
            }
            func score(_ split: Int) -> Int {
                (lies(lhs, lhsGroups, split) ? 1 : 0) + (lies(rhs, rhsGroups, split) ? 1 : 0)
            }
            let possible = (0..<max(batch, 1)).filter { split in
                target.map { lies($0, targetGroups, split) } ?? true
            }
            split = possible.max { (score($0), -$0) < (score($1), -$1) } ?? 0
        }
        let (a, aStrides) = grouped(lhs, lhsGroups, split: split)
        let panels = panels(of: rhs, rhsGroups)
        let (b, bStrides) = panels.map { ($0, [0, 0, 1]) } ?? grouped(rhs, rhsGroups, split: split)
        func size(_ operand: Operand, _ axes: some Sequence<Int>) -> Int64 {
            Int64(axes.reduce(1) { $0 * operand.type.shape[$1] })
        }
        var c = spk_operand()
        c.slot = -1
        if let target, let strides = strides(of: targetGroups, split: split, in: target) {
            c = target.kernelOperand(strides: strides)
            // Columns are contiguous, whatever one column's stride is called.
            c.strides.2 = 1
        }
        var none = spk_operand()
        none.slot = -1
        let gemm = spk_gemm(
            batch: size(lhs, lhsGroups[0]), m: size(lhs, lhsGroups[1]), n: size(rhs, rhsGroups[2]),
            k: size(lhs, lhsGroups[2]), batch_inner: split == 0 ? 1 : size(lhs, lhsGroups[0][split...]),
            a: a.kernelOperand(strides: aStrides), b: b.kernelOperand(strides: bStrides), init: none, c: c,
            epilogue: nil, product: 0, b_in_panels: panels == nil ? 0 : 1)
        return (gemm, [a, b])
    }

    /// A product's right operand in the kernel's panels, laid out once before the loop; nil where the product is not in a loop,
    /// or the operand changes in it, or can be read as it lies.
    private mutating func panels(of operand: Operand, _ groups: [[Int]]) -> Operand? {
        let width = Int(SPK_PANEL_COLUMNS)
        func size(_ axes: [Int]) -> Int { axes.reduce(1) { $0 * operand.type.shape[$1] } }
        let (depth, columns) = (size(groups[1]), size(groups[2]))
        guard operand.layout.base < invariantCount, operand.type.dtype == .float32, size(groups[0]) == 1,
            depth > 0, columns > 0, columns % width == 0,
            let strides = strides(of: groups, split: 0, in: operand), strides[2] != 1
        else { return nil }
        let source = Operand(
            type: TensorType(.float32, [columns / width, depth, width]),
            layout: Layout(
                base: operand.layout.base, offset: operand.layout.offset,
                strides: [width * strides[2], strides[1], strides[2]]))
        if let known = prepared[source.layout], known.type == source.type { return known }
        let result = temporary(source.type)
        copy(source, to: result)
        if let step = steps.popLast() { preparation.append(step) }
        prepared[source.layout] = result
        return result
    }

    /// The strides of groups of dimensions, each taken as one; with a split the first group as two: its first `split`
    /// dimensions, and the others behind all groups. Nil where a group is not one run.
    func strides(of groups: [[Int]], split: Int, in operand: Operand) -> [Int]? {
        let (outer, inner) =
            split == 0 ? (groups[0], []) : (Array(groups[0][..<split]), Array(groups[0][split...]))
        let strides = ([outer] + groups.dropFirst() + [inner]).map { stride(of: $0, in: operand) }
        return strides.allSatisfy { $0 != nil } ? strides.map { $0 ?? 0 } : nil
    }

    /// The operand with each group of dimensions as one stride: as it lies, or copied where a group is not one run.
    private mutating func grouped(_ operand: Operand, _ groups: [[Int]], split: Int) -> (Operand, [Int]) {
        if let strides = strides(of: groups, split: split, in: operand) { return (operand, strides) }
        let copied = temporary(
            TensorType(operand.type.dtype, operand.permuted(groups.flatMap { $0 }).type.shape))
        copy(operand.permuted(groups.flatMap { $0 }), to: copied)
        func size(_ axes: some Sequence<Int>) -> Int { axes.reduce(1) { $0 * operand.type.shape[$1] } }
        let matrix = size(groups[1]) * size(groups[2])
        let inner = size(groups[0][split...]) * matrix
        return (copied, [split == 0 ? matrix : inner, size(groups[2]), 1, matrix])
    }

    /// The stride of a group of dimensions taken as one, or nil if they are not one run.
    func stride(of axes: [Int], in operand: Operand) -> Int? {
        let axes = axes.filter { operand.type.shape[$0] != 1 }
        for (a, b) in zip(axes, axes.dropFirst())
        where operand.layout.strides[a] != operand.layout.strides[b] * operand.type.shape[b] { return nil }
        return axes.last.map { operand.layout.strides[$0] } ?? 0
    }
}

/// Merges neighbouring dimensions that every operand walks as one, and drops those of size 1; at least one remains.
func collapse(_ shape: Shape, _ operands: [[Int]]) -> (dims: [Int], strides: [[Int]]) {
    var dims: [Int] = []
    var strides = operands.map { _ in [Int]() }
    for (axis, size) in shape.enumerated() where size != 1 {
        let continues =
            !dims.isEmpty && zip(strides, operands).allSatisfy { $0[dims.count - 1] == $1[axis] * size }
        if continues {
            dims[dims.count - 1] *= size
            for k in operands.indices { strides[k][dims.count - 1] = operands[k][axis] }
        } else {
            dims.append(size)
            for k in operands.indices { strides[k].append(operands[k][axis]) }
        }
    }
    return dims.isEmpty ? ([1], operands.map { _ in [0] }) : (dims, strides)
}

/// Writes dimensions into a kernel's fixed-size array.
func setDims<Tuple>(_ target: inout Tuple, _ dims: [Int]) {
    withUnsafeMutableBytes(of: &target) { bytes in
        let typed = bytes.bindMemory(to: Int64.self)
        for (k, size) in dims.enumerated() { typed[k] = Int64(size) }
    }
}
