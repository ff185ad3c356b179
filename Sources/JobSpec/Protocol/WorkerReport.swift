// What a worker tells the server on its standard output: one JSON object per line.

import OrderedCollections

package struct WorkerReady: Sendable, Hashable {
    package var pid: Int
    package var engineVersion: String
    /// Instruction set of the kernels, "avx512" or "avx2".
    package var kernelLevel: String
    package var threads: Int

    package init(pid: Int, engineVersion: String, kernelLevel: String, threads: Int) {
        self.pid = pid
        self.engineVersion = engineVersion
        self.kernelLevel = kernelLevel
        self.threads = threads
    }
}

/// One value of one series.
package struct ReportedMetric: Sendable, Hashable {
    /// "train/loss", "validation/accuracy"
    package var name: String
    /// Training: the step that gave it, from 0. Evaluation: the number of finished steps.
    package var step: Int
    /// Finished steps when it was known: `step + 1` in training, `step` in evaluation. An attempt that resumes
    /// after S steps discards what has `finished > S`.
    package var finished: Int
    /// May be NaN or infinite.
    package var value: Double

    package init(name: String, step: Int, finished: Int, value: Double) {
        self.name = name
        self.step = step
        self.finished = finished
        self.value = value
    }
}

package struct MetricsReport: Sendable, Hashable {
    /// Finished steps.
    package var step: Int
    package var epoch: Double
    package var examples: Int
    package var stepsPerSecond: Double
    package var points: [ReportedMetric]

    package init(step: Int, epoch: Double, examples: Int, stepsPerSecond: Double, points: [ReportedMetric]) {
        self.step = step
        self.epoch = epoch
        self.examples = examples
        self.stepsPerSecond = stepsPerSecond
        self.points = points
    }
}

/// Both files are durable and in place when this is sent.
package struct CheckpointReport: Sendable, Hashable {
    package enum Cause: String, Sendable, CaseIterable {
        case periodic, final, pause, manual
    }

    /// Finished steps.
    package var step: Int
    package var folder: String
    package var stateSHA256: String
    package var stateBytes: Int
    package var resumeSHA256: String
    package var resumeBytes: Int
    package var metrics: OrderedDictionary<String, Double>
    package var cause: Cause

    package init(
        step: Int, folder: String, stateSHA256: String, stateBytes: Int, resumeSHA256: String,
        resumeBytes: Int, metrics: OrderedDictionary<String, Double>, cause: Cause
    ) {
        self.step = step
        self.folder = folder
        self.stateSHA256 = stateSHA256
        self.stateBytes = stateBytes
        self.resumeSHA256 = resumeSHA256
        self.resumeBytes = resumeBytes
        self.metrics = metrics
        self.cause = cause
    }
}

package struct FailureReport: Sendable, Hashable {
    /// nonfinite_loss, data_error, engine_error, checkpoint_corrupt, checkpoint_write_failed, out_of_memory,
    /// deadline_exceeded
    package var code: String
    package var detail: String
    /// Finished steps; nil before the first.
    package var step: Int?
    package var retryable: Bool
    package var problems: [SpecProblem]

    package init(
        code: String, detail: String, step: Int?, retryable: Bool, problems: [SpecProblem] = []
    ) {
        self.code = code
        self.detail = detail
        self.step = step
        self.retryable = retryable
        self.problems = problems
    }
}

/// A file that is durable and in the place that the command named.
package struct WrittenFile: Sendable, Hashable {
    package var sha256: String
    package var bytes: Int
    /// What was found in an imported file; empty for an export.
    package var contents: JSONValue

    package init(sha256: String, bytes: Int, contents: JSONValue = [:]) {
        self.sha256 = sha256
        self.bytes = bytes
        self.contents = contents
    }
}

package enum WorkerReport: Sendable, Hashable {
    case ready(WorkerReady)
    case planned(id: Int, plan: JobPlan)
    case planFailed(id: Int, problems: [SpecProblem])
    /// `step` is the number of steps finished already (of the checkpoint that the attempt resumes from).
    case started(step: Int, stepsTotal: Int)
    case metrics(MetricsReport)
    case checkpoint(CheckpointReport)
    case stopped(step: Int)
    case cancelled(step: Int)
    /// `reason` says why training ended before its budget was used up.
    case done(step: Int, metrics: OrderedDictionary<String, Double>, reason: String?)
    case failed(FailureReport)
    case written(WrittenFile)
    /// An export or import that cannot be: what is wrong with the model or the file.
    case refused(problems: [SpecProblem])
}
