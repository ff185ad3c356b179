// spindle version: this program's, and the server's when one answers.
import ArgumentParser
import JobSpec

/// The release that this program belongs to.
enum Release {
    static let version = "0.1.0"
}

struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version", abstract: "Print the version of this program and of the server.")
    @OptionGroup var connection: ConnectionOptions

    func run() throws {
        try connection.run { client in
            var server: JSONValue?
            var reason = ""
            do { server = try client.get("/version") } catch let failure as ClientFailure {
                reason = failure.shortReason
            }
            let both = JSONValue.object([
                "client": .object(["version": .string(Release.version)]), "server": server ?? .null,
            ])
            connection.show(both) {
                let text = server.map { $0["version"]?.stringValue ?? "?" } ?? "not reached (\(reason))"
                return "spindle \(Release.version)\nserver  \(text) at \(client.base)"
            }
        }
    }
}
