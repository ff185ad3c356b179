// Exports and imports as a worker does them: what becomes of their errors.
import Datasets
import JobSpec
import Serialization
import TensorEngine

enum FileWork {
    /// The report of what `work` has written, or of why it could not: every problem names its place.
    static func report(_ work: () throws -> WrittenFile) -> WorkerReport {
        do {
            return .written(try work())
        } catch {
            return .refused(problems: problems(error))
        }
    }

    /// - Returns: problems with the codes that the API answers with: `not_exportable` for a model that a format cannot express,
    ///   `invalid_checkpoint` for a file that is none, `checkpoint_corrupt` for a checkpoint that has been changed.
    static func problems(_ error: any Error) -> [SpecProblem] {
        switch error {
        case let errors as SpecErrors:
            return errors.problems
        case let error as TensorError:
            return [
                SpecProblem(
                    code: error.kind == .resource ? "out_of_memory" : "not_exportable",
                    pointer: pointer(error.path), detail: error.description)
            ]
        case let error as SerializationError:
            let isFile = error.kind == .malformed || error.byteOffset != nil
            return [
                SpecProblem(
                    code: isFile ? "invalid_checkpoint" : "not_exportable", pointer: pointer(error.path),
                    detail: error.description)
            ]
        case let error as CheckpointError:
            let isChanged = if case .digestMismatch = error { true } else { false }
            return [
                SpecProblem(
                    code: error.isOutOfSpace ? "disk_low" : isChanged ? "checkpoint_corrupt" : "internal",
                    pointer: "#", detail: error.description)
            ]
        case let failure as TrainingFailure:
            return [SpecProblem(code: failure.code.rawValue, pointer: "#", detail: failure.detail)]
        default:
            return [SpecProblem(code: "internal", pointer: "#", detail: "\(error)")]
        }
    }

    /// Where in the model or the file: "#/params/Dense_0".
    private static func pointer(_ path: String) -> String {
        path.isEmpty ? "#" : path.hasPrefix("/") ? "#" + path : "#/" + path
    }
}
