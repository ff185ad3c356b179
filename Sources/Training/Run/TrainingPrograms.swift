// The programs of a run, traced from model, loss and optimizer: initialisation, the training step, evaluation.
import Datasets
import JobSpec
import Linen
import Optax
import Serialization
import TensorEngine

/// What a spec trains, built from its model, loss, metrics and optimizer.
struct TrainingPrograms {
    private let spec: JobSpec
    let model: Model
    private let loss: BatchScore
    /// In the order of the spec.
    let metrics: [Metric]
    private let optimizer: GradientTransformation
    private let augmentation: Augmentation
    /// Whether a step whose loss or gradients are not finite changes nothing but the number of steps.
    let skipsBadSteps: Bool
    let types: BatchTypes

    /// Sown by models whose loss is not only about their output, such as a variational autoencoder: added to the loss.
    static let lossCollection = "losses"

    init(_ spec: JobSpec, _ types: BatchTypes) throws {
        self.spec = spec
        self.types = types
        model = try ModelBuilder(vocabulary: types.vocabulary).model(spec.model)
        loss = try LossBuilder.loss(spec.loss)
        metrics = try spec.metrics.map(MetricBuilder.metric)
        optimizer = try PlateauScale.scaled(
            OptimizerBuilder.transformation(spec.optimizer), spec.callbacks)
        skipsBadSteps = NaNGuard.skipsSteps(spec.callbacks)
        augmentation = try Augmentation(spec.data.transforms)
    }

    // MARK: State

    /// The state before the first step: a Flax TrainState.
    func initialState(_ key: PRNGKey) throws -> TrainState {
        let variables = try model.initialize(key, try placeholders(rows: 1)[0], training: false)
        let collections = variables.entries.compactMap { name, value -> TrainState.Collection? in
            guard name != "params", name != TrainingPrograms.lossCollection, let variables = value.dictionary
            else { return nil }
            return TrainState.Collection(name, variables)
        }
        do {
            return try TrainState.create(
                params: variables["params"]?.dictionary ?? FrozenDict(), transformation: optimizer,
                collections: collections)
        } catch let error as TensorError where error.kind != .resource {
            throw SpecErrors(problems: [spec.optimizer.problem("conflict", error.description)])
        }
    }

    /// The type of the model's output for a batch. Nothing is computed.
    func outputType(state: TrainState, rows: Int) throws -> TensorType {
        try evalShape(
            { (state: TrainState) in
                try model.apply(variables(of: state), placeholders(rows: rows)[0], training: false)
            }, state
        ).type
    }

    /// The modules with what a call for a batch needs and gives.
    func modules(rows: Int) throws -> [Inspection.Module] {
        let table = try model.tabulate(try placeholders(rows: rows)[0], training: false)
        return table.map { row in
            let below = table.filter {
                row.path.isEmpty || $0.path == row.path || $0.path.hasPrefix(row.path + "/")
            }
            return Inspection.Module(
                path: row.path, type: row.type, outputs: row.output,
                parameters: below.reduce(0) { $0 + $1.parameterCount },
                parameterBytes: below.reduce(0) { $0 + ($1.own["params"]?.bytes ?? 0) },
                operations: below.reduce(0) { $0 + $1.operations })
        }
    }

    private func variables(of state: TrainState) -> FrozenDict {
        FrozenDict(
            [("params", .dictionary(state.params))]
                + state.collections.map { ($0.name, .dictionary($0.variables)) })
    }

    /// The variables that are judged: schedule-free optimizers train elsewhere than at the average they have found.
    private func evaluatedVariables(of state: TrainState) throws -> FrozenDict {
        var variables = variables(of: state)
        let optimizerState = PlateauScale.optimizerState(state.optState, spec.callbacks)
        if evaluatesAtAverage, optimizerState["z"] != nil {
            variables["params"] = try scheduleFreeEvaluationParams(optimizerState, .dictionary(state.params))
        }
        return variables
    }

    private var evaluatesAtAverage: Bool { spec.optimizer.name.hasPrefix("schedule_free") }

    /// The variables that the model of a checkpoint is used with, by their paths, in the order of `template`'s leaves. They stay in the
    /// file, unless they have to be computed from it.
    ///
    /// - Parameter file: a TrainState, as Flax or a run has written it.
    /// - Throws: `SpecErrors` (checkpoint_incompatible) where it is another model's.
    func evaluatedParameters(
        of file: StateDict
    ) throws -> (template: FrozenDict, parameters: [InferenceModel.Parameter]) {
        var state = try evalShape(initialState, try PRNGKey(seed: spec.seed))
        let template = variables(of: state)
        let arrays = StatePaths(file)
        let parameters = try zip(template.paths, template.leaves).map { path, leaf in
            try arrays.parameter(path, leaf.type)
        }
        guard evaluatesAtAverage, state.optState["z"] != nil else { return (template, parameters) }
        let loaded = try variables(of: state).replacingLeaves(
            parameters.map { try NamedArrays([($0.path, $0.value)]).tensor($0.path) })
        state.params = loaded["params"]?.dictionary ?? state.params
        let paths = state.optState.leavesWithPaths(prefix: "opt_state")
        state.optState = try state.optState.replacingLeaves(
            paths.map { path, leaf in
                try NamedArrays([(path, arrays.parameter(path, leaf.type).value)]).tensor(path)
            })
        let average = try evaluatedVariables(of: state)
        return (
            template,
            zip(template.paths, average.leaves).map { InferenceModel.Parameter(path: $0, tensor: $1) }
        )
    }

    // MARK: Programs

    /// One training step. Inputs: the leaves of the state, the run's training key, inputs, targets. Outputs: the leaves of the
    /// next state, the loss, and, where bad steps are left out, 1 for an update that was taken and 0 for one that was not. State
    /// leaves carry over.
    func step(state: TrainState, rows: Int) throws -> (program: Program, carry: [Int?]) {
        let leaves = state.leaves
        let program = try makeProgram(
            { (arguments: [Tensor]) in
                let state = try state.replacingLeaves(Array(arguments.dropLast(3)))
                let (next, loss, isTaken) = try advance(
                    state, try PRNGKey(data: arguments[leaves.count]), arguments[leaves.count + 1],
                    arguments[leaves.count + 2])
                return next.leaves + [loss] + (isTaken.map { [$0] } ?? [])
            }, try leaves + [zeros([2], dtype: .uint32)] + placeholders(rows: rows))
        return (program, Array(leaves.indices) + (skipsBadSteps ? [nil, nil] : [nil]))
    }

    private func advance(
        _ state: TrainState, _ key: PRNGKey, _ x: Tensor, _ y: Tensor
    ) throws -> (next: TrainState, loss: Tensor, isTaken: Tensor?) {
        // As the Flax guide folds the step into the dropout key.
        let key = try key.foldIn(state.step)
        let x = try augmentation(x, key.foldIn(2))
        let rngs = ["dropout": key, "noise": try key.foldIn(1)]
        let names = Set(state.collections.map(\.name) + [TrainingPrograms.lossCollection])
        let objective = Objective(
            model: model, loss: loss, variables: variables(of: state), mutable: .only(names), rngs: rngs,
            x: x, y: y)
        let (value, updates, gradients) =
            try spec.optimizer.name == "dpsgd"
            ? objective.gradientsOfRows(state.params, optimizer: spec.optimizer)
            : valueAndGrad(hasAux: { try objective.value($0) })(state.params)
        // For line searches, which look ahead on the same batch with the same random keys.
        let context = UpdateContext(
            value: value, gradients: .dictionary(gradients),
            valueFunction: { try objective.value($0.dictionary ?? FrozenDict()).0 })
        let next = try state.applyGradients(
            gradients, replacing: withoutLosses(updates), context: context)
        guard skipsBadSteps else { return (next, value, nil) }
        let isGood = try gradients.leaves.filter(\.dtype.isFloating).reduce(isFinite(value)) {
            try and($0, all(isFinite($1)))
        }
        var taken = try state.replacing(tree: Tree.select(isGood, next.tree, state.tree))
        taken.step = next.step
        return (taken, value, try isGood.astype(.float32))
    }

    private func withoutLosses(_ updates: FrozenDict) -> FrozenDict {
        FrozenDict(
            updates.entries.filter { $0.key != TrainingPrograms.lossCollection }.map { ($0.key, $0.value) })
    }

    /// Evaluation of a batch. Inputs: the leaves of the state, inputs, targets. Outputs: the loss, then the parts of each metric.
    func evaluation(state: TrainState, rows: Int) throws -> Program {
        try makeProgram(
            { (arguments: [Tensor]) in
                let state = try state.replacingLeaves(Array(arguments.dropLast(2)))
                let target = arguments[arguments.count - 1]
                let (output, updates) = try model.apply(
                    evaluatedVariables(of: state), arguments[arguments.count - 2],
                    mutable: [TrainingPrograms.lossCollection], training: false)
                let value = try Objective.total(loss(output, target), updates)
                return try [value] + metrics.flatMap { try $0.parts(output, target) }
            }, try state.leaves + placeholders(rows: rows))
    }

    private func placeholders(rows: Int) throws -> [Tensor] {
        let (x, y) = (types.inputs(rows: rows), types.targets(rows: rows))
        return [try zeros(x.shape, dtype: x.dtype), try zeros(y.shape, dtype: y.dtype)]
    }
}

/// What a training step minimises, as a function of the parameters. Unchecked, since modules are not sendable: it is called only
/// while the step is traced, by that one thread.
private struct Objective: @unchecked Sendable {
    let model: Model
    let loss: BatchScore
    let variables: FrozenDict
    let mutable: CollectionFilter
    var rngs: [String: PRNGKey]
    var x: Tensor
    var y: Tensor

    /// The loss, and the collections as the model leaves them.
    func value(_ params: FrozenDict) throws -> (Tensor, FrozenDict) {
        var variables = variables
        variables["params"] = .dictionary(params)
        let (output, updates) = try model.apply(
            variables, x, mutable: mutable, rngs: rngs, training: true)
        return (try Objective.total(loss(output, y), updates), updates)
    }

    /// The mean loss, and the gradients of each row by itself, the rows along axis 0. Each row has random keys of its own.
    func gradientsOfRows(
        _ params: FrozenDict, optimizer: OptimizerSpec
    ) throws -> (value: Tensor, updates: FrozenDict, gradients: FrozenDict) {
        let stored = variables.entries.map(\.key).filter { $0 != "params" }
        guard stored.isEmpty else {
            throw SpecErrors(problems: [
                optimizer.problem(
                    "conflict",
                    "dpsgd keeps what is known of single rows within bounds, and \(stored.joined(separator: ", ")) is of whole batches; use a normalisation of single rows, such as LayerNorm"
                )
            ])
        }
        let rows = try vmap { (x: Tensor, y: Tensor, row: Tensor) in
            var single = self
            single.rngs = try rngs.mapValues { try $0.foldIn(row) }
            single.x = try expandDims(x, axis: 0)
            single.y = try expandDims(y, axis: 0)
            let objective = single
            let (value, gradients) = try valueAndGrad { try objective.value($0).0 }(params)
            return FrozenDict([("value", .tensor(value)), ("gradients", .dictionary(gradients))])
        }(x, y, arange(x.shape[0]))
        guard let values = rows["value"]?.tensor, let gradients = rows["gradients"]?.dictionary else {
            throw TensorError(.structure, "dpsgd", expected: "values and gradients", got: "another tree")
        }
        return (try mean(values), FrozenDict(), gradients)
    }

    /// The loss with what the model has sown.
    static func total(_ loss: Tensor, _ updates: FrozenDict) throws -> Tensor {
        let sown = updates[TrainingPrograms.lossCollection]?.leaves ?? []
        return try sown.reduce(loss) { try $0 + mean($1) }
    }
}

/// The types of batches, and how many tokens there are.
struct BatchTypes: Sendable {
    var inputShape: [Int]
    var inputIsInteger: Bool
    var targetShape: [Int]
    var targetIsInteger: Bool
    /// Nil where the inputs are no tokens.
    var vocabulary: Int?

    init(_ shape: DataShape) {
        inputShape = shape.inputShape
        inputIsInteger = shape.inputIsInteger
        targetShape = shape.targetShape
        targetIsInteger = shape.targetIsInteger
        vocabulary = shape.vocabulary
    }

    init(_ data: JobData) {
        inputShape = data.train.data.inputs.shape
        inputIsInteger = data.train.data.inputs.isInteger
        targetShape = data.train.data.target.shape
        targetIsInteger = data.train.data.target.isInteger
        vocabulary = data.vocabulary
    }

    func inputs(rows: Int) -> TensorType {
        TensorType(inputIsInteger ? .int32 : .float32, Shape([rows] + inputShape))
    }

    func targets(rows: Int) -> TensorType {
        TensorType(targetIsInteger ? .int32 : .float32, Shape([rows] + targetShape))
    }
}
