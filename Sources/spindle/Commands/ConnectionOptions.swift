// Options that every command against a server shares, and the one place where failures become exit codes.
import ArgumentParser
import Foundation
import JobSpec

#if canImport(Glibc)
    import Glibc
#endif

enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    case table, json, ndjson
}

/// Where the server is, and what lets one in.
struct ServerOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The server's address.", discussion: "Default: $SPINDLE_SERVER, or http://127.0.0.1:7070."))
    var server: String?

    @Option(
        help: ArgumentHelp(
            "A file that holds the access token.",
            discussion:
                "Default: $SPINDLE_TOKEN_FILE, else the token in $SPINDLE_TOKEN. Not needed on loopback."))
    var tokenFile: String?

    func client() throws -> ServerClient {
        let environment = ProcessInfo.processInfo.environment
        return try ServerClient(
            server: server ?? environment["SPINDLE_SERVER"] ?? "http://127.0.0.1:7070",
            token: try token(environment))
    }

    private func token(_ environment: [String: String]) throws -> String? {
        guard let path = tokenFile ?? environment["SPINDLE_TOKEN_FILE"] else {
            return environment["SPINDLE_TOKEN"]
        }
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw ClientFailure.local("the token file \(path) cannot be read")
        }
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Runs a command's body; a failure is explained on standard error and becomes the exit code that scripts rely on.
    func run(_ body: (ServerClient) throws -> Void) throws {
        signal(SIGPIPE, SIG_IGN)
        do { try body(try client()) } catch let failure as ClientFailure {
            Console.note(Console.styled("spindle: ", "31;1") + failure.description)
            throw ExitCode(failure.exitStatus.rawValue)
        }
    }
}

struct ConnectionOptions: ParsableArguments {
    @OptionGroup var address: ServerOptions

    @Option(
        name: [.customShort("o"), .customLong("output")],
        help: "table for people, json, or ndjson (one JSON object a line).")
    var format = OutputFormat.table

    func client() throws -> ServerClient { try address.client() }

    func run(_ body: (ServerClient) throws -> Void) throws { try address.run(body) }

    /// One object: JSON as asked for, or what `table` says.
    func show(_ value: JSONValue, table: () -> String) {
        switch format {
        case .json: Console.output(value.serialized(pretty: true))
        case .ndjson: Console.output(value.serialized())
        case .table: Console.output(table())
        }
    }

    /// A list: `list` is the whole answer, `items` its rows.
    func show(_ list: JSONValue, items: [JSONValue], table: () -> TextTable) {
        switch format {
        case .json: Console.output(list.serialized(pretty: true))
        case .ndjson: for item in items { Console.output(item.serialized()) }
        case .table: Console.output(table().render())
        }
    }
}

/// A duration on the command line: `30`, `90s`, `15m`, `8h`, `2d`.
struct DurationArgument: ExpressibleByArgument {
    let seconds: Double

    init?(argument: String) {
        let units: [Character: Double] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
        let unit = argument.last.flatMap { units[$0] }
        let digits = unit == nil ? argument[...] : argument.dropLast()
        guard let value = Double(digits), value.isFinite, value >= 0, value <= 3.2e7 else { return nil }
        seconds = value * (unit ?? 1)
    }
}
