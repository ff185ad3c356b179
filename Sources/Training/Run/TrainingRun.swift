// One attempt of a job: from a fresh or restored state to the last step, with metrics and checkpoints on the way.
import Datasets
import Glibc
import Hashing
import JobSpec
import Optax
import OrderedCollections
import Serialization
import TensorEngine

/// Trains a job. Everything that it reports depends on the effective spec and the data alone, except times.
final class TrainingRun {
    /// What the server asks of a run between two steps.
    enum Request: Sendable {
        case pause
        case cancel(checkpoint: Bool)
    }

    private let command: RunCommand
    private let spec: JobSpec
    private let data: JobData
    private let programs: TrainingPrograms
    private let schedule: RunSchedule
    private let keys: RunKeys
    private let specDigest: String
    private let state: TrainState
    private let stateLeafCount: Int
    private let execution: BoundExecution
    private let evaluator: Evaluator?
    /// Of the test data, for the final state.
    private let finalEvaluator: Evaluator?
    private let callbacks: Callbacks
    /// Whether the checkpoint that the run goes on from was its last, so that its values have been reported.
    private let wasComplete: Bool
    private let report: (WorkerReport) throws -> Void

    private var finished: Int
    private var order: (epoch: Int, rows: [Int32])?
    /// Values of the last evaluation and the number of steps it was made after.
    private var evaluation: (finished: Int, values: OrderedDictionary<String, Double>) = (-1, [:])
    private var lastLoss = Double.nan
    private var points: [ReportedMetric] = []
    private var lastFlush = monotonicSeconds()
    private var stepsAtFlush: Int
    private var lastCheckpoint = monotonicSeconds()
    private let started = monotonicSeconds()
    private let elapsedBefore: Double

    /// Seconds between two reports of metrics.
    private static let reportInterval = 0.1

    init(_ command: RunCommand, report: @escaping (WorkerReport) throws -> Void) throws {
        self.command = command
        self.report = report
        let spec = try JobSpec.decode(command.spec)
        self.spec = spec
        specDigest = SHA256.hash(spec.digestBytes).hex
        keys = try RunKeys(seed: spec.seed)
        // What a process that died while it wrote a checkpoint left behind.
        _ = try CheckpointFolder.removeLeftovers(in: command.folder)

        var restored: (state: StateDict, resume: ResumeState)?
        if let point = command.resume { restored = try TrainingRun.load(point, specDigest: specDigest) }
        data = try JobData(
            spec, datasets: command.datasets, fitted: restored?.resume.transforms, generate: generateData)
        let batches = data.train.batchesPerEpoch
        guard batches > 0 else {
            throw TrainingFailure(
                code: .dataError, detail: "the training split has fewer rows than one batch",
                isRetryable: false)
        }
        schedule = RunSchedule(spec, batchesPerEpoch: batches)
        let programs = try TrainingPrograms(spec, BatchTypes(data))
        self.programs = programs

        var initial = try jit { (key: PRNGKey) in try programs.initialState(key) }(keys.initialize)
        // A run that goes on has the checkpoint's values already.
        if restored == nil, let checkpoint = try Initialization(spec, command.datasets) {
            initial = try checkpoint.applied(to: initial)
        }
        let state = try restored.map { try TrainingRun.restore($0.state, like: initial) } ?? initial
        self.state = state
        stateLeafCount = state.leaves.count
        finished = restored?.resume.finishedSteps ?? 0
        stepsAtFlush = finished
        elapsedBefore = restored?.resume.elapsedSeconds ?? 0

        let rows = data.train.positions(ofBatch: 0).count
        let step = try programs.step(state: state, rows: rows)
        let executable = try Executable(step.program, carry: step.carry)
        let (x, y) = (programs.types.inputs(rows: rows), programs.types.targets(rows: rows))
        execution = try BoundExecution(
            executable,
            inputs: try state.leaves + [
                keys.training.data, zeros(x.shape, dtype: x.dtype), zeros(y.shape, dtype: y.dtype),
            ])
        evaluator = data.validation.map {
            Evaluator(
                "validation", spec, $0, maximumBatches: spec.evaluation?.maxBatches, state: state,
                programs: programs)
        }
        finalEvaluator = data.test.map {
            Evaluator("test", spec, $0, maximumBatches: nil, state: state, programs: programs)
        }
        callbacks = try Callbacks(
            spec.callbacks,
            state: LiveState(execution, paths: state.tree.leavesWithPaths().map(\.path)),
            saved: restored?.resume.callbacks)
        wasComplete =
            restored != nil && (finished >= schedule.stepsTotal || callbacks.stopReason != nil)
    }

    /// Trains to the end, or until `nextRequest` asks to stop.
    func train(nextRequest: () -> Request?) throws {
        try report(.started(step: finished, stepsTotal: schedule.stepsTotal))
        while finished < schedule.stepsTotal, callbacks.stopReason == nil {
            if let request = nextRequest() { return try stop(request) }
            try checkDeadline()
            try step()
            if schedule.evaluates(after: finished) || callbacks.stopReason != nil { try evaluate() }
            if monotonicSeconds() - lastFlush >= TrainingRun.reportInterval { try flush() }
            if callbacks.stopReason == nil, isCheckpointDue() { try writeCheckpoint(.periodic) }
        }
        if let values = try callbacks.conclude() { evaluation = (finished, values) }
        try judge()
        try writeCheckpoint(.final)
        try report(.done(step: finished, metrics: latestMetrics, reason: callbacks.stopReason))
    }

    /// The values of the final state on the test data.
    private func judge() throws {
        guard let finalEvaluator else { return }
        let values = try finalEvaluator.evaluate(copyState: copyLeaf)
        if evaluation.finished != finished { evaluation = (finished, [:]) }
        evaluation.values.merge(values) { $1 }
        if !wasComplete { add(values) }
    }

    private func step() throws {
        let (epoch, batch) = finished.quotientAndRemainder(dividingBy: schedule.stepsPerEpoch)
        try copyBatch(
            data.train, batch, order: try epochOrder(epoch), into: execution, at: stateLeafCount + 1)
        try callbacks.willStep(finished)
        execution.run()
        let loss = execution.outputBytes(stateLeafCount).load(as: Float.self)
        let isTaken =
            !programs.skipsBadSteps || execution.outputBytes(stateLeafCount + 1).load(as: Float.self) != 0
        lastLoss = Double(loss)
        points.append(
            ReportedMetric(name: "train/loss", step: finished, finished: finished + 1, value: lastLoss))
        finished += 1
        do {
            try callbacks.didStep(
                StepOutcome(step: finished - 1, loss: loss, isGood: loss.isFinite && isTaken))
        } catch {
            try flush()
            throw error
        }
        try callbacks.observe(["train/loss": lastLoss])
    }

    private func epochOrder(_ epoch: Int) throws -> [Int32]? {
        guard spec.data.shuffle == .epoch else { return nil }
        if let order, order.epoch == epoch { return order.rows }
        let rows = try keys.order(epoch: epoch, rows: data.train.data.rows)
        order = (epoch, rows)
        return rows
    }

    private func evaluate() throws {
        guard let evaluator, evaluation.finished != finished else { return }
        let values = try evaluator.evaluate(copyState: copyLeaf)
        evaluation = (finished, values)
        add(values)
        try callbacks.observe(values)
    }

    private func copyLeaf(_ leaf: Int, into memory: UnsafeMutableRawBufferPointer) {
        memory.copyMemory(from: UnsafeRawBufferPointer(execution.inputBytes(leaf)))
    }

    private func add(_ values: OrderedDictionary<String, Double>) {
        for (name, value) in values {
            points.append(ReportedMetric(name: name, step: finished, finished: finished, value: value))
        }
    }

    private var latestMetrics: OrderedDictionary<String, Double> {
        var values: OrderedDictionary<String, Double> = ["train/loss": lastLoss]
        if evaluation.finished == finished { values.merge(evaluation.values) { $1 } }
        return values
    }

    /// Sends the points gathered so far.
    private func flush() throws {
        let now = monotonicSeconds()
        let rate = Double(finished - stepsAtFlush) / max(now - lastFlush, 1e-9)
        try report(
            .metrics(
                MetricsReport(
                    step: finished, epoch: Double(finished) / Double(schedule.stepsPerEpoch),
                    examples: finished * data.train.positions(ofBatch: 0).count, stepsPerSecond: rate,
                    points: points)))
        points.removeAll(keepingCapacity: true)
        (lastFlush, stepsAtFlush) = (now, finished)
    }

    // MARK: Stopping

    private func stop(_ request: Request) throws {
        switch request {
        case .pause:
            try writeCheckpoint(.pause)
            try report(.stopped(step: finished))
        case .cancel(let checkpoint):
            if checkpoint { try writeCheckpoint(.manual) } else { try flush() }
            try report(.cancelled(step: finished))
        }
    }

    private func checkDeadline() throws {
        guard let limit = spec.budget.wallSeconds, elapsed >= limit else { return }
        try writeCheckpoint(.manual)
        throw TrainingFailure(
            code: .deadlineExceeded,
            detail:
                "budget.wall_seconds (\(limit)) was used up after \(finished) of \(schedule.stepsTotal) steps; a checkpoint was written",
            isRetryable: false)
    }

    private var elapsed: Double { elapsedBefore + monotonicSeconds() - started }

    // MARK: Checkpoints

    private func isCheckpointDue() -> Bool {
        if schedule.checkpoints(after: finished) { return true }
        guard let seconds = spec.checkpoint.everySeconds, finished < schedule.stepsTotal else { return false }
        return monotonicSeconds() - lastCheckpoint >= seconds
    }

    private func writeCheckpoint(_ cause: CheckpointReport.Cause) throws {
        try flush()
        let leaves = try (0..<stateLeafCount).map { try execution.input($0) }
        let (epoch, batch) = finished.quotientAndRemainder(dividingBy: schedule.stepsPerEpoch)
        let resume = ResumeState(
            finishedSteps: finished, epoch: epoch, batchInEpoch: batch, seed: spec.seed,
            elapsedSeconds: spec.budget.wallSeconds == nil ? nil : elapsed, transforms: data.transforms,
            callbacks: try callbacks.saved(), specDigest: specDigest)
        let number = String(finished)
        let folder = CheckpointFolder(
            path: command.folder + "/step-" + String(repeating: "0", count: max(0, 6 - number.count)) + number
        )
        let summary = try folder.write(
            state: try state.replacingLeaves(leaves).tree, resume: resume.stateDict)
        lastCheckpoint = monotonicSeconds()
        try report(
            .checkpoint(
                CheckpointReport(
                    step: finished, folder: folder.path, stateSHA256: summary.state.sha256.hex,
                    stateBytes: summary.state.byteCount, resumeSHA256: summary.resume.sha256.hex,
                    resumeBytes: summary.resume.byteCount, metrics: latestMetrics, cause: cause)))
    }

    private static func load(
        _ point: ResumePoint, specDigest: String
    ) throws -> (state: StateDict, resume: ResumeState) {
        do {
            let files = try CheckpointFolder(path: point.folder).read(
                stateSHA256: Digest(hex: point.stateSHA256), resumeSHA256: Digest(hex: point.resumeSHA256))
            return (files.state, try ResumeState(files.resume, specDigest: specDigest))
        } catch let failure as TrainingFailure {
            throw failure
        } catch {
            throw TrainingFailure(
                code: .checkpointCorrupt, detail: "\(point.folder): \(error)", isRetryable: false)
        }
    }

    /// The state of a checkpoint, which must have the structure, shapes and types that the spec's model has.
    private static func restore(_ stateDict: StateDict, like initial: TrainState) throws -> TrainState {
        do {
            return try initial.replacing(tree: try fromStateDict(initial.tree, stateDict))
        } catch {
            throw TrainingFailure(code: .checkpointCorrupt, detail: "\(error)", isRetryable: false)
        }
    }
}

/// Seconds on a clock that never goes backwards.
func monotonicSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}
