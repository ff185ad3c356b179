// Choices and loops that depend on values, inside of modules.
import TensorEngine

extension LiftedTransformations {
    /// `onTrue(operand)` where the scalar `predicate` holds, else `onFalse(operand)`; both may call this module (Flax's cond).
    ///
    /// Both must change the same variables. So `initialize` should call both layers outright: only then does it make the parameters
    /// of both.
    public func cond<Operand: TensorTree, Out: TensorTree>(
        _ predicate: Tensor, _ operand: Operand, onTrue: @escaping (Operand) throws -> Out,
        onFalse: @escaping (Operand) throws -> Out
    ) throws -> Out {
        let isFalse = try logicalNot(predicate).astype(.int32)
        return try switchCase(isFalse, operand, [onTrue, onFalse])
    }

    /// The branch that the integer scalar `index` names, applied to `operand`; branches may call this module (Flax's switch). An
    /// index outside means the first or the last one. See `cond` for `initialize`.
    public func switchCase<Operand: TensorTree, Out: TensorTree>(
        _ index: Tensor, _ operand: Operand, _ branches: [(Operand) throws -> Out]
    ) throws -> Out {
        let lifting = try Lifting(module, for: "switchCase")
        let (variables, keys) = (lifting.variables, lifting.randomKeys)
        var structure: Out?
        let result = try TensorEngine.switchCase(
            index,
            branches.map { branch in
                { (leaves: [Tensor]) in
                    let (output, changed) = try lifting.run(variables, randomKeys: keys, mutable: [.all]) {
                        try branch(operand.replacingLeaves(leaves))
                    }
                    structure = output
                    return Tree.tuple([.tensors(output.leaves), .dictionary(changed)])
                }
            }, operand.leaves)
        guard let structure else {
            throw ModuleError(.argument, "switchCase", expected: "a branch or more", got: "none")
        }
        try lifting.publish(result.dictionary(at: 1))
        return try structure.replacingLeaves(result["0"]?.leaves ?? [])
    }

    /// Applies `body` to the value as long as `condition` holds for it; both may call this module (Flax's while_loop). There is no
    /// reverse-mode derivative.
    ///
    /// - Parameters:
    ///   - carry: the collections that iterations change and pass on; they must exist before the loop. All others are the same
    ///     throughout.
    ///   - splitRNGs: by random stream, whether each iteration draws keys of its own.
    public func whileLoop<Value: TensorTree>(
        initial: Value, carry: CollectionFilter = .none, splitRNGs: SplitRNGs = [:],
        condition: @escaping (Value) throws -> Tensor, _ body: @escaping (Value) throws -> Value
    ) throws -> Value {
        let lifting = try Lifting(module, for: "whileLoop")
        let groups = lifting.variables(grouped: [carry, .all])
        let streams = splitRNGs.keys(lifting.randomKeys)
        func iteration<Result>(
            _ state: Tree, isChanging: Bool, _ function: (Value) throws -> Result
        ) throws -> (result: Result, changed: FrozenDict) {
            let count = try state["0"]?.tensor ?? zeros([], dtype: .int32)
            // As in Flax: the condition of iteration i has the keys of -i.
            let number = try isChanging ? count : -count
            let keys = try streams.mapValues {
                $0.isSplit ? try $0.key.foldIn(number.astype(.uint32)) : $0.key
            }
            return try lifting.run(
                groups[1].merging(state.dictionary(at: 1)), randomKeys: keys,
                mutable: isChanging ? [carry] : []
            ) { try function(initial.replacingLeaves(state["2"]?.leaves ?? [])) }
        }
        let last = try TensorEngine.whileLoop(
            { (state: Tree) in try iteration(state, isChanging: false, condition).result },
            { (state: Tree) in
                let (value, changed) = try iteration(state, isChanging: true, body)
                let count = try state["0"]?.tensor ?? zeros([], dtype: .int32)
                return Tree.tuple([.tensor(try count + 1), .dictionary(changed), .tensors(value.leaves)])
            },
            initial: Tree.tuple([
                .tensor(try zeros([], dtype: .int32)), .dictionary(groups[0]), .tensors(initial.leaves),
            ]))
        try lifting.publish(last.dictionary(at: 1))
        return try initial.replacingLeaves(last["2"]?.leaves ?? [])
    }
}
