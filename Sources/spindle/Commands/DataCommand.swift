// spindle data: datasets on the server.
import ArgumentParser
import Foundation
import JobSpec

struct DataCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "data", abstract: "Upload, list, look at and delete datasets.",
        subcommands: [
            DataPutCommand.self, DataListCommand.self, DataPreviewCommand.self, DataRemoveCommand.self,
        ])
}

struct DataPutCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "put", abstract: "Upload a file as a dataset, or as a new version of one.",
        discussion: """
            The name is the file's, without its ending, unless another is given before it. A version is known by the SHA-256 of its \
            bytes: uploading the same file again changes nothing. CSV needs a header line.

            EXAMPLES
              spindle data put deploy/examples/digits.csv
              spindle data put churn /tmp/export-2026.csv
            """)
    @OptionGroup var connection: ConnectionOptions
    @Argument(
        help: ArgumentHelp(
            "The dataset's name, if it is not the file's, and the file.", valueName: "name> <file"),
        completion: .file())
    var words: [String]

    func validate() throws {
        guard (1...2).contains(words.count) else {
            throw ValidationError("expected [NAME] FILE, got \(words.count) words")
        }
    }

    func run() throws {
        try connection.run { client in
            let file = words[words.count - 1]
            let url = URL(fileURLWithPath: file)
            let name = words.count == 2 ? words[0] : url.deletingPathExtension().lastPathComponent
            let request = client.request(
                "PUT",
                ServerClient.path("v1", "datasets", name),
                headers: [
                    (
                        name: "Content-Type",
                        value: ["csv": "text/csv", "txt": "text/plain", "msgpack": "application/msgpack"][
                            url.pathExtension.lowercased()]
                            ?? "application/octet-stream"
                    )
                ], body: .file(file))
            let progress = TransferProgress()
            let reply = try client.send(request, onSent: { progress.show($0, of: $1) })
            let dataset = try ServerClient.parsed(reply, from: request)
            if reply.status == 200 { Console.note("the server had these bytes already") }
            connection.show(dataset) { DataListCommand.table([dataset]).render() }
        }
    }
}

struct DataListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "ls", abstract: "List datasets.")
    @OptionGroup var connection: ConnectionOptions

    func run() throws {
        try connection.run { client in
            var items: [JSONValue] = []
            var cursor: String?
            repeat {
                let query = [("limit", "200")] + (cursor.map { [("after", $0)] } ?? [])
                let answer = try client.get("/v1/datasets", query: query)
                items += answer["data"]?.arrayValue ?? []
                cursor = answer["has_more"]?.boolValue == true ? answer["next"]?.stringValue : nil
            } while cursor != nil
            connection.show(.array(items), items: items) { Self.table(items) }
            if items.isEmpty, connection.format == .table {
                Console.note("no datasets; `spindle data put FILE` uploads one")
            }
        }
    }

    static func table(_ items: [JSONValue]) -> TextTable {
        TextTable(
            header: ["NAME", "FORMAT", "ROWS", "COLUMNS", "SIZE", "DIGEST", "AGE"], rows: items.map(row),
            numeric: [2, 3, 4])
    }

    private static func row(_ item: JSONValue) -> [String] {
        let columns: Int? = item["columns"]?.arrayValue?.count ?? item["columns"]?.intValue
        let digest = item["digest"]?.stringValue ?? item["sha256"]?.stringValue ?? ""
        let rows = item["rows"] ?? item["row_count"]
        let size: Int? = (item["size_bytes"] ?? item["bytes"])?.intValue
        return [
            item["name"]?.stringValue ?? "", item["format"]?.stringValue ?? "", rows?.serialized() ?? "–",
            columns.map { "\($0)" } ?? "–", size.map { Readable.bytes($0) } ?? "–",
            String(digest.split(separator: ":").last?.prefix(12) ?? ""),
            Readable.age(item["created_at"]?.stringValue),
        ]
    }
}

struct DataPreviewCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "preview", abstract: "Print a dataset's columns and first rows.",
        discussion: """
            EXAMPLE
              spindle data preview digits --rows 5
            """)
    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "The dataset's name or id.") var dataset: String
    @Option(help: "How many rows.") var rows = 10

    func run() throws {
        try connection.run { client in
            let answer = try client.get(
                ServerClient.path("v1", "datasets", dataset, "preview"), query: [("rows", "\(rows)")])
            let header = (answer["columns"]?.arrayValue ?? []).map {
                $0.stringValue ?? $0["name"]?.stringValue ?? ""
            }
            let cells = (answer["rows"]?.arrayValue ?? []).map { row in
                row.arrayValue.map { $0.map { $0.stringValue ?? $0.serialized() } }
                    ?? header.map { row[$0].map { $0.stringValue ?? $0.serialized() } ?? "" }
            }
            connection.show(answer) {
                let width = Console.outputIsTerminal ? Console.columns - 1 : Int.max
                return TextTable(header: header, rows: cells, numeric: Set(header.indices)).render()
                    .split(separator: "\n").map { Console.fitted(String($0), to: width) }.joined(
                        separator: "\n")
            }
        }
    }
}

struct DataRemoveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm", abstract: "Delete datasets that no job needs.")
    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "Names or ids.") var datasets: [String]

    func run() throws {
        try connection.run { client in
            for dataset in datasets {
                _ = try client.send(client.request("DELETE", ServerClient.path("v1", "datasets", dataset)))
                Console.note("\(dataset) deleted")
            }
        }
    }
}
