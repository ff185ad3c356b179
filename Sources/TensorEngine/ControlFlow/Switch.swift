// cond and switch: one of several programs runs, chosen by a value.
import CKernels

/// Runs the program that an int32 scalar names; numbers outside mean the first or the last one (lax.switch).
///
/// Operands: the index, then the programs' inputs, the same for all. Derivatives compute the chosen program again, so that
/// nothing needs to be kept for those that were not.
struct Switch: Primitive {
    let branches: [Program]
    var name: String { branches.count == 2 ? "cond" : "switch" }
    var subprograms: [(label: String, program: Program)] {
        branches.enumerated().map { ("branch \($0.offset)", $0.element) }
    }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        guard let first = branches.first, inputs.first == TensorType(.int32, []),
            branches.allSatisfy({ $0.inputTypes == Array(inputs.dropFirst()) })
        else {
            throw TensorError(
                .shape, name, expected: "an int32 scalar and operands \(branches.first?.inputTypes ?? [])",
                got: "\(inputs)")
        }
        for (k, branch) in branches.enumerated() where branch.outputTypes != first.outputTypes {
            throw TensorError(
                .shape, name, expected: "branches with results of the same types, \(first.outputTypes)",
                got: "\(branch.outputTypes) from branch \(k)", fix: "Convert with astype or broadcastTo.")
        }
        return first.outputTypes
    }

    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        let results = try apply(self, primals)
        let active = primals.indices.dropFirst().filter { tangents[$0] != nil }
        let derivatives = try branches.map { try $0.tangentProgram(active: active.map { $0 - 1 }) }
        let hasTangent = results.indices.map { k in derivatives.contains { $0.isActive[k] } }
        let programs = try derivatives.map { try $0.giving(hasTangent) }
        guard hasTangent.contains(true) else { return (results, results.map { _ in nil }) }
        var directions = try apply(Switch(branches: programs), primals + active.compactMap { tangents[$0] })
            .makeIterator()
        return (results, hasTangent.map { $0 ? directions.next() : nil })
    }

    func transpose(_ cotangents: [Tensor?], _ operands: [LinearOperand]) throws -> [Tensor?] {
        guard let index = operands[0].known else { return operands.map { _ in nil } }
        let linear = operands.indices.dropFirst().filter { operands[$0].isLinear }
        let transposed = try branches.map {
            try $0.transposedProgram(
                isLinear: operands.dropFirst().map(\.isLinear), given: cotangents.map { $0 != nil })
        }
        let results = try apply(
            Switch(branches: transposed),
            [index] + operands.dropFirst().compactMap(\.known) + cotangents.compactMap { $0 })
        var contributions = [Tensor?](repeating: nil, count: operands.count)
        for (operand, result) in zip(linear, results) { contributions[operand] = result }
        return contributions
    }

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        let isMapped = inputs.dropFirst().map(\.isMapped)
        let operands = inputs.dropFirst().map(\.tensor)
        if inputs[0].isMapped {
            // Members choose differently: all branches run, and each member takes its own results.
            var results: [Tensor] = []
            for (k, branch) in branches.enumerated() {
                let values = try branch.evaluate(batched: Array(inputs.dropFirst()), size: size)
                    .map { try $0.materialized(size: size) }
                guard k > 0 else {
                    results = values
                    continue
                }
                let isLast = k == branches.count - 1
                let isChosen = try isLast ? greaterEqual(inputs[0].tensor, k) : equal(inputs[0].tensor, k)
                results = try zip(results, values).map {
                    try select(broadcastLeading(isChosen, to: $1.shape), $1, $0)
                }
            }
            return results.map { Batched($0, isMapped: true) }
        }
        let plain = try branches.map { try $0.batched(isMapped: isMapped, size: size, materializing: []) }
        let anyMapped = branches[0].outputs.indices.map { k in plain.contains { $0.isMapped[k] } }
        let programs = try branches.map {
            try $0.batched(isMapped: isMapped, size: size, materializing: anyMapped).program
        }
        let results = try apply(Switch(branches: programs), [inputs[0].tensor] + operands)
        return zip(results, anyMapped).map { Batched($0, isMapped: $1) }
    }

    var lowering: LoweringRule {
        .kernel { builder, inputs, outputs in
            let first = builder.buffers.count
            let bodies = try branches.map {
                try builder.body($0, inputs: Array(inputs.dropFirst()), outputs: outputs)
            }
            let programs = bodies.map {
                spk_branch(steps: builder.arguments.store($0.map(\.step)), count: Int64($0.count))
            }
            let arguments = spk_switch(
                index_slot: inputs[0].slot, branch_count: Int32(branches.count),
                index_offset: inputs[0].offset,
                branches: builder.arguments.store(programs))
            builder.controlStep(
                arguments, spk_run_switch, bodies: bodies, first: first, touching: inputs + outputs)
        }
    }

    var stableHLO: StableHLORule {
        .custom { writer, operation in
            let index = operation.operands[0]
            // StableHLO takes the last branch for any number outside.
            let inside = writer.write(
                "stablehlo.clamp", [writer.index(0), index, writer.index(branches.count - 1)], as: index.type)
            let operands = Array(operation.operands.dropFirst())
            let regions = operation.subprograms.map { program in
                StableHLOWriter.Region(arguments: []) { writer, _ in try writer.write(program, operands) }
            }
            return try writer.writeGeneric("stablehlo.case", [inside], "", regions, as: operation.results)
        }
    }
}

/// A condition per member, repeated along all other axes.
func broadcastLeading(_ condition: Tensor, to shape: Shape) throws -> Tensor {
    try broadcastInDim(condition, shape: shape, dimensions: [0])
}

// MARK: - The functions

/// `onTrue(operand)` where the scalar `predicate` holds, else `onFalse(operand)`; only the chosen one is computed (lax.cond).
/// Under `vmap` with a predicate per member both are. For a choice element by element use `select`.
public func cond<Operand: TensorTree, Out: TensorTree>(
    _ predicate: Tensor, _ onTrue: @escaping (Operand) throws -> Out,
    _ onFalse: @escaping (Operand) throws -> Out,
    _ operand: Operand
) throws -> Out {
    guard predicate.rank == 0 else {
        throw TensorError(
            .shape, "cond", expected: "a scalar as the predicate", got: "\(predicate.type)",
            fix: "Use any or all, or select for a choice element by element.")
    }
    return try choose(predicate.astype(.bool).astype(.int32), [onFalse, onTrue], operand, "cond")
}

/// The function that the int32 scalar `index` names, applied to `operand`; an index outside means the first or the last one
/// (lax.switch). Only the chosen one is computed.
public func switchCase<Operand: TensorTree, Out: TensorTree>(
    _ index: Tensor, _ branches: [(Operand) throws -> Out], _ operand: Operand
) throws -> Out {
    guard index.rank == 0, !index.dtype.isFloating, !branches.isEmpty else {
        throw TensorError(
            .argument, "switchCase", expected: "an integer scalar and at least one branch",
            got: "\(index.type) and \(branches.count) branches")
    }
    return try choose(index.astype(.int32), branches, operand, "switchCase")
}

private func choose<Operand: TensorTree, Out: TensorTree>(
    _ index: Tensor, _ branches: [(Operand) throws -> Out], _ operand: Operand, _ operation: String
) throws -> Out {
    let leaves = operand.leaves
    let recorded = try branches.map { branch in
        try Trace.record(leaves.map(\.type)) { traced in
            let output = try branch(try operand.replacingLeaves(traced))
            return (output.leaves, output)
        }
    }
    // Every branch takes what any of them captured.
    let captures = recorded.flatMap(\.captures)
    var programs: [Program] = []
    var position = 0
    for (program, own, output) in recorded {
        var structure: [String] = []
        var expected: [String] = []
        output.appendStructure(to: &structure)
        recorded[0].extra.appendStructure(to: &expected)
        guard structure == expected else {
            throw TensorError(
                .structure, operation, expected: "branches that return trees of one structure, \(expected)",
                got: "\(structure)")
        }
        var widened = program
        widened.inputs = Array(program.inputs[..<leaves.count])
        for (k, capture) in captures.enumerated() {
            let isOwn = k >= position && k < position + own.count
            widened.inputs.append(
                isOwn ? program.inputs[leaves.count + k - position] : widened.makeVariable(capture.type))
        }
        position += own.count
        programs.append(widened)
    }
    let results = try apply(Switch(branches: programs), [index] + leaves + captures)
    return try recorded[0].extra.replacingLeaves(results)
}
