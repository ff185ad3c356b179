// Planning: what a job will need, and whether it can run at all, without data in memory and without computing.
import Datasets
import JobSpec
import OrderedCollections
import Serialization
import TensorEngine

enum Planner {
    /// What a process needs besides tensors and data.
    private static let baseMemoryBytes = 48 << 20

    /// Traces the job abstractly.
    ///
    /// - Throws: `SpecErrors` with every problem found, each with its place in the spec.
    static func plan(
        _ json: JSONValue, datasets: OrderedDictionary<String, DatasetLocation>
    ) throws(SpecErrors) -> JobPlan {
        let spec = try JobSpec.decode(json)
        let shape = try DataShape(spec) { (reference) throws(DatasetError) in
            try CSVTable(path: try JobData.path(of: reference, in: datasets)).inspect()
        }
        do {
            return try plan(spec, shape)
        } catch let errors as SpecErrors {
            throw errors
        } catch let error as TensorError {
            throw SpecErrors(problems: [
                SpecProblem(code: "shape_mismatch", pointer: "#/model", detail: error.description)
            ])
        } catch {
            throw SpecErrors(problems: [SpecProblem(code: "internal", pointer: "#", detail: "\(error)")])
        }
    }

    private static func plan(_ spec: JobSpec, _ shape: DataShape) throws -> JobPlan {
        let programs = try TrainingPrograms(spec, features: shape.features, outputs: shape.outputs)
        let key = try PRNGKey(seed: spec.seed)
        let rows = min(spec.data.batchSize, shape.trainRows)
        let state = try evalShape(programs.initialState, key)
        try check(try programs.outputType(state: state, rows: rows), spec, shape)
        let step = try programs.step(state: state, rows: rows)
        let executable = try Executable(step.program, carry: step.carry)
        let params = state.params.leaves
        let stateBytes = state.leaves.reduce(0) { $0 + $1.type.byteCount }
        let schedule = RunSchedule(spec, batchesPerEpoch: shape.batchesPerEpoch)
        let dataBytes =
            (shape.trainRows + (shape.validationRows ?? 0)) * (shape.features + shape.outputs)
            * MemoryLayout<Float>.size
        let memory = baseMemoryBytes + 2 * stateBytes + executable.arenaByteCount + 2 * dataBytes
        if let limit = spec.budget.memoryBytes, memory > limit {
            throw SpecErrors(problems: [
                SpecProblem(
                    code: "quota_exceeded", pointer: "#/budget/memory_bytes",
                    detail:
                        "the job needs about \(memory) bytes, the budget is \(limit); raise it, or make the model or batch smaller"
                )
            ])
        }
        return JobPlan(
            parameterCount: params.reduce(0) { $0 + $1.shape.elementCount },
            parameterBytes: params.reduce(0) { $0 + $1.type.byteCount },
            checkpointBytes: try serializedByteCount(state.tree), memoryBytes: memory,
            stepsTotal: schedule.stepsTotal,
            stepsPerEpoch: shape.batchesPerEpoch,
            modules: try programs.modules(rows: rows).map { module in
                JobPlan.Module(
                    path: module.path, type: module.type,
                    outputShape: module.outputs.first?.shape.dimensions ?? [], parameters: module.parameters,
                    operations: Int(exactly: module.operations.rounded()) ?? Int.max)
            })
    }

    /// The model's output must fit the target.
    private static func check(_ output: TensorType, _ spec: JobSpec, _ shape: DataShape) throws {
        func mismatch(_ detail: String) -> SpecErrors {
            SpecErrors(problems: [SpecProblem(code: "shape_mismatch", pointer: "#/model", detail: detail)])
        }
        let width = output.shape.last ?? 0
        if let classes = shape.classes, width < classes {
            throw mismatch(
                "the output is [batch, \(width)], one logit a class, and the target \(spec.data.target ?? "") has \(classes) classes; make the last layer's features \(classes)"
            )
        }
        if shape.classes == nil, width != shape.outputs {
            throw mismatch(
                "the output is [batch, \(width)] and the target has \(shape.outputs) columns; make the last layer's features \(shape.outputs)"
            )
        }
    }
}
