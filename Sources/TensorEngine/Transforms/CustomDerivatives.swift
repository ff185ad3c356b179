// customJVP and customVJP: functions with a derivative of the user's own.
import Synchronization

/// A rule that takes and gives lists of tensors; equal only to itself.
final class TensorRule: Sendable, Hashable {
    let body: @Sendable ([Tensor]) throws -> [Tensor]

    init(_ body: @escaping @Sendable ([Tensor]) throws -> [Tensor]) { self.body = body }

    static func == (a: TensorRule, b: TensorRule) -> Bool { a === b }
    func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }

    /// The rule for all members at once. Results that the members share are repeated.
    func batched(isMapped: [Bool], size: Int) -> TensorRule {
        TensorRule { [self] inputs in
            let members = zip(inputs, isMapped).map { Batched($0, isMapped: $1) }
            let recorded = try Trace.record(members.map(\.memberType)) { (try self.body($0), ()) }
            return try recorded.program.evaluate(
                batched: members + recorded.captures.map { Batched($0, isMapped: false) }, size: size
            ).map { try $0.materialized(size: size) }
        }
    }
}

/// A program whose tangents a rule computes.
struct CustomJVPCall: Primitive {
    let program: Program
    /// From the arguments and their tangents to the results and theirs.
    let rule: TensorRule
    /// How many operands are arguments; the others are values of surrounding functions.
    let argumentCount: Int
    var name: String { "customJVP" }
    var subprograms: [(label: String, program: Program)] { [("body", program)] }
    var inlined: Program? { program }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        try Remat(program: program).outputTypes(inputs)
    }

    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        try checkCaptures(tangents[argumentCount...], name)
        let directions = try zip(primals, tangents).prefix(argumentCount).map { try $1 ?? zerosLike($0) }
        let results = try rule.body(primals[..<argumentCount] + directions)
        let types = program.outputTypes
        guard results.map(\.type) == types + types else {
            throw TensorError(
                .shape, name, expected: "a rule that gives values and tangents of types \(types)",
                got: "\(results.map(\.type))")
        }
        return (
            Array(results[..<types.count]),
            zip(types, results[types.count...]).map { $0.dtype.isFloating ? $1 : nil }
        )
    }

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        let isMapped = inputs.map(\.isMapped)
        let all = program.outputs.map { _ in true }
        let batched = try program.batched(isMapped: isMapped, size: size, materializing: all).program
        let arguments = Array(isMapped[..<argumentCount])
        let call = CustomJVPCall(
            program: batched,
            rule: rule.batched(isMapped: arguments + arguments.map { _ in true }, size: size)
                .materializingTangents(isMapped: arguments, size: size), argumentCount: argumentCount)
        return try apply(call, inputs.map(\.tensor)).map { Batched($0, isMapped: true) }
    }

    var lowering: LoweringRule { Remat(program: program).lowering }

    var stableHLO: StableHLORule { Remat(program: program).stableHLO }
}

extension TensorRule {
    /// The rule over arguments and tangents, whose tangents may lack the member axis that the rule expects: an argument that
    /// members share has a tangent that they share.
    fileprivate func materializingTangents(isMapped: [Bool], size: Int) -> TensorRule {
        TensorRule { [self] inputs in
            let tangents = try zip(inputs[isMapped.count...], isMapped).map {
                try Batched($0, isMapped: $1).materialized(size: size)
            }
            return try body(inputs[..<isMapped.count] + tangents)
        }
    }
}

/// A program whose cotangents a rule computes.
struct CustomVJPCall: Primitive {
    let program: Program
    /// From the arguments to the results and what the backward rule needs.
    let forward: TensorRule
    /// From what `forward` kept and the results' cotangents to the arguments' cotangents.
    let backward: TensorRule
    let argumentCount: Int
    var name: String { "customVJP" }
    var subprograms: [(label: String, program: Program)] { [("body", program)] }
    var inlined: Program? { program }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        try Remat(program: program).outputTypes(inputs)
    }

    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        try checkCaptures(tangents[argumentCount...], name)
        let types = program.outputTypes
        let results = try forward.body(Array(primals[..<argumentCount]))
        guard results.count >= types.count, results.prefix(types.count).map(\.type) == types else {
            throw TensorError(
                .shape, name, expected: "a forward rule that gives values of types \(types)",
                got: "\(results.prefix(types.count).map(\.type))")
        }
        let directions = try zip(primals, tangents).prefix(argumentCount).map { try $1 ?? zerosLike($0) }
        let residuals = results[types.count...]
        let tangent = CustomVJPTangent(backward: backward, types: types, residualCount: residuals.count)
        let outputs = try apply(tangent, residuals + directions)
        return (Array(results[..<types.count]), zip(types, outputs).map { $0.dtype.isFloating ? $1 : nil })
    }

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        let isMapped = inputs.map(\.isMapped)
        let all = program.outputs.map { _ in true }
        let batched = try program.batched(isMapped: isMapped, size: size, materializing: all).program
        // The backward rule sees a batch of everything; shared arguments get the sum over the members.
        let arguments = Array(isMapped[..<argumentCount])
        let backward = backward
        let summed = TensorRule { inputs in
            try zip(backward.batched(isMapped: inputs.map { _ in true }, size: size).body(inputs), arguments)
                .map { try $1 ? $0 : sum($0, axes: [0]) }
        }
        let call = CustomVJPCall(
            program: batched, forward: forward.batched(isMapped: arguments, size: size), backward: summed,
            argumentCount: argumentCount)
        return try apply(call, inputs.map(\.tensor)).map { Batched($0, isMapped: true) }
    }

    var lowering: LoweringRule { Remat(program: program).lowering }

    var stableHLO: StableHLORule { Remat(program: program).stableHLO }
}

/// The tangents of a function of which only the transpose is known.
struct CustomVJPTangent: Primitive {
    let backward: TensorRule
    let types: [TensorType]
    let residualCount: Int
    var name: String { "customVJPTangent" }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] { types }

    func transpose(_ cotangents: [Tensor?], _ operands: [LinearOperand]) throws -> [Tensor?] {
        let incoming = try zip(cotangents, types).map { try $0 ?? full($1.shape, 0, dtype: $1.dtype) }
        let results = try backward.body(operands[..<residualCount].compactMap(\.known) + incoming)
        let expected = operands[residualCount...].map(\.type)
        guard results.map(\.type) == expected else {
            throw TensorError(
                .shape, "customVJP", expected: "a backward rule that gives cotangents of types \(expected)",
                got: "\(results.map(\.type))", fix: "A cotangent has the shape and type of its argument.")
        }
        return Array(repeating: nil, count: residualCount) + results
    }

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] { throw hasNoForwardMode }

    var lowering: LoweringRule { .kernel { _, _, _ in throw hasNoForwardMode } }

    var stableHLO: StableHLORule { .unavailable("it has no forward mode") }

    private var hasNoForwardMode: TensorError {
        TensorError(
            .tracing, "customVJP", expected: "reverse-mode differentiation (grad, vjp, jacrev)",
            got: "forward mode, for which the function has no rule",
            fix: "Use customJVP: its rule serves both modes.")
    }
}

/// The tree that a forward rule kept, for its structure.
private final class KeptTree<Kept: TensorTree>: Sendable {
    let tree = Mutex<Kept?>(nil)
}

/// A custom derivative says nothing about values that the function takes from its surroundings.
private func checkCaptures(_ tangents: ArraySlice<Tensor?>, _ operation: String) throws {
    guard tangents.contains(where: { $0 != nil }) else { return }
    throw TensorError(
        .tracing, operation, expected: "a function of its arguments alone",
        got: "one that uses a value of a surrounding function that is being differentiated",
        fix: "Pass the value as an argument, or through stopGradient.")
}

// MARK: - The functions

/// A function with a derivative of its own. Made by `customJVP` and `customVJP`.
public struct CustomDerivative<In: TensorTree, Out: TensorTree>: Sendable {
    fileprivate let function: @Sendable (In) throws -> Out
    /// The operation for a traced function of so many tensors, given the trees it takes and returns.
    fileprivate let operation: @Sendable (Program, Int, In, Out) -> any Primitive

    public func callAsFunction(_ argument: In) throws -> Out {
        guard Trace.current != nil else { return try function(argument) }
        let leaves = argument.leaves
        let traced = try TracedFunction(argument, function)
        let operation = operation(traced.program, leaves.count, argument, traced.output)
        return try traced.output.replacingLeaves(try operation.run(leaves + traced.captures))
    }
}

/// `function` with a derivative of its own (jax.custom_jvp), used in forward and, transposed, in reverse mode. A function of
/// several tensors takes them as an array, or as any other tree.
///
/// - Parameter rule: the value and its tangent, from the argument and its tangent; must be linear in the tangent.
public func customJVP<In: TensorTree, Out: TensorTree>(
    _ function: @escaping @Sendable (In) throws -> Out,
    rule: @escaping @Sendable (_ primal: In, _ tangent: In) throws -> (Out, Out)
) -> CustomDerivative<In, Out> {
    CustomDerivative(function: function) { program, argumentCount, template, _ in
        CustomJVPCall(
            program: program,
            rule: TensorRule { inputs in
                let (value, tangent) = try rule(
                    try template.replacingLeaves(Array(inputs[..<argumentCount])),
                    try template.replacingLeaves(Array(inputs[argumentCount...])))
                return value.leaves + tangent.leaves
            }, argumentCount: argumentCount)
    }
}

/// `function` with a reverse-mode derivative of its own (jax.custom_vjp). A function of several tensors takes them as an array,
/// or as any other tree.
///
/// - Parameters:
///   - forward: the value, and what `backward` needs.
///   - backward: from that and the value's cotangent, the argument's cotangent.
public func customVJP<In: TensorTree, Out: TensorTree, Residuals: TensorTree>(
    _ function: @escaping @Sendable (In) throws -> Out,
    forward: @escaping @Sendable (In) throws -> (Out, Residuals),
    backward: @escaping @Sendable (Residuals, Out) throws -> In
) -> CustomDerivative<In, Out> {
    CustomDerivative(function: function) { program, argumentCount, template, output in
        let kept = KeptTree<Residuals>()
        return CustomVJPCall(
            program: program,
            forward: TensorRule { inputs in
                let (value, residuals) = try forward(try template.replacingLeaves(inputs))
                kept.tree.withLock { $0 = residuals }
                return value.leaves + residuals.leaves
            },
            backward: TensorRule { inputs in
                guard let shape = kept.tree.withLock({ $0 }) else {
                    throw TensorError(
                        .structure, "customVJP", expected: "the forward rule to run first",
                        got: "backward alone")
                }
                var cursor = LeafCursor(inputs)
                let residuals = try shape.replacingLeaves(from: &cursor)
                return try backward(residuals, try output.replacingLeaves(from: &cursor)).leaves
            }, argumentCount: argumentCount)
    }
}
