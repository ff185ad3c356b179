// scan of modules: one module over a sequence, or a stack of modules with their variables stacked.
import TensorEngine

/// What a lifted scan does with variables and random streams. A collection goes by the first of `broadcast`, `carry` and `axes`
/// that contains it; collections in none do not exist in the loop.
public struct ScanVariables {
    /// Collections with an axis along which each iteration has a slice, as in a stack of layers.
    public var axes: VariableAxes
    /// Collections that all iterations share. `initialize` makes them before the loop.
    public var broadcast: CollectionFilter
    /// Collections that each iteration passes on to the next one. They must exist before the loop.
    public var carry: CollectionFilter
    /// By random stream, whether each iteration draws keys of its own.
    public var splitRNGs: SplitRNGs

    public init(
        axes: VariableAxes = [:], broadcast: CollectionFilter = .none, carry: CollectionFilter = .none,
        splitRNGs: SplitRNGs = [:]
    ) {
        self.axes = axes
        self.broadcast = broadcast
        self.carry = carry
        self.splitRNGs = splitRNGs
    }
}

extension LiftedTransformations {
    /// Runs `body`, which calls this module, in a loop over the slices of a sequence (Flax's scan, on a module).
    ///
    /// ```swift
    /// let layer = Block()                                     // variables of all 12 with a new first axis
    /// let (y, _) = try layer.lifted.scan(
    ///     initial: x, over: [Tensor](), length: 12,
    ///     variables: ScanVariables(axes: ["params": 0], splitRNGs: ["params": true, "dropout": true])
    /// ) { y, _ in (try layer(y), [Tensor]()) }
    /// ```
    ///
    /// The body is traced twice, as in Flax: once for what all iterations share and once for the loop. What it draws from random
    /// streams in the loop therefore comes after what it drew the first time.
    ///
    /// - Parameters:
    ///   - initial: the first carry. Each iteration must return a carry of the same shapes and types.
    ///   - sequence: its tensors are cut into slices. Other tensors that `body` uses are the same in each iteration.
    ///   - inAxis: the axis of the sequence's tensors that is cut.
    ///   - outAxis: the axis of the results that counts the iterations.
    ///   - length: the number of iterations, where the sequence does not say it.
    ///   - reverse: from the last slice to the first; results stay at their slice's place.
    public func scan<Carry: TensorTree, Slices: TensorTree, Output: TensorTree>(
        initial: Carry, over sequence: Slices, inAxis: Int = 0, outAxis: Int = 0, length: Int? = nil,
        reverse: Bool = false, variables: ScanVariables,
        _ body: @escaping (Carry, Slices) throws -> (carry: Carry, output: Output)
    ) throws -> (carry: Carry, outputs: Output) {
        var structure: Output?
        let loop = LiftedScan(
            lifting: try Lifting(module, for: "scan"), inAxis: inAxis, outAxis: outAxis, length: length,
            isReverse: reverse, variables: variables)
        let (carry, outputs) = try loop.run(initial.leaves, sequence.leaves) { carry, slices in
            let (next, output) = try body(
                try initial.replacingLeaves(carry), try sequence.replacingLeaves(slices))
            structure = output
            return (next.leaves, output.leaves)
        }
        guard let structure else {
            throw ModuleError(
                .argument, "scan", expected: "a loop that traces its body", got: "one that did not")
        }
        return (try initial.replacingLeaves(carry), try structure.replacingLeaves(outputs))
    }
}

private struct LiftedScan {
    typealias Body = (_ carry: [Tensor], _ slices: [Tensor]) throws -> (carry: [Tensor], output: [Tensor])

    let lifting: Lifting
    let inAxis: Int
    let outAxis: Int
    let length: Int?
    let isReverse: Bool
    let variables: ScanVariables

    func run(
        _ initial: [Tensor], _ sequence: [Tensor], _ body: @escaping Body
    ) throws -> (carry: [Tensor], outputs: [Tensor]) {
        let sequence = try sequence.map { try moveAxis($0, from: inAxis, to: 0) }
        let length = try iterationCount(sequence)
        let axes = variables.axes.entries
        let filters = [variables.broadcast, variables.carry] + axes.map(\.collections)
        let groups = lifting.variables(grouped: filters)
        var stacked = FrozenDict()
        for (group, entry) in zip(groups.dropFirst(2), axes) {
            for (collection, tree) in group.entries {
                stacked[collection] = try tree.map { try moveAxis($0, from: entry.axis ?? 0, to: 0) }
            }
        }
        for tensor in Tree.dictionary(stacked).leaves where tensor.shape[0] != length {
            throw ModuleError(
                .argument, "scan", expected: "variables for \(length) iterations", got: "\(tensor.type)",
                path: lifting.scope.displayPath)
        }
        let streams = variables.splitRNGs.keys(lifting.randomKeys)
        let splitKeys = try FrozenDict(
            streams.filter { $0.value.isSplit }.map {
                ($0.key, .tensor(try $0.value.key.splitData([length])))
            })

        func iteration(
            _ shared: FrozenDict, _ carried: FrozenDict, _ slice: Tree, _ carry: [Tensor]
        ) throws -> (carry: [Tensor], output: [Tensor], changed: FrozenDict) {
            var keys = streams.mapValues(\.key)
            for (stream, data) in slice.dictionary(at: 2).entries {
                if let words = data.tensor { keys[stream] = try PRNGKey(data: words) }
            }
            let (result, changed) = try lifting.run(
                shared.merging(carried).merging(slice.dictionary(at: 1)), randomKeys: keys, mutable: filters
            ) { try body(carry, slice["0"]?.leaves ?? []) }
            return (result.carry, result.output, changed)
        }

        let slices = Tree.tuple([.tensors(sequence), .dictionary(stacked), .dictionary(splitKeys)])
        let shared = try sharedVariables(groups[0], slices, length) { slice, shared in
            try iteration(shared, groups[1], slice, initial).changed
        }
        let (last, results) = try TensorEngine.scan(
            { (state: Tree, slice: Tree) in
                let (carry, output, changed) = try iteration(
                    shared, state.dictionary(at: 1), slice["0"] ?? .none, state["0"]?.leaves ?? [])
                let next = Tree.tuple([.tensors(carry), .dictionary(group(1, of: changed, filters))])
                let perIteration = changed.entries.filter { entry in
                    !filters[0].contains(entry.key) && !filters[1].contains(entry.key)
                }
                return (
                    next,
                    Tree.tuple([
                        .tensors(output),
                        .dictionary(FrozenDict(perIteration.map { ($0.key, $0.value) })),
                    ])
                )
            },
            initial: Tree.tuple([.tensors(initial), .dictionary(groups[1])]),
            over: Tree.tuple([slices, .tensor(try arange(length))]), reverse: isReverse)

        var changed = group(0, of: shared, filters).merging(last.dictionary(at: 1))
        for (collection, tree) in results.dictionary(at: 1).entries {
            let axis = axes.first { $0.collections.contains(collection) }?.axis ?? 0
            changed[collection] = try tree.map { try moveAxis($0, from: 0, to: axis) }
        }
        try lifting.publish(changed)
        return (
            last["0"]?.leaves ?? [],
            try (results["0"]?.leaves ?? []).map { try moveAxis($0, from: 0, to: outAxis) }
        )
    }

    /// The variables that all iterations share, made by the first one where they may still be made.
    ///
    /// The first iteration is run on its own, or, where that could only count its draws from random streams, traced.
    private func sharedVariables(
        _ existing: FrozenDict, _ slices: Tree, _ length: Int,
        _ iteration: (_ slice: Tree, _ shared: FrozenDict) throws -> FrozenDict
    ) throws -> FrozenDict {
        let mayBeMade =
            lifting.context.isInitializing || existing.keys.contains { lifting.context.isMutable($0) }
        if !mayBeMade, variables.splitRNGs.keys(lifting.randomKeys).isEmpty { return existing }
        // A loop of no iterations still makes its variables.
        let first = try slices.map { tensor in
            length > 0
                ? try squeeze(slice(tensor, axis: 0, 0..<1), axes: [0])
                : try zeros(Shape(tensor.shape.dropFirst()), dtype: tensor.dtype)
        }
        guard mayBeMade, variables.broadcast != .none else {
            _ = try evalShape({ try Tree.dictionary(iteration($0, existing)) }, first)
            return existing
        }
        let changed = try iteration(first, existing)
        return existing.merging(group(0, of: changed, [variables.broadcast]))
    }

    /// The collections of `variables` that are in the group of filter number `index`.
    private func group(
        _ index: Int, of variables: FrozenDict, _ filters: [CollectionFilter]
    ) -> FrozenDict {
        FrozenDict(
            variables.entries.filter { entry in
                filters.firstIndex { $0.contains(entry.key) } == index
            }.map { ($0.key, $0.value) })
    }

    private func iterationCount(_ sequence: [Tensor]) throws -> Int {
        let sizes = Set(sequence.map { $0.shape[0] } + (length.map { [$0] } ?? []))
        guard let count = sizes.first, sizes.count == 1, count >= 0 else {
            throw ModuleError(
                .argument, "scan", expected: "one number of iterations in the sequence and in length",
                got: sizes.isEmpty ? "none" : "\(sizes.sorted())", fix: sizes.isEmpty ? "Say length:." : "",
                path: lifting.scope.displayPath)
        }
        return count
    }
}

/// A step run over the slices of a sequence: see `LiftedTransformations.scan`. Its variables are the step's, at this module's place and with the
/// axes that `variables` says. Automatic names begin with `Scan`.
public final class Scan<Inner: CarryLayer>: Module, CarryLayer {
    public let step: Inner
    private let variables: ScanVariables
    private let inAxis: Int
    private let outAxis: Int
    private let length: Int?
    private let reverse: Bool

    public init(
        _ step: Inner, variables: ScanVariables, inAxis: Int = 0, outAxis: Int = 0, length: Int? = nil,
        reverse: Bool = false, name: String? = nil
    ) {
        self.step = step
        self.variables = variables
        self.inAxis = inAxis
        self.outAxis = outAxis
        self.length = length
        self.reverse = reverse
        super.init(name: name ?? step.name, sharing: step)
    }

    public override var className: String { "Scan" + step.className }

    /// - Returns: the last carry, and the results of all iterations along `outAxis`.
    public func forward(
        _ carry: Inner.Carry, _ sequence: Inner.Input
    ) throws -> (carry: Inner.Carry, output: Inner.Output) {
        let (last, outputs) = try step.lifted.scan(
            initial: carry, over: sequence, inAxis: inAxis, outAxis: outAxis, length: length,
            reverse: reverse, variables: variables
        ) { try self.step($0, $1) }
        return (last, outputs)
    }
}
