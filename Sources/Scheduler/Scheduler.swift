// The keeper: who gives queued jobs to workers, keeps a warm worker in reserve, and stops them all in order.
// The verbs, the life of a run, planning and recovery are in the extensions beside this file.
//
// Every change of a job happens in a transaction of the store, which asks the transition table; what is here
// reacts to what was committed. So it does not matter in which order two tasks learn of their commits.

import Dispatch
import Glibc
import JobSpec
import Logging
import Store

package actor Scheduler {
    package let store: Store
    package let configuration: SchedulerConfiguration
    let logger: Logger
    let counters = SchedulerCounters()
    package let exports: ExportCache
    package let fileWorkers: FileWorkers

    enum Phase {
        case idle, recovering, serving, draining, stopped
    }

    var phase = Phase.idle
    var queue: [String: QueuedJob] = [:]
    var runs: [String: Run] = [:]
    var workers: [Int: Worker] = [:]
    /// Plans that no worker has yet.
    var waitingPlans: [PlanRequest] = []
    var nextPlanID = 1
    private var nextWorkerID = 1
    private var workersStarting = 0
    private var startFailures = 0
    private var isStartDelayed = false
    private var wake: (at: Timestamp, task: Task<Void, Never>)?
    private var idleWaiters: [CheckedContinuation<Void, Never>] = []
    private var housekeeping: Task<Void, Never>?
    /// Deletions of files and rows that go on after their request was answered.
    var cleanups = 0

    package init(store: Store, configuration: SchedulerConfiguration, logger: Logger) {
        self.store = store
        self.configuration = configuration
        self.logger = logger
        exports = ExportCache(
            folder: store.folder, limitBytes: configuration.exportCacheBytes, logger: logger)
        fileWorkers = FileWorkers(
            launch: configuration.worker, timeoutSeconds: configuration.fileTimeoutSeconds, logger: logger)
        let slots = configuration.slots
        counters.update { $0.slots = slots }
    }

    package nonisolated var metrics: SchedulerMetrics { counters.snapshot }

    /// Ids of the queued jobs in the order in which they would start if none had to wait.
    package func queueOrder() -> [String] {
        queue.values.sorted(by: QueuedJob.precedes).map(\.id)
    }

    // MARK: Start and end

    /// Makes the rows true again, then starts to schedule. Reads of the store may go on meanwhile.
    package func start() async throws -> RecoveryReport {
        guard phase == .idle else {
            throw SchedulerError.unavailable(detail: "the scheduler was started before")
        }
        phase = .recovering
        // The warm worker comes up while the rows are looked at.
        ensureWorkers()
        let report = try await recover()
        guard phase == .recovering else { return report }
        phase = .serving
        for job in store.liveJobs { refresh(job.id) }
        counters.update {
            $0.recovery = report
            $0.isReady = true
        }
        housekeeping = Task { [weak self] in
            while !Task.isCancelled {
                guard (try? await Task.sleep(for: .seconds(3600))) != nil else { return }
                await self?.dropExpired()
            }
        }
        schedule()
        return report
    }

    private func dropExpired() async {
        do { try await store.write(.relaxed) { try $0.dropExpired() } } catch {
            logger.error("housekeeping failed", metadata: ["error": "\(error)"])
        }
    }

    /// Asks every run for a checkpoint and puts its job back into the queue; what has not stopped after the
    /// grace is killed, and resumes from the checkpoint before. Returns when no worker is left.
    package func shutdown(graceSeconds: Double) async {
        guard phase != .draining, phase != .stopped else { return }
        phase = .draining
        housekeeping?.cancel()
        wake?.task.cancel()
        counters.update {
            $0.isDraining = true
            $0.isReady = false
        }
        for request in waitingPlans { request.answer(.failure(Self.stopping)) }
        waitingPlans = []
        for worker in workers.values {
            for request in worker.plans { request.answer(.failure(Self.stopping)) }
            if worker.run == nil { retire(worker) }
        }
        await fileWorkers.stop()
        for run in runs.values where run.wish == .go {
            run.wish = .drain
            if run.isActive { send(.pause, to: run.worker) }
        }
        let deadline = Task {
            guard (try? await Task.sleep(for: .seconds(max(0, graceSeconds)))) != nil else { return }
            self.killAll()
        }
        await untilIdle()
        deadline.cancel()
        await store.flush()
        phase = .stopped
    }

    private func killAll() {
        for run in runs.values { run.wasKilled = true }
        for worker in workers.values { worker.process.signal(SIGKILL) }
    }

    private func untilIdle() async {
        while !runs.isEmpty || !workers.isEmpty || workersStarting > 0 || cleanups > 0 {
            await withCheckedContinuation { idleWaiters.append($0) }
        }
    }

    func noteIdle() {
        guard runs.isEmpty, workers.isEmpty, workersStarting == 0, cleanups == 0 else { return }
        for waiter in idleWaiters { waiter.resume() }
        idleWaiters = []
    }

    static let stopping = SchedulerError.unavailable(detail: "the server is stopping")

    func requireServing() throws {
        switch phase {
        case .serving: return
        case .idle, .recovering: throw SchedulerError.unavailable(detail: "the server is starting")
        case .draining, .stopped: throw Self.stopping
        }
    }

    // MARK: The queue

    /// Brings the queue in line with the committed state of the job.
    func refresh(_ id: String) {
        if let job = store.cachedJob(id: id), job.state == .queued, runs[id] == nil {
            queue[id] = QueuedJob(job)
        } else {
            queue[id] = nil
        }
    }

    /// Starts what can start now. Called whenever a job, a slot or a worker may have become free.
    func schedule() {
        guard phase == .serving else { return }
        let used = Set(runs.values.map(\.slot))
        let ready = workers.values.filter { $0.isSpare && $0.ready != nil }.sorted {
            $0.id < $1.id
        }
        let freeSlots = (0..<configuration.slots).filter { !used.contains($0) }
        let decision = SchedulingDecision(
            QueueSnapshot(
                // A long queue is looked at only when something can come of it.
                jobs: freeSlots.isEmpty ? [] : Array(queue.values), freeSlots: freeSlots,
                readyWorkers: ready.count, now: .now,
                longestDelaySeconds: max(configuration.backoffLimitSeconds, 3600)))
        for (start, worker) in zip(decision.starts, ready) {
            let run = Run(job: start.job, slot: start.slot, worker: worker)
            queue[start.job] = nil
            runs[start.job] = run
            worker.run = run
            Task { await self.begin(run) }
        }
        setWake(decision.wakeAt)
        ensureWorkers(waiting: decision.waitingForWorkers)
        let (depth, busy) = (queue.count, runs.count)
        let warm = workers.values.count { $0.isSpare && $0.ready != nil }
        let started = Int64(decision.starts.count)
        counters.update {
            $0.queueDepth = depth
            $0.busySlots = busy
            $0.warmWorkers = warm
            $0.decisions += started
        }
    }

    private func setWake(_ time: Timestamp?) {
        guard wake?.at != time else { return }
        wake?.task.cancel()
        wake = nil
        guard let time else { return }
        let seconds = max(0.001, time.seconds(since: .now))
        wake = (
            time,
            Task {
                guard (try? await Task.sleep(for: .seconds(seconds))) != nil else { return }
                self.wake = nil
                self.schedule()
            }
        )
    }

    // MARK: Workers

    /// One warm worker in reserve, and one more for each job that waits for nothing else.
    func ensureWorkers(waiting: Int = 0) {
        guard phase == .serving || phase == .recovering, !isStartDelayed else { return }
        let spare = workers.values.count { $0.isSpare }
        var missing = 1 + waiting - spare - workersStarting
        while missing > 0 {
            missing -= 1
            workersStarting += 1
            let id = nextWorkerID
            nextWorkerID += 1
            Task { await self.startWorker(id) }
        }
    }

    private func startWorker(_ id: Int) async {
        do {
            let process = try await WorkerProcess.start(configuration.worker)
            workersStarting -= 1
            let worker = Worker(id: id, process: process)
            workers[id] = worker
            counters.update { $0.workersStarted += 1 }
            Task {
                for await event in process.events {
                    await self.handle(event, from: id)
                    process.didHandle()
                }
            }
            if phase == .draining || phase == .stopped { retire(worker) } else { dispatchPlans() }
        } catch {
            workersStarting -= 1
            logger.error("a worker did not start", metadata: ["error": "\(error)"])
            delayStarts(detail: "\(error)")
            noteIdle()
        }
    }

    /// A worker that cannot start, or dies before it is ready, is tried again after a while, not in a loop.
    func delayStarts(detail: String) {
        startFailures += 1
        for request in waitingPlans {
            request.answer(
                .failure(SchedulerError.plannerFailed(detail: "no worker could be started: \(detail)")))
        }
        waitingPlans = []
        let seconds = Self.backoff(base: 0.1, failures: startFailures, limit: 5)
        isStartDelayed = true
        Task {
            try? await Task.sleep(for: .seconds(seconds))
            self.isStartDelayed = false
            self.schedule()
        }
    }

    private func handle(_ event: WorkerEvent, from id: Int) async {
        guard let worker = workers[id] else { return }
        switch event {
        case .report(.ready(let ready)):
            startFailures = 0
            worker.ready = ready
            schedule()
        case .report(.planned(let id, let plan)):
            answerPlan(id, of: worker, .success(plan))
        case .report(.planFailed(let id, let problems)):
            answerPlan(id, of: worker, .failure(SpecErrors(problems: problems)))
        case .report(let report):
            guard let run = worker.run, run.isActive else {
                logger.warning(
                    "a report from a worker without a job", metadata: ["pid": "\(worker.process.pid)"])
                return
            }
            await take(report, from: run)
        case .protocolError(let detail):
            logger.error(
                "a worker broke the protocol",
                metadata: ["pid": "\(worker.process.pid)", "error": "\(detail)"])
            worker.protocolError = detail
            condemn(worker)
        case .ended(let end):
            worker.end = end
            workers[id] = nil
            await workerEnded(worker, end)
        }
    }

    private func workerEnded(_ worker: Worker, _ end: ProcessEnd) async {
        await replanAfterDeath(of: worker, end)
        if let run = worker.run {
            // Before it is active, whoever begins the run finds the end.
            if run.isActive { await finish(run, end) }
        } else {
            counters.update { $0.workerExits[.idle, default: 0] += 1 }
            if worker.ready == nil, phase == .serving || phase == .recovering {
                let lines = await worker.process.lastLogLines(3).joined(separator: " | ")
                logger.error(
                    "a worker ended before it was ready", metadata: ["end": "\(end)", "log": "\(lines)"])
                delayStarts(detail: "it ended before it was ready. \(lines)")
            }
        }
        schedule()
        noteIdle()
    }

    /// For a worker without a job that is not needed any more.
    func retire(_ worker: Worker) {
        worker.process.closeInput()
        condemn(worker)
    }

    func condemn(_ worker: Worker) {
        worker.isCondemned = true
        worker.process.signal(SIGKILL)
    }

    func send(_ command: WorkerCommand, to worker: Worker) {
        do {
            worker.process.send(try command.line())
        } catch {
            logger.error("a command does not fit", metadata: ["error": "\(error)"])
            worker.protocolError = "\(error)"
            condemn(worker)
        }
    }
}
