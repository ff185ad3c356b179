// spindle ls, get, wait, watch: looking at jobs.
import ArgumentParser
import Foundation
import JobSpec

struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls", abstract: "List jobs, newest first.",
        discussion: """
            EXAMPLES
              spindle ls --state running --state queued
              spindle ls --label team=vision -o ndjson | jq -r .id
              spindle ls --all -o ndjson | wc -l
            """)
    @OptionGroup var connection: ConnectionOptions
    @Option(help: "Only jobs in this state; may be repeated.")
    var state: [String] = []
    @Option(help: "Only jobs with this label (key=value); may be repeated.")
    var label: [String] = []
    @Option(name: .customLong("name"), help: "Only jobs whose name contains this.")
    var text: String?
    @Option(name: .shortAndLong, help: "How many, at most 200.")
    var limit = 20
    @Flag(help: "All of them, page after page.")
    var all = false

    func validate() throws {
        guard (1...200).contains(limit) else { throw ValidationError("--limit is 1 to 200") }
        for pair in label where !pair.contains("=") {
            throw ValidationError("--label takes key=value, got '\(pair)'")
        }
    }

    func run() throws {
        try connection.run { client in
            var items: [JSONValue] = []
            var answer = JSONValue.null
            var cursor: String?
            repeat {
                var query = [("limit", "\(all ? 200 : limit)")] + state.map { ("state", $0) }
                for pair in label {
                    let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                    query.append(("label[\(parts[0])]", String(parts[1])))
                }
                if let text { query.append(("q", text)) }
                if let cursor { query.append(("after", cursor)) }
                answer = try client.get("/v1/jobs", query: query)
                let page = answer["data"]?.arrayValue ?? []
                if all, connection.format == .ndjson {
                    for item in page { Console.output(item.serialized()) }
                } else {
                    items += page
                }
                cursor = answer["has_more"]?.boolValue == true ? answer["next"]?.stringValue : nil
            } while all && cursor != nil
            if all, connection.format == .ndjson { return }
            connection.show(all ? .array(items) : answer, items: items) { JobView.table(items) }
            if items.isEmpty, connection.format == .table {
                Console.note("no jobs; `spindle submit FILE` starts one")
            } else if cursor != nil {
                Console.note("there are more: --limit or --all shows them")
            }
        }
    }
}

struct GetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "get", abstract: "Show one job.",
        discussion: """
            EXAMPLES
              spindle get job_01j…
              spindle get job_01j… -o json | jq .latest
              spindle get job_01j… --spec > again.json
            """)
    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "The job's id.") var job: String
    @Flag(help: "The spec as it was submitted, byte for byte.") var spec = false
    @Flag(help: "The effective spec: every default filled in, every dataset pinned.") var effectiveSpec =
        false

    func run() throws {
        try connection.run { client in
            if spec || effectiveSpec {
                let path = ServerClient.path("v1", "jobs", job, spec ? "spec" : "effective-spec")
                let reply = try client.send(client.request("GET", path))
                reply.body.withUnsafeBytes { Console.output(bytes: $0) }
                if reply.body.last != 10 { Console.output("") }
                return
            }
            let object = try client.get(ServerClient.path("v1", "jobs", job))
            connection.show(object) { JobView(object).page }
        }
    }
}

struct WaitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wait", abstract: "Stay until jobs end; the exit code says how.",
        discussion: """
            0 all succeeded, 4 one failed, 5 one was cancelled, 6 the time given was over. Survives restarts of the server.

            EXAMPLES
              spindle wait job_01j… && spindle ckpt get job_01j… --best
              spindle wait $(spindle ls --state running -o ndjson | jq -r .id) --timeout 2h
            """)
    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "Job ids.") var jobs: [String]
    @Option(help: "Give up after this long (30, 90s, 15m, 8h); the jobs go on.") var timeout:
        DurationArgument?
    @Flag(name: .shortAndLong, help: "No progress on standard error.") var quiet = false

    func run() throws {
        try connection.run { client in
            let deadline = timeout.map { Date(timeIntervalSinceNow: $0.seconds) }
            var failure: ClientFailure?
            for id in jobs {
                let secondsLeft = deadline.map { max(0, $0.timeIntervalSinceNow) }
                let final = try JobFollower(
                    client: client, id: id, timeoutSeconds: secondsLeft, showsProgress: !quiet
                ).waitUntilTerminal()
                connection.show(final) { JobView(final).outcomeText }
                do { try JobView(final).throwUnlessSucceeded() } catch let reason as ClientFailure {
                    if jobs.count > 1 { Console.note(reason.description) }
                    if failure?.exitStatus != .jobFailed { failure = reason }
                }
            }
            if let failure { throw failure }
        }
    }
}

struct WatchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch", abstract: "A live table of the jobs; ends with Ctrl-C.",
        discussion: """
            Redraws when something happens, without polling. Where standard output is no terminal it prints one line for \
            each event instead.

            EXAMPLES
              spindle watch
              spindle watch --state running
            """)
    @OptionGroup var connection: ConnectionOptions
    @Option(help: "Only jobs in this state; may be repeated.") var state: [String] = []
    @Option(name: .shortAndLong, help: "How many rows.") var limit = 20

    func validate() throws {
        guard (1...200).contains(limit) else { throw ValidationError("--limit is 1 to 200") }
    }

    func run() throws {
        try connection.run { client in
            // The stream holds its connection; lists need one of their own.
            let lists = try connection.client()
            var drawn = Date.distantPast
            func draw() throws {
                let query = [("limit", "\(limit)")] + state.map { ("state", $0) }
                let answer = try lists.get("/v1/jobs", query: query)
                let text = JobView.table(answer["data"]?.arrayValue ?? []).render()
                let fitted = text.split(separator: "\n", omittingEmptySubsequences: false)
                    .map { Console.fitted(String($0), to: Console.columns - 1) }.joined(separator: "\n")
                Console.output("\u{1B}[H\u{1B}[2J" + fitted)
                drawn = Date()
            }
            if Console.outputIsTerminal { try draw() }
            try client.follow(
                "/v1/events", query: [("types", "created,state,checkpoint,updated,progress")],
                until: .distantFuture,
                onOutage: { Console.note("the server does not answer (\($0.shortReason)); waiting") }
            ) { event in
                if !Console.outputIsTerminal {
                    Console.output("\(event.name) \(event.data)")
                } else if Date().timeIntervalSince(drawn) > 0.2 || event.name == "state"
                    || event.name == "end"
                {
                    try draw()
                }
                return true
            }
        }
    }
}
