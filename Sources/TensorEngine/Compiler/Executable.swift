// A compiled program: a flat array of steps over one arena, and how to run it.
import CKernels
import Synchronization

/// A compiled program. Immutable, and safe to run from several threads at once: every run has its own arena and slots.
public final class Executable: Sendable {
    public let inputTypes: [TensorType]
    public let outputTypes: [TensorType]
    /// Bytes of temporaries that one run needs.
    public let arenaByteCount: Int

    let plan: Plan
    private let idleContexts = Mutex<[RunContext]>([])

    /// What a run needs and nothing changes.
    struct Plan: Sendable {
        let steps: [PlannedStep]
        let kernelSteps: [spk_step]
        let arguments: ArgumentStorage
        let buffers: [PlannedBuffer]
        let arena: ArenaPlan
        let constants: [Tensor]
        /// By output: the input whose memory it is written to.
        let inputOfOutput: [Int?]
        /// By output: the input that it replaces after a run.
        let carry: [Int?]
    }

    /// Compiles a program.
    ///
    /// - Parameter carry: by output, the input that takes its value before the next run (a training step's state), or nil.
    ///   `BoundExecution` keeps such pairs in one buffer.
    public convenience init(_ program: Program, carry: [Int?]? = nil) throws {
        try self.init(optimized: try Pipeline.run(program), carry: carry, takesMachineCode: true)
    }

    /// Compiles a program as it is, without passes.
    ///
    /// - Parameter takesMachineCode: whether it is worth machine code: that takes some microseconds for each group.
    init(optimized program: Program, carry: [Int?]? = nil, takesMachineCode: Bool = false) throws {
        var builder = PlanBuilder(takesMachineCode: takesMachineCode)
        let inputs = program.inputTypes.enumerated().map { builder.makeBuffer($0.element, .input($0.offset)) }
        let outputs = program.outputTypes.enumerated().map {
            builder.makeBuffer($0.element, .output($0.offset))
        }
        var lowering = Lowering(program, builder: builder, inputs: inputs, outputs: outputs)
        try lowering.lower()
        builder = lowering.builder
        builder.arguments.seal()
        let carry = carry ?? Array(repeating: nil, count: program.outputs.count)
        inputTypes = program.inputTypes
        outputTypes = program.outputTypes

        let donation = Donation(
            steps: builder.steps, inputBuffers: inputs.map(\.layout.base),
            outputBuffers: outputs.map(\.layout.base), carry: carry)
        plan = Plan(
            steps: builder.steps, kernelSteps: builder.steps.map(\.step), arguments: builder.arguments,
            buffers: builder.buffers, arena: ArenaPlan(steps: builder.steps, buffers: builder.buffers),
            constants: builder.constants, inputOfOutput: donation.inputOfOutput, carry: carry)
        arenaByteCount = plan.arena.byteCount
    }

    /// Runs the program on values.
    public func run(_ inputs: [Tensor]) throws -> [Tensor] {
        guard inputs.map(\.type) == inputTypes else {
            throw TensorError(
                .shape, "run", expected: "inputs of types \(inputTypes)", got: "\(inputs.map(\.type))")
        }
        let inputBuffers = try inputs.map { try $0.buffer(for: "run") }
        let outputs = try outputTypes.map { Tensor(buffer: try Buffer(byteCount: $0.byteCount), type: $0) }
        let context = try idleContexts.withLock { $0.popLast() } ?? RunContext(plan)
        defer { idleContexts.withLock { if $0.count < 4 { $0.append(context) } } }
        for (number, buffer) in plan.buffers.enumerated() {
            switch buffer.source {
            case .input(let k): context.slots[number] = inputBuffers[k].base
            case .output(let k): context.slots[number] = try outputs[k].buffer(for: "run").base
            case .constant, .temporary, .window: break
            }
        }
        withExtendedLifetime((inputBuffers, outputs)) { context.run(plan, repetitions: 1) }
        return outputs
    }
}

/// The mutable part of a run: the arena and the table of addresses.
final class RunContext: @unchecked Sendable {
    // Used by one run at a time: contexts are handed out and taken back under a lock, or owned by one BoundExecution.
    let slots: UnsafeMutablePointer<UnsafeMutableRawPointer?>
    private let arena: Buffer
    private let slotCount: Int

    init(_ plan: Executable.Plan) throws {
        slotCount = plan.buffers.count
        arena = try Buffer(byteCount: plan.arena.byteCount)
        slots = .allocate(capacity: max(slotCount, 1))
        slots.initialize(repeating: nil, count: max(slotCount, 1))
        for (number, buffer) in plan.buffers.enumerated() {
            if let offset = plan.arena.offsets[number] { slots[number] = arena.base + offset }
            if case .constant(let k) = buffer.source {
                slots[number] = try plan.constants[k].buffer(for: "run").base
            }
        }
    }

    func run(_ plan: Executable.Plan, repetitions: Int) {
        plan.kernelSteps.withUnsafeBufferPointer { steps in
            ComputePool.withPool { pool in
                for _ in 0..<repetitions {
                    spk_run_plan(steps.baseAddress, Int64(steps.count), slots, pool)
                }
            }
        }
    }

    /// As `run`, adding up how long each step takes, and each that it runs.
    func profile(_ plan: Executable.Plan, times: inout [spk_step_time]) {
        plan.kernelSteps.withUnsafeBufferPointer { steps in
            times.withUnsafeMutableBufferPointer { times in
                ComputePool.withPool { pool in
                    spk_profile_plan(steps.baseAddress, Int64(steps.count), slots, pool, times.baseAddress)
                }
            }
        }
    }

    deinit { slots.deallocate() }
}

/// A program bound to memory of its own, for loops: inputs are set once or now and then, carried state is updated in place,
/// and a run allocates nothing.
public final class BoundExecution {
    private let executable: Executable
    private let context: RunContext
    private let inputs: [Buffer]
    private let outputs: [Buffer]
    /// Carried outputs that could not be written in place: copied after each run.
    private let copies: [(from: Buffer, to: Buffer, byteCount: Int)]

    /// Copies `inputs`, the first run's, into memory of its own.
    public init(_ executable: Executable, inputs values: [Tensor]) throws {
        guard values.map(\.type) == executable.inputTypes else {
            throw TensorError(
                .shape, "bind", expected: "inputs of types \(executable.inputTypes)",
                got: "\(values.map(\.type))")
        }
        self.executable = executable
        let plan = executable.plan
        context = try RunContext(plan)
        inputs = try values.map { value in
            let buffer = try Buffer(byteCount: value.type.byteCount)
            try value.withUnsafeBytes { bytes in
                if let base = bytes.baseAddress { buffer.base.copyMemory(from: base, byteCount: bytes.count) }
            }
            return buffer
        }
        var outputs: [Buffer] = []
        var copies: [(from: Buffer, to: Buffer, byteCount: Int)] = []
        for (k, type) in executable.outputTypes.enumerated() {
            if let input = plan.inputOfOutput[k] {
                outputs.append(inputs[input])
            } else {
                let buffer = try Buffer(byteCount: type.byteCount)
                outputs.append(buffer)
                if let input = plan.carry[k] { copies.append((buffer, inputs[input], type.byteCount)) }
            }
        }
        self.outputs = outputs
        self.copies = copies
        for (number, buffer) in plan.buffers.enumerated() {
            switch buffer.source {
            case .input(let k): context.slots[number] = inputs[k].base
            case .output(let k): context.slots[number] = outputs[k].base
            case .constant, .temporary, .window: break
            }
        }
    }

    /// Runs the program `repetitions` times, each on the state that the one before left.
    public func run(repetitions: Int = 1) {
        if copies.isEmpty {
            context.run(executable.plan, repetitions: repetitions)
            return
        }
        for _ in 0..<repetitions {
            context.run(executable.plan, repetitions: 1)
            copyCarried()
        }
    }

    /// Runs the program `repetitions` times, as `run` does, and tells where the time went.
    public func profile(repetitions: Int) -> PlanProfile {
        let plan = executable.plan
        var times = Array(repeating: spk_step_time(), count: plan.steps.reduce(0) { $0 + $1.count })
        for _ in 0..<repetitions {
            context.profile(plan, times: &times)
            copyCarried()
        }
        return PlanProfile(plan, times: times, repetitions: repetitions)
    }

    private func copyCarried() {
        for copy in copies { copy.to.base.copyMemory(from: copy.from.base, byteCount: copy.byteCount) }
    }

    /// Writes an input's value for the next run.
    public func set(_ index: Int, _ value: Tensor) throws {
        guard executable.inputTypes.indices.contains(index), value.type == executable.inputTypes[index] else {
            throw TensorError(
                .shape, "set", expected: "one of the inputs \(executable.inputTypes)",
                got: "\(value.type) for input \(index)")
        }
        try value.withUnsafeBytes { bytes in
            if let base = bytes.baseAddress {
                inputs[index].base.copyMemory(from: base, byteCount: bytes.count)
            }
        }
    }

    /// The memory of an input, to be written between runs.
    package func inputBytes(_ index: Int) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(
            start: inputs[index].base, count: executable.inputTypes[index].byteCount)
    }

    /// An input as the next run will see it, copied: for carried state, what the last run left.
    public func input(_ index: Int) throws -> Tensor {
        try Tensor(bytes: UnsafeRawBufferPointer(inputBytes(index)), type: executable.inputTypes[index])
    }

    /// The memory of an output of the last run.
    package func outputBytes(_ index: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: outputs[index].base, count: executable.outputTypes[index].byteCount)
    }

    /// An output of the last run, copied.
    public func output(_ index: Int) throws -> Tensor {
        try Tensor(bytes: outputBytes(index), type: executable.outputTypes[index])
    }
}
