// One worker process: lines in, reports out, its log, and its end as the operating system tells it. Knows
// nothing of jobs.

import CLinux
import Dispatch
import Foundation
import Glibc
import JobSpec
import Store
import Synchronization

enum WorkerEvent: Sendable {
    case report(WorkerReport)
    /// A line that is no report; the worker cannot be trusted any more.
    case protocolError(String)
    /// Always the last.
    case ended(ProcessEnd)
}

/// Unchecked: everything mutable is touched on `queue` alone, except `isReaped` behind its mutex.
final class WorkerProcess: @unchecked Sendable {
    let pid: Int32
    let identity: ProcessIdentity
    /// In order. The consumer calls `didHandle()` after each, which bounds how far a worker can run ahead.
    let events: AsyncStream<WorkerEvent>

    private static let eventsAheadLimit = 64

    private let queue: DispatchQueue
    private let input: Int32
    private let continuation: AsyncStream<WorkerEvent>.Continuation
    private let output: Int32
    private let errors: Int32
    private var splitter = LineSplitter()
    private var eventsAhead = 0
    private var isOutputClosed = false
    private var isErrorsClosed = false
    private var outgoing: [UInt8] = []
    private var outgoingStart = 0
    private var isInputClosed = false
    private var log = WorkerLog()
    private let isReaped = Mutex(false)
    private let watch: PipeWatch?

    private init(_ process: SpawnedProcess, identity: ProcessIdentity) {
        pid = process.pid
        self.identity = identity
        input = process.input
        output = process.output
        errors = process.errors
        queue = DispatchQueue(label: "spindle.worker.\(process.pid)", qos: .userInitiated)
        (events, continuation) = AsyncStream.makeStream()
        watch = PipeWatch()
    }

    static func start(_ launch: WorkerLaunch) async throws -> WorkerProcess {
        let spawned = try await WorkerSpawner.shared.spawn(launch)
        // It is our child and not reaped yet, so its number is its own whatever it does.
        let identity =
            ProcessTable.identity(of: spawned.pid)
            ?? ProcessIdentity(pid: spawned.pid, startTicks: 0, bootID: "")
        let process = WorkerProcess(spawned, identity: identity)
        process.queue.async { process.begin() }
        return process
    }

    private func begin() {
        let isWatched = watch?.start { [self] in queue.sync { serve() } } ?? false
        // A thread that waits is the one way to learn of an end that depends neither on pipes nor on polling.
        let isWaitedFor = DetachedThread.start { [self] in
            _ = clinux_wait_without_reaping(pid)
            queue.async { self.reap() }
        }
        if !isWaitedFor || !isWatched { signal(SIGKILL) }
        if !isWaitedFor { reap() }
    }

    /// Moves what can be moved, and says what to wait for; nil when everything has ended.
    private func serve() -> PipeWatch.Interest? {
        readOutput()
        readErrors()
        writeInput()
        guard !isOutputClosed || !isErrorsClosed || !isInputClosed else { return nil }
        var interest = PipeWatch.Interest()
        // A worker that runs ahead of the consumer waits, as its pipe fills up.
        if !isOutputClosed, eventsAhead < Self.eventsAheadLimit { interest.readable.append(output) }
        if !isErrorsClosed { interest.readable.append(errors) }
        if !outgoing.isEmpty { interest.writable.append(input) }
        return interest
    }

    // MARK: To the worker

    /// Queues the line; the pipe takes it when it can. Nothing happens if the worker is gone.
    func send(_ line: [UInt8]) {
        queue.async { [self] in
            guard !isInputClosed else { return }
            outgoing += line
            writeInput()
            if !outgoing.isEmpty { watch?.wake() }
        }
    }

    /// The worker reads an end of file, and exits.
    func closeInput() {
        queue.async { self.endInput() }
    }

    /// Sends a signal to its whole process group, unless it was reaped: then the number may be another's.
    func signal(_ number: Int32) {
        isReaped.withLock { isReaped in
            guard !isReaped else { return }
            if kill(-pid, number) != 0 { kill(pid, number) }
        }
    }

    private func writeInput() {
        guard !isInputClosed else { return }
        while outgoingStart < outgoing.count {
            let count = outgoing.withUnsafeBytes { bytes in
                Glibc.send(
                    input, bytes.baseAddress.map { $0 + outgoingStart }, bytes.count - outgoingStart,
                    Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            }
            if count > 0 {
                outgoingStart += count
            } else if errno == EINTR {
                continue
            } else if errno == EAGAIN {
                return
            } else {
                return endInput()
            }
        }
        outgoing = []
        outgoingStart = 0
    }

    private func endInput() {
        guard !isInputClosed else { return }
        isInputClosed = true
        outgoing = []
        outgoingStart = 0
        close(input)
        watch?.wake()
    }

    // MARK: From the worker

    /// The consumer is done with one event.
    func didHandle() {
        queue.async { [self] in
            eventsAhead -= 1
            if eventsAhead == Self.eventsAheadLimit / 2 { watch?.wake() }
        }
    }

    private func deliver(_ event: WorkerEvent) {
        eventsAhead += 1
        continuation.yield(event)
    }

    /// One turn's worth at most, so that the log and the end of the process get their turn too.
    private func readOutput(untilEmpty: Bool = false) {
        var turns = 0
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
        defer { buffer.deallocate() }
        while !isOutputClosed, untilEmpty || (turns < 4 && eventsAhead < Self.eventsAheadLimit) {
            turns += 1
            let count = read(output, buffer.baseAddress, buffer.count)
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN { return }
            guard count > 0 else { return closeOutput() }
            do {
                for line in try splitter.append(UnsafeRawBufferPointer(rebasing: buffer[..<count])) {
                    deliver(.report(try WorkerReport(line: line)))
                }
            } catch {
                deliver(.protocolError("\(error)"))
                return closeOutput()
            }
        }
    }

    private func closeOutput() {
        guard !isOutputClosed else { return }
        isOutputClosed = true
        close(output)
    }

    private func readErrors(untilEmpty: Bool = false) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
        defer { buffer.deallocate() }
        var turns = 0
        while !isErrorsClosed, untilEmpty || turns < 4 {
            turns += 1
            let count = read(errors, buffer.baseAddress, buffer.count)
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN { return }
            guard count > 0 else { return closeErrors() }
            log.append(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
    }

    private func closeErrors() {
        guard !isErrorsClosed else { return }
        isErrorsClosed = true
        close(errors)
    }

    // MARK: Log

    /// From now on what the worker writes to its standard error goes to this file, and what it wrote before
    /// too.
    func startLog(path: String, limitBytes: Int64) {
        queue.async { self.log.open(path: path, limitBytes: limitBytes) }
    }

    /// The last lines of its standard error.
    func lastLogLines(_ count: Int) async -> [String] {
        await withCheckedContinuation { continuation in
            queue.async { continuation.resume(returning: self.log.lastLines(count)) }
        }
    }

    // MARK: The end

    private func reap() {
        // The zombie still holds its number, and so its group's: what is left of the group goes first.
        kill(-pid, SIGKILL)
        var status: Int32 = 0
        var usage = rusage()
        isReaped.withLock { isReaped in
            while wait4(pid, &status, 0, &usage) < 0, errno == EINTR {}
            isReaped = true
        }
        // What it wrote before it ended is in the pipes; another holder of them would be waited for in vain.
        readOutput(untilEmpty: true)
        readErrors(untilEmpty: true)
        closeOutput()
        closeErrors()
        endInput()
        watch?.wake()
        log.close()
        let isSignalled = status & 0x7f != 0
        let cpu =
            Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
        deliver(
            .ended(
                ProcessEnd(
                    exitCode: isSignalled ? nil : (status >> 8) & 0xff,
                    signal: isSignalled ? status & 0x7f : nil,
                    cpuSeconds: cpu, peakResidentBytes: Int64(usage.ru_maxrss) * 1024)))
        continuation.finish()
    }
}
