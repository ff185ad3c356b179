// spindle cancel, pause, resume, retry, rm: the verbs on a job.
import ArgumentParser
import JobSpec

/// Job ids, and what every verb does with its answers.
struct JobTargets: ParsableArguments {
    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "Job ids.") var jobs: [String]

    func apply(_ verb: String, body: JSONValue? = nil) throws {
        try connection.run { client in
            for id in jobs {
                let job = try client.post(
                    ServerClient.path("v1", "jobs", id, verb), body: body?.serializedBytes())
                connection.show(job) { "\(JobView(job).id) \(JobView(job).state)" }
            }
        }
    }
}

struct CancelCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel", abstract: "End jobs for good.",
        discussion: """
            A running job stops at its next step; after --grace seconds its process is killed. Cancelling a cancelled job \
            is not an error.

            EXAMPLES
              spindle cancel job_01j…
              spindle cancel $(spindle ls --state queued -o ndjson | jq -r .id)
            """)
    @OptionGroup var targets: JobTargets
    @Option(help: "Seconds until the process is killed.") var grace: Int?
    @Option(help: "A word for the job's history.") var reason: String?

    func run() throws {
        var body: JSONValue = .object([:])
        if let grace { body = body.setting("grace_seconds", .int(Int64(grace))) }
        if let reason { body = body.setting("reason", .string(reason)) }
        try targets.apply("cancel", body: body)
    }
}

struct PauseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause", abstract: "Stop jobs at the next step, with a checkpoint.",
        discussion: """
            The slot becomes free. A resumed job ends with the same bits as one that was never paused.

            EXAMPLE
              spindle pause job_01j… && spindle resume job_01j…
            """)
    @OptionGroup var targets: JobTargets
    func run() throws { try targets.apply("pause") }
}

struct ResumeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Let paused jobs go on from where they stopped.")
    @OptionGroup var targets: JobTargets
    func run() throws { try targets.apply("resume") }
}

struct RetryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry", abstract: "Queue failed or cancelled jobs again, from their last checkpoint.")
    @OptionGroup var targets: JobTargets
    func run() throws { try targets.apply("retry") }
}

struct RemoveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm", abstract: "Delete finished jobs and their checkpoints.",
        discussion: """
            EXAMPLES
              spindle rm job_01j…
              spindle rm job_01j… --keep-artifacts
            """)
    @OptionGroup var targets: JobTargets
    @Flag(help: "Leave the checkpoints on the server's disk.") var keepArtifacts = false

    func run() throws {
        try targets.connection.run { client in
            for id in targets.jobs {
                _ = try client.send(
                    client.request(
                        "DELETE", ServerClient.path("v1", "jobs", id),
                        query: [("artifacts", keepArtifacts ? "keep" : "delete")],
                        headers: [(name: "Idempotency-Key", value: "\"\(ServerClient.newKey())\"")]))
                Console.note("\(id) deleted")
            }
        }
    }
}

extension JSONValue {
    /// This object with one member more (or replaced); other values are returned as they are.
    func setting(_ key: String, _ value: JSONValue) -> JSONValue {
        guard case .object(var members) = self else { return self }
        members[key] = value
        return .object(members)
    }
}
