// When a run ends, evaluates and checkpoints, by the number of finished steps.
import JobSpec

/// The times of a run, in finished steps.
struct RunSchedule {
    let stepsTotal: Int
    let stepsPerEpoch: Int
    private let evaluateEvery: Int?
    private let checkpointEvery: [Int]

    init(_ spec: JobSpec, batchesPerEpoch: Int) {
        stepsPerEpoch = max(1, batchesPerEpoch)
        func steps(_ interval: Interval) -> Int {
            switch interval {
            case .steps(let count): count
            case .epochs(let count):
                count.multipliedReportingOverflow(by: max(1, batchesPerEpoch)).partialValue
            }
        }
        stepsTotal = steps(spec.budget.end)
        evaluateEvery = spec.evaluation.map { max(1, steps($0.every)) }
        checkpointEvery = [
            spec.checkpoint.everySteps, spec.checkpoint.everyEpochs.map { steps(.epochs($0)) },
        ].compactMap { $0 }.map { max(1, $0) }
    }

    /// Whether to evaluate after `finished` steps; always after the last.
    func evaluates(after finished: Int) -> Bool {
        guard let evaluateEvery else { return false }
        return finished == stepsTotal || finished % evaluateEvery == 0
    }

    /// Whether to write a periodic checkpoint after `finished` steps. The last step's is the final one.
    func checkpoints(after finished: Int) -> Bool {
        finished < stepsTotal && checkpointEvery.contains { finished % $0 == 0 }
    }
}
