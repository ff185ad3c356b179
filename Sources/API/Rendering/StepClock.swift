// When a step was finished, as far as the rows tell: they have the times of attempts and checkpoints, not of every point.
import Store

/// Wall-clock times of steps: exact where an attempt began or ended and where a checkpoint was written, evenly spread in between.
struct StepClock: Sendable {
    private struct Anchor {
        var finished: Int64
        /// Since 1970.
        var seconds: Double
    }

    /// In the order of steps, and of times. Where an attempt ended and another went on at the same step, both are there.
    private var anchors: [Anchor] = []

    /// - Parameters:
    ///   - attempts: of one job, oldest first.
    ///   - checkpoints: of the same job, also those that are gone.
    ///   - finished: how far the attempt that runs has come at `now`.
    init(attempts: [AttemptRecord], checkpoints: [CheckpointRecord], finished: Int64, now: Timestamp) {
        for attempt in attempts {
            // What was trained beyond the checkpoint that this attempt began with was lost, and trained again.
            anchors.removeAll { $0.finished > attempt.fromStep }
            append(attempt.fromStep, attempt.startedAt)
            for checkpoint in checkpoints.filter({ $0.attempt == attempt.number }).sorted(by: {
                $0.step < $1.step
            }) {
                append(checkpoint.step, checkpoint.createdAt)
            }
            append(attempt.toStep ?? finished, attempt.endedAt ?? now)
        }
    }

    /// Keeps the order where the machine's clock was set back.
    private mutating func append(_ finished: Int64, _ time: Timestamp) {
        let last = anchors.last
        anchors.append(
            Anchor(
                finished: max(finished, last?.finished ?? finished),
                seconds: max(Double(time.milliseconds) / 1000, last?.seconds ?? 0)))
    }

    /// Seconds since 1970 when so many steps were finished.
    func seconds(finished: Int64) -> Double {
        var (low, high) = (0, anchors.count)
        while low < high {
            let middle = (low + high) / 2
            if anchors[middle].finished < finished { low = middle + 1 } else { high = middle }
        }
        guard low < anchors.count else { return anchors.last?.seconds ?? 0 }
        let next = anchors[low]
        guard low > 0, next.finished > finished else { return next.seconds }
        let before = anchors[low - 1]
        let share = Double(finished - before.finished) / Double(next.finished - before.finished)
        return before.seconds + share * (next.seconds - before.seconds)
    }
}
