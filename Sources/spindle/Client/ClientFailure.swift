// What can go wrong between this command and a server, in the words and exit codes of the command line.
import JobSpec

/// Exit codes of every command; scripts may rely on them.
enum ExitStatus: Int32, Sendable {
    case ok = 0
    case error = 1
    case usage = 2
    case notFound = 3
    case jobFailed = 4
    case jobCancelled = 5
    case timeout = 6
    case conflict = 7
    case unauthorized = 8
    case unreachable = 9
}

/// An RFC 9457 problem as the server sent it, with the members that Spindle adds.
struct ServerProblem: Sendable {
    struct Place: Sendable {
        let code: String
        let pointer: String
        let detail: String
    }
    let status: Int
    let title: String
    let detail: String?
    let code: String?
    let requestID: String?
    let state: String?
    let allowedActions: [String]
    let places: [Place]

    /// Any body will do: a proxy's HTML page becomes a problem with the status alone.
    init(status: Int, body: [UInt8]) {
        let object = try? JSONValue(parsing: body)
        self.status = status
        title = object?["title"]?.stringValue ?? "the server answered \(status)"
        detail = object?["detail"]?.stringValue
        code = object?["code"]?.stringValue
        requestID = object?["request_id"]?.stringValue
        state = object?["state"]?.stringValue
        allowedActions = object?["allowed_actions"]?.arrayValue?.compactMap(\.stringValue) ?? []
        places = (object?["errors"]?.arrayValue ?? []).map {
            Place(
                code: $0["code"]?.stringValue ?? "", pointer: $0["pointer"]?.stringValue ?? "",
                detail: $0["detail"]?.stringValue ?? "")
        }
    }

    /// One line of what is wrong, then one line for each place in the request.
    var text: String {
        // Some details begin with the title's words: once is enough.
        var lines = [detail.map { $0.hasPrefix(title) ? $0 : "\(title): \($0)" } ?? title]
        if let state, !allowedActions.isEmpty {
            lines.append("  state \(state); possible now: \(allowedActions.joined(separator: ", "))")
        }
        let width = min(places.map(\.pointer.count).max() ?? 0, 40)
        for place in places {
            let pointer = place.pointer + String(repeating: " ", count: max(0, width - place.pointer.count))
            lines.append("  \(pointer)  \(place.detail)")
        }
        if status >= 500, let requestID { lines.append("  request \(requestID) (see the server's log)") }
        return lines.joined(separator: "\n")
    }
}

/// Every way in which a command against a server fails.
enum ClientFailure: Error, CustomStringConvertible {
    case unreachable(server: String, reason: String)
    case interrupted(reason: String)
    case timedOut(what: String)
    case refused(ServerProblem)
    case jobFailed(String)
    case jobCancelled(String)
    case badAnswer(String)
    case local(String)

    var description: String {
        switch self {
        case .unreachable(let server, let reason):
            """
            no server answers at \(server): \(reason)
            Start one with `spindle serve`, or name another with --server or SPINDLE_SERVER.
            """
        case .interrupted(let reason): "the connection ended in the middle of an answer: \(reason)"
        case .timedOut(let what): what
        case .refused(let problem): problem.text
        case .jobFailed(let text), .jobCancelled(let text), .badAnswer(let text), .local(let text): text
        }
    }

    var exitStatus: ExitStatus {
        switch self {
        case .unreachable, .interrupted: .unreachable
        case .timedOut: .timeout
        case .jobFailed: .jobFailed
        case .jobCancelled: .jobCancelled
        case .badAnswer, .local: .error
        case .refused(let problem):
            switch problem.status {
            case 401, 403: .unauthorized
            case 404, 410: .notFound
            case 409, 412, 428: .conflict
            case 408: .timeout
            default: .error
            }
        }
    }

    /// Whether the same request may get through a little later: the server is starting, stopping or being replaced.
    var isTransient: Bool {
        switch self {
        case .unreachable, .interrupted: true
        case .refused(let problem): problem.status == 503 || problem.status == 502 || problem.status == 429
        default: false
        }
    }
}
