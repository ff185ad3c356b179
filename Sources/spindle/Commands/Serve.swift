// spindle serve: the server. Opens the data folder, answers HTTP, recovers what was interrupted, and stops in order.
import API
import ArgumentParser
import Dispatch
import Foundation
import Logging
import Scheduler
import Store

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Run the training server.",
        discussion: """
            Everything is kept in the data folder; starting again with the same folder goes on where the last server stopped, \
            also after a crash. The server listens on this machine only, unless --host says otherwise, which needs a token.

            Every option can also be set by a variable of the environment: --data is SPINDLE_DATA, --token-file is \
            SPINDLE_TOKEN_FILE, and so on. An option wins over its variable.

            SIGTERM and SIGINT stop the server in order: running jobs write a checkpoint and go on with the next start.

            Examples:
              spindle serve --data ~/spindle
              spindle serve --host 0.0.0.0 --token-file /etc/spindle/token --workers 4
            """)

    @Option(help: "The data folder; made when it is missing. (default: spindle-data)")
    var data: String?
    @Option(help: "The address to listen on. (default: 127.0.0.1)")
    var host: String?
    @Option(help: "The port; 0 lets the system choose. (default: 7070)")
    var port: UInt16?
    @Option(help: "How many jobs run at the same time. (default: 1)")
    var workers: Int?
    @Option(
        help: "Threads of each job whose spec does not say. (default: the processors, shared by the workers)")
    var threads: Int?
    @Option(
        help:
            "The best kernels that jobs may use: portable, avx2 or avx512. The results are the same bits. (default: the best there are)"
    )
    var kernels: String?
    @Option(help: "A file with the token that every request must carry as `Authorization: Bearer TOKEN`.")
    var tokenFile: String?
    @Flag(name: .customLong("insecure-no-auth"), help: "Let everybody who reaches the address run jobs.")
    var insecureNoAuth = false
    @Option(help: "A further name that a proxy may send in the Host field; may be repeated.")
    var allowHost: [String] = []
    @Option(
        name: .customLong("public"), help: "The folder of the dashboard's files; `none` for no dashboard.")
    var publicFolder: String?
    @Option(help: "trace, debug, info, notice, warning, error or critical. (default: info)")
    var logLevel: String?

    func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        let configuration = try Configuration(
            flags: .init(
                data: data, host: host, port: port, workers: workers, threads: threads, kernels: kernels,
                tokenFile: tokenFile,
                insecureNoAuth: insecureNoAuth, allowHost: allowHost, publicFolder: publicFolder,
                logLevel: logLevel),
            environment: environment, executable: Self.executable)
        let level = configuration.logLevel
        LoggingSystem.bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = level
            return handler
        }
        do {
            try await ServerRun(configuration: configuration).run()
        } catch let error where !(error is ExitCode) {
            Console.note("error: \(error)")
            throw ExitCode.failure
        }
    }

    private static var executable: String {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
            ?? CommandLine.arguments[0]
    }
}

/// One life of the server, from opening the data folder to the last answer.
private struct ServerRun {
    let configuration: Configuration
    private static let drainSeconds = 20.0
    private static let closeSeconds = 5.0

    func run() async throws {
        raiseFileLimit()
        let logger = Logger(label: "spindle")
        let store = try Store(folder: DataFolder(path: URL(fileURLWithPath: configuration.dataFolder).path))
        var settings = SchedulerConfiguration(
            worker: WorkerLaunch(
                arguments: ["worker"] + (configuration.kernels.map { ["--kernels", $0] } ?? [])))
        settings.slots = configuration.workers
        settings.threadsPerWorker = configuration.threadsPerWorker
        let scheduler = Scheduler(store: store, configuration: settings, logger: logger)

        var api = APIConfiguration(version: Release.version)
        api.publicFolder = configuration.publicFolder
        api.token = configuration.token
        api.allowedHosts = configuration.allowedHosts
        api.server.host = configuration.host
        api.server.port = configuration.port
        let readiness = Readiness()
        let server = try APIServer(
            configuration: api, store: store, scheduler: scheduler, readiness: readiness,
            allowsOpenNetwork: configuration.allowsOpenNetwork, logger: logger)

        // Before anything is announced, so that an early signal stops the server in order too.
        let stop = StopSignal()
        let port = try server.start()
        // Reads are answered from here on; jobs are taken once the last server's are in order.
        let report = try await scheduler.start()
        readiness.become(.ready)
        announce(port: port, report: report)

        await stop.wait()
        Console.note("stopping: running jobs write a checkpoint")
        readiness.become(.draining)
        await scheduler.shutdown(graceSeconds: Self.drainSeconds)
        await server.shutdown(graceSeconds: Self.closeSeconds)
        await store.close()
    }

    private func announce(port: UInt16, report: RecoveryReport) {
        let name = configuration.host.contains(":") ? "[\(configuration.host)]" : configuration.host
        let address = "http://\(name):\(port)"
        var text = "listening on \(address)\n"
        if configuration.publicFolder != nil { text += "dashboard at \(address)/\n" }
        if !report.requeued.isEmpty {
            let count = report.requeued.count
            text += "queued again: \(count) job\(count == 1 ? "" : "s") that the last server had running\n"
        }
        FileHandle.standardOutput.write(Data(text.utf8))
    }

    /// A connection, a worker's pipes and a file each take a descriptor; the soft limit is often 1024.
    private func raiseFileLimit() {
        var limit = rlimit()
        let resource = __rlimit_resource_t(7)
        guard getrlimit(resource, &limit) == 0 else { return }
        limit.rlim_cur = min(limit.rlim_max, 65_536)
        setrlimit(resource, &limit)
    }
}

/// SIGTERM and SIGINT as something to wait for. A second one ends the process at once.
private final class StopSignal {
    private let stream: AsyncStream<Void>
    private let sources: [any DispatchSourceSignal]

    init() {
        let (stream, continuation) = AsyncStream<Void>.makeStream()
        let queue = DispatchQueue(label: "spindle.signals")
        self.stream = stream
        sources = [SIGTERM, SIGINT].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler {
                continuation.yield()
                signal(number, SIG_DFL)
            }
            source.activate()
            return source
        }
    }

    func wait() async {
        for await _ in stream { return }
    }
}
