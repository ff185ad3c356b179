// remat of modules: less memory for gradients, for more time.
import TensorEngine

extension LiftedTransformations {
    /// Runs `body`, which calls this module, so that gradients keep only the input and the variables and compute the rest again
    /// (Flax's remat, on a module). Values, gradients, variables and random numbers are as without.
    public func remat<In: TensorTree, Out: TensorTree>(
        _ input: In, _ body: @escaping (In) throws -> Out
    ) throws -> Out {
        try throughLeaves(input, body) { leaves, function in
            let lifting = try Lifting(module, for: "remat")
            let (variables, keys) = (lifting.variables, lifting.randomKeys)
            let rematerialized = TensorEngine.remat { (arguments: Tree) in
                let (outputs, changed) = try lifting.run(
                    arguments.dictionary(at: 1),
                    randomKeys: try PRNGKey.keys(arguments.dictionary(at: 2)), mutable: [.all]
                ) { try function(arguments["0"]?.leaves ?? []) }
                return Tree.tuple([.tensors(outputs), .dictionary(changed)])
            }
            let words = FrozenDict(keys.map { ($0.key, .tensor($0.value.data)) })
            let result = try rematerialized(
                Tree.tuple([.tensors(leaves), .dictionary(variables), .dictionary(words)]))
            try lifting.publish(result.dictionary(at: 1))
            return result["0"]?.leaves ?? []
        }
    }
}

/// A layer whose inner values gradients compute again instead of keeping them: see `LiftedTransformations.remat`. Its variables are the layer's,
/// at this module's place. Automatic names begin with `Checkpoint`, remat's other name.
public final class Remat<Inner: Layer>: Module, Layer
where Inner.Input: TensorTree, Inner.Output: TensorTree {
    public let layer: Inner

    public init(_ layer: Inner, name: String? = nil) {
        self.layer = layer
        super.init(name: name ?? layer.name, sharing: layer)
    }

    public override var className: String { "Checkpoint" + layer.className }

    public func forward(_ input: Inner.Input) throws -> Inner.Output {
        try layer.lifted.remat(input) { try self.layer($0) }
    }
}

/// A step of a loop whose inner values gradients compute again: the body of a `Scan` that keeps only its carries.
public final class RematStep<Inner: CarryLayer>: Module, CarryLayer {
    public let step: Inner

    public init(_ step: Inner, name: String? = nil) {
        self.step = step
        super.init(name: name ?? step.name, sharing: step)
    }

    public override var className: String { "Checkpoint" + step.className }

    public func forward(
        _ carry: Inner.Carry, _ input: Inner.Input
    ) throws -> (carry: Inner.Carry, output: Inner.Output) {
        let result = try step.lifted.remat(StepTree(first: carry, second: input)) { arguments in
            let (carry, output) = try self.step(arguments.first, arguments.second)
            return StepTree(first: carry, second: output)
        }
        return (result.first, result.second)
    }
}

extension LiftedTransformations {
    /// Runs `body`, which calls this module, on its own result again and again, with variables of its own each time
    /// (Flax's remat_scan): lengths[0] · lengths[1] · … layers, as loops in loops, each but the innermost of which gradients run
    /// again. For n = a · b layers gradients keep about a + b values instead of n.
    ///
    /// Variables get one more axis in front for each length; every iteration draws random keys of its own.
    public func rematScan<Carry: TensorTree>(
        initial: Carry, lengths: [Int], _ body: @escaping (Carry) throws -> Carry
    ) throws -> Carry {
        guard let length = lengths.first else { return try body(initial) }
        // Each adds an axis to the variables, of which a tensor has no more than 8.
        guard lengths.count <= 8 else {
            throw ModuleError(
                .argument, "rematScan", expected: "at most 8 lengths", got: "\(lengths.count)")
        }
        let variables = ScanVariables(axes: [.all: 0], splitRNGs: [.all: true])
        return try scan(initial: initial, over: [Tensor](), length: length, variables: variables) {
            carry, _ in
            if lengths.count == 1 { return (try body(carry), [Tensor]()) }
            let next = try remat(carry) {
                try rematScan(initial: $0, lengths: Array(lengths.dropFirst()), body)
            }
            return (next, [Tensor]())
        }.carry
    }
}

/// A layer applied to its own result again and again: see `LiftedTransformations.rematScan`. Its variables are the layer's, at this module's
/// place and with an axis in front for each length. Automatic names begin with `Remat_scan`.
public final class RematScan<Inner: Layer>: Module, Layer
where Inner.Input: TensorTree, Inner.Output == Inner.Input {
    public let layer: Inner
    public let lengths: [Int]

    public init(_ layer: Inner, lengths: [Int], name: String? = nil) {
        self.layer = layer
        self.lengths = lengths
        super.init(name: name ?? layer.name, sharing: layer)
    }

    public override var className: String { "Remat_scan" + layer.className }

    public func forward(_ input: Inner.Input) throws -> Inner.Input {
        try layer.lifted.rematScan(initial: input, lengths: lengths) { try self.layer($0) }
    }
}

/// Two trees as one.
private struct StepTree<First: TensorTree, Second: TensorTree>: TensorTree {
    let first: First
    let second: Second

    func appendLeaves(to leaves: inout [Tensor]) {
        first.appendLeaves(to: &leaves)
        second.appendLeaves(to: &leaves)
    }

    func replacingLeaves(from leaves: inout LeafCursor) throws -> StepTree {
        StepTree(
            first: try first.replacingLeaves(from: &leaves), second: try second.replacingLeaves(from: &leaves)
        )
    }
}

extension PRNGKey {
    /// By stream, the keys whose words are in a dictionary.
    static func keys(_ words: FrozenDict) throws -> [String: PRNGKey] {
        var keys: [String: PRNGKey] = [:]
        for (stream, data) in words.entries {
            if let tensor = data.tensor { keys[stream] = try PRNGKey(data: tensor) }
        }
        return keys
    }
}
