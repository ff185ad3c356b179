// remat: computing values again in the backward pass instead of keeping them.
import Synchronization

/// A program whose derivative computes its values again from the inputs (jax.checkpoint).
///
/// Its tangents are another such program, which recomputes what it needs; transposing that one is the backward pass. The
/// recomputation reads the inputs through `Barrier`s, or common subexpressions would bring the kept values back.
struct Remat: Primitive {
    let program: Program
    var name: String { "remat" }
    var subprograms: [(label: String, program: Program)] { [("body", program)] }
    var inlined: Program? { program }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        guard inputs == program.inputTypes else {
            throw TensorError(.shape, name, expected: "operands \(program.inputTypes)", got: "\(inputs)")
        }
        return program.outputTypes
    }

    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        let results = try apply(self, primals)
        let active = primals.indices.filter { tangents[$0] != nil }
        let derivative = try program.tangentProgram(active: active)
        var directions = try apply(
            Remat(program: derivative.program), primals + active.compactMap { tangents[$0] }
        ).makeIterator()
        return (results, derivative.isActive.map { $0 ? directions.next() : nil })
    }

    func transpose(_ cotangents: [Tensor?], _ operands: [LinearOperand]) throws -> [Tensor?] {
        try program.transpose(try operands.map { try $0.known.map { try Barrier()($0) } }, cotangents)
    }

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        let batched = try program.batched(isMapped: inputs.map(\.isMapped), size: size, materializing: [])
        return zip(try apply(Remat(program: batched.program), inputs.map(\.tensor)), batched.isMapped)
            .map { Batched($0, isMapped: $1) }
    }

    var lowering: LoweringRule {
        .kernel { builder, inputs, outputs in
            throw TensorError(.structure, name, expected: "its program in its place", got: "remat itself")
        }
    }

    var stableHLO: StableHLORule { .composite { try program.evaluate($0) } }
}

/// The identity, which no other operation is equal to: what depends on it is not shared with what does not.
struct Barrier: Primitive {
    private static let count = Atomic<Int>(0)
    private let number = Barrier.count.wrappingAdd(1, ordering: .relaxed).newValue
    var name: String { "barrier" }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] { [inputs[0]] }

    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        ([try self(primals[0])], [tangents[0]])
    }

    func transpose(_ cotangents: [Tensor?], _ operands: [LinearOperand]) throws -> [Tensor?] { cotangents }

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        [Batched(try Barrier()(inputs[0].tensor), isMapped: inputs[0].isMapped)]
    }

    var lowering: LoweringRule { .view { layout, _, _ in layout } }

    var stableHLO: StableHLORule { .identity }
}

/// A function whose intermediate values are computed again in the backward pass. Made by `remat`.
public struct Rematerialized<each In: TensorTree, Out: TensorTree> {
    fileprivate let function: (repeat each In) throws -> Out

    public func callAsFunction(_ arguments: repeat each In) throws -> Out {
        guard Trace.current != nil else { return try function(repeat each arguments) }
        var leaves: [Tensor] = []
        repeat (each arguments).appendLeaves(to: &leaves)
        let recorded = try Trace.record(leaves.map(\.type)) { traced in
            var cursor = LeafCursor(traced)
            let output = try function(repeat try (each arguments).replacingLeaves(from: &cursor))
            return (output.leaves, output)
        }
        return try recorded.extra.replacingLeaves(
            try apply(Remat(program: recorded.program), leaves + recorded.captures))
    }
}

/// The function with the same values and derivatives, whose reverse mode keeps only its arguments and computes the rest again
/// (jax.checkpoint): less memory for more time. The results are the same bits.
public func remat<each In: TensorTree, Out: TensorTree>(
    _ function: @escaping (repeat each In) throws -> Out
) -> Rematerialized<repeat each In, Out> {
    Rematerialized(function: function)
}
