// Derivatives inside of modules.
import TensorEngine

/// Maps a cotangent of a module's output to those of its variables and its input. Made by `LiftedTransformations.vjp`.
public struct ModulePullback<In: TensorTree, Out: TensorTree> {
    fileprivate let pullback: Pullback<Tree, Tree>
    fileprivate let changed: FrozenDict
    fileprivate let input: In

    public func callAsFunction(_ cotangent: Out) throws -> (variables: FrozenDict, input: In) {
        let zeros = try changed.map { try zerosLike($0) }
        let result = try pullback(Tree.tuple([.tensors(cotangent.leaves), .dictionary(zeros)]))
        return (result.dictionary(at: 0), try input.replacingLeaves(result["1"]?.leaves ?? []))
    }
}

extension LiftedTransformations {
    /// The value of `body`, which calls this module, and its gradient with respect to `input` (Flax's value_and_grad): for modules
    /// that use a derivative, such as a force as the gradient of an energy. Can itself be differentiated.
    ///
    /// - Parameter body: must return a float scalar.
    public func valueAndGrad<In: TensorTree>(
        _ input: In, _ body: @escaping (In) throws -> Tensor
    ) throws -> (value: Tensor, gradient: In) {
        let lifting = try Lifting(module, for: "valueAndGrad")
        let differentiated = TensorEngine.valueAndGrad(hasAux: { (argument: In) in
            try lifting.run(lifting.variables, randomKeys: lifting.randomKeys, mutable: [.all]) {
                try body(argument)
            }
        })
        let (value, changed, gradient) = try differentiated(input)
        try lifting.publish(changed)
        return (value, gradient)
    }

    /// The value of `body`, which calls this module, and its pullback to variables and input (Flax's vjp).
    ///
    /// - Parameter collections: the variables to differentiate with respect to.
    public func vjp<In: TensorTree, Out: TensorTree>(
        _ input: In, collections: CollectionFilter = "params", _ body: @escaping (In) throws -> Out
    ) throws -> (value: Out, pullback: ModulePullback<In, Out>) {
        let lifting = try Lifting(module, for: "vjp")
        let groups = lifting.variables(grouped: [collections, .all])
        var structure: Out?
        let (result, pullback) = try TensorEngine.vjp(
            { (arguments: Tree) in
                let (output, changed) = try lifting.run(
                    groups[1].merging(arguments.dictionary(at: 0)), randomKeys: lifting.randomKeys,
                    mutable: [.all]
                ) { try body(input.replacingLeaves(arguments["1"]?.leaves ?? [])) }
                structure = output
                return Tree.tuple([.tensors(output.leaves), .dictionary(changed)])
            }, Tree.tuple([.dictionary(groups[0]), .tensors(input.leaves)]))
        guard let structure else {
            throw ModuleError(.argument, "vjp", expected: "a body that runs", got: "one that did not")
        }
        let changed = result.dictionary(at: 1)
        try lifting.publish(changed)
        return (
            try structure.replacingLeaves(result["0"]?.leaves ?? []),
            ModulePullback(pullback: pullback, changed: changed, input: input)
        )
    }

    /// The value of `body`, which calls this module, and its derivative in a direction (Flax's jvp).
    ///
    /// - Parameter variableTangents: the direction in variables, by collection; those that are not there count as constants.
    public func jvp<In: TensorTree, Out: TensorTree>(
        _ input: In, tangent: In, variableTangents: FrozenDict = [:], _ body: @escaping (In) throws -> Out
    ) throws -> (value: Out, tangent: Out) {
        let lifting = try Lifting(module, for: "jvp")
        let groups = lifting.variables(grouped: [.only(Set(variableTangents.keys)), .all])
        var structure: Out?
        let (result, direction) = try TensorEngine.jvp(
            { (arguments: Tree) in
                let (output, changed) = try lifting.run(
                    groups[1].merging(arguments.dictionary(at: 0)), randomKeys: lifting.randomKeys,
                    mutable: [.all]
                ) { try body(input.replacingLeaves(arguments["1"]?.leaves ?? [])) }
                structure = output
                return Tree.tuple([.tensors(output.leaves), .dictionary(changed)])
            },
            Tree.tuple([.dictionary(groups[0]), .tensors(input.leaves)]),
            Tree.tuple([.dictionary(variableTangents), .tensors(tangent.leaves)]))
        guard let structure else {
            throw ModuleError(.argument, "jvp", expected: "a body that runs", got: "one that did not")
        }
        try lifting.publish(result.dictionary(at: 1))
        return (
            try structure.replacingLeaves(result["0"]?.leaves ?? []),
            try structure.replacingLeaves(direction["0"]?.leaves ?? [])
        )
    }
}
