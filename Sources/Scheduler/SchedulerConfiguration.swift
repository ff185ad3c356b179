// How many workers, how they are started, and how long things may take.

package struct SchedulerConfiguration: Sendable {
    /// Jobs that run at the same time.
    package var slots = 1
    package var worker: WorkerLaunch
    /// Threads of one job, where its spec does not say.
    package var threadsPerWorker = 1
    package var planTimeoutSeconds = 30.0
    /// One export or import.
    package var fileTimeoutSeconds = 600.0
    /// Of exports that are kept; more than this only while they are being sent.
    package var exportCacheBytes: Int64 = 4 << 30
    /// From a cancellation to SIGTERM, where the request does not say.
    package var cancelGraceSeconds = 10.0
    /// From a pause to SIGTERM: a step and a checkpoint must fit in.
    package var pauseGraceSeconds = 120.0
    /// From SIGTERM to SIGKILL of the process group.
    package var killAfterSeconds = 5.0
    /// The delay before a retry doubles with each failure, up to this.
    package var backoffLimitSeconds = 300.0
    package var logLimitBytes: Int64 = 512 << 20

    package init(worker: WorkerLaunch) {
        self.worker = worker
    }
}

/// How a worker process is started. `--parent-pid N` is added to the arguments.
package struct WorkerLaunch: Sendable, Hashable {
    package var path: String
    /// Without the program's name.
    package var arguments: [String]
    /// Its whole environment: nothing of the server's is inherited.
    package var environment: [String: String]

    package init(
        path: String = "/proc/self/exe", arguments: [String] = ["worker"],
        environment: [String: String] = ["LANG": "C.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin"]
    ) {
        self.path = path
        self.arguments = arguments
        self.environment = environment
    }
}
