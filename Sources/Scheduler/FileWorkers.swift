// Workers that write a file: exports and imports. Each gets a process of its own, which ends with it: archives are parsed and models are
// traced outside of the server, what they cost in memory is given back, and jobs and plans do not wait for them.

import Glibc
import JobSpec
import Logging

package actor FileWorkers {
    private let launch: WorkerLaunch
    /// Processes at the same time.
    private let limit: Int
    private let timeoutSeconds: Double
    private let logger: Logger
    private var processes: [Int: WorkerProcess] = [:]
    private var busy = 0
    private var nextID = 1
    private var waiting: [CheckedContinuation<Void, Never>] = []
    private var isStopped = false
    /// Processes so far.
    package private(set) var started = 0

    /// Requests that wait for a process; more are refused.
    private static let waitingLimit = 64

    init(launch: WorkerLaunch, limit: Int = 2, timeoutSeconds: Double, logger: Logger) {
        self.launch = launch
        self.limit = limit
        self.timeoutSeconds = timeoutSeconds
        self.logger = logger
    }

    /// Gives one command to a new worker and waits for the file.
    ///
    /// - Throws: `SpecErrors` where the worker refuses; `SchedulerError.workerFailed` where it dies or takes too long.
    package func perform(_ command: WorkerCommand) async throws -> WrittenFile {
        try await enter()
        defer { leave() }
        guard !isStopped else { throw Scheduler.stopping }
        let line = try command.line()
        let process: WorkerProcess
        do {
            process = try await WorkerProcess.start(launch)
        } catch {
            throw SchedulerError.workerFailed(detail: "no worker could be started: \(error)")
        }
        started += 1
        let id = nextID
        nextID += 1
        processes[id] = process
        defer { processes[id] = nil }
        if isStopped { process.signal(SIGKILL) }
        process.send(line)
        let seconds = timeoutSeconds
        let timeout = Task {
            guard (try? await Task.sleep(for: .seconds(seconds))) != nil else { return false }
            process.signal(SIGKILL)
            return true
        }
        defer { timeout.cancel() }
        return try await answer(of: process, timeout)
    }

    private func answer(of process: WorkerProcess, _ timeout: Task<Bool, Never>) async throws -> WrittenFile {
        var answer: Result<WrittenFile, any Error>?
        for await event in process.events {
            switch event {
            case .report(.written(let file)):
                answer = .success(file)
                process.closeInput()
            case .report(.refused(let problems)):
                for problem in problems where problem.code == "internal" {
                    logger.error("a worker could not make a file", metadata: ["error": "\(problem.detail)"])
                }
                answer = .failure(SpecErrors(problems: problems))
                process.closeInput()
            case .report: break
            case .protocolError(let detail):
                logger.error("a worker broke the protocol", metadata: ["error": "\(detail)"])
                process.signal(SIGKILL)
            case .ended(let end):
                timeout.cancel()
                if answer == nil {
                    let lines = await process.lastLogLines(3).joined(separator: " | ")
                    let detail =
                        await timeout.value
                        ? "it took longer than \(Int(timeoutSeconds)) seconds"
                        : "the worker \(end.explanation). \(lines)"
                    answer = .failure(
                        isStopped ? Scheduler.stopping : SchedulerError.workerFailed(detail: detail))
                }
            }
            process.didHandle()
        }
        guard let answer else { throw SchedulerError.workerFailed(detail: "the worker ended unseen") }
        return try answer.get()
    }

    // MARK: Turns

    private func enter() async throws {
        guard !isStopped else { throw Scheduler.stopping }
        guard busy >= limit else {
            busy += 1
            return
        }
        guard waiting.count < Self.waitingLimit else {
            throw SchedulerError.unavailable(
                detail: "too many exports and imports wait already; try again later")
        }
        // Whoever leaves passes the place on.
        await withCheckedContinuation { waiting.append($0) }
    }

    private func leave() {
        if waiting.isEmpty {
            busy -= 1
        } else {
            waiting.removeFirst().resume()
        }
    }

    /// Ends every process; who waits for one gets an error.
    func stop() {
        isStopped = true
        for process in processes.values { process.signal(SIGKILL) }
    }
}
