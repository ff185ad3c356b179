// Errors of the rooms below as problems. What is not known here is a bug: 500, and the cause goes to the log only.
import Datasets
import JobSpec
import Scheduler
import Store

enum ErrorMapping {
    static func problem(_ error: any Error) -> Problem {
        switch error {
        case let problem as Problem: problem
        case let errors as SpecErrors: invalidSpec(errors.problems)
        case let error as StoreError: store(error)
        case let error as DatasetError: dataset(error)
        case let error as SchedulerError: scheduler(error)
        case is CancellationError: Readiness.State.draining.problem
        default:
            Problem(.internal, "The server failed to answer this; its log says why under this request_id.")
        }
    }

    static func invalidSpec(_ problems: [SpecProblem]) -> Problem {
        let code: ProblemCode =
            if problems.allSatisfy({ $0.code == ProblemCode.shapeMismatch.rawValue }) {
                .shapeMismatch
            } else if problems.allSatisfy({ $0.code == ProblemCode.datasetNotFound.rawValue }) {
                .datasetNotFound
            } else {
                .invalidSpec
            }
        return Problem(
            code, "\(problems.count) problem\(problems.count == 1 ? "" : "s") in the spec", errors: problems)
    }

    /// Of an export or import that a worker refused: the code of its first problem, where the API has that one.
    static func fileWork(_ errors: SpecErrors) -> Problem {
        let first = errors.problems.first
        let code = first.flatMap { ProblemCode(rawValue: $0.code) } ?? .notExportable
        guard code != .internal else {
            return Problem(.workerFailed, "The file could not be made; the server's log says why.")
        }
        return Problem(code, first?.detail ?? "", errors: errors.problems)
    }

    static func dataset(_ error: DatasetError) -> Problem {
        // A table has no JSON pointer: rows and columns count from 1 there as here, row 0 is the header.
        let place = [error.row.map { "row=\($0)" }, error.column.map { "column=\($0)" }].compactMap(\.self)
        var problem = Problem(
            .invalidDataset, "\(error)",
            errors: [
                SpecProblem(
                    code: "data_error", pointer: "#" + place.joined(separator: ";"), detail: error.detail)
            ])
        if let row = error.row { problem = problem.with("row", JSONValue(row)) }
        if let line = error.line { problem = problem.with("line", JSONValue(line)) }
        if let column = error.column { problem = problem.with("column", JSONValue(column)) }
        if let name = error.columnName { problem = problem.with("column_name", .string(name)) }
        return problem
    }

    static func store(_ error: StoreError) -> Problem {
        switch error {
        case .notFound(let kind, let id):
            Problem(.notFound, "There is no \(kind) \(id.prefix(140)).")
        case .gone(_, _, let at, let reason):
            Problem(.gone, "\(error)").with("deleted_at", .time(at)).with("reason", .string(reason))
        case .conflict(_, let state, _):
            conflict(state, "\(error)")
        case .referenced(_, _, let by):
            Problem(.stateConflict, "\(error)").with("referenced_by", JSONValue(by))
        case .pinned:
            Problem(.stateConflict, "\(error)")
        case .idempotencyMismatch:
            Problem(.idempotencyMismatch, "\(error)")
        case .diskFull:
            Problem(.diskLow, "The disk of the data folder is full; free some space and send this again.")
        case .readOnly:
            Readiness.State.readOnly.problem
        case .closed:
            Readiness.State.draining.problem
        case .database, .newerSchema, .locked, .folder:
            Problem(.internal, "The server failed to answer this; its log says why under this request_id.")
        }
    }

    static func scheduler(_ error: SchedulerError) -> Problem {
        switch error {
        case .notFound(let kind, let id): store(.notFound(kind: kind, id: id))
        case .gone(let kind, let id, let at, let reason):
            store(.gone(kind: kind, id: id, at: at, reason: reason))
        case .conflict(_, _, let state, _): conflict(state, "\(error)")
        case .preconditionFailed(_, let revision):
            Problem(.preconditionFailed, "\(error)").with("revision", .int(revision))
        case .idempotencyMismatch: Problem(.idempotencyMismatch, "\(error)")
        case .plannerFailed, .plannerTimedOut:
            Problem(
                .invalidSpec, "\(error)",
                errors: [SpecProblem(code: "plan_failed", pointer: "#", detail: "\(error)")])
        case .workerFailed: Problem(.workerFailed, "\(error)")
        case .unavailable:
            Problem(.notReady, "\(error)").with(header: "Retry-After", "1")
        }
    }

    static func conflict(_ state: JobState, _ detail: String) -> Problem {
        Problem(.stateConflict, detail).with("state", .string(state.rawValue))
            .with(
                "allowed_actions",
                JSONValue(TransitionTable.standard.allowedActions(in: state).map(\.rawValue)))
    }
}
