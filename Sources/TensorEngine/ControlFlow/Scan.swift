// scan: a loop with a known number of iterations, its derivatives, and foriLoop on top of it.
import CKernels

/// Runs a program once for each element along the leading axis of some operands, handing values from one iteration to the
/// next (lax.scan).
///
/// Operands: constants, the same in each iteration; the carry's initial values; sequences, read slice by slice. Results:
/// the carry's last values; the iterations' other results, stacked along a leading axis.
struct Scan: Primitive {
    /// Inputs: constants, carry, slices. Outputs: carry, slices.
    let body: Program
    let constantCount: Int
    let carryCount: Int
    let length: Int
    /// True to begin with the last slice.
    let isReverse: Bool
    var name: String { "scan" }
    var subprograms: [(label: String, program: Program)] { [("body", body)] }

    private var sequences: Range<Int> { (constantCount + carryCount)..<body.inputs.count }
    private var carries: Range<Int> { constantCount..<(constantCount + carryCount) }
    private var stackedOutputs: Range<Int> { carryCount..<body.outputs.count }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        let slices = body.inputTypes
        guard length >= 0, constantCount + carryCount <= slices.count, carryCount <= body.outputs.count,
            inputs == Array(slices[..<sequences.lowerBound]) + slices[sequences].map({ $0.stacked(length) })
        else {
            throw TensorError(
                .shape, name, expected: "operands for a body of \(slices) and \(length) iterations",
                got: "\(inputs)")
        }
        let results = body.outputTypes
        guard Array(results[..<carryCount]) == Array(slices[carries]) else {
            throw TensorError(
                .shape, name,
                expected: "a body that returns a carry of the types it takes, \(slices[carries])",
                got: "\(results[..<carryCount])")
        }
        let types = results[..<carryCount] + results[stackedOutputs].map { $0.stacked(length) }
        for type in types where type.shape.rank > TensorLimits.largestRank {
            throw TensorError(
                .shape, name, expected: "results of rank at most \(TensorLimits.largestRank)", got: "\(type)")
        }
        return Array(types)
    }

    // MARK: Derivatives

    /// The forward loop also stacks what the derivative of an iteration needs; a second loop, linear in the tangents, reads
    /// it. So reverse mode only has to transpose the second.
    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        var isActive = tangents.map { $0 != nil }
        // A carry that becomes active in one iteration is so in all.
        while true {
            let step = try LinearizedBody(
                body, constantCount: constantCount, carryCount: carryCount, isActive: isActive)
            let grown = zip(carries, step.isActiveOutput).filter { $0.1 && !isActive[$0.0] }
            guard grown.isEmpty else {
                for (carry, _) in grown { isActive[carry] = true }
                continue
            }
            return try jvp(primals, tangents, isActive, step)
        }
    }

    private func jvp(
        _ primals: [Tensor], _ tangents: [Tensor?], _ isActive: [Bool], _ step: LinearizedBody
    ) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        let forward = Scan(
            body: step.forward, constantCount: constantCount, carryCount: carryCount, length: length,
            isReverse: isReverse)
        let results = try apply(forward, primals)
        let outputs = Array(results[..<body.outputs.count])
        var stacked = results[body.outputs.count...].makeIterator()

        var invariants = try step.invariants.evaluate(Array(primals[..<constantCount])).makeIterator()
        var constants: [Tensor] = []
        var slices: [Tensor] = []
        for residual in step.residuals {
            switch residual {
            case .operand(let k) where k < constantCount: constants.append(primals[k])
            case .operand(let k): slices.append(primals[k])
            case .invariant: if let value = invariants.next() { constants.append(value) }
            case .output(let k): slices.append(outputs[k])
            case .stacked: if let value = stacked.next() { slices.append(value) }
            case .recomputed: break
            }
        }
        let activeCarries = carries.filter { isActive[$0] }
        // An output's tangent is computed where the body's is active, or where an active carry has to be handed on.
        let hasTangent = body.outputs.indices.map {
            $0 < carryCount ? isActive[constantCount + $0] : step.isActiveOutput[$0]
        }
        func active(_ range: Range<Int>) throws -> [Tensor] {
            try range.filter { isActive[$0] }.map { try tangents[$0] ?? zerosLike(primals[$0]) }
        }
        let linearOperands =
            try constants + active(0..<constantCount) + active(carries) + slices + active(sequences)
        let linear = Scan(
            body: try step.linearBody(hasTangent: hasTangent),
            constantCount: constants.count + (0..<constantCount).count { isActive[$0] },
            carryCount: activeCarries.count, length: length, isReverse: isReverse)
        var directions = try apply(linear, linearOperands).makeIterator()
        return (outputs, hasTangent.map { $0 ? directions.next() : nil })
    }

    /// Runs the other way round, from cotangents of the last carry to those of the first; cotangents of constants are summed.
    /// The scan is one that `jvp` made: linear in all of its carry.
    func transpose(_ cotangents: [Tensor?], _ operands: [LinearOperand]) throws -> [Tensor?] {
        let types = body.inputTypes
        let linearConstants = (0..<constantCount).filter { operands[$0].isLinear }
        let linearSequences = sequences.filter { operands[$0].isLinear }
        let knownConstants = (0..<constantCount).compactMap { operands[$0].known }
        let knownSequences = sequences.compactMap { operands[$0].known }
        func zeros(_ type: TensorType) throws -> Tensor { try full(type.shape, 0, dtype: type.dtype) }

        let carried = try carries.map { try cotangents[$0 - constantCount] ?? zeros(types[$0]) }
        let given = stackedOutputs.filter { cotangents[$0] != nil }
        let slices = knownSequences + given.compactMap { cotangents[$0] }

        // Inputs: known constants, carry, known slices, cotangents of slices. Outputs: carry, linear slices, and what an
        // iteration contributes to the linear constants.
        let inputTypes =
            knownConstants.map(\.type) + carried.map(\.type)
            + sequences.filter { !operands[$0].isLinear }.map { types[$0] }
            + given.map { body.outputTypes[$0] }
        let transposed = try Trace.record(inputTypes) { leaves in
            var rest = leaves.makeIterator()
            var arguments = [Tensor?](repeating: nil, count: types.count)
            var outgoing = [Tensor?](repeating: nil, count: body.outputs.count)
            for k in 0..<constantCount where !operands[k].isLinear { arguments[k] = rest.next() }
            for k in 0..<carryCount { outgoing[k] = rest.next() }
            for k in sequences where !operands[k].isLinear { arguments[k] = rest.next() }
            for k in given { outgoing[k] = rest.next() }
            let results = try body.transpose(arguments, outgoing)
            let contributions = linearConstants.map { results[$0] }
            let others = try (Array(carries) + linearSequences).map { try results[$0] ?? zeros(types[$0]) }
            return (others + contributions.compactMap { $0 }, contributions.map { $0 != nil })
        }
        let loop = Scan(
            body: transposed.program, constantCount: knownConstants.count, carryCount: carryCount,
            length: length, isReverse: !isReverse)
        let (results, sums) = try loop.summing(
            last: transposed.extra.count { $0 }, knownConstants + carried + slices)
        var contributions = [Tensor?](repeating: nil, count: operands.count)
        for k in 0..<carryCount where operands[constantCount + k].isLinear {
            contributions[constantCount + k] = results[k]
        }
        for (k, sequence) in linearSequences.enumerated() {
            contributions[sequence] = results[carryCount + k]
        }
        var remaining = sums.makeIterator()
        for (constant, hasSum) in zip(linearConstants, transposed.extra) where hasSum {
            contributions[constant] = remaining.next()
        }
        return contributions
    }

    /// Runs the loop with the last `count` outputs of its body summed over the iterations instead of stacked.
    private func summing(last count: Int, _ operands: [Tensor]) throws -> (results: [Tensor], sums: [Tensor])
    {
        let summed = Array(body.outputs.suffix(count))
        let kept = Array(body.outputs.dropLast(count))
        var isConstant = [Bool](repeating: false, count: body.types.count)
        var isStacked = isConstant
        for variable in body.inputs[..<constantCount] { isConstant[variable.index] = true }
        for (variable, _) in body.constants { isConstant[variable.index] = true }
        for equation in body.equations where equation.inputs.allSatisfy({ isConstant[$0.index] }) {
            for variable in equation.outputs { isConstant[variable.index] = true }
        }
        for variable in body.inputs[sequences] + kept.dropFirst(carryCount) {
            isStacked[variable.index] = true
        }
        let plan = LoopSums(body, of: summed, isConstant: isConstant, isStacked: isStacked)

        // The running sums are further carries, behind the others.
        var program = body
        var totals: [Variable] = []
        var next: [Variable] = []
        for variable in plan.accumulated {
            let total = program.makeVariable(body.type(of: variable))
            let sum = program.makeVariable(body.type(of: variable))
            program.equations.append(
                Equation(primitive: Binary.add, inputs: [total, variable], outputs: [sum], path: ""))
            totals.append(total)
            next.append(sum)
        }
        program.inputs.insert(contentsOf: totals, at: sequences.lowerBound)
        program.outputs = kept[..<carryCount] + next + kept[carryCount...] + plan.stacked
        let start = try totals.map {
            try zeros(program.type(of: $0).shape, dtype: program.type(of: $0).dtype)
        }
        let loop = Scan(
            body: eliminateDeadCode(program), constantCount: constantCount,
            carryCount: carryCount + totals.count,
            length: length, isReverse: isReverse)
        let results = try apply(
            loop, operands[..<sequences.lowerBound] + start + operands[sequences.lowerBound...])
        let running = results[carryCount..<(carryCount + totals.count)]
        let others = Array(results[..<carryCount] + results[(carryCount + totals.count)...])

        var stacked: [Variable: Tensor] = [:]
        for k in sequences { stacked[body.inputs[k]] = operands[k] }
        for (variable, value) in zip(kept + plan.stacked, others).dropFirst(carryCount) {
            stacked[variable] = value
        }
        let sums = try plan.sums(
            of: summed, accumulated: Dictionary(uniqueKeysWithValues: zip(plan.accumulated, running))
        ) { try Program.defined(stacked[$0], $0) }
        return (Array(others.prefix(kept.count)), sums)
    }

    // MARK: Vectorisation

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        var isMapped = inputs.map(\.isMapped)
        // A carry that differs between members after one iteration does so in all.
        while true {
            let batched = try body.batched(
                isMapped: isMapped, size: size, materializing: carries.map { isMapped[$0] })
            let grown = carries.filter { batched.isMapped[$0 - constantCount] && !isMapped[$0] }
            guard grown.isEmpty else {
                for carry in grown { isMapped[carry] = true }
                continue
            }
            let operands = try inputs.enumerated().map { k, input in
                if carries.contains(k), isMapped[k] { return try input.materialized(size: size) }
                // Slices come along axis 0, and the members follow.
                return k >= sequences.lowerBound && input.isMapped
                    ? try moveAxis(input.tensor, from: 0, to: 1) : input.tensor
            }
            let scan = Scan(
                body: batched.program, constantCount: constantCount, carryCount: carryCount, length: length,
                isReverse: isReverse)
            return try apply(scan, operands).enumerated().map { k, result in
                let isStacked = k >= carryCount && batched.isMapped[k]
                return Batched(
                    isStacked ? try moveAxis(result, from: 1, to: 0) : result, isMapped: batched.isMapped[k])
            }
        }
    }

    // MARK: Compilation

    func pruned(
        keeping isNeeded: [Bool]
    ) -> (primitive: any Primitive, operands: [Int], results: [Int])? {
        // A carry is also needed where what is needed depends on it.
        var isKept = isNeeded
        var program = body
        var isRead = [Bool](repeating: false, count: body.types.count)
        while true {
            program.outputs = zip(body.outputs, isKept).filter { $0.1 }.map { $0.0 }
            let smaller = eliminateDeadCode(program)
            isRead = Array(repeating: false, count: body.types.count)
            for variable in smaller.outputs + smaller.equations.flatMap(\.inputs) {
                isRead[variable.index] = true
            }
            let grown = (0..<carryCount).filter {
                !isKept[$0] && isRead[body.inputs[constantCount + $0].index]
            }
            if grown.isEmpty {
                program = smaller
                break
            }
            for carry in grown { isKept[carry] = true }
        }
        let operands = body.inputs.indices.filter { k in
            carries.contains(k) ? isKept[k - constantCount] : isRead[body.inputs[k].index]
        }
        guard isKept.contains(false) || operands.count < body.inputs.count else { return nil }
        program.inputs = operands.map { body.inputs[$0] }
        let scan = Scan(
            body: program, constantCount: operands.count { $0 < constantCount },
            carryCount: operands.count { carries.contains($0) }, length: length, isReverse: isReverse)
        return (scan, operands, isKept.indices.filter { isKept[$0] })
    }

    var lowering: LoweringRule {
        .kernel { builder, inputs, outputs in
            let first = builder.buffers.count
            // Each carry has two places, which take turns.
            let current = inputs[carries].map { builder.temporary($0.type) }
            let next = inputs[carries].map { builder.temporary($0.type) }
            for (k, carry) in carries.enumerated() {
                builder.copy(inputs[carry], to: current[k], touching: [next[k]])
            }
            var windows: [spk_loop_slice] = []
            func window(_ operand: Operand) -> Operand {
                let (result, window) = builder.window(of: operand)
                windows.append(window)
                return result
            }
            let slices = inputs[sequences].map(window)
            let results = outputs[stackedOutputs].map(window)
            let steps = try builder.body(
                body, inputs: inputs[..<constantCount] + current + slices, outputs: next + results,
                invariantCount: first)
            let arguments = spk_scan(
                body: builder.arguments.store(steps.map(\.step)), body_count: Int64(steps.count),
                length: Int64(length), reverse: isReverse ? 1 : 0, window_count: Int32(windows.count),
                carry_count: Int32(carryCount), windows: builder.arguments.store(windows),
                carries: builder.arguments.store(
                    zip(current, next).map { spk_carry(current: $0.slot, next: $1.slot) }))
            builder.controlStep(
                arguments, spk_run_scan, bodies: [steps], first: first,
                touching: Array(inputs) + current + next + outputs[stackedOutputs])
            for k in 0..<carryCount { builder.copy(current[k], to: outputs[k], touching: [next[k]]) }
        }
    }

    /// A loop over a counter, the carry and the stacked results, which begin as zeros.
    var stableHLO: StableHLORule {
        .custom(sizes: ["length"]) { writer, operation in
            let body = operation.subprograms[0]
            let stacked = Array(operation.results[carryCount...])
            let constants = Array(operation.operands[..<constantCount])
            let initial = Array(operation.operands[carries])
            let sources = operation.operands[sequences]
            let empty = try stacked.map { try writer.splat(0, $0) }
            // No iterations, no slices: a window of one does not fit into nothing.
            guard length > 0 else { return initial + empty }
            let last = try operation.iterationCount(of: self)
            let results = try writer.loop(
                [writer.index(0)] + initial + empty,
                while: { writer, values in writer.compare("LT", values[0], writer.size(last)) },
                do: { writer, values in
                    let counter = values[0]
                    let one = writer.index(1)
                    let next = writer.write("stablehlo.add", [counter, one], as: counter.type)
                    let position =
                        isReverse
                        ? writer.write("stablehlo.subtract", [writer.size(last), next], as: counter.type)
                        : counter
                    let slices = sources.map { writer.slice($0, at: position) }
                    let outputs = try writer.write(
                        body, constants + values[1...].prefix(carryCount) + slices)
                    let rows = zip(values[(1 + carryCount)...], outputs[carryCount...]).map {
                        writer.replacing($0, at: position, by: $1)
                    }
                    return [next] + outputs[..<carryCount] + rows
                })
            return Array(results.dropFirst())
        }
    }
}

extension TensorType {
    /// The type of `count` values of this type along a new leading axis.
    fileprivate func stacked(_ count: Int) -> TensorType {
        TensorType(dtype, Shape([count] + shape.dimensions))
    }
}

// MARK: - The functions

/// A loop over the leading axis of `sequences` (lax.scan): `body` takes the carry and one slice, and returns the carry for
/// the next iteration and a result; the results are stacked along a new leading axis.
///
/// The loop is traced and compiled once, whatever its length. It can be differentiated in both directions; reverse mode
/// keeps, for each iteration, the values that the derivative needs (wrap the body in `remat` to compute them again instead).
///
/// - Parameters:
///   - initial: the first carry. Each iteration must return a carry of the same shapes and types.
///   - reverse: true to run from the last slice to the first; results stay at their slice's place.
public func scan<Carry: TensorTree, Slices: TensorTree, Results: TensorTree>(
    _ body: (Carry, Slices) throws -> (Carry, Results), initial: Carry, over sequences: Slices,
    reverse: Bool = false
) throws -> (carry: Carry, results: Results) {
    let slices = sequences.leaves
    guard let length = slices.first?.shape.first else {
        throw TensorError(
            .shape, "scan", expected: "sequences with a leading axis to run along",
            got: slices.first.map { "\($0.type)" } ?? "no tensor", fix: "Give length: to loop without one.")
    }
    return try scan(body, initial: initial, over: sequences, length: length, reverse: reverse)
}

/// A loop of `length` iterations without sequences: `body` takes the carry and returns the next one and a result.
public func scan<Carry: TensorTree, Results: TensorTree>(
    _ body: (Carry) throws -> (Carry, Results), initial: Carry, length: Int
) throws -> (carry: Carry, results: Results) {
    try scan(
        { (carry: Carry, _: [Tensor]) in try body(carry) }, initial: initial, over: [], length: length,
        reverse: false)
}

private func scan<Carry: TensorTree, Slices: TensorTree, Results: TensorTree>(
    _ body: (Carry, Slices) throws -> (Carry, Results), initial: Carry, over sequences: Slices, length: Int,
    reverse: Bool
) throws -> (carry: Carry, results: Results) {
    let (start, slices) = (initial.leaves, sequences.leaves)
    guard length >= 0, slices.allSatisfy({ $0.shape.first == length }) else {
        throw TensorError(
            .shape, "scan", expected: "sequences with leading axes of one size, \(length)",
            got: "\(slices.map(\.type))")
    }
    let sliceTypes = slices.map { TensorType($0.dtype, Shape($0.shape.dropFirst())) }
    let recorded = try Trace.record(start.map(\.type) + sliceTypes) { leaves in
        let carry = try initial.replacingLeaves(Array(leaves[..<start.count]))
        let (next, results) = try body(carry, try sequences.replacingLeaves(Array(leaves[start.count...])))
        let nextLeaves = next.leaves
        try checkCarry(nextLeaves.map(\.type), start.map(\.type), for: "scan")
        return (nextLeaves + results.leaves, (next, results))
    }
    // Captured values come last in the recorded program, and first as a loop's constants.
    var program = recorded.program
    let own = start.count + slices.count
    program.inputs = Array(program.inputs[own...] + program.inputs[..<own])
    let loop = Scan(
        body: program, constantCount: recorded.captures.count, carryCount: start.count, length: length,
        isReverse: reverse)
    let results = try loop.applyHoisting(recorded.captures + start + slices)
    return (
        try recorded.extra.0.replacingLeaves(Array(results[..<start.count])),
        try recorded.extra.1.replacingLeaves(Array(results[start.count...]))
    )
}

/// A loop's body must return what it takes.
func checkCarry(_ types: [TensorType], _ expected: [TensorType], for operation: String) throws {
    guard types != expected else { return }
    let place = zip(types, expected).enumerated().first { $0.element.0 != $0.element.1 }?.offset
    throw TensorError(
        .shape, operation,
        expected:
            "a body that returns a carry like the one it takes, \(place.map { "\(expected[$0]) at leaf \($0)" } ?? "\(expected.count) tensors")",
        got: place.map { "\(types[$0])" } ?? "\(types.count) tensors",
        fix: "Convert the initial value with astype, or the body's result.")
}

/// `body(i, value)` for i from `lower` up to, not including, `upper`, each on the value of the one before
/// (lax.fori_loop with bounds known while tracing, so that it can be differentiated in both directions).
public func foriLoop<Value: TensorTree>(
    _ lower: Int, _ upper: Int, _ body: (Tensor, Value) throws -> Value, initial: Value
) throws -> Value {
    guard let first = Int32(exactly: lower), Int32(exactly: upper) != nil else {
        throw TensorError(
            .argument, "foriLoop", expected: "bounds that fit into int32", got: "\(lower) and \(upper)")
    }
    let count = Swift.max(upper - lower, 0)
    let indices = try iota(.int32, shape: [count]) + Int(first)
    return try scan(
        { (value: Value, index: Tensor) in (try body(index, value), [Tensor]()) }, initial: initial,
        over: indices
    ).carry
}
