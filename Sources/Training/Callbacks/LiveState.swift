// The state of a run where its training step has it, and copies of parts of it.
import Serialization
import TensorEngine

/// The leaves of a run's TrainState in the memory of its training step: read and written between two steps.
struct LiveState {
    private let execution: BoundExecution
    private let paths: [String]
    private let places: [String: Int]

    init(_ execution: BoundExecution, paths: [String]) {
        self.execution = execution
        self.paths = paths
        places = Dictionary(paths.enumerated().map { ($1, $0) }) { first, _ in first }
    }

    /// A copy of one leaf, such as `opt_state/1/scale`.
    func leaf(_ path: String) throws -> Tensor { try execution.input(try place(path)) }

    /// Replaces one leaf by a value of its type.
    func replace(_ path: String, by value: Tensor) throws {
        let memory = execution.inputBytes(try place(path))
        let own = try leaf(path).type
        guard value.type == own else {
            throw TensorError(
                .structure, "LiveState", expected: "\(own)", got: "\(value.type)", path: path)
        }
        try value.withUnsafeBytes { memory.copyMemory(from: $0) }
    }

    /// Copies of the leaves whose paths are included.
    func snapshot(_ isIncluded: (String) -> Bool) throws -> StateSnapshot {
        StateSnapshot(values: try paths.filter(isIncluded).map { ($0, try leaf($0)) })
    }

    func restore(_ snapshot: StateSnapshot) throws {
        for (path, value) in snapshot.values { try replace(path, by: value) }
    }

    /// The snapshot that was written as `saved`.
    ///
    /// - Throws: `TrainingFailure` (checkpoint_corrupt) where it is not one of this state.
    func snapshot(from saved: StateDict) throws -> StateSnapshot {
        StateSnapshot(
            values: try (saved.entries ?? []).map { entry in
                let path = entry.key.description
                guard places[path] != nil, let value = try Tree(entry.value).tensor else {
                    throw ResumeState.corrupt("a copy of a state has \(path), which the state has not")
                }
                return (path, try leaf(path).replacingState(toStateDict(Tree.tensor(value))))
            })
    }

    private func place(_ path: String) throws -> Int {
        guard let place = places[path] else {
            throw TensorError(.structure, "LiveState", expected: "a leaf of the state", got: path)
        }
        return place
    }
}

/// Copies of leaves of a state, by their paths.
struct StateSnapshot {
    let values: [(path: String, value: Tensor)]

    var stateDict: StateDict {
        get throws {
            .dictionary(try values.map { .init($0.path, try toStateDict(Tree.tensor($0.value))) })
        }
    }
}
