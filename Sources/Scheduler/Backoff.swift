// How long a job, or the start of a worker, waits after a failure.

extension Scheduler {
    /// Seconds after the n-th failure: `base`, doubled with each further one, up to `limit`.
    static func backoff(base: Double, failures: Int, limit: Double) -> Double {
        guard base > 0 else { return 0 }
        var delay = base
        for _ in 1..<max(2, min(failures, 64)) where failures > 1 && delay < limit { delay *= 2 }
        return min(delay, limit)
    }
}
