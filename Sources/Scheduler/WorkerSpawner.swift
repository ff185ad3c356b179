// Starts processes from one thread that never ends. A child asks to be killed when its parent dies
// (PR_SET_PDEATHSIG), and to the kernel "parent" is the thread that started it: a thread of a pool may go at
// any time.

import CLinux
import Dispatch
import Glibc
import Synchronization

struct SpawnError: Error, CustomStringConvertible {
    let description: String
}

/// Descriptors of the server's ends, non-blocking and close-on-exec.
struct SpawnedProcess: Sendable {
    let pid: Int32
    /// A socket, so that writing to a worker that is gone is an error and not a signal.
    let input: Int32
    let output: Int32
    let errors: Int32
}

final class WorkerSpawner: Sendable {
    static let shared = WorkerSpawner()

    private struct Request: Sendable {
        let launch: WorkerLaunch
        let completion: @Sendable (Result<SpawnedProcess, SpawnError>) -> Void
    }

    private final class Requests: Sendable {
        private let waiting = Mutex<[Request]>([])

        func append(_ request: Request) { waiting.withLock { $0.append(request) } }
        func first() -> Request? { waiting.withLock { $0.isEmpty ? nil : $0.removeFirst() } }
    }

    private let requests = Requests()
    private let available = DispatchSemaphore(value: 0)
    private let hasThread: Bool

    private init() {
        hasThread = DetachedThread.start { [requests, available] in
            while true {
                available.wait()
                guard let request = requests.first() else { continue }
                request.completion(
                    Result { () throws(SpawnError) -> SpawnedProcess in try Self.start(request.launch) })
            }
        }
    }

    func spawn(_ launch: WorkerLaunch) async throws(SpawnError) -> SpawnedProcess {
        guard hasThread else { throw SpawnError(description: "cannot start a thread to start workers from") }
        let result = await withCheckedContinuation { continuation in
            requests.append(Request(launch: launch) { continuation.resume(returning: $0) })
            available.signal()
        }
        return try result.get()
    }

    private static func start(_ launch: WorkerLaunch) throws(SpawnError) -> SpawnedProcess {
        var input: [Int32] = [-1, -1]
        var output: [Int32] = [-1, -1]
        var errors: [Int32] = [-1, -1]
        let made =
            socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &input) == 0
            && pipe2(&output, O_CLOEXEC) == 0 && pipe2(&errors, O_CLOEXEC) == 0
        var reason = made ? 0 : errno
        var pid: pid_t = 0
        if made {
            for descriptor in [input[0], output[0], errors[0]] {
                _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
            }
            let arguments = [launch.path] + launch.arguments + ["--parent-pid", String(getpid())]
            let environment = launch.environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            reason = withCStrings(arguments) { arguments in
                withCStrings(environment) { environment in
                    clinux_spawn(launch.path, arguments, environment, input[1], output[1], errors[1], &pid)
                }
            }
        }
        // The child's ends, in any case; ours too if there is no child.
        for descriptor in [input[1], output[1], errors[1]] where descriptor >= 0 { close(descriptor) }
        if reason != 0 {
            for descriptor in [input[0], output[0], errors[0]] where descriptor >= 0 { close(descriptor) }
            throw SpawnError(description: "cannot start \(launch.path): \(String(cString: strerror(reason)))")
        }
        return SpawnedProcess(pid: pid, input: input[0], output: output[0], errors: errors[0])
    }

    private static func withCStrings<Result>(
        _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        let pointers = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(
            capacity: strings.count + 1)
        for (index, string) in strings.enumerated() { (pointers + index).initialize(to: strdup(string)) }
        (pointers + strings.count).initialize(to: nil)
        defer {
            for index in strings.indices { free(pointers[index]) }
            pointers.deallocate()
        }
        return body(pointers)
    }
}
