// Waiting for a job to end: a bar on a terminal, plain lines elsewhere, through restarts of the server.
import Foundation
import JobSpec

struct JobFollower {
    let client: ServerClient
    let id: String
    let deadline: Date
    /// False with `--quiet`: no progress at all.
    let showsProgress: Bool
    /// Plain lines (no terminal) come at most this often.
    private let plainIntervalSeconds = 5.0

    init(client: ServerClient, id: String, timeoutSeconds: Double?, showsProgress: Bool = true) {
        self.client = client
        self.id = id
        deadline = timeoutSeconds.map { Date(timeIntervalSinceNow: $0) } ?? .distantFuture
        self.showsProgress = showsProgress
    }

    /// Returns the job in its terminal state. Throws `timedOut` when the time is over before that; the job goes on.
    func waitUntilTerminal() throws -> JSONValue {
        var lastPlain = Date.distantPast
        var lastState = ""
        while true {
            let started = Date()
            let job = JobView(try poll())
            if showsProgress {
                if Console.notesAreTerminal {
                    Console.status(job.progressLine(width: Console.columns))
                } else if job.state != lastState
                    || Date().timeIntervalSince(lastPlain) >= plainIntervalSeconds
                {
                    lastPlain = Date()
                    let percent = job.ratio.map { "\(Int($0 * 100))%" } ?? ""
                    let parts = [
                        job.id, job.state, percent, job.step.map { "step \($0)" } ?? "", job.headlineText,
                    ]
                    Console.note(parts.filter { !$0.isEmpty }.joined(separator: " "))
                }
                lastState = job.state
            }
            if job.isTerminal {
                if showsProgress { Console.endStatus() }
                return job.json
            }
            if Date() >= deadline {
                if showsProgress { Console.endStatus() }
                throw ClientFailure.timedOut(what: "\(id) is still \(job.state); the time given is over")
            }
            // The server holds a long poll itself; this keeps a server that answers at once from being hammered.
            let elapsed = Date().timeIntervalSince(started)
            if elapsed < 0.1 { Thread.sleep(forTimeInterval: 0.25 - elapsed) }
        }
    }

    private func poll() throws -> JSONValue {
        let secondsLeft = min(max(deadline.timeIntervalSinceNow, 0), 1_000_000)
        // With a bar to move, ask often; without, let the server hold the request.
        let wait = Int(min(showsProgress ? 1 : 30, secondsLeft.rounded(.up)))
        return try client.surviving(
            until: deadline,
            onOutage: {
                Console.note("the server does not answer (\($0.shortReason)); waiting for it to come back")
            }
        ) {
            var request = client.request(
                "GET", ServerClient.path("v1", "jobs", id),
                query: wait > 0 ? [("wait", "\(wait)"), ("until", "terminal")] : [])
            request.totalTimeoutSeconds = Double(wait) + 15
            let reply = try client.send(request)
            if reply.status == 304 { return try client.get(ServerClient.path("v1", "jobs", id)) }
            return try ServerClient.parsed(reply, from: request)
        }
    }
}

extension ClientFailure {
    var shortReason: String {
        switch self {
        case .unreachable(_, let reason), .interrupted(let reason): reason
        case .refused(let problem): problem.title
        default: description
        }
    }
}

extension JobView {
    /// The exit code that a wait on this job ends with.
    func throwUnlessSucceeded() throws {
        switch state {
        case "failed": throw ClientFailure.jobFailed("\(id) failed: \(errorText ?? "no reason was given")")
        case "cancelled": throw ClientFailure.jobCancelled("\(id) was cancelled")
        default: break
        }
    }

    /// What a finished job has to show for itself, one line.
    var outcomeText: String {
        var parts = ["\(id) \(state)"]
        if let step { parts.append("\(step) steps") }
        if !headlineText.isEmpty { parts.append(headlineText) }
        if let start = Readable.date(json["started_at"]?.stringValue),
            let end = Readable.date(json["finished_at"]?.stringValue)
        {
            parts.append(Readable.seconds(max(0, end.timeIntervalSince(start))))
        }
        return parts.joined(separator: ", ")
    }
}
