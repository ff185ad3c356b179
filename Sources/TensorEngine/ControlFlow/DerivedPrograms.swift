// What transformations make of a program that an operation holds: its tangents, its transpose, its batched form.

/// A program's tangents as a program, which computes the program's own values again.
struct TangentProgram {
    /// Inputs: the original's, then the tangents of the active ones. Outputs: the tangents that are not zero.
    let program: Program
    let isActive: [Bool]
    fileprivate let outputTypes: [TensorType]

    /// The program with a tangent for each output of `wanted`, zeros where this one has none.
    func giving(_ wanted: [Bool]) throws -> Program {
        try Trace.record(program.inputTypes) { leaves in
            var results = try program.evaluate(leaves).makeIterator()
            let tangents = isActive.map { $0 ? results.next() : nil }
            let outputs = try wanted.indices.compactMap { k -> Tensor? in
                guard wanted[k] else { return nil }
                return try tangents[k] ?? full(outputTypes[k].shape, 0, dtype: outputTypes[k].dtype)
            }
            return (outputs, ())
        }.program
    }
}

extension Program {
    /// The tangents of the outputs, given the inputs and the tangents of those that are `active`.
    func tangentProgram(active: [Int]) throws -> TangentProgram {
        let types = inputTypes
        let recorded = try Trace.record(types + active.map { types[$0] }) { leaves in
            var tangents = [Tensor?](repeating: nil, count: types.count)
            for (k, input) in active.enumerated() { tangents[input] = leaves[types.count + k] }
            let result = try evaluate(Array(leaves[..<types.count]), tangents: tangents)
            return (result.tangents.compactMap { $0 }, result.tangents.map { $0 != nil })
        }
        return TangentProgram(
            program: eliminateDeadCode(recorded.program), isActive: recorded.extra, outputTypes: outputTypes)
    }

    /// The transpose as a program. Inputs: the known inputs, then the cotangents of the outputs that are `given`. Outputs: the
    /// cotangents of the linear inputs.
    func transposedProgram(isLinear: [Bool], given: [Bool]) throws -> Program {
        let types = inputTypes
        let known = types.indices.filter { !isLinear[$0] }
        let cotangentTypes = zip(outputTypes, given).filter { $0.1 }.map { $0.0 }
        return try Trace.record(known.map { types[$0] } + cotangentTypes) { leaves in
            var arguments = [Tensor?](repeating: nil, count: types.count)
            for (k, input) in known.enumerated() { arguments[input] = leaves[k] }
            var incoming = leaves[known.count...].makeIterator()
            let results = try transpose(arguments, given.map { $0 ? incoming.next() : nil })
            let outputs = try types.indices.filter { isLinear[$0] }.map {
                try results[$0] ?? full(types[$0].shape, 0, dtype: types[$0].dtype)
            }
            return (outputs, ())
        }.program
    }

    /// The program for all members at once, with the members along axis 0 of mapped inputs and outputs.
    ///
    /// - Parameter materializing: by output (none beyond the end), whether it is to be mapped in any case.
    func batched(
        isMapped: [Bool], size: Int, materializing: [Bool]
    ) throws -> (program: Program, isMapped: [Bool]) {
        let types = zip(inputTypes, isMapped).map { type, isMapped in
            isMapped ? TensorType(type.dtype, Shape([size] + type.shape.dimensions)) : type
        }
        for type in types where type.shape.rank > TensorLimits.largestRank {
            throw TensorError(
                .shape, "vmap", expected: "tensors of rank at most \(TensorLimits.largestRank)",
                got: "\(type)")
        }
        let recorded = try Trace.record(types) { leaves in
            let results = try evaluate(
                batched: zip(leaves, isMapped).map { Batched($0, isMapped: $1) }, size: size)
            let outputs = try results.enumerated().map { k, result in
                materializing.indices.contains(k) && materializing[k]
                    ? Batched(try result.materialized(size: size), isMapped: true) : result
            }
            return (outputs.map(\.tensor), outputs.map(\.isMapped))
        }
        return (recorded.program, recorded.extra)
    }
}
