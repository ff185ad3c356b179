// A real `spindle serve` in a folder of its own, on a port of its own, ended by its pid. Not a mock of anything.
import Foundation
import JobSpec
import TestSupport

#if canImport(Glibc)
    import Glibc
#endif

struct HarnessError: Error, CustomStringConvertible {
    let description: String
}

/// The program that `swift build` put beside the test bundle.
enum SpindleBinary {
    static let url: URL = {
        let runner = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        let beside = URL(filePath: runner).deletingLastPathComponent().appending(path: "spindle")
        if FileManager.default.isExecutableFile(atPath: beside.path) { return beside }
        // The runner is the toolchain's own when the bundle is loaded as a library.
        let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? ""
        return URL(filePath: bundle).deletingLastPathComponent().appending(path: "spindle")
    }()

    /// Every process of this machine that runs the program.
    static func processes() -> Set<pid_t> {
        let path = url.resolvingSymlinksInPath().path
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return Set(
            entries.compactMap { pid_t($0) }.filter {
                (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\($0)/exe")) == path
            })
    }

    /// Runs a client command to its end and returns what it said.
    static func run(_ arguments: [String], server: String? = nil, input: String? = nil) throws
        -> CommandOutcome
    {
        let process = Process()
        process.executableURL = url
        process.arguments = arguments
        var environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("SPINDLE_") }
        environment["SPINDLE_SERVER"] = server ?? "http://127.0.0.1:9"
        process.environment = environment
        let (output, notes, given) = (Pipe(), Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = notes
        process.standardInput = given
        try process.run()
        if let input { try given.fileHandleForWriting.write(contentsOf: Data(input.utf8)) }
        try given.fileHandleForWriting.close()
        // Notes are few: they fit into a pipe while the output is read.
        let text = try output.fileHandleForReading.readToEnd() ?? Data()
        let said = try notes.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return CommandOutcome(
            status: process.terminationStatus, output: String(decoding: text, as: UTF8.self),
            notes: String(decoding: said, as: UTF8.self))
    }
}

struct CommandOutcome {
    let status: Int32
    let output: String
    let notes: String

    var json: JSONValue {
        get throws { try JSONValue(parsing: Array(output.utf8)) }
    }
}

/// One data folder and the servers that live on it one after the other.
final class ServerHarness {
    let folder: TemporaryFolder
    let arguments: [String]
    let variables: [String: String]
    private(set) var port: UInt16 = 0
    private(set) var process: Process?
    private let before: Set<pid_t>

    var address: String { "http://127.0.0.1:\(port)" }
    var client: HTTPClient { HTTPClient(port: port) }
    var pid: pid_t { process?.processIdentifier ?? 0 }
    private var logPath: String { folder.path("server.log") }

    init(arguments: [String] = [], variables: [String: String] = [:]) throws {
        folder = try TemporaryFolder()
        self.arguments = arguments
        self.variables = variables
        before = SpindleBinary.processes()
        try start()
    }

    deinit {
        if let process, process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }

    /// Starts a server on the folder and waits until it says where it listens.
    func start() throws {
        guard FileManager.default.isExecutableFile(atPath: SpindleBinary.url.path) else {
            throw HarnessError(
                description: "no spindle beside the tests (\(SpindleBinary.url.path)); run swift build")
        }
        let process = Process()
        process.executableURL = SpindleBinary.url
        process.arguments = ["serve", "--data", folder.path("data"), "--port", "0"] + arguments
        process.environment = ProcessInfo.processInfo.environment
            .filter { !$0.key.hasPrefix("SPINDLE_") }.merging(variables) { $1 }
        try Data().write(to: URL(filePath: logPath))
        let output = try FileHandle(forWritingTo: URL(filePath: logPath))
        process.standardOutput = output
        process.standardError = output
        process.standardInput = FileHandle.nullDevice
        try process.run()
        self.process = process
        let deadline = Date(timeIntervalSinceNow: 60)
        while Date() < deadline {
            if let port = listeningPort() {
                self.port = port
                if (try? client.get("/readyz"))?.status == 200 { return }
            }
            guard process.isRunning else { break }
            usleep(10_000)
        }
        throw HarnessError(description: "the server did not start:\n\(log(lines: 30))")
    }

    private func listeningPort() -> UInt16? {
        let text = (try? String(contentsOfFile: logPath, encoding: .utf8)) ?? ""
        for line in text.split(separator: "\n") where line.hasPrefix("listening on ") {
            return line.split(separator: ":").last.flatMap { UInt16($0) }
        }
        return nil
    }

    func log(lines: Int) -> String {
        let text = (try? String(contentsOfFile: logPath, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").suffix(lines).joined(separator: "\n")
    }

    /// Runs `body`; an error out of it tells what the server said and whether it is still there.
    func explaining<Result>(_ about: String, _ body: () throws -> Result) throws -> Result {
        do { return try body() } catch {
            usleep(300_000)
            let process = process
            let fate =
                process?.isRunning == true
                ? "runs"
                : "ended with \(process?.terminationStatus ?? -1) (\(process?.terminationReason == .uncaughtSignal ? "signal" : "exit"))"
            throw HarnessError(
                description: "\(about): \(error)\nthe server \(fate); its log ends:\n\(log(lines: 25))")
        }
    }

    /// SIGKILL, and nothing else: what a crash is to the server.
    func crash() {
        guard let process, process.isRunning else { return }
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// SIGTERM, and SIGKILL when it does not go within `seconds`. Returns whether it went by itself.
    @discardableResult
    func stop(seconds: Double = 30) -> Bool {
        guard let process, process.isRunning else { return true }
        kill(process.processIdentifier, SIGTERM)
        let deadline = Date(timeIntervalSinceNow: seconds)
        while process.isRunning, Date() < deadline { usleep(10_000) }
        if process.isRunning {
            crash()
            return false
        }
        return true
    }

    /// Processes of the program that were not there before this harness; empty within `seconds` after a stop.
    func leftovers(afterSeconds seconds: Double = 5) -> Set<pid_t> {
        let deadline = Date(timeIntervalSinceNow: seconds)
        var left = SpindleBinary.processes().subtracting(before)
        while !left.isEmpty, Date() < deadline {
            usleep(20_000)
            left = SpindleBinary.processes().subtracting(before)
        }
        return left
    }

    // MARK: - Jobs

    func uploadDigits() throws {
        let bytes = try Repository.bytes(Repository.fixture("data/digits.csv"))
        let reply = try client.send(
            "PUT", "/v1/datasets/digits", headers: ["Content-Type": "text/csv"], body: bytes)
        guard reply.status == 201 || reply.status == 200 else { throw HarnessError(description: reply.text) }
    }

    /// The spec of deploy/examples.
    static func example(_ name: String) throws -> JSONValue {
        try JSONValue(parsing: Repository.bytes(Repository.example(name)))
    }

    func submit(_ spec: JSONValue) throws -> String {
        let reply = try client.post("/v1/jobs", spec)
        guard reply.status == 201, let id = try reply.json["id"]?.stringValue else {
            throw HarnessError(description: "submit: \(reply.status) \(reply.text)")
        }
        return id
    }

    func job(_ id: String) throws -> JSONValue { try client.get("/v1/jobs/\(id)").json }

    /// Waits by long poll until the job has ended.
    func finish(_ id: String, seconds: Double = 240) throws -> JSONValue {
        let deadline = Date(timeIntervalSinceNow: seconds)
        while Date() < deadline {
            let job = try client.get("/v1/jobs/\(id)?wait=5&until=terminal").json
            if ["succeeded", "failed", "cancelled"].contains(job["state"]?.stringValue) { return job }
        }
        throw HarnessError(
            description: "\(id) has not ended: \(try job(id).serialized())\n\(log(lines: 20))")
    }

    /// SHA-256 of the newest checkpoint of a finished job, and every metric point that is kept.
    func result(of job: JSONValue) throws -> RunResult {
        let id = job["id"]?.stringValue ?? ""
        let checkpoint = try client.get("/v1/checkpoints/\(job["checkpoint"]?["id"]?.stringValue ?? "")").json
        let names = try client.get("/v1/jobs/\(id)/metrics").json["data"]?.arrayValue ?? []
        var series: [String: JSONValue] = [:]
        for name in names.compactMap({ $0["name"]?.stringValue }) {
            let path = "/v1/jobs/\(id)/metrics/series?agg=none&name=\(name)"
            series[name] = try client.get(path).json["data"]?[0]
        }
        return RunResult(digest: checkpoint["digest_hex"]?.stringValue ?? "", series: series)
    }
}

/// What has to be the same bits in every run of one spec.
struct RunResult: Equatable {
    let digest: String
    let series: [String: JSONValue]
}
