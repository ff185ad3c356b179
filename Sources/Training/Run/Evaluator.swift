// Evaluation of a state on held-out data.
import Datasets
import JobSpec
import Optax
import OrderedCollections
import TensorEngine

/// Evaluates states on held-out data: over all its rows, whatever the batches.
final class Evaluator {
    private let source: BatchSource
    private let names: [String]
    private let metrics: [Metric]
    private let batches: Int
    /// By number of rows: whole batches, and the shorter last one.
    private var executions: [Int: BoundExecution] = [:]
    private let makeProgram: (Int) throws -> Program
    private let stateTypes: [TensorType]

    /// Batches of an evaluation have so many rows, unless a row is large: fewer, larger products. The number depends on the spec alone.
    private static let smallestBatch = 512
    private static let largestBatchElements = 1 << 18

    /// - Parameters:
    ///   - name: what the data is, "validation" or "test": the first part of the values' names.
    ///   - maximumBatches: of the training's size; all of the data if nil.
    init(
        _ name: String, _ spec: JobSpec, _ data: BatchSource, maximumBatches: Int?, state: TrainState,
        programs: TrainingPrograms
    ) {
        // A token becomes a vector in each layer, so batches of them stay as training has them.
        let fitting =
            data.data.inputs.isInteger
            ? data.batchSize : Evaluator.largestBatchElements / max(1, data.data.inputs.width)
        let rows = max(data.batchSize, min(Evaluator.smallestBatch, fitting, data.data.rows))
        source = BatchSource(data: data.data, batchSize: rows, dropRemainder: false)
        names = spec.evaluationMetricNames(name)
        metrics = programs.metrics
        let allowed =
            maximumBatches.map { max(1, ($0 * data.batchSize + rows - 1) / rows) } ?? Int.max
        batches = min(source.batchesPerEpoch, allowed)
        stateTypes = state.leaves.map(\.type)
        makeProgram = { rows in try programs.evaluation(state: state, rows: rows) }
    }

    /// The values by name, such as `validation/accuracy`.
    ///
    /// - Parameter copyState: copies leaf `k` of the state into the given memory.
    func evaluate(copyState: (Int, UnsafeMutableRawBufferPointer) -> Void) throws -> OrderedDictionary<
        String, Double
    > {
        var loss = 0.0
        var rowsSeen = 0
        var parts = [[[Double]]](repeating: [], count: metrics.count)
        for index in 0..<batches {
            let rows = source.positions(ofBatch: index).count
            let execution = try execution(rows: rows)
            if index == 0 || rows != source.batchSize {
                for k in stateTypes.indices { copyState(k, execution.inputBytes(k)) }
            }
            try copyBatch(source, index, order: nil, into: execution, at: stateTypes.count)
            execution.run()
            loss += Double(rows) * (try numbers(execution, 0).first ?? .nan)
            rowsSeen += rows
            var output = 1
            for (k, metric) in metrics.enumerated() {
                for part in 0..<metric.partCount {
                    add(
                        try numbers(execution, output + part), to: &parts[k], at: part,
                        by: metric.accumulation)
                }
                output += metric.partCount
            }
        }
        let values = [loss / Double(max(1, rowsSeen))] + zip(metrics, parts).map { $0.value($1) }
        return OrderedDictionary(uniqueKeysWithValues: zip(names, values))
    }

    private func numbers(_ execution: BoundExecution, _ output: Int) throws -> [Double] {
        let tensor = try execution.output(output)
        return try tensor.astype(.float64).elements() as [Double]
    }

    private func add(
        _ values: [Double], to parts: inout [[Double]], at part: Int, by accumulation: Metric.Accumulation
    ) {
        if part == parts.count {
            parts.append(values)
        } else if accumulation == .concatenate {
            parts[part] += values
        } else {
            for index in values.indices { parts[part][index] += values[index] }
        }
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

/// Writes a batch into two neighbouring inputs.
func copyBatch(
    _ source: BatchSource, _ index: Int, order: [Int32]?, into execution: BoundExecution, at first: Int
) throws {
    try source.copyInputs(ofBatch: index, order: order, into: execution.inputBytes(first))
    try source.copyTargets(ofBatch: index, order: order, into: execution.inputBytes(first + 1))
}
