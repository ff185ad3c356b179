// Lifted modules from the module specs of golden cases.
import JobSpec
import Linen
import TensorEngine

extension ModuleParameters {
    /// A lifted transformation of the module that a spec describes.
    func lifted(_ target: JSONValue) throws -> SpecModule {
        if type == "scan", target["type"]?.stringValue == "remat" {
            guard case .graph(let graph) = try SpecModule.build(try target.member("target")).lifted else {
                throw NotBuilt("scan of remat of another module than a graph")
            }
            return try looped(RematStep(graph))
        }
        let built = try SpecModule.build(target)
        switch (type, built.lifted) {
        case ("remat", .layer(let layer)): return SpecModule(rematerialized(layer))
        case ("remat", .graph(let graph)): return graphLayer(Remat(graph, name: name))
        case ("jit", .layer(let layer)): return SpecModule(compiled(layer))
        case ("jit", .graph(let graph)): return graphLayer(JIT(graph, name: name))
        case ("vmap", .layer(let layer)): return SpecModule(try vectorized(layer))
        case ("scan", .step(let step)): return try looped(step)
        case ("scan", .graph(let graph)): return try looped(graph)
        default: throw NotBuilt("\(type) of \(built.module.className)")
        }
    }

    private func rematerialized<L: Layer<Tensor, Tensor>>(_ layer: L) -> any Layer<Tensor, Tensor> {
        Remat(layer, name: name)
    }

    private func compiled<L: Layer<Tensor, Tensor>>(_ layer: L) -> any Layer<Tensor, Tensor> {
        JIT(layer, name: name)
    }

    private func vectorized<L: Layer<Tensor, Tensor>>(_ layer: L) throws -> any Layer<Tensor, Tensor> {
        try only(["variable_axes", "split_rngs", "in_axes", "out_axes", "axis_size"])
        return VMap(
            layer, inAxis: arguments["in_axes"]?.isNull == true ? nil : integer("in_axes") ?? 0,
            outAxis: integer("out_axes") ?? 0, axisSize: integer("axis_size"), variableAxes: variableAxes,
            splitRNGs: splitRNGs, name: name)
    }

    private func graphLayer(_ layer: some Layer<Tree, Tree>) -> SpecModule {
        SpecModule(layer) { call in
            try call.only()
            return try layer(call.inputs.count == 1 ? call.inputs[0] : .tuple(call.inputs))
        }
    }

    private func looped<Step: CarryLayer>(_ step: Step) throws -> SpecModule {
        try only([
            "variable_axes", "variable_broadcast", "variable_carry", "split_rngs", "in_axes", "out_axes",
            "length", "reverse",
        ])
        let scan = Scan(
            step,
            variables: ScanVariables(
                axes: variableAxes, broadcast: try LinenCase.filter(arguments["variable_broadcast"]),
                carry: try LinenCase.filter(arguments["variable_carry"]), splitRNGs: splitRNGs),
            inAxis: integer("in_axes") ?? 0, outAxis: integer("out_axes") ?? 0, length: integer("length"),
            reverse: boolean("reverse", false), name: name)
        return SpecModule(scan) { call in
            try call.only()
            guard call.inputs.count == 2 else { throw ParityMismatch("scan takes a carry and a sequence") }
            let (carry, outputs) = try loop(scan, call.inputs[0], call.inputs[1])
            return .tuple([carry, outputs])
        }
    }

    /// Calls a loop whose carry and sequence are trees, or those of an LSTM.
    private func loop<Step: CarryLayer>(
        _ scan: Scan<Step>, _ carry: Tree, _ sequence: Tree
    ) throws -> (Tree, Tree) {
        if let scan = scan as? Scan<GraphModule> {
            let (carry, outputs) = try scan(carry, sequence)
            return (carry, outputs)
        }
        if let scan = scan as? Scan<RematStep<GraphModule>> {
            let (carry, outputs) = try scan(carry, sequence)
            return (carry, outputs)
        }
        if let scan = scan as? Scan<LSTMCell>, let xs = sequence.tensor {
            let leaves = carry.leaves
            guard leaves.count == 2 else { throw ParityMismatch("no LSTM carry") }
            let (carry, outputs) = try scan(LSTMCarry(cell: leaves[0], hidden: leaves[1]), xs)
            return (carry.asCase, .tensor(outputs))
        }
        throw NotBuilt("scan of \(scan.step.className)")
    }

    private var variableAxes: VariableAxes {
        VariableAxes(
            (arguments["variable_axes"]?.objectValue ?? [:]).map {
                (collections: CollectionFilter.only([$0.key]), axis: $0.value.intValue)
            })
    }

    private var splitRNGs: SplitRNGs {
        SplitRNGs(
            (arguments["split_rngs"]?.objectValue ?? [:]).map {
                (streams: CollectionFilter.only([$0.key]), isSplit: $0.value.boolValue ?? false)
            })
    }
}
