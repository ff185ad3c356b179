// What the scheduler holds in memory about its workers and about the jobs they run. The truth is in the rows;
// this is only the connection between a row and a process. Confined to the scheduler.

import JobSpec
import Store
import Synchronization

final class Worker {
    let id: Int
    let process: WorkerProcess
    var ready: WorkerReady?
    /// Sent to it and not answered yet, in order.
    var plans: [PlanRequest] = []
    var run: Run?
    var end: ProcessEnd?
    var protocolError: String?
    /// We killed it, and wait for its end.
    var isCondemned = false

    /// Alive, without a job, and staying so.
    var isSpare: Bool { run == nil && end == nil && !isCondemned }

    init(id: Int, process: WorkerProcess) {
        self.id = id
        self.process = process
    }
}

final class Run {
    enum Wish {
        case go
        /// A user's pause, a user's cancellation, the server's own end.
        case pause, cancel, drain
    }

    let job: String
    let slot: Int
    let worker: Worker
    /// 0 until the attempt is committed and the worker has its command.
    var attempt = 0
    var isActive = false
    var wish = Wish.go
    var cancelsWithCheckpoint = false
    var graceSeconds = 0.0
    var spec = ScheduledSpec(.null)
    var resumedFrom: CheckpointRecord?
    /// The last word of the worker: `stopped`, `cancelled`, `done` or `failed`.
    var lastWord: WorkerReport?
    /// The step of the last checkpoint that this attempt committed.
    var checkpointStep: Int?
    /// We sent a signal: its death is our doing.
    var wasKilled = false
    var killer: Task<Void, Never>?
    var step = 0
    var examples = 0
    let unstored = UnstoredMetrics()

    init(job: String, slot: Int, worker: Worker) {
        self.job = job
        self.slot = slot
        self.worker = worker
    }
}

/// Metric reports that the store could not take (a full disk). They are stored with the next checkpoint, or
/// the attempt's end: a checkpoint promises that every point before it is there.
final class UnstoredMetrics: Sendable {
    private let reports = Mutex<[MetricsReport]>([])

    var all: [MetricsReport] { reports.withLock { $0 } }

    func add(_ report: MetricsReport) {
        reports.withLock { if $0.last?.step != report.step { $0.append(report) } }
    }

    func removeFirst(_ count: Int) {
        reports.withLock { $0.removeFirst(min(count, $0.count)) }
    }
}

final class PlanRequest {
    let id: Int
    let line: [UInt8]
    /// Workers that died while this was not answered.
    var deaths = 0
    private var continuation: CheckedContinuation<JobPlan, any Error>?

    init(id: Int, line: [UInt8], continuation: CheckedContinuation<JobPlan, any Error>) {
        self.id = id
        self.line = line
        self.continuation = continuation
    }

    var isAnswered: Bool { continuation == nil }

    /// The first answer counts.
    func answer(_ result: Result<JobPlan, any Error>) {
        continuation?.resume(with: result)
        continuation = nil
    }
}
