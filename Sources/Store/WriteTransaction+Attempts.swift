// Attempts: opened with their slot and process, closed once with how they ended.

import GRDB
import JobSpec

/// How a worker process ended, as the operating system tells it.
package struct ProcessEnd: Sendable, Hashable {
    /// Nil if a signal ended it.
    package var exitCode: Int32?
    package var signal: Int32?
    package var cpuSeconds: Double
    package var peakResidentBytes: Int64

    package init(exitCode: Int32?, signal: Int32?, cpuSeconds: Double = 0, peakResidentBytes: Int64 = 0) {
        self.exitCode = exitCode
        self.signal = signal
        self.cpuSeconds = cpuSeconds
        self.peakResidentBytes = peakResidentBytes
    }
}

extension WriteTransaction {
    /// The next attempt of the job; at most one is open per job and per slot, which the tables enforce.
    package func openAttempt(
        of job: inout JobRecord, slot: Int, process: ProcessIdentity, resumedFrom: CheckpointRecord?,
        engineVersion: String?, kernelLevel: String?, threads: Int
    ) throws {
        job.attempt += 1
        try execute(
            """
            INSERT INTO attempts (job, number, slot, started_at, pid, start_ticks, boot_id, resumed_from,
                from_step, counted, engine_version, kernel_level, threads) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?)
            """,
            [
                job.ordinal, job.attempt, slot, now.milliseconds, process.pid, process.startTicks,
                process.bootID,
                resumedFrom?.id, resumedFrom?.step ?? 0, engineVersion, kernelLevel, threads,
            ])
    }

    /// Ends the open attempt, if there is one, and adds what it used to the job.
    package func closeAttempt(
        of job: inout JobRecord, outcome: AttemptOutcome, end: ProcessEnd?, detail: String? = nil,
        counted: Bool = false
    ) throws {
        try execute(
            """
            UPDATE attempts SET ended_at = ?, to_step = ?, outcome = ?, exit_code = ?, signal = ?, detail = ?,
                counted = ?, cpu_seconds = ?, peak_resident_bytes = ? WHERE job = ? AND ended_at IS NULL
            """,
            [
                now.milliseconds, job.progress.step, outcome.rawValue, end?.exitCode, end?.signal, detail,
                counted,
                end?.cpuSeconds, end?.peakResidentBytes, job.ordinal,
            ])
        guard database.changesCount > 0 else { return }
        if counted { job.failures += 1 }
        job.usage.cpuSeconds += end?.cpuSeconds ?? 0
        job.usage.peakResidentBytes = max(job.usage.peakResidentBytes, end?.peakResidentBytes ?? 0)
    }

    /// The open attempts, with their jobs.
    package func openAttempts() throws -> [AttemptRecord] {
        try rows(
            """
            SELECT attempts.*, jobs.id AS job_id FROM attempts JOIN jobs ON jobs.ordinal = attempts.job
            WHERE ended_at IS NULL ORDER BY attempts.job
            """
        ).map { try AttemptRow.decode($0, job: $0["job_id"]) }
    }
}
