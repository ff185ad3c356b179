// whileLoop: a loop that runs until a condition fails.
import CKernels

/// Runs a program on its own results as long as a condition on them holds (lax.while_loop).
///
/// Operands: the condition's constants, the body's constants, the values. Results: the values at the end.
struct While: Primitive {
    /// Inputs: its constants, the values. Output: a bool scalar.
    let condition: Program
    /// Inputs: its constants, the values. Outputs: the values.
    let body: Program
    let conditionConstantCount: Int
    let bodyConstantCount: Int
    var name: String { "while" }
    var subprograms: [(label: String, program: Program)] { [("condition", condition), ("body", body)] }

    private var constantCount: Int { conditionConstantCount + bodyConstantCount }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        guard inputs.count >= constantCount else {
            throw TensorError(
                .shape, name, expected: "\(constantCount) constants and values", got: "\(inputs)")
        }
        let conditionConstants = Array(inputs[..<conditionConstantCount])
        let bodyConstants = Array(inputs[conditionConstantCount..<constantCount])
        let values = Array(inputs[constantCount...])
        guard condition.inputTypes == conditionConstants + values, body.inputTypes == bodyConstants + values
        else {
            throw TensorError(
                .shape, name, expected: "operands for \(condition.inputTypes) and \(body.inputTypes)",
                got: "\(inputs)")
        }
        guard condition.outputTypes == [TensorType(.bool, [])], body.outputTypes == values else {
            throw TensorError(
                .shape, name, expected: "a bool scalar as the condition, and a body that gives \(values)",
                got: "\(condition.outputTypes) and \(body.outputTypes)")
        }
        return values
    }

    /// The tangents come from a second loop over values and tangents together, since the number of iterations is not known.
    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        let results = try apply(self, primals)
        let values = Array(primals[constantCount...])
        let bodyConstants = Array(primals[conditionConstantCount..<constantCount])
        let activeConstants = bodyConstants.indices.filter { tangents[conditionConstantCount + $0] != nil }
        var isActive = values.indices.map { tangents[constantCount + $0] != nil }
        while true {
            let active = values.indices.filter { isActive[$0] }
            let derivative = try body.tangentProgram(
                active: activeConstants + active.map { bodyConstantCount + $0 })
            let grown = zip(isActive, derivative.isActive).map { $0 || $1 }
            guard grown == isActive else {
                isActive = grown
                continue
            }
            guard isActive.contains(true) else { return (results, values.map { _ in nil }) }
            let joint = try self.joint(derivative.giving(isActive), activeConstants.count, active)
            let operands =
                primals[..<constantCount]
                + activeConstants.compactMap { tangents[conditionConstantCount + $0] }
                + values + (try active.map { try tangents[constantCount + $0] ?? zerosLike(values[$0]) })
            var directions = try apply(joint, Array(operands))[values.count...].makeIterator()
            return (results, isActive.map { $0 ? directions.next() : nil })
        }
    }

    /// The loop over values and tangents. `tangentProgram`'s inputs: the body's, tangents of constants, tangents of values.
    private func joint(_ tangentProgram: Program, _ tangentConstantCount: Int, _ active: [Int]) throws
        -> While
    {
        let valueCount = body.outputs.count
        let types = tangentProgram.inputTypes
        let constants = types[..<bodyConstantCount]
        let values = types[bodyConstantCount..<(bodyConstantCount + valueCount)]
        let tangents = types[(bodyConstantCount + valueCount)...]
        let inputs =
            constants + tangents.prefix(tangentConstantCount) + values
            + tangents.dropFirst(tangentConstantCount)
        let body = try Trace.record(Array(inputs)) { leaves in
            let constants = leaves[..<bodyConstantCount]
            let tangentConstants = leaves[bodyConstantCount...].prefix(tangentConstantCount)
            let values = leaves[(bodyConstantCount + tangentConstantCount)...].prefix(valueCount)
            let directions = leaves[(bodyConstantCount + tangentConstantCount + valueCount)...]
            let next = try self.body.evaluate(Array(constants + values))
            let tangents = try tangentProgram.evaluate(
                Array(constants + values + tangentConstants + directions))
            return (next + tangents, ())
        }.program
        var condition = condition
        for k in active { condition.inputs.append(condition.makeVariable(self.body.outputTypes[k])) }
        return While(
            condition: condition, body: body, conditionConstantCount: conditionConstantCount,
            bodyConstantCount: bodyConstantCount + tangentConstantCount)
    }

    func transpose(_ cotangents: [Tensor?], _ operands: [LinearOperand]) throws -> [Tensor?] {
        throw TensorError(
            .tracing, "whileLoop", expected: "forward-mode differentiation (jvp, jacfwd)",
            got:
                "reverse mode (grad, vjp), which would need every iteration's values, and their number is not known",
            fix: "Use scan or foriLoop with a fixed number of iterations, or stopGradient around the loop.")
    }

    /// Runs until the condition has failed for all members; those that are done keep their values.
    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        let conditionConstants = inputs[..<conditionConstantCount]
        let bodyConstants = inputs[conditionConstantCount..<constantCount]
        let values = inputs[constantCount...]
        var isMapped = values.map(\.isMapped)
        while true {
            let test = try condition.batched(
                isMapped: conditionConstants.map(\.isMapped) + isMapped, size: size, materializing: [])
            let isConditionMapped = test.isMapped[0]
            if isConditionMapped { isMapped = isMapped.map { _ in true } }
            let step = try body.batched(
                isMapped: bodyConstants.map(\.isMapped) + isMapped, size: size, materializing: isMapped)
            guard step.isMapped == isMapped else {
                isMapped = zip(isMapped, step.isMapped).map { $0 || $1 }
                continue
            }
            let loop =
                isConditionMapped
                ? try masked(size, conditionConstants.map(\.isMapped), bodyConstants.map(\.isMapped))
                : While(
                    condition: test.program, body: step.program,
                    conditionConstantCount: conditionConstantCount,
                    bodyConstantCount: bodyConstantCount)
            let constants = conditionConstants.map(\.tensor) + bodyConstants.map(\.tensor)
            let repeated = isConditionMapped ? conditionConstants.map(\.tensor) + constants : constants
            let start = try zip(values, isMapped).map { try $1 ? $0.materialized(size: size) : $0.tensor }
            return zip(try apply(loop, repeated + start), isMapped).map { Batched($0, isMapped: $1) }
        }
    }

    /// The loop for members with conditions of their own: all values are mapped. The body needs the condition's constants too.
    private func masked(_ size: Int, _ conditionMapped: [Bool], _ bodyMapped: [Bool]) throws -> While {
        let all = body.outputs.map { _ in true }
        let test = try condition.batched(isMapped: conditionMapped + all, size: size, materializing: [true])
            .program
        let step = try body.batched(isMapped: bodyMapped + all, size: size, materializing: all).program
        let anyHolds = try Trace.record(test.inputTypes) { leaves in
            ([try any(test.evaluate(leaves)[0])], ())
        }.program
        let constants = test.inputTypes[..<conditionConstantCount] + step.inputTypes[..<bodyConstantCount]
        let values = step.inputTypes[bodyConstantCount...]
        let masked = try Trace.record(Array(constants + values)) { leaves in
            let values = leaves[constants.count...]
            let holds = try test.evaluate(Array(leaves[..<conditionConstantCount] + values))[0]
            let next = try step.evaluate(Array(leaves[conditionConstantCount..<constants.count] + values))
            let kept = try zip(next, values).map { try select(broadcastLeading(holds, to: $0.shape), $0, $1) }
            return (kept, ())
        }.program
        return While(
            condition: anyHolds, body: masked, conditionConstantCount: conditionConstantCount,
            bodyConstantCount: constants.count)
    }

    var lowering: LoweringRule {
        .kernel { builder, inputs, outputs in
            let first = builder.buffers.count
            let values = inputs[constantCount...]
            let current = values.map { builder.temporary($0.type) }
            let next = values.map { builder.temporary($0.type) }
            let holds = builder.temporary(TensorType(.bool, []))
            for (k, value) in values.enumerated() { builder.copy(value, to: current[k], touching: [next[k]]) }
            let test = try builder.body(
                condition, inputs: inputs[..<conditionConstantCount] + current, outputs: [holds])
            let step = try builder.body(
                body, inputs: inputs[conditionConstantCount..<constantCount] + current, outputs: next)
            let arguments = spk_while(
                condition: builder.arguments.store(test.map(\.step)),
                body: builder.arguments.store(step.map(\.step)), condition_count: Int64(test.count),
                body_count: Int64(step.count), condition_slot: holds.slot, carry_count: Int32(current.count),
                carries: builder.arguments.store(
                    zip(current, next).map { spk_carry(current: $0.slot, next: $1.slot) }))
            builder.controlStep(
                arguments, spk_run_while, bodies: [test, step], first: first,
                touching: inputs + current + next + [holds])
            for k in current.indices { builder.copy(current[k], to: outputs[k], touching: [next[k]]) }
        }
    }

    var stableHLO: StableHLORule {
        .custom { writer, operation in
            let programs = operation.subprograms
            let tested = operation.operands[..<conditionConstantCount]
            let constants = operation.operands[conditionConstantCount..<constantCount]
            let values = Array(operation.operands[constantCount...])
            return try writer.loop(
                values, while: { try $0.write(programs[0], tested + $1)[0] },
                do: { try $0.write(programs[1], constants + $1) })
        }
    }
}

// MARK: - The function

/// Applies `body` to the value as long as `condition` holds for it (lax.while_loop). Under `vmap` the loop runs until no
/// member's condition holds, and finished members keep their values. There is no reverse-mode derivative.
public func whileLoop<Value: TensorTree>(
    _ condition: (Value) throws -> Tensor, _ body: (Value) throws -> Value, initial: Value
) throws -> Value {
    let start = initial.leaves
    let types = start.map(\.type)
    let test = try Trace.record(types) { leaves in
        ([try condition(try initial.replacingLeaves(leaves)).astype(.bool)], ())
    }
    let step = try Trace.record(types) { leaves in
        let next = try body(try initial.replacingLeaves(leaves))
        try checkCarry(next.leaves.map(\.type), types, for: "whileLoop")
        return (next.leaves, next)
    }
    // Captured values come last in a recorded program, and first as a loop's constants.
    func constantsFirst(_ program: Program) -> Program {
        var program = program
        program.inputs = Array(program.inputs[start.count...] + program.inputs[..<start.count])
        return program
    }
    let loop = While(
        condition: constantsFirst(test.program), body: constantsFirst(step.program),
        conditionConstantCount: test.captures.count, bodyConstantCount: step.captures.count)
    return try step.extra.replacingLeaves(
        try loop.applyHoisting(test.captures + step.captures + start))
}
