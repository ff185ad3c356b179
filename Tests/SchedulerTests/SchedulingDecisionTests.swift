// The pure parts: who starts, how long one waits, which checkpoints stay.

import Hashing
import JobSpec
import Testing

@testable import Scheduler
@testable import Store

@Suite struct SchedulingDecisionTests {
    private let now = Timestamp(milliseconds: 1_000_000)

    private func decide(_ jobs: [QueuedJob], slots: [Int], workers: Int = 9) -> SchedulingDecision {
        SchedulingDecision(
            QueueSnapshot(
                jobs: jobs, freeSlots: slots, readyWorkers: workers, now: now, longestDelaySeconds: 100))
    }

    @Test("A decision does not depend on the order in which the jobs are listed, and repeats itself")
    func deterministic() {
        let jobs = (0..<200).map {
            QueuedJob(id: "job \($0)", priority: Int.random(in: 0...5), ordinal: Int64($0))
        }
        let expected = jobs.sorted { ($1.priority, $0.ordinal) < ($0.priority, $1.ordinal) }.map(\.id)
        for slots in [0, 1, 3, 7, 300] {
            let decision = decide(jobs.shuffled(), slots: Array(0..<slots), workers: 500)
            #expect(decision.starts.map(\.job) == Array(expected.prefix(slots)))
            #expect(decision == decide(jobs, slots: Array(0..<slots), workers: 500))
        }
    }

    @Test("No slot is given twice, no job starts without a worker, and what waits for one is counted")
    func limits() {
        let jobs = (0..<5).map { QueuedJob(id: "\($0)", priority: 50, ordinal: Int64($0)) }
        let decision = decide(jobs, slots: [3, 1, 2], workers: 2)
        #expect(decision.starts == [.init(job: "0", slot: 1), .init(job: "1", slot: 2)])
        #expect(decision.waitingForWorkers == 1)
    }

    @Test(
        "A delayed job waits for its time, lets others pass, and survives a clock that is set back"
    )
    func delays() {
        let late = QueuedJob(id: "late", priority: 90, ordinal: 1, notBefore: now.advanced(bySeconds: 30))
        let soon = QueuedJob(id: "soon", priority: 90, ordinal: 2, notBefore: now.advanced(bySeconds: 5))
        let plain = QueuedJob(id: "plain", priority: 10, ordinal: 3)
        let absurd = QueuedJob(
            id: "absurd", priority: 1, ordinal: 4, notBefore: now.advanced(bySeconds: 86_400))
        let decision = decide([late, soon, plain, absurd], slots: [0, 1, 2, 3])
        #expect(decision.starts.map(\.job) == ["plain", "absurd"])
        #expect(decision.wakeAt == soon.notBefore)
    }

    @Test("The delay doubles with each failure, up to the limit")
    func backoff() {
        let delays = (1...6).map { Scheduler.backoff(base: 2, failures: $0, limit: 20) }
        #expect(delays == [2, 4, 8, 16, 20, 20])
        #expect(Scheduler.backoff(base: 0, failures: 5, limit: 20) == 0)
        #expect(Scheduler.backoff(base: 1, failures: .max, limit: 300) == 300)
    }

    private func checkpoint(
        _ step: Int64, loss: Double? = nil, cause: CheckpointCause = .periodic, pinned: Bool = false
    )
        -> CheckpointRecord
    {
        CheckpointRecord(
            id: "ckpt_\(step)", ordinal: step, job: "job_1", attempt: 1, step: step, folder: "step-\(step)",
            stateDigest: SHA256.hash([]), stateBytes: 1, resumeDigest: SHA256.hash([]), resumeBytes: 1,
            metrics: loss.map { ["loss": $0] } ?? [:], cause: cause, status: .committed, pinned: pinned,
            createdAt: now, deletedAt: nil, deletionReason: nil)
    }

    @Test(
        "Retention keeps the last, best, multiples, pinned and final; without `last` it keeps all"
    )
    func retention() {
        let all = [
            checkpoint(10, loss: 3), checkpoint(20, loss: 1), checkpoint(30, loss: .nan),
            checkpoint(40, loss: 2),
            checkpoint(50, loss: 5, pinned: true), checkpoint(60, loss: 4),
            checkpoint(70, loss: 6, cause: .final),
            checkpoint(80, loss: 7),
        ]
        func gone(_ policy: RetentionPolicy) -> [Int64] { policy.superfluous(all.shuffled()).map(\.step) }
        #expect(gone(RetentionPolicy()) == [])
        #expect(gone(RetentionPolicy(last: 2)) == [10, 20, 30, 40, 60])
        #expect(gone(RetentionPolicy(last: 0)) == [10, 20, 30, 40, 60])
        let best = RetentionPolicy.Best(metric: "loss", mode: .min, count: 2)
        #expect(gone(RetentionPolicy(last: 1, best: best)) == [10, 30, 60])
        #expect(gone(RetentionPolicy(last: 1, best: best, everySteps: 30)) == [10])
        let worst = RetentionPolicy.Best(metric: "loss", mode: .max, count: 1)
        #expect(RetentionPolicy(best: worst).ranking(all).first?.step == 80)
    }
}
