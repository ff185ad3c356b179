// The programs of a run, traced from model, loss and optimizer: initialisation, the training step, evaluation.
import Datasets
import JobSpec
import Linen
import Optax
import TensorEngine

/// What a spec trains, built from its model, loss, metrics and optimizer.
struct TrainingPrograms {
    private let spec: JobSpec
    private let model: Model
    private let loss: BatchScore
    private let metrics: [BatchScore]
    private let optimizer: GradientTransformation
    private let features: Int
    private let outputs: Int

    /// - Parameters:
    ///   - features: input columns.
    ///   - outputs: target columns; 1 for class labels.
    init(_ spec: JobSpec, features: Int, outputs: Int) throws {
        self.spec = spec
        self.features = features
        self.outputs = outputs
        model = try ModelBuilder.model(spec.model)
        loss = try LossBuilder.loss(spec.loss)
        metrics = try spec.metrics.map(LossBuilder.metric)
        optimizer = try OptimizerBuilder.transformation(spec.optimizer)
    }

    /// The type of a batch of inputs.
    func inputType(rows: Int) -> TensorType { TensorType(.float32, [rows, features]) }

    /// The type of a batch of targets.
    func targetType(rows: Int) -> TensorType {
        spec.targetKind == .classes ? TensorType(.int32, [rows]) : TensorType(.float32, [rows, outputs])
    }

    // MARK: State

    /// The state before the first step: a Flax TrainState as a tree.
    func initialState(_ key: PRNGKey) throws -> Tree {
        let variables = try model.initialize(key, try zeros(inputType(rows: 1).shape))
        let params = variables["params"] ?? .dictionary(FrozenDict())
        var fields: [Tree.Field] = [
            .init("step", .tensor(try zeros([], dtype: .int32))), .init("params", params),
            .init("opt_state", try optimizer.initialize(params: params)),
        ]
        for (name, collection) in variables.entries where name != "params" { fields.append(.init(name, collection)) }
        return .record(name: "TrainState", fields: fields)
    }

    /// The model's output for a batch, traced: only its type is of interest.
    func outputType(rows: Int, key: PRNGKey) throws -> TensorType {
        try evalShape(
            { (key: PRNGKey) in
                let state = try initialState(key)
                return try model.apply(variables(of: state), zeros(inputType(rows: rows).shape), isTraining: false).output
            }, key
        ).type
    }

    /// The layers with their parameters and output shapes.
    func moduleTable(rows: Int) throws -> [JobPlan.Module] { try model.table(try zeros(inputType(rows: rows).shape)) }

    private func variables(of state: Tree) -> FrozenDict {
        guard case .record(_, let fields) = state else { return FrozenDict() }
        return FrozenDict(fields.filter { !["step", "opt_state"].contains($0.name) }.map { ($0.name, $0.value) })
    }

    // MARK: Programs

    /// One training step. Inputs: the leaves of the state, inputs, targets. Outputs: the leaves of the next state, the loss.
    /// State leaves carry over.
    func step(state: Tree, rows: Int) throws -> (program: Program, carry: [Int?]) {
        let leaves = state.leaves
        let program = try makeProgram(
            { (arguments: [Tensor]) in
                let state = try state.replacingLeaves(Array(arguments.dropLast(2)))
                let (next, loss) = try advance(state, arguments[arguments.count - 2], arguments[arguments.count - 1])
                return next.leaves + [loss]
            }, try leaves + placeholders(rows: rows))
        return (program, Array(leaves.indices) + [nil])
    }

    private func advance(_ state: Tree, _ x: Tensor, _ y: Tensor) throws -> (next: Tree, loss: Tensor) {
        guard case .record(let name, let fields) = state, let step = state["step"]?.tensor, let params = state["params"],
            let optimizerState = state["opt_state"]
        else {
            throw TensorError(.structure, "train", expected: "a TrainState", got: "another tree")
        }
        let others = variables(of: state)
        let (loss, collections, gradient) = try valueAndGrad(hasAux: { (params: Tree) in
            var variables = others
            variables["params"] = params
            let (output, updated) = try model.apply(variables, x, isTraining: true)
            return (try loss(output, y), updated)
        })(params)
        let (updates, nextOptimizerState) = try optimizer.update(
            updates: gradient, state: optimizerState, params: params)
        let nextParams = try applyUpdates(params, updates)
        let nextStep = try step + 1
        let next = fields.map { field in
            switch field.name {
            case "step": Tree.Field("step", .tensor(nextStep))
            case "params": Tree.Field("params", nextParams)
            case "opt_state": Tree.Field("opt_state", nextOptimizerState)
            default: Tree.Field(field.name, collections[field.name] ?? field.value)
            }
        }
        return (.record(name: name, fields: next), loss)
    }

    /// Evaluation of a batch. Inputs: the leaves of the state, inputs, targets. Outputs: the loss, then each metric.
    func evaluation(state: Tree, rows: Int) throws -> Program {
        try makeProgram(
            { (arguments: [Tensor]) in
                let state = try state.replacingLeaves(Array(arguments.dropLast(2)))
                let target = arguments[arguments.count - 1]
                let output = try model.apply(
                    variables(of: state), arguments[arguments.count - 2], isTraining: false
                ).output
                return try ([loss] + metrics).map { try $0(output, target) }
            }, try state.leaves + placeholders(rows: rows))
    }

    private func placeholders(rows: Int) throws -> [Tensor] {
        let (x, y) = (inputType(rows: rows), targetType(rows: rows))
        return [try zeros(x.shape), try zeros(y.shape, dtype: y.dtype)]
    }
}
