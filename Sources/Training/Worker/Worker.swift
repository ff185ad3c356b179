// The worker process: plans and trains what the server sends, and says what happens, one JSON object a line.
import CLinux
import Foundation
import Glibc
import JobSpec
import Synchronization
import TensorEngine

/// The main loop of `spindle worker`.
package enum Worker {
    package static let engineVersion = "0.1.0"

    /// Serves commands from standard input until a job has ended or the server is gone.
    ///
    /// - Parameters:
    ///   - parent: the server's process id; the worker dies with it.
    ///   - threads: compute threads until a `run` says otherwise.
    /// - Returns: the exit status.
    package static func serve(parent: Int32?, threads: Int) -> Int32 {
        dieWithParent(parent)
        ComputePool.configure(threads: threads)
        let output = ReportWriter(descriptor: STDOUT_FILENO)
        let inbox = CommandInbox(descriptor: STDIN_FILENO)
        do {
            try output.write(
                .ready(
                    WorkerReady(
                        pid: Int(getpid()), engineVersion: engineVersion,
                        kernelLevel: KernelLevel.current.description,
                        threads: ComputePool.threads)))
            while let command = try inbox.next() {
                switch command {
                case .plan(let id, let spec, let datasets):
                    do throws(SpecErrors) {
                        let plan = try Planner.plan(spec, datasets: datasets)
                        try? output.write(.planned(id: id, plan: plan))
                    } catch {
                        try? output.write(.planFailed(id: id, problems: error.problems))
                    }
                case .export(let command):
                    try output.write(FileWork.report { try CheckpointExport.answer(command) })
                case .importFile(let command):
                    try output.write(FileWork.report { try CheckpointImport.answer(command) })
                case .run(let run):
                    ComputePool.configure(threads: run.threads)
                    try train(run, inbox, output)
                    return 0
                case .pause, .cancel:
                    // Nothing runs: the request came before its job.
                    try output.write(.cancelled(step: 0))
                    return 0
                }
            }
            return 0
        } catch {
            note("worker: \(error)")
            return 1
        }
    }

    private static func train(_ command: RunCommand, _ inbox: CommandInbox, _ output: ReportWriter) throws {
        var finished: Int?
        do {
            let run = try TrainingRun(command) { report in
                if case .metrics(let metrics) = report { finished = metrics.step }
                try output.write(report)
            }
            try run.train { inbox.request() }
        } catch let error as WorkerProtocolError {
            throw error
        } catch let error as ReportWriter.Closed {
            throw error
        } catch {
            let failure = TrainingFailure(error)
            note("failed: \(failure)")
            try output.write(
                .failed(
                    FailureReport(
                        code: failure.code.rawValue, detail: failure.detail, step: finished,
                        retryable: failure.isRetryable, problems: failure.problems)))
        }
    }

    /// Asks the kernel to kill this process when the server dies, and leaves at once if it has died already.
    private static func dieWithParent(_ parent: Int32?) {
        guard let parent else { return }
        _ = clinux_die_with_parent()
        if getppid() != parent { exit(0) }
    }

    /// A line for the attempt's log, which is this process's standard error.
    private static func note(_ text: String) {
        FileHandle.standardError.write(Data((text + "\n").utf8))
    }
}

/// Writes reports to a pipe.
final class ReportWriter {
    /// The server's end of the pipe is closed.
    struct Closed: Error {}

    private let descriptor: Int32

    init(descriptor: Int32) { self.descriptor = descriptor }

    func write(_ report: WorkerReport) throws {
        let line = try report.line()
        var sent = 0
        while sent < line.count {
            let count = line.withUnsafeBytes { bytes in
                Glibc.write(descriptor, bytes.baseAddress.map { $0 + sent }, line.count - sent)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Closed() }
            sent += count
        }
    }
}

/// Commands from the server, read by a thread of its own so that a run can look for requests between steps.
final class CommandInbox: Sendable {
    private struct State {
        var commands: [WorkerCommand] = []
        var failure: WorkerProtocolError?
        var hasEnded = false
    }
    private let state = Mutex(State())
    private let arrived = DispatchSemaphore(value: 0)

    init(descriptor: Int32) {
        let thread = Thread { [self] in read(descriptor) }
        thread.name = "commands"
        thread.start()
    }

    private func read(_ descriptor: Int32) {
        var splitter = LineSplitter()
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            // The end of the pipe is the end of the server: there is nobody to train for.
            if count <= 0 { exit(0) }
            do throws(WorkerProtocolError) {
                for line in try splitter.append(Array(buffer[..<count])) {
                    let command = try WorkerCommand(line: line)
                    state.withLock { $0.commands.append(command) }
                    arrived.signal()
                }
            } catch {
                state.withLock { $0.failure = error }
                arrived.signal()
                return
            }
        }
    }

    /// The next command; waits for one.
    func next() throws -> WorkerCommand? {
        arrived.wait()
        return try state.withLock { state in
            if !state.commands.isEmpty { return state.commands.removeFirst() }
            if let failure = state.failure { throw failure }
            return nil
        }
    }

    /// A request to stop that has arrived, if one has.
    func request() -> TrainingRun.Request? {
        state.withLock { state in
            for command in state.commands {
                switch command {
                case .pause: return .pause
                case .cancel(let checkpoint): return .cancel(checkpoint: checkpoint)
                case .plan, .run, .export, .importFile: continue
                }
            }
            return nil
        }
    }
}
