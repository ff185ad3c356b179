// Evaluation of a state on held-out data.
import Datasets
import JobSpec
import Optax
import OrderedCollections
import TensorEngine

/// Evaluates states on the validation data: means over all its rows, whatever the batches.
final class Evaluator {
    private let source: BatchSource
    private let names: [String]
    private let batches: Int
    private let isClassification: Bool
    /// By number of rows: whole batches, and the shorter last one.
    private var executions: [Int: BoundExecution] = [:]
    private let makeProgram: (Int) throws -> Program
    private let stateTypes: [TensorType]

    /// Batches of an evaluation have at least so many rows: fewer, larger products. The number depends on the spec alone.
    private static let smallestBatch = 512

    init(_ spec: JobSpec, _ data: BatchSource, state: TrainState, programs: TrainingPrograms) {
        let rows = max(data.batchSize, min(Evaluator.smallestBatch, data.data.rows))
        source = BatchSource(data: data.data, batchSize: rows, dropRemainder: false)
        names = spec.evaluationMetricNames
        // max_batches counts batches of the training's size.
        let allowed =
            spec.evaluation?.maxBatches.map { max(1, ($0 * data.batchSize + rows - 1) / rows) } ?? Int.max
        batches = min(source.batchesPerEpoch, allowed)
        isClassification = spec.targetKind == .classes
        stateTypes = state.leaves.map(\.type)
        makeProgram = { rows in try programs.evaluation(state: state, rows: rows) }
    }

    /// The validation values by name, such as `validation/accuracy`.
    ///
    /// - Parameter copyState: copies leaf `k` of the state into the given memory.
    func evaluate(copyState: (Int, UnsafeMutableRawBufferPointer) -> Void) throws -> OrderedDictionary<
        String, Double
    > {
        var sums = [Double](repeating: 0, count: names.count)
        var rowsSeen = 0
        for index in 0..<batches {
            let rows = source.positions(ofBatch: index).count
            let execution = try execution(rows: rows)
            if index == 0 || rows != source.batchSize {
                for k in stateTypes.indices { copyState(k, execution.inputBytes(k)) }
            }
            try copyBatch(
                source, index, order: nil, isClassification: isClassification, into: execution,
                at: stateTypes.count)
            execution.run()
            for k in sums.indices {
                sums[k] += Double(rows) * Double(execution.outputBytes(k).load(as: Float.self))
            }
            rowsSeen += rows
        }
        return OrderedDictionary(
            uniqueKeysWithValues: zip(names, sums.map { $0 / Double(max(1, rowsSeen)) }))
    }

    private func execution(rows: Int) throws -> BoundExecution {
        if let known = executions[rows] { return known }
        let executable = try Executable(try makeProgram(rows))
        let execution = try BoundExecution(
            executable, inputs: try executable.inputTypes.map { try zeros($0.shape, dtype: $0.dtype) })
        executions[rows] = execution
        return execution
    }
}

/// Writes a batch into the two inputs that follow the state.
func copyBatch(
    _ source: BatchSource, _ index: Int, order: [Int32]?, isClassification: Bool,
    into execution: BoundExecution,
    at first: Int
) throws {
    try source.copyInputs(
        ofBatch: index, order: order, into: execution.inputBytes(first).bindMemory(to: Float.self))
    let target = execution.inputBytes(first + 1)
    if isClassification {
        try source.copyLabels(ofBatch: index, order: order, into: target.bindMemory(to: Int32.self))
    } else {
        try source.copyValues(ofBatch: index, order: order, into: target.bindMemory(to: Float.self))
    }
}
