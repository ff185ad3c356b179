// Plans: a spare worker traces the model without data and says what the job is, or what is wrong with its
// spec.

import Glibc
import JobSpec
import Store

extension Scheduler {
    /// Throws `SpecErrors` if the spec cannot run, `.plannerFailed` or `.plannerTimedOut` if nobody could
    /// tell.
    package func plan(effectiveSpec: JSONValue) async throws -> JobPlan {
        guard phase == .serving || phase == .recovering else { throw Self.stopping }
        let datasets = try await DatasetPinning.locations(of: effectiveSpec, in: store)
        let id = nextPlanID
        nextPlanID += 1
        counters.update { $0.plans += 1 }
        do {
            let line = try WorkerCommand.plan(id: id, spec: effectiveSpec, datasets: datasets).line()
            let timeout = Task {
                guard (try? await Task.sleep(for: .seconds(self.configuration.planTimeoutSeconds))) != nil
                else {
                    return
                }
                self.planTimedOut(id)
            }
            defer { timeout.cancel() }
            return try await withCheckedThrowingContinuation { continuation in
                waitingPlans.append(PlanRequest(id: id, line: line, continuation: continuation))
                ensureWorkers()
                dispatchPlans()
            }
        } catch {
            counters.update { $0.planFailures += 1 }
            throw error
        }
    }

    /// Gives waiting plans to the spare worker that has the fewest.
    func dispatchPlans() {
        while !waitingPlans.isEmpty {
            let spares = workers.values.filter(\.isSpare)
            guard let worker = spares.min(by: { ($0.plans.count, $0.id) < ($1.plans.count, $1.id) }) else {
                return
            }
            let request = waitingPlans.removeFirst()
            guard !request.isAnswered else { continue }
            worker.plans.append(request)
            worker.process.send(request.line)
        }
    }

    func answerPlan(_ id: Int, of worker: Worker, _ result: Result<JobPlan, any Error>) {
        guard let index = worker.plans.firstIndex(where: { $0.id == id }) else { return }
        worker.plans.remove(at: index).answer(result)
    }

    /// A worker plans in order: the first request it did not answer is the one that it died over.
    func replanAfterDeath(of worker: Worker, _ end: ProcessEnd) async {
        let plans = worker.plans
        worker.plans = []
        guard !plans.isEmpty else { return }
        let isCulpritKnown = worker.run == nil && worker.ready != nil
        let lines = await worker.process.lastLogLines(3).joined(separator: " | ")
        for (index, request) in plans.enumerated() where !request.isAnswered {
            request.deaths += 1
            if (isCulpritKnown && !worker.isCondemned && index == 0) || request.deaths > 2
                || phase == .draining || phase == .stopped
            {
                request.answer(
                    .failure(SchedulerError.plannerFailed(detail: "the worker \(end.explanation). \(lines)")))
            } else {
                waitingPlans.append(request)
            }
        }
        ensureWorkers()
        dispatchPlans()
    }

    private func planTimedOut(_ id: Int) {
        let error = SchedulerError.plannerTimedOut(seconds: configuration.planTimeoutSeconds)
        if let index = waitingPlans.firstIndex(where: { $0.id == id }) {
            waitingPlans.remove(at: index).answer(.failure(error))
            return
        }
        for worker in workers.values {
            guard let index = worker.plans.firstIndex(where: { $0.id == id }) else { continue }
            worker.plans.remove(at: index).answer(.failure(error))
            // The one that it is at blocks all others, and the next job too: those move to another worker.
            if index == 0, worker.run == nil {
                condemn(worker)
                ensureWorkers()
            }
        }
    }
}

extension ProcessEnd {
    var explanation: String {
        if let signal {
            let name = strsignal(signal).map { String(cString: $0) } ?? "unknown"
            let hint = signal == SIGKILL ? ": out of memory, or killed by hand" : ""
            return "was ended by signal \(signal) (\(name)\(hint))"
        }
        return "ended with exit code \(exitCode ?? -1)"
    }
}
