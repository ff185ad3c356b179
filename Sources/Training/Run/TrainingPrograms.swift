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

    /// The state before the first step: a Flax TrainState.
    func initialState(_ key: PRNGKey) throws -> TrainState {
        let variables = try model.initialize(key, try zeros(inputType(rows: 1).shape), training: false)
        let collections = variables.entries.compactMap { name, value -> TrainState.Collection? in
            guard name != "params", let variables = value.dictionary else { return nil }
            return TrainState.Collection(name, variables)
        }
        return try TrainState.create(
            params: variables["params"]?.dictionary ?? FrozenDict(), transformation: optimizer,
            collections: collections)
    }

    /// The type of the model's output for a batch. Nothing is computed.
    func outputType(state: TrainState, rows: Int) throws -> TensorType {
        try evalShape(
            { (state: TrainState) in
                try model.apply(variables(of: state), zeros(inputType(rows: rows).shape), training: false)
            }, state
        ).type
    }

    /// The modules with what a call for a batch needs and gives.
    func modules(rows: Int) throws -> [Inspection.Module] {
        let table = try model.tabulate(try zeros(inputType(rows: rows).shape), training: false)
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

    // MARK: Programs

    /// One training step. Inputs: the leaves of the state, inputs, targets. Outputs: the leaves of the next state, the loss.
    /// State leaves carry over.
    func step(state: TrainState, rows: Int) throws -> (program: Program, carry: [Int?]) {
        let leaves = state.leaves
        let program = try makeProgram(
            { (arguments: [Tensor]) in
                let state = try state.replacingLeaves(Array(arguments.dropLast(2)))
                let (next, loss) = try advance(
                    state, arguments[arguments.count - 2], arguments[arguments.count - 1])
                return next.leaves + [loss]
            }, try leaves + placeholders(rows: rows))
        return (program, Array(leaves.indices) + [nil])
    }

    private func advance(_ state: TrainState, _ x: Tensor, _ y: Tensor) throws -> (
        next: TrainState, loss: Tensor
    ) {
        let names = Set(state.collections.map(\.name))
        let objective = valueAndGrad(hasAux: { (params: FrozenDict) in
            var variables = variables(of: state)
            variables["params"] = .dictionary(params)
            let (output, updates) = try model.apply(variables, x, mutable: .only(names), training: true)
            return (try loss(output, y), updates)
        })
        let (value, updates, gradients) = try objective(state.params)
        return (
            try state.applyGradients(gradients, replacing: updates, context: UpdateContext(value: value)),
            value
        )
    }

    /// Evaluation of a batch. Inputs: the leaves of the state, inputs, targets. Outputs: the loss, then each metric.
    func evaluation(state: TrainState, rows: Int) throws -> Program {
        try makeProgram(
            { (arguments: [Tensor]) in
                let state = try state.replacingLeaves(Array(arguments.dropLast(2)))
                let target = arguments[arguments.count - 1]
                let output = try model.apply(
                    variables(of: state), arguments[arguments.count - 2], training: false)
                return try ([loss] + metrics).map { try $0(output, target) }
            }, try state.leaves + placeholders(rows: rows))
    }

    private func placeholders(rows: Int) throws -> [Tensor] {
        let (x, y) = (inputType(rows: rows), targetType(rows: rows))
        return [try zeros(x.shape), try zeros(y.shape, dtype: y.dtype)]
    }
}
