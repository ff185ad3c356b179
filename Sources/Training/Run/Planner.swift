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
            try JobData.file(of: reference, in: datasets).inspect()
        }
        do {
            return try plan(spec, shape, try Initialization(spec, datasets))
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

    private static func plan(
        _ spec: JobSpec, _ shape: DataShape, _ initialization: Initialization?
    ) throws -> JobPlan {
        let programs = try TrainingPrograms(spec, BatchTypes(shape))
        let key = try PRNGKey(seed: spec.seed)
        let rows = min(spec.data.batchSize, shape.trainRows)
        let state = try evalShape(programs.initialState, key)
        if let initialization {
            // Only whether it fits; the types are the same afterwards.
            _ = try initialization.applied(
                to: state.replacingLeaves(state.leaves.map { try zeros($0.shape, dtype: $0.dtype) }))
        }
        try check(try programs.outputType(state: state, rows: rows), spec, shape)
        let step = try programs.step(state: state, rows: rows)
        let executable = try Executable(step.program, carry: step.carry)
        let params = state.params.leaves
        let stateBytes = state.leaves.reduce(0) { $0 + $1.type.byteCount }
        let schedule = RunSchedule(spec, batchesPerEpoch: shape.batchesPerEpoch)
        // Copies that callbacks keep, and one more while they are written.
        let copies =
            2 * (NaNGuard.keepsStates(spec.callbacks) ? 2 : 0)
            + (EarlyStopping.keepsStates(spec.callbacks) ? 2 : 0)
        let memory =
            baseMemoryBytes + (2 + copies) * stateBytes + executable.arenaByteCount + 2 * shape.byteCount
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
        func text(_ dimensions: [Int]) -> String {
            "[" + (["batch"] + dimensions.map(String.init)).joined(separator: ", ") + "]"
        }
        let dimensions = Array(output.shape.dimensions.dropFirst())
        switch spec.targetKind {
        case .groups:
            guard dimensions.count == 1, shape.targetShape.isEmpty else {
                throw mismatch(
                    "\(spec.loss.name) compares embeddings [batch, features] by one label a row; the output is \(text(dimensions)) and the target \(text(shape.targetShape))"
                )
            }
            return
        case .labelSequences:
            guard dimensions.count == 2, shape.targetShape.count == 1 else {
                throw mismatch(
                    "\(spec.loss.name) compares logits [batch, frames, classes] with labels [batch, length]; the output is \(text(dimensions)) and the target \(text(shape.targetShape))"
                )
            }
            if let classes = shape.classes, dimensions[1] < classes {
                throw mismatch(
                    "the output is \(text(dimensions)), one logit a class, and the labels are below \(classes); make the last layer's features \(classes)"
                )
            }
            return
        case .classes, .values, .either: break
        }
        if shape.targetIsInteger {
            let width = dimensions.last ?? 0
            guard dimensions.dropLast() == shape.targetShape[...] else {
                throw mismatch(
                    "the output is \(text(dimensions)) and the target \(text(shape.targetShape)); the output must have those dimensions and one for the classes"
                )
            }
            if let classes = shape.classes, width < classes {
                throw mismatch(
                    "the output is \(text(dimensions)), one logit a class, and the target \(spec.data.target ?? "") has \(classes) classes; make the last layer's features \(classes)"
                )
            }
        } else if dimensions != shape.targetShape {
            throw mismatch(
                "the output is \(text(dimensions)) and the target is \(text(shape.targetShape)); make the last layer's features \(shape.targetShape.last ?? 1)"
            )
        }
    }
}
