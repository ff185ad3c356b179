// spindle import: weights from elsewhere become a checkpoint that jobs start from.
import ArgumentParser
import Foundation
import JobSpec

struct ImportCommandLine: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Make a checkpoint of a Flax msgpack, safetensors or npz file.",
        discussion: """
            The format is known by the file's first bytes. Names of arrays are paths, with "." or "/" between their parts: \
            params.Dense_0.kernel. A file without "params" holds the parameters themselves. The file is checked as a whole: one that is \
            damaged is refused with the place. Importing the same values again gives the checkpoint that is there.

            Prints the checkpoint's id. A job starts from it with
              "init": {"checkpoint": "ckpt_01j…"}
            and where its paths differ, with "map": {"encoder/**": "backbone/**"}.

            EXAMPLES
              spindle import digits.safetensors
              python -c 'import numpy; numpy.savez("w.npz", **{"params/Dense_0/kernel": w, "params/Dense_0/bias": b})' && spindle import w.npz
              jq --arg c "$(spindle import w.npz)" '.init = {checkpoint: $c}' digits.json | spindle submit - --wait
            """)

    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "The file.", completion: .file()) var file: String
    @Option(help: "What to call it.") var name: String?

    func run() throws {
        try connection.run { client in
            let request = client.request(
                "POST", "/v1/checkpoints",
                query: [("name", name ?? URL(fileURLWithPath: file).lastPathComponent)],
                headers: [(name: "Content-Type", value: "application/octet-stream")], body: .file(file))
            let progress = TransferProgress()
            var patient = request
            patient.idleTimeoutSeconds = 600
            let reply = try client.send(
                patient,
                onSent: { sent, total in
                    if sent == total, total > 1 << 20 {
                        Console.status("the server checks \(Readable.bytes(total)) …")
                    } else {
                        progress.show(sent, of: total)
                    }
                })
            let checkpoint = try ServerClient.parsed(reply, from: request)
            if reply.status == 200 { Console.note("the server had these values already") }
            let contents = checkpoint["contents"]
            let parts = (contents?["parts"]?.arrayValue ?? []).compactMap(\.stringValue)
            Console.note(
                "\(contents?["format"]?.stringValue ?? ""): \(contents?["arrays"]?.serialized() ?? "?") arrays, "
                    + "\(contents?["elements"]?.serialized() ?? "?") numbers in \(parts.joined(separator: ", "))"
            )
            connection.show(checkpoint) { checkpoint["id"]?.stringValue ?? "" }
        }
    }
}
