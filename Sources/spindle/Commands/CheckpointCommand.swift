// spindle ckpt: list and download checkpoints.
import ArgumentParser
import Foundation
import JobSpec

struct CheckpointCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ckpt", abstract: "List and download checkpoints (Flax TrainState, msgpack).",
        subcommands: [CheckpointListCommand.self, CheckpointGetCommand.self])
}

struct CheckpointListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls", abstract: "List a job's checkpoints.",
        discussion: """
            EXAMPLE
              spindle ckpt ls job_01j…
            """)
    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "The job's id.") var job: String

    func run() throws {
        try connection.run { client in
            let answer = try client.get(
                ServerClient.path("v1", "jobs", job, "checkpoints"), query: [("limit", "200")])
            let best = try client.get(ServerClient.path("v1", "jobs", job))["best"]?["checkpoint"]?
                .stringValue
            let items = answer["data"]?.arrayValue ?? []
            connection.show(answer, items: items) {
                TextTable(
                    header: ["ID", "STEP", "SIZE", "CAUSE", "METRICS", ""],
                    rows: items.map { item in
                        let id = item["id"]?.stringValue ?? ""
                        let metrics = (item["metrics"]?.objectValue ?? [:])
                            .map { "\($0.key)=\(Readable.metric($0.value))" }.joined(separator: " ")
                        let size = (item["size_bytes"] ?? item["state_bytes"])?.intValue
                        return [
                            id, item["step"]?.serialized() ?? "", size.map(Readable.bytes) ?? "",
                            item["cause"]?.stringValue ?? "", metrics, id == best ? "best" : "",
                        ]
                    }, numeric: [1, 2])
            }
        }
    }
}

struct CheckpointGetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "get", abstract: "Download a checkpoint and check its SHA-256.",
        discussion: """
            Takes a checkpoint's id, or a job's id with --best or --latest (the default). A download that was cut off goes \
            on where it stopped when the command is given again. The file is what flax.serialization.from_bytes reads.

            EXAMPLES
              spindle ckpt get job_01j… --best -f digits.msgpack
              spindle ckpt get ckpt_01j…
            """)
    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "A checkpoint's or a job's id.") var id: String
    @Flag(help: "Of a job: the best checkpoint by the spec's own measure.") var best = false
    @Flag(help: "Of a job: the newest checkpoint.") var latest = false
    @Option(
        name: [.customShort("f"), .customLong("file")],
        help: "Where to; default NAME-step-N.msgpack in this folder.", completion: .file())
    var file: String?
    @Option(help: "Give up when the server stays away for so long.") var timeout: DurationArgument?

    func validate() throws {
        if best, latest { throw ValidationError("--best and --latest exclude each other") }
    }

    func run() throws {
        try connection.run { client in
            let checkpoint = try CheckpointChoice.find(id, best: best, client)
            guard let checkpointID = checkpoint["id"]?.stringValue else {
                throw ClientFailure.badAnswer("the checkpoint has no id")
            }
            let destination = file ?? "\(checkpointID)\(Self.stepText(checkpoint)).msgpack"
            let deadline = Date(timeIntervalSinceNow: timeout?.seconds ?? 300)
            let started = Date()
            let progress = TransferProgress()
            let remote = try client.download(
                ServerClient.path("v1", "checkpoints", checkpointID, "content"), to: destination,
                until: deadline,
                onOutage: {
                    Console.note("the download was interrupted (\($0.shortReason)); going on when possible")
                }
            ) { progress.show($0, of: $1) }
            let seconds = max(Date().timeIntervalSince(started), 0.001)
            let checked = remote.sha256 == nil ? "the server announced no digest" : "SHA-256 verified"
            Console.note(
                "\(destination): \(Readable.bytes(remote.sizeBytes)) in \(Readable.seconds(seconds)), \(checked)"
            )
            connection.show(
                checkpoint.setting("file", .string(destination))
            ) { destination }
        }
    }

    private static func stepText(_ checkpoint: JSONValue) -> String {
        checkpoint["step"]?.intValue.map { "-step-\($0)" } ?? ""
    }
}

/// Which checkpoint an id on the command line means.
enum CheckpointChoice {
    /// The checkpoint itself, or of a job the newest or the best one.
    static func find(_ id: String, best: Bool, _ client: ServerClient) throws -> JSONValue {
        guard id.hasPrefix("job_") else { return try client.get(ServerClient.path("v1", "checkpoints", id)) }
        let job = JobView(try client.get(ServerClient.path("v1", "jobs", id)))
        guard let chosen = best ? job.bestCheckpoint : job.lastCheckpoint else {
            throw ClientFailure.local(
                best
                    ? "\(id) names no best checkpoint: its spec has no checkpoint.keep.best, or nothing was evaluated yet"
                    : "\(id) has no checkpoint yet (state \(job.state))")
        }
        return try client.get(ServerClient.path("v1", "checkpoints", chosen))
    }
}

/// The bar of a transfer: drawn ten times a second, and only for what takes a while.
final class TransferProgress {
    private var shown = Date.distantPast

    func show(_ done: Int64, of total: Int64) {
        guard Date().timeIntervalSince(shown) > 0.1, total > 1 << 20 else { return }
        shown = Date()
        let width = 24
        let filled = Int(Double(width) * Double(done) / Double(max(total, 1)))
        let bar =
            String(repeating: "█", count: min(filled, width))
            + String(repeating: "░", count: max(0, width - filled))
        Console.status(
            "\(bar)  \(Readable.bytes(done)) of \(Readable.bytes(total))  \(done * 100 / max(total, 1)) %")
    }
}
