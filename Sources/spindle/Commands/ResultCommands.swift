// spindle logs, metrics, events: what a job said and measured.
import ArgumentParser
import Foundation
import JobSpec

struct LogsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs", abstract: "Print the log of a job's worker.",
        discussion: """
            EXAMPLE
              spindle logs job_01j… --tail 50
            """)
    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "The job's id.") var job: String
    @Option(help: "Only the last lines.") var tail: Int?
    @Option(help: "The log of this attempt; the last one otherwise.") var attempt: Int?

    func run() throws {
        try connection.run { client in
            var query: [(String, String)] = []
            if let tail { query.append(("tail", "\(tail)")) }
            if let attempt { query.append(("attempt", "\(attempt)")) }
            let request = client.request(
                "GET", ServerClient.path("v1", "jobs", job, "logs"), query: query,
                headers: [(name: "Accept", value: "text/plain")])
            _ = try client.send(request) { bytes, _ in
                Console.output(bytes: bytes)
                return true
            }
        }
    }
}

struct MetricsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "metrics", abstract: "Print a job's metrics: a summary, or the points of some.",
        discussion: """
            Series are downsampled to --max-points with the minimum and maximum of each bucket kept, so spikes stay; \
            --all-points gives every point.

            EXAMPLES
              spindle metrics job_01j…
              spindle metrics job_01j… --name train/loss --csv > loss.csv
              spindle metrics job_01j… --name train/loss --all-points -o json | jq .
            """)
    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "The job's id.") var job: String
    @Option(help: "Print the points of this metric; may be repeated.") var name: [String] = []
    @Option(help: "At most so many points a series.") var maxPoints = 1000
    @Flag(help: "Every point, no downsampling.") var allPoints = false
    @Flag(help: "Points as CSV.") var csv = false

    func validate() throws {
        guard (1...1_000_000).contains(maxPoints) else {
            throw ValidationError("--max-points is 1 to 1000000")
        }
        if csv, name.isEmpty { throw ValidationError("--csv needs --name METRIC") }
    }

    func run() throws {
        try connection.run { client in
            if name.isEmpty { return try summary(client) }
            var query = name.map { ("name", $0) }
            query += allPoints ? [("agg", "none")] : [("max_points", "\(maxPoints)"), ("agg", "minmax")]
            let wants =
                csv ? "text/csv" : connection.format == .ndjson ? "application/x-ndjson" : "application/json"
            let request = client.request(
                "GET", ServerClient.path("v1", "jobs", job, "metrics", "series"), query: query,
                headers: [(name: "Accept", value: wants)])
            if csv || connection.format == .ndjson {
                _ = try client.send(request) { bytes, _ in
                    Console.output(bytes: bytes)
                    return true
                }
                return
            }
            let answer = try client.json(request)
            connection.show(answer) { Self.seriesTable(answer).render() }
        }
    }

    private func summary(_ client: ServerClient) throws {
        let answer = try client.get(ServerClient.path("v1", "jobs", job, "metrics"))
        let rows = answer["data"]?.arrayValue ?? []
        connection.show(answer, items: rows) {
            TextTable(
                header: ["METRIC", "LAST", "MIN", "MAX", "POINTS", "STEP"],
                rows: rows.map { row in
                    [
                        row["name"]?.stringValue ?? "", Readable.metric(row["last"]),
                        Readable.metric(row["min"]),
                        Readable.metric(row["max"]), row["count"]?.serialized() ?? "–",
                        row["last_step"]?.serialized() ?? "–",
                    ]
                }, numeric: [1, 2, 3, 4, 5])
        }
    }

    /// Points of every series as rows of name, step, value.
    static func seriesTable(_ answer: JSONValue) -> TextTable {
        var table = TextTable(header: ["METRIC", "STEP", "VALUE"], numeric: [1, 2])
        for series in answer["data"]?.arrayValue ?? [] {
            let name = series["name"]?.stringValue ?? ""
            let steps = series["steps"]?.arrayValue ?? []
            for (step, value) in zip(steps, series["values"]?.arrayValue ?? []) {
                table.rows.append([name, step.serialized(), Readable.metric(value)])
            }
        }
        return table
    }
}

struct EventsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events", abstract: "Print what happened to a job, and with --follow what happens.",
        discussion: """
            EXAMPLES
              spindle events job_01j…
              spindle events job_01j… --follow -o ndjson
            """)
    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "The job's id.") var job: String
    @Flag(name: .shortAndLong, help: "Go on until the job ends.") var follow = false
    @Flag(help: "With --follow: progress and metric points too, ten times a second.") var live = false

    func run() throws {
        try connection.run { client in
            let path = ServerClient.path("v1", "jobs", job, "events")
            if follow {
                try client.follow(
                    path, until: .distantFuture,
                    onOutage: { Console.note("the server does not answer (\($0.shortReason)); waiting") }
                ) { event in
                    if !live, event.name == "progress" || event.name == "metric" { return true }
                    switch connection.format {
                    case .table: Console.output("\(event.name)  \(event.data)")
                    case .json, .ndjson: Console.output(event.data)
                    }
                    return event.name != "end"
                }
                return
            }
            var events: [JSONValue] = []
            var cursor: String?
            repeat {
                let query = [("limit", "200"), ("order", "asc")] + (cursor.map { [("after", $0)] } ?? [])
                let answer = try client.get(path, query: query)
                events += answer["data"]?.arrayValue ?? []
                cursor = answer["has_more"]?.boolValue == true ? answer["next"]?.stringValue : nil
            } while cursor != nil
            connection.show(.array(events), items: events) {
                TextTable(
                    header: ["SEQ", "TIME", "TYPE", "WHAT"],
                    rows: events.map { event in
                        [
                            event["seq"]?.serialized() ?? "",
                            event["at"]?.stringValue ?? "",
                            event["type"]?.stringValue ?? "", Self.text(event),
                        ]
                    }, numeric: [0])
            }
        }
    }

    /// What the event tells, as `key=value`.
    private static func text(_ event: JSONValue) -> String {
        (event["data"]?.objectValue ?? [:]).filter { $0.value != .null }
            .map { "\($0.key)=\($0.value.stringValue ?? $0.value.serialized())" }.joined(separator: " ")
    }
}
