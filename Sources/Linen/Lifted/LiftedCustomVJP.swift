// Derivatives of the user's own for computations with a module.
import TensorEngine

extension LiftedTransformations {
    /// The value of `body`, which calls this module, with a reverse-mode derivative of the user's own (Flax's custom_vjp).
    ///
    /// The rule is run when something is differentiated, which may be after `apply` has returned: `body` and `forward` may use this
    /// module, its submodules and its random streams as ever, and nothing else of the modules around it. `backward` has no module at
    /// all; what it needs of the variables is part of the residuals, such as `module.boundVariables`.
    ///
    /// - Parameters:
    ///   - collections: the variables that have a derivative; that of all others is zero.
    ///   - forward: as `body`, and what `backward` needs.
    ///   - backward: from that and the value's cotangent, the cotangents of the variables, by collection, and of the input.
    public func customVJP<In: TensorTree, Out: TensorTree, Residuals: TensorTree>(
        _ input: In, collections: CollectionFilter = "params", _ body: @escaping (In) throws -> Out,
        forward: @escaping (In) throws -> (Out, Residuals),
        backward: @escaping @Sendable (Residuals, Out) throws -> (variables: FrozenDict, input: In)
    ) throws -> Out {
        let rule = try ModuleRule(
            Lifting(module, for: "customVJP"), input, collections, body, forward, backward)
        let differentiable = TensorEngine.customVJP(
            { try rule.value($0) }, forward: { try rule.valueAndResiduals($0) },
            backward: { try rule.cotangents($0, $1) })
        let result = try differentiable(rule.arguments)
        try rule.lifting.publish(result.dictionary(at: 1))
        return try rule.output(result)
    }
}

/// A function of a tuple: the variables with a derivative, the others, the random keys, the input. All of them are arguments, since the
/// forward rule is run where values of the surrounding trace mean nothing any more.
///
/// Unchecked, since modules are not sendable: only the thread that differentiates runs the rule.
private final class ModuleRule<In: TensorTree, Out: TensorTree, Residuals: TensorTree>: @unchecked Sendable {
    let lifting: Lifting
    let arguments: Tree
    private let moment: ModuleContext.Moment
    private let input: In
    private let body: (In) throws -> Out
    private let forward: (In) throws -> (Out, Residuals)
    private let backward: @Sendable (Residuals, Out) throws -> (variables: FrozenDict, input: In)
    /// What `body` or `forward` returned, for its structure.
    private var structure: Out?

    init(
        _ lifting: Lifting, _ input: In, _ collections: CollectionFilter,
        _ body: @escaping (In) throws -> Out, _ forward: @escaping (In) throws -> (Out, Residuals),
        _ backward: @escaping @Sendable (Residuals, Out) throws -> (variables: FrozenDict, input: In)
    ) throws {
        self.lifting = lifting
        self.input = input
        self.body = body
        self.forward = forward
        self.backward = backward
        moment = lifting.context.moment
        let groups = lifting.variables(grouped: [collections, .all])
        let keys = FrozenDict(lifting.randomKeys.map { ($0.key, .tensor($0.value.data)) })
        arguments = .tuple([
            .dictionary(groups[0]), .dictionary(groups[1]), .dictionary(keys), .tensors(input.leaves),
        ])
    }

    /// Calls a function of the input in the module's place, with the arguments' variables and keys.
    private func run<Result>(
        _ arguments: Tree, _ function: (In) throws -> Result
    ) throws -> (Result, changed: FrozenDict) {
        try lifting.run(
            arguments.dictionary(at: 1).merging(arguments.dictionary(at: 0)),
            randomKeys: try PRNGKey.keys(arguments.dictionary(at: 2)), mutable: [.all]
        ) { try function(input.replacingLeaves(arguments["3"]?.leaves ?? [])) }
    }

    func value(_ arguments: Tree) throws -> Tree {
        let (output, changed) = try run(arguments, body)
        structure = output
        return .tuple([.tensors(output.leaves), .dictionary(changed)])
    }

    func valueAndResiduals(_ arguments: Tree) throws -> (Tree, Residuals) {
        try lifting.context.resume(moment) {
            let ((output, residuals), changed) = try run(arguments, forward)
            structure = output
            return (.tuple([.tensors(output.leaves), .dictionary(changed)]), residuals)
        }
    }

    func output(_ result: Tree) throws -> Out {
        guard let structure else {
            throw ModuleError(.argument, "customVJP", expected: "a body that runs", got: "one that did not")
        }
        return try structure.replacingLeaves(result["0"]?.leaves ?? [])
    }

    func cotangents(_ residuals: Residuals, _ cotangent: Tree) throws -> Tree {
        let result = try backward(residuals, try output(cotangent))
        let expected = Tree.dictionary(arguments.dictionary(at: 0))
        let variables = Tree.dictionary(result.variables)
        if let difference = expected.structureDifference(from: variables) {
            throw ModuleError(
                .argument, "customVJP", expected: "a cotangent for each variable, by collection and path",
                got: "a difference \(difference)", path: lifting.scope.displayPath)
        }
        let zeros = try [1, 2].map { place in
            Tree.dictionary(
                try arguments.dictionary(at: place).map { try TensorEngine.zeros($0.shape, dtype: $0.dtype) })
        }
        return .tuple([variables] + zeros + [.tensors(result.input.leaves)])
    }
}
