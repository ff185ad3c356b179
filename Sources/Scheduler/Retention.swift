// Which checkpoints of a job to keep: a pure function of the policy and of what there is.

import JobSpec
import Store

package struct RetentionPolicy: Sendable, Hashable {
    package struct Best: Sendable, Hashable {
        package enum Mode: String, Sendable, Hashable, CaseIterable {
            case min, max
        }

        package var metric: String
        package var mode: Mode
        package var count: Int

        package init(metric: String, mode: Mode, count: Int) {
            self.metric = metric
            self.mode = mode
            self.count = count
        }
    }

    /// The newest so many; nil keeps all that no other rule is about.
    package var last: Int?
    package var best: Best?
    /// Every checkpoint at a multiple of this.
    package var everySteps: Int64?

    package init(last: Int? = nil, best: Best? = nil, everySteps: Int64? = nil) {
        self.last = last
        self.best = best
        self.everySteps = everySteps
    }

    /// `checkpoint.keep` of an effective spec.
    package init(_ keep: JSONValue?) {
        last = keep?["last"]?.intValue
        everySteps = keep?["every_steps"]?.intValue.map(Int64.init)
        if let best = keep?["best"], let metric = best["metric"]?.stringValue {
            self.best = Best(
                metric: metric, mode: best["mode"]?.stringValue.flatMap(Best.Mode.init(rawValue:)) ?? .min,
                count: best["count"]?.intValue ?? 1)
        }
    }

    /// The checkpoints with the best values of the policy's metric, best first; ties go to the earlier step,
    /// and a NaN is never best.
    package func ranking(_ checkpoints: [CheckpointRecord]) -> [CheckpointRecord] {
        guard let best else { return [] }
        return
            checkpoints
            .compactMap { checkpoint -> (checkpoint: CheckpointRecord, value: Double)? in
                guard let value = checkpoint.metrics[best.metric], !value.isNaN else { return nil }
                return (checkpoint, value)
            }
            .sorted { left, right in
                if left.value != right.value {
                    return best.mode == .min ? left.value < right.value : left.value > right.value
                }
                return left.checkpoint.step < right.checkpoint.step
            }
            .map(\.checkpoint)
    }

    /// The best checkpoint, as the job shows it; nil without a policy, or without a value of its metric.
    package func bestMetric(of checkpoints: [CheckpointRecord]) -> BestMetric? {
        guard let best, let first = ranking(checkpoints).first, let value = first.metrics[best.metric] else {
            return nil
        }
        return BestMetric(metric: best.metric, value: value, step: first.step, checkpoint: first.id)
    }

    /// What may go, oldest first. Never the newest (a resume needs it), a final one, or a pinned one.
    package func superfluous(_ checkpoints: [CheckpointRecord]) -> [CheckpointRecord] {
        let existing = checkpoints.filter { $0.status == .committed }.sorted { $0.step < $1.step }
        guard let last else { return [] }
        var kept = Set(existing.suffix(max(1, last)).map(\.id))
        if let best { kept.formUnion(ranking(existing).prefix(max(0, best.count)).map(\.id)) }
        return existing.filter { checkpoint in
            if kept.contains(checkpoint.id) || checkpoint.pinned || checkpoint.cause == .final {
                return false
            }
            if let everySteps, everySteps > 0, checkpoint.step % everySteps == 0 { return false }
            return true
        }
    }
}
