// Why a run ended badly, in the words of the job API.
import Datasets
import JobSpec
import Serialization
import TensorEngine

/// An error that ends a run: what the server stores as the job's `error`.
struct TrainingFailure: Error, Sendable, CustomStringConvertible {
    enum Code: String, Sendable {
        case nonfiniteLoss = "nonfinite_loss"
        case dataError = "data_error"
        case engineError = "engine_error"
        case checkpointCorrupt = "checkpoint_corrupt"
        case checkpointWriteFailed = "checkpoint_write_failed"
        case outOfMemory = "out_of_memory"
        case deadlineExceeded = "deadline_exceeded"
    }

    let code: Code
    let detail: String
    /// Whether another attempt may succeed where this one failed.
    let isRetryable: Bool
    var problems: [SpecProblem] = []

    init(code: Code, detail: String, isRetryable: Bool, problems: [SpecProblem] = []) {
        self.code = code
        self.detail = detail
        self.isRetryable = isRetryable
        self.problems = problems
    }

    /// The failure that an error of a lower room means.
    init(_ error: any Error) {
        switch error {
        case let failure as TrainingFailure:
            self = failure
        case let error as DatasetError:
            self.init(code: .dataError, detail: error.description, isRetryable: false)
        case let errors as SpecErrors:
            self.init(
                code: .engineError, detail: errors.problems.map(\.detail).joined(separator: "; "),
                isRetryable: false,
                problems: errors.problems)
        case let error as TensorError where error.kind == .resource:
            self.init(code: .outOfMemory, detail: error.description, isRetryable: false)
        case let error as CheckpointError:
            self.init(code: .checkpointWriteFailed, detail: "\(error)", isRetryable: true)
        default:
            self.init(code: .engineError, detail: "\(error)", isRetryable: false)
        }
    }

    var description: String { "\(code.rawValue): \(detail)" }
}
