// What a scrape reads from the store, the server and the process: snapshots only, no lock that work is done under.
import Glibc
import Scheduler
import Store

enum ServerGauges {
    static func all(
        version: String, store: Store, scheduler: Scheduler, readiness: Readiness, metrics: ServerMetrics
    ) -> [any MetricFamily] {
        [
            Gauge(
                "spindle_build_info", help: "The version, as a label.", labels: .one("version", [version])
            ) { [1] },
            Gauge("spindle_ready", help: "1 when jobs can be submitted.") {
                [readiness.state == .ready ? 1 : 0]
            },
            Gauge("spindle_draining", help: "1 while the server is shutting down.") {
                [readiness.state == .draining ? 1 : 0]
            },
            Gauge(
                "spindle_jobs", help: "Jobs by state.",
                labels: .one("state", JobState.allCases.map(\.rawValue))
            ) {
                let counts = store.jobsByState
                return JobState.allCases.map { Double(counts[$0] ?? 0) }
            },
            Gauge("spindle_http_connections", help: "Open client connections.") {
                [Double(metrics.openConnections.value(at: 0))]
            },
            Gauge(
                "spindle_sse_clients", help: "Open event streams.", labels: .one("stream", ["job", "all"])
            ) { [Double(metrics.sseClients.value(at: 0)), Double(metrics.sseClients.value(at: 1))] },
            SchedulerFamilies(scheduler: scheduler), StoreFamilies(store: store),
            ProcessFamilies(),
        ]
    }
}

/// Several families from one snapshot of the store.
private struct StoreFamilies: MetricFamily {
    let name = "spindle_db"
    let store: Store

    func render(to text: inout PrometheusText) {
        let snapshot = store.metrics
        func counter(_ name: String, _ help: String, _ value: Double) {
            text.header(name, help: help, type: "counter")
            text.sample(name, "", value)
        }
        func gauge(_ name: String, _ help: String, _ value: Double) {
            text.header(name, help: help, type: "gauge")
            text.sample(name, "", value)
        }
        counter("spindle_db_commits_total", "Commits of the writer.", Double(snapshot.commits))
        counter(
            "spindle_db_durable_commits_total", "Commits that waited for the disk.",
            Double(snapshot.durableCommits))
        counter("spindle_db_failed_commits_total", "Commits that failed.", Double(snapshot.failedCommits))
        counter("spindle_db_tx_seconds_total", "Time spent in commits.", snapshot.commitSeconds)
        gauge(
            "spindle_db_writer_queue_depth", "Intents that wait for the writer.",
            Double(snapshot.writerQueueDepth))
        gauge("spindle_db_size_bytes", "Size of the database file.", Double(snapshot.databaseBytes))
        gauge("spindle_db_wal_bytes", "Size of the write-ahead log.", Double(snapshot.walBytes))
        counter("spindle_metric_points_total", "Metric points stored.", Double(snapshot.metricPoints))
        counter("spindle_events_total", "Events stored.", Double(snapshot.events))
        text.header("spindle_job_transitions_total", help: "State changes of jobs.", type: "counter")
        let transitions = snapshot.transitions.sorted {
            ($0.key.from.rawValue, $0.key.to.rawValue) < ($1.key.from.rawValue, $1.key.to.rawValue)
        }
        for (transition, count) in transitions {
            text.sample(
                "spindle_job_transitions_total",
                "{from=\"\(transition.from.rawValue)\",to=\"\(transition.to.rawValue)\"}", Double(count))
        }
        text.header("spindle_jobs_finished_total", help: "Jobs that ended, by outcome.", type: "counter")
        for outcome in JobState.allCases where outcome.isTerminal {
            let count = snapshot.transitions.filter { $0.key.to == outcome }.reduce(0) { $0 + $1.value }
            text.sample("spindle_jobs_finished_total", "{outcome=\"\(outcome.rawValue)\"}", Double(count))
        }
        var space = statvfs()
        if statvfs(store.folder.path, &space) == 0 {
            text.header(
                "spindle_disk_free_bytes", help: "Free space of the data folder's volume.", type: "gauge")
            text.sample(
                "spindle_disk_free_bytes", "{volume=\"data\"}",
                Double(space.f_bavail) * Double(space.f_frsize))
        }
    }
}

/// The standard process metrics of Prometheus client libraries, from /proc.
private struct ProcessFamilies: MetricFamily {
    let name = "process"

    func render(to text: inout PrometheusText) {
        var usage = rusage()
        if getrusage(RUSAGE_SELF.rawValue, &usage) == 0 {
            let seconds =
                Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
                + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
            text.header("process_cpu_seconds_total", help: "CPU time used.", type: "counter")
            text.sample("process_cpu_seconds_total", "", seconds)
        }
        if let pages = ProcessFile.words("/proc/self/statm").dropFirst().first.flatMap(Double.init) {
            text.header("process_resident_memory_bytes", help: "Resident memory.", type: "gauge")
            text.sample("process_resident_memory_bytes", "", pages * Double(sysconf(Int32(_SC_PAGESIZE))))
        }
        if let count = ProcessFile.count("/proc/self/fd") {
            text.header("process_open_fds", help: "Open file descriptors.", type: "gauge")
            text.sample("process_open_fds", "", Double(count))
        }
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(7), &limit) == 0 {
            text.header("process_max_fds", help: "Most file descriptors that may be open.", type: "gauge")
            text.sample("process_max_fds", "", Double(limit.rlim_cur))
        }
        if let start = ProcessFile.startTime() {
            text.header("process_start_time_seconds", help: "Start of the process since 1970.", type: "gauge")
            text.sample("process_start_time_seconds", "", start)
        }
    }
}

private enum ProcessFile {
    static func words(_ path: String) -> [String] {
        text(path).split { $0 == " " || $0 == "\n" }.map(String.init)
    }

    private static func text(_ path: String) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 16_384)
        let count = read(descriptor, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }

    static func count(_ folder: String) -> Int? {
        guard let handle = opendir(folder) else { return nil }
        defer { closedir(handle) }
        // `.`, `..` and the handle's own descriptor are not counted.
        var count = -3
        while readdir(handle) != nil { count += 1 }
        return count
    }

    /// Field 22 of /proc/self/stat counts clock ticks after the boot; `btime` of /proc/stat is when that was.
    static func startTime() -> Double? {
        let status = text("/proc/self/stat")
        guard let end = status.lastIndex(of: ")") else { return nil }
        let fields = status[status.index(after: end)...].split(separator: " ")
        guard fields.count > 19, let ticks = Double(fields[19]) else { return nil }
        let all = words("/proc/stat")
        guard let index = all.firstIndex(of: "btime"), index + 1 < all.count,
            let boot = Double(all[index + 1])
        else {
            return nil
        }
        return boot + ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
    }
}
