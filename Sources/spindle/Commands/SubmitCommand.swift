// spindle submit, validate, plan: a job spec from a file to the server.
import ArgumentParser
import Foundation
import JobSpec

/// The bytes of a spec as the user wrote them: the server keeps them as they are.
struct SpecArgument: ParsableArguments {
    @Argument(
        help: "A job spec, one JSON object; - reads it from standard input.",
        completion: .file(extensions: ["json"]))
    var file: String

    func bytes() throws -> [UInt8] {
        let handle: FileHandle
        if file == "-" {
            handle = .standardInput
        } else {
            guard let opened = FileHandle(forReadingAtPath: file) else {
                throw ClientFailure.local("\(file) cannot be read")
            }
            handle = opened
        }
        guard let data = try? handle.readToEnd(), !data.isEmpty else {
            throw ClientFailure.local(file == "-" ? "nothing came on standard input" : "\(file) is empty")
        }
        let bytes = [UInt8](data)
        do { _ = try JSONValue(parsing: bytes) } catch {
            throw ClientFailure.local("\(file == "-" ? "standard input" : file) is not JSON: \(error)")
        }
        return bytes
    }
}

struct SubmitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "submit", abstract: "Send a job spec to the server.",
        discussion: """
            Prints the new job's id. The spec is checked and planned before the answer comes: wrong names, wrong types and \
            shapes that do not fit are refused with their place in the spec.

            EXAMPLES
              spindle submit deploy/examples/digits.json --wait
              jq '.seed = 7' digits.json | spindle submit - --wait && echo trained
              spindle ckpt get $(spindle submit digits.json) --best

            With --wait the exit code is 0 if the job succeeds, 4 if it fails, 5 if it is cancelled, 6 after --timeout.
            """)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var spec: SpecArgument
    @Flag(help: "Stay until the job ends and show its progress.")
    var wait = false
    @Option(help: "With --wait: give up after this long (30, 90s, 15m, 8h); the job goes on.")
    var timeout: DurationArgument?
    @Flag(help: "Print the curl command that does the same, and send nothing.")
    var curl = false
    @Option(help: "The idempotency key: repeating a submit with the same key and spec returns the same job.")
    var key: String?

    func run() throws {
        try connection.run { client in
            let key = key ?? ServerClient.newKey()
            if curl { return Console.output(curlCommand(client, key)) }
            let bytes = try spec.bytes()
            let job = try client.post("/v1/jobs", body: bytes, key: key)
            let view = JobView(job)
            guard wait else {
                return connection.show(job) { view.id }
            }
            Console.note("\(view.id)  \(client.base)/#/jobs/\(view.id)")
            let final = try JobFollower(client: client, id: view.id, timeoutSeconds: timeout?.seconds)
                .waitUntilTerminal()
            connection.show(final) { JobView(final).outcomeText }
            try JobView(final).throwUnlessSucceeded()
        }
    }

    private func curlCommand(_ client: ServerClient, _ key: String) -> String {
        var lines = ["curl -fsS \(quoted(client.url("/v1/jobs")))", "  -H 'Content-Type: application/json'"]
        lines.append("  -H \(quoted("Idempotency-Key: \"\(key)\""))")
        if let path = connection.address.tokenFile {
            lines.append("  -H \"Authorization: Bearer $(cat \(quoted(path)))\"")
        } else if ProcessInfo.processInfo.environment["SPINDLE_TOKEN"] != nil {
            lines.append("  -H \"Authorization: Bearer $SPINDLE_TOKEN\"")
        }
        lines.append("  --data-binary \(quoted("@" + spec.file))")
        return lines.joined(separator: " \\\n")
    }

    /// A word for a POSIX shell.
    private func quoted(_ text: String) -> String {
        "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}

struct ValidateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate", abstract: "Check a job spec without running it.",
        discussion: """
            Reports every problem at once, each with its JSON pointer. Prints the effective spec (all defaults filled in) \
            with -o json.

            EXAMPLE
              spindle validate digits.json
            """)
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var spec: SpecArgument

    func run() throws {
        try connection.run { client in
            let answer = try client.post("/v1/validate", body: try spec.bytes())
            if answer["valid"]?.boolValue == false {
                connection.show(answer) { "invalid" }
                let problems = (answer["errors"] ?? answer["problems"])?.arrayValue ?? []
                for problem in problems {
                    Console.note(
                        "  \(problem["pointer"]?.stringValue ?? "")  \(problem["detail"]?.stringValue ?? "")")
                }
                throw ClientFailure.local(
                    "\(problems.count) problem\(problems.count == 1 ? "" : "s") in the spec")
            }
            connection.show(answer) { "valid" }
        }
    }
}

struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Say what a job would need: parameters, memory, steps, checkpoint size.",
        discussion: """
            The model is traced with shapes only; nothing is trained and nothing is stored.

            EXAMPLE
              spindle plan digits.json
            """)
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var spec: SpecArgument

    func run() throws {
        try connection.run { client in
            let answer = try client.post("/v1/jobs", body: try spec.bytes(), query: [("dry_run", "plan")])
            let plan = answer["plan"] ?? answer
            connection.show(answer) { Self.page(plan) }
        }
    }

    static func page(_ plan: JSONValue) -> String {
        var facts: [(String, String)] = []
        func add(_ label: String, _ key: String, _ text: (Int) -> String) {
            if let value = plan[key]?.intValue { facts.append((label, text(value))) }
        }
        add("parameters", "parameter_count") { "\($0)" }
        add("parameter bytes", "parameter_bytes", Readable.bytes)
        add("checkpoint", "checkpoint_bytes", Readable.bytes)
        add("memory", "memory_bytes", Readable.bytes)
        add("steps", "steps_total") { "\($0)" }
        add("steps per epoch", "steps_per_epoch") { "\($0)" }
        let width = facts.map(\.0.count).max() ?? 0
        var text = facts.map { $0.0 + String(repeating: " ", count: width - $0.0.count + 2) + $0.1 }
            .joined(separator: "\n")
        let modules = plan["modules"]?.arrayValue ?? []
        if !modules.isEmpty {
            let table = TextTable(
                header: ["MODULE", "TYPE", "OUTPUT", "PARAMETERS", "FLOP"],
                rows: modules.map { module in
                    let shape = (module["output_shape"]?.arrayValue ?? []).map { $0.serialized() }
                    return [
                        module["path"]?.stringValue ?? "", module["type"]?.stringValue ?? "",
                        "[" + shape.joined(separator: ", ") + "]",
                        module["parameters"]?.intValue.map(String.init) ?? "",
                        module["flops"]?.intValue.map(String.init) ?? "",
                    ]
                }, numeric: [3, 4])
            text += "\n\n" + table.render()
        }
        return text
    }
}
