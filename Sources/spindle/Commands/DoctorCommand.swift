// spindle doctor: is this machine, and the server on it, in a state to train?
import ArgumentParser
import Foundation
import JobSpec

#if canImport(Glibc)
    import Glibc
#endif

/// One finding. `fail` means jobs will not run or data may be lost; `warn` means slower or soon a problem.
struct Finding {
    enum Verdict: String { case ok, warn, fail }
    let check: String
    let verdict: Verdict
    let detail: String

    var json: JSONValue {
        .object(["check": .string(check), "verdict": .string(verdict.rawValue), "detail": .string(detail)])
    }
}

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Check this machine and the server on it.",
        discussion: """
            Looks at the processor's vector units, the system libraries, how long the disk under the data folder takes to \
            make a write durable, its free space, the limits of this shell, and the server. Exit code 1 when a check fails; \
            a server that is not running is only a warning.

            EXAMPLES
              spindle doctor
              spindle doctor --data-folder /var/lib/spindle -o json
            """)
    @OptionGroup var connection: ConnectionOptions
    @Option(
        help: ArgumentHelp(
            "The server's data folder.", discussion: "Default: $SPINDLE_DATA, or spindle-data in this folder."
        ),
        completion: .directory)
    var dataFolder: String?

    @Flag(help: "Look at the server only; not reaching it is a failure then. For health checks.")
    var serverOnly = false

    func run() throws {
        let machine =
            serverOnly ? [] : [processor(), memory(), disk(), durability(), openFiles()] + libraries()
        let findings = machine + server()
        let list = JSONValue.object(["object": .string("list"), "data": .array(findings.map(\.json))])
        connection.show(list, items: findings.map(\.json)) {
            TextTable(
                header: ["CHECK", "", "FINDING"],
                rows: findings.map { [$0.check, $0.verdict.rawValue, $0.detail] })
        }
        if findings.contains(where: { $0.verdict == .fail }) { throw ExitCode(ExitStatus.error.rawValue) }
    }

    /// The nearest folder that exists: before the first start the data folder does not.
    private var folder: URL {
        let environment = ProcessInfo.processInfo.environment
        let path = dataFolder ?? environment["SPINDLE_DATA"] ?? "spindle-data"
        var url = URL(fileURLWithPath: path).standardizedFileURL
        while !FileManager.default.fileExists(atPath: url.path), url.path != "/" {
            url.deleteLastPathComponent()
        }
        return url
    }

    private func processor() -> Finding {
        let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let lines = text.split(separator: "\n")
        func value(_ key: String) -> String? {
            lines.first { $0.hasPrefix(key) }?.split(separator: ":", maxSplits: 1).last
                .map { $0.trimmingCharacters(in: .whitespaces) }
        }
        let flags = Set((value("flags") ?? "").split(separator: " ").map(String.init))
        let model = value("model name") ?? "unknown processor"
        let count = ProcessInfo.processInfo.activeProcessorCount
        let cores = "\(count) core\(count == 1 ? "" : "s")"
        if flags.isSuperset(of: ["avx512f", "avx512bw", "avx512dq", "avx512vl", "fma"]) {
            return Finding(check: "processor", verdict: .ok, detail: "\(model), \(cores), kernels: avx512")
        }
        if flags.isSuperset(of: ["avx2", "fma"]) {
            return Finding(check: "processor", verdict: .ok, detail: "\(model), \(cores), kernels: avx2")
        }
        return Finding(
            check: "processor", verdict: .fail,
            detail: "\(model), \(cores): neither AVX-512 nor AVX2 with FMA; the kernels need one of them")
    }

    private func memory() -> Finding {
        let text = (try? String(contentsOfFile: "/proc/meminfo", encoding: .utf8)) ?? ""
        let kibibytes = text.split(separator: "\n").first { $0.hasPrefix("MemAvailable:") }?
            .split(separator: " ").dropFirst().first.flatMap { Int64($0) }
        guard let kibibytes else {
            return Finding(check: "memory", verdict: .warn, detail: "/proc/meminfo does not say")
        }
        return Finding(
            check: "memory", verdict: kibibytes < 256 << 10 ? .warn : .ok,
            detail: "\(Readable.bytes(kibibytes << 10)) available")
    }

    private func disk() -> Finding {
        var status = statvfs()
        guard statvfs(folder.path, &status) == 0, status.f_blocks > 0 else {
            return Finding(check: "disk", verdict: .fail, detail: "\(folder.path) cannot be examined")
        }
        let free = Int64(
            clamping: UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize)).0)
        let ratio = Double(status.f_bavail) / Double(status.f_blocks)
        let verdict: Finding.Verdict = ratio < 0.03 || free < 256 << 20 ? .fail : ratio < 0.1 ? .warn : .ok
        return Finding(
            check: "disk", verdict: verdict,
            detail: "\(Readable.bytes(free)) free (\(Int(ratio * 100)) %) under \(folder.path)")
    }

    /// A commit of the server costs about one such write.
    private func durability() -> Finding {
        let path = folder.appendingPathComponent(".spindle-doctor-\(getpid())").path
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            return Finding(
                check: "fsync", verdict: .fail,
                detail: "\(folder.path) cannot be written: \(String(cString: strerror(errno)))")
        }
        defer {
            close(descriptor)
            unlink(path)
        }
        let page = [UInt8](repeating: 0x5A, count: 4096)
        var times: [Double] = []
        for _ in 0..<15 {
            let started = DispatchTime.now().uptimeNanoseconds
            guard write(descriptor, page, page.count) == page.count, fdatasync(descriptor) == 0 else {
                return Finding(
                    check: "fsync", verdict: .fail, detail: "the disk under \(folder.path) refuses to sync")
            }
            times.append(Double(DispatchTime.now().uptimeNanoseconds - started) / 1e9)
        }
        times.sort()
        let text = "median \(Readable.seconds(times[7])), worst \(Readable.seconds(times[14])) for 4 KiB"
        return Finding(check: "fsync", verdict: times[7] > 0.05 ? .warn : .ok, detail: text)
    }

    private func openFiles() -> Finding {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(7), &limit) == 0 else {
            return Finding(check: "open files", verdict: .warn, detail: "the limit cannot be read")
        }
        return Finding(
            check: "open files", verdict: limit.rlim_cur < 1100 ? .warn : .ok,
            detail:
                "limit \(limit.rlim_cur)\(limit.rlim_cur < 1100 ? "; the server wants 1,100 for 1,024 connections" : "")"
        )
    }

    private func libraries() -> [Finding] {
        func find(
            _ name: String, _ file: String, _ package: String, _ version: (UnsafeMutableRawPointer) -> String?
        )
            -> Finding
        {
            guard let library = dlopen(file, RTLD_LAZY | RTLD_LOCAL) else {
                return Finding(
                    check: name, verdict: .fail, detail: "\(file) not found; apt-get install \(package)")
            }
            return Finding(check: name, verdict: .ok, detail: version(library) ?? file)
        }
        typealias TextFunction = @convention(c) () -> UnsafePointer<CChar>?
        typealias NumberedTextFunction = @convention(c) (Int32) -> UnsafePointer<CChar>?
        func text(_ library: UnsafeMutableRawPointer, _ symbol: String) -> String? {
            dlsym(library, symbol).flatMap { unsafeBitCast($0, to: TextFunction.self)() }.map {
                String(cString: $0)
            }
        }
        return [
            find("sqlite", "libsqlite3.so.0", "libsqlite3-0") { text($0, "sqlite3_libversion") },
            find("openblas", "libopenblas.so.0", "libopenblas0") { text($0, "openblas_get_config") },
            find("libcrypto", "libcrypto.so.3", "libssl3") { library in
                dlsym(library, "OpenSSL_version").flatMap {
                    unsafeBitCast($0, to: NumberedTextFunction.self)(0)
                }
                .map { String(cString: $0) }
            },
            find("libcurl", "libcurl.so.4", "libcurl4") { _ in HTTPConnection.libraryVersion },
        ]
    }

    private func server() -> [Finding] {
        do {
            let client = try connection.client()
            let version = try client.get("/version")
            let text = version["version"]?.stringValue ?? "of unknown version"
            var findings = [Finding(check: "server", verdict: .ok, detail: "\(client.base), version \(text)")]
            do {
                _ = try client.send(client.request("GET", "/readyz"))
                findings.append(Finding(check: "ready", verdict: .ok, detail: "takes and runs jobs"))
            } catch let failure as ClientFailure {
                findings.append(Finding(check: "ready", verdict: .fail, detail: failure.shortReason))
            }
            return findings
        } catch let failure as ClientFailure {
            let verdict: Finding.Verdict = failure.exitStatus == .unreachable && !serverOnly ? .warn : .fail
            return [Finding(check: "server", verdict: verdict, detail: "not reached: \(failure.shortReason)")]
        } catch {
            return [Finding(check: "server", verdict: .fail, detail: "\(error)")]
        }
    }
}
