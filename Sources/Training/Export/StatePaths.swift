// The arrays of a checkpoint by their paths, compared with what a model needs.
import JobSpec
import Serialization
import TensorEngine

struct StatePaths {
    private var arrays: [String: StateArray] = [:]

    init(_ state: StateDict) {
        for (path, value) in state.leavesWithPaths() {
            if case .array(let array) = value { arrays[path] = array }
            if case .scalar(let array) = value { arrays[path] = array }
        }
    }

    /// The array at a path.
    ///
    /// - Throws: `SpecErrors` (checkpoint_incompatible) where there is none, or one of another type.
    func parameter(_ path: String, _ type: TensorType) throws -> InferenceModel.Parameter {
        let found = arrays[path].flatMap { InferenceModel.Parameter(path: path, value: $0) }
        guard let found, found.type == type else {
            throw SpecErrors(problems: [
                SpecProblem(
                    code: "checkpoint_incompatible", pointer: "#/model",
                    detail: "the checkpoint is not one of this model: \(path) is "
                        + "\(found.map { "\($0.type)" } ?? "missing"), and \(type) in the model")
            ])
        }
        return found
    }
}
