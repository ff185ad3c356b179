// vmap of modules: one module for each member of a batch, or one module for all of them.
import TensorEngine

extension LiftedTransformations {
    /// Applies `body`, which calls this module, to each member of a batch (Flax's vmap, on a module).
    ///
    /// ```swift
    /// let ensemble = Dense(features: 4)
    /// let outputs = try ensemble.lifted.vmap(                       // [3, …, 4]; kernel [3, inputs, 4]
    ///     x, inAxis: nil, axisSize: 3, variableAxes: ["params": 0], splitRNGs: ["params": true]
    /// ) { try ensemble($0) }
    /// ```
    ///
    /// - Parameters:
    ///   - input: what is mapped. Other tensors that `body` uses are the same for all members.
    ///   - inAxis: the axis of the input's tensors that counts the members; nil: all get the same.
    ///   - outAxis: the axis of the results that counts the members.
    ///   - axisSize: the number of members, where neither the input nor the variables say it.
    ///   - variableAxes: by collection, the axis of its variables that counts the members; nil: variables of all members together,
    ///     of which the first member's changes count.
    ///   - splitRNGs: by random stream, whether each member draws keys of its own.
    public func vmap<In: TensorTree, Out: TensorTree>(
        _ input: In, inAxis: Int? = 0, outAxis: Int = 0, axisSize: Int? = nil,
        variableAxes: VariableAxes = [:], splitRNGs: SplitRNGs = [:],
        _ body: @escaping (In) throws -> Out
    ) throws -> Out {
        try throughLeaves(input, body) { leaves, function in
            try LiftedVMap(
                lifting: Lifting(module, for: "vmap"), inAxis: inAxis, outAxis: outAxis, axisSize: axisSize,
                variableAxes: variableAxes.entries, splitRNGs: splitRNGs
            ).run(leaves, function)
        }
    }
}

private struct LiftedVMap {
    let lifting: Lifting
    let inAxis: Int?
    let outAxis: Int
    let axisSize: Int?
    let variableAxes: [(collections: CollectionFilter, axis: Int?)]
    let splitRNGs: SplitRNGs

    func run(_ leaves: [Tensor], _ function: @escaping ([Tensor]) throws -> [Tensor]) throws -> [Tensor] {
        let filters = variableAxes.map(\.collections)
        var shared = FrozenDict()
        var mapped = FrozenDict()
        for (group, entry) in zip(lifting.variables(grouped: filters), variableAxes) {
            for (collection, tree) in group.entries {
                if let axis = entry.axis {
                    mapped[collection] = try tree.map { try moveAxis($0, from: axis, to: 0) }
                } else {
                    shared[collection] = tree
                }
            }
        }
        let inputs = try inAxis.map { axis in try leaves.map { try moveAxis($0, from: axis, to: 0) } } ?? []
        let size = try memberCount(inputs + Tree.dictionary(mapped).leaves)
        let streams = splitRNGs.keys(lifting.randomKeys)
        let splitKeys = try FrozenDict(
            streams.filter { $0.value.isSplit }.map { ($0.key, .tensor(try $0.value.key.splitData([size]))) })
        // The last is there so that something is mapped, whatever else is.
        let arguments = Tree.tuple([
            .tensors(inputs), .dictionary(mapped), .dictionary(splitKeys), .tensor(try arange(size)),
        ])
        let vectorized = TensorEngine.vmap { (member: Tree) in
            var keys = streams.mapValues(\.key)
            for (stream, data) in member.dictionary(at: 2).entries {
                if let words = data.tensor { keys[stream] = try PRNGKey(data: words) }
            }
            let memberInputs = inAxis == nil ? leaves : member["0"]?.leaves ?? []
            let (outputs, changed) = try lifting.run(
                shared.merging(member.dictionary(at: 1)), randomKeys: keys, mutable: filters
            ) { try function(memberInputs) }
            return Tree.tuple([.tensors(outputs), .dictionary(changed)])
        }
        let result = try vectorized(arguments)
        var changed = FrozenDict()
        for (collection, tree) in result.dictionary(at: 1).entries {
            let axis = variableAxes.first { $0.collections.contains(collection) }?.axis
            changed[collection] = try tree.map { stacked in
                if let axis { return try moveAxis(stacked, from: 0, to: axis) }
                return try squeeze(slice(stacked, axis: 0, 0..<1), axes: [0])
            }
        }
        try lifting.publish(changed)
        return try (result["0"]?.leaves ?? []).map { try moveAxis($0, from: 0, to: outAxis) }
    }

    /// The number of members, which all mapped tensors must agree on.
    private func memberCount(_ mapped: [Tensor]) throws -> Int {
        let sizes = Set(mapped.map { $0.shape[0] } + (axisSize.map { [$0] } ?? []))
        guard let size = sizes.first, sizes.count == 1, size >= 0 else {
            throw ModuleError(
                .argument, "vmap", expected: "one number of members in the input, the variables and axisSize",
                got: sizes.isEmpty ? "none" : "\(sizes.sorted())",
                fix: sizes.isEmpty ? "Say axisSize:." : "", path: lifting.scope.displayPath)
        }
        return size
    }
}

/// A layer applied to each member of a batch: see `LiftedTransformations.vmap`. Its variables are the layer's, at this module's place and with
/// the axes that `variableAxes` says. Automatic names begin with `Vmap`.
public final class VMap<Inner: Layer>: Module, Layer where Inner.Input: TensorTree, Inner.Output: TensorTree {
    public let layer: Inner
    private let inAxis: Int?
    private let outAxis: Int
    private let axisSize: Int?
    private let variableAxes: VariableAxes
    private let splitRNGs: SplitRNGs

    public init(
        _ layer: Inner, inAxis: Int? = 0, outAxis: Int = 0, axisSize: Int? = nil,
        variableAxes: VariableAxes = [:], splitRNGs: SplitRNGs = [:], name: String? = nil
    ) {
        self.layer = layer
        self.inAxis = inAxis
        self.outAxis = outAxis
        self.axisSize = axisSize
        self.variableAxes = variableAxes
        self.splitRNGs = splitRNGs
        super.init(name: name ?? layer.name, sharing: layer)
    }

    public override var className: String { "Vmap" + layer.className }

    public func forward(_ input: Inner.Input) throws -> Inner.Output {
        try layer.lifted.vmap(
            input, inAxis: inAxis, outAxis: outAxis, axisSize: axisSize, variableAxes: variableAxes,
            splitRNGs: splitRNGs
        ) { try self.layer($0) }
    }
}
