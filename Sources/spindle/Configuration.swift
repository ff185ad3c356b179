// What `spindle serve` runs with, as one value: a flag wins over the environment, the environment over the default.
import ArgumentParser
import Foundation
import Logging

struct Configuration: Sendable, Equatable {
    var dataFolder = "spindle-data"
    var host = "127.0.0.1"
    var port: UInt16 = 7070
    var workers = 1
    /// Of one worker; nil shares the machine's processors between the workers.
    var threads: Int?
    /// The best kernels that workers may use; nil for what the processor has.
    var kernels: String?
    var token: String?
    var allowsOpenNetwork = false
    var allowedHosts: [String] = []
    /// nil: no dashboard.
    var publicFolder: String?
    var logLevel = Logger.Level.info

    /// The settings of the flags, as given; nil and false where there was none.
    struct Flags {
        var data: String?
        var host: String?
        var port: UInt16?
        var workers: Int?
        var threads: Int?
        var kernels: String?
        var tokenFile: String?
        var insecureNoAuth = false
        var allowHost: [String] = []
        var publicFolder: String?
        var logLevel: String?
    }

    static let kernelLevels = ["portable", "avx2", "avx512"]

    /// The variables that stand for flags.
    static let variables = [
        "SPINDLE_DATA", "SPINDLE_HOST", "SPINDLE_PORT", "SPINDLE_WORKERS", "SPINDLE_THREADS",
        "SPINDLE_KERNELS", "SPINDLE_TOKEN_FILE", "SPINDLE_INSECURE_NO_AUTH", "SPINDLE_ALLOW_HOST",
        "SPINDLE_PUBLIC", "SPINDLE_LOG_LEVEL",
    ]

    /// - Throws: `ValidationError` that names the flag or the variable.
    init(flags: Flags, environment: [String: String], executable: String) throws {
        func variable(_ name: String) -> String? {
            environment[name].flatMap { $0.isEmpty ? nil : $0 }
        }
        dataFolder = flags.data ?? variable("SPINDLE_DATA") ?? dataFolder
        host = flags.host ?? variable("SPINDLE_HOST") ?? host
        if host == "localhost" { host = "127.0.0.1" }
        if let port = flags.port {
            self.port = port
        } else if let text = variable("SPINDLE_PORT") {
            guard let number = UInt16(text) else {
                throw ValidationError("SPINDLE_PORT: expected a port from 0 to 65535, got \(text)")
            }
            port = number
        }
        workers =
            try Self.count(flags.workers, "--workers", variable("SPINDLE_WORKERS"), "SPINDLE_WORKERS")
            ?? workers
        threads = try Self.count(flags.threads, "--threads", variable("SPINDLE_THREADS"), "SPINDLE_THREADS")
        if let name = flags.kernels ?? variable("SPINDLE_KERNELS") {
            guard Self.kernelLevels.contains(name) else {
                throw ValidationError(
                    "--kernels: expected one of \(Self.kernelLevels.joined(separator: ", ")), got \(name)")
            }
            kernels = name
        }
        if let file = flags.tokenFile ?? variable("SPINDLE_TOKEN_FILE") { token = try Self.token(file) }
        allowsOpenNetwork =
            flags.insecureNoAuth || ["1", "true", "yes"].contains(variable("SPINDLE_INSECURE_NO_AUTH") ?? "")
        allowedHosts =
            flags.allowHost.isEmpty
            ? (variable("SPINDLE_ALLOW_HOST") ?? "").split(separator: ",").map(String.init) : flags.allowHost
        publicFolder = try Self.publicFolder(
            flags.publicFolder ?? variable("SPINDLE_PUBLIC"), executable: executable)
        if let name = flags.logLevel ?? variable("SPINDLE_LOG_LEVEL") {
            guard let level = Logger.Level(rawValue: name.lowercased()) else {
                let levels = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("--log-level: expected one of \(levels), got \(name)")
            }
            logLevel = level
        }
    }

    private static func count(_ flag: Int?, _ flagName: String, _ text: String?, _ variable: String) throws
        -> Int?
    {
        let name = flag == nil ? variable : flagName
        guard let value = flag.map(String.init) ?? text else { return nil }
        guard let number = Int(value), (1...256).contains(number) else {
            throw ValidationError("\(name): expected a whole number from 1 to 256, got \(value)")
        }
        return number
    }

    private static func token(_ file: String) throws -> String {
        guard let data = FileManager.default.contents(atPath: file) else {
            throw ValidationError("--token-file: cannot read \(file)")
        }
        let token = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        guard (16...1024).contains(token.utf8.count), token.utf8.allSatisfy({ (0x21...0x7e).contains($0) })
        else {
            throw ValidationError(
                "--token-file: \(file) must hold one token of 16 to 1024 visible ASCII characters, "
                    + "for example the output of: openssl rand -hex 32")
        }
        return token
    }

    /// "none" is no dashboard; without a setting, the `Public` folder next to the program or above it.
    private static func publicFolder(_ setting: String?, executable: String) throws -> String? {
        if setting == "none" { return nil }
        if let setting {
            guard FileManager.default.fileExists(atPath: setting + "/index.html") else {
                throw ValidationError("--public: there is no index.html in \(setting)")
            }
            return setting
        }
        var folder = URL(fileURLWithPath: executable).resolvingSymlinksInPath()
        for _ in 0..<5 {
            folder = folder.deletingLastPathComponent()
            for candidate in [folder.path + "/Public", folder.path + "/share/spindle/Public"]
            where FileManager.default.fileExists(atPath: candidate + "/index.html") {
                return candidate
            }
        }
        return nil
    }

    /// Threads of one worker: the setting, or an equal share of the processors.
    var threadsPerWorker: Int {
        threads ?? max(1, ProcessInfo.processInfo.activeProcessorCount / workers)
    }
}
