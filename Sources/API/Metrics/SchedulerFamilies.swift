// The scheduler's counters, from one snapshot that waits for nothing.
import Scheduler
import Store

struct SchedulerFamilies: MetricFamily {
    let name = "spindle_scheduler"
    let scheduler: Scheduler

    func render(to text: inout PrometheusText) {
        let snapshot = scheduler.metrics
        func single(_ name: String, _ type: String, _ help: String, _ value: Double) {
            text.header(name, help: help, type: type)
            text.sample(name, "", value)
        }
        single("spindle_queue_depth", "gauge", "Jobs that wait for a slot.", Double(snapshot.queueDepth))
        text.header("spindle_workers", help: "Workers by state.", type: "gauge")
        text.sample("spindle_workers", "{state=\"busy\"}", Double(snapshot.busySlots))
        text.sample("spindle_workers", "{state=\"warm\"}", Double(snapshot.warmWorkers))
        single("spindle_worker_slots", "gauge", "Jobs that may run at the same time.", Double(snapshot.slots))
        single(
            "spindle_workers_started_total", "counter", "Worker processes started.",
            Double(snapshot.workersStarted))
        text.header(
            "spindle_worker_exits_total", help: "Worker processes that ended, by cause.", type: "counter")
        for cause in WorkerExitCause.allCases {
            text.sample(
                "spindle_worker_exits_total", "{cause=\"\(cause.rawValue)\"}",
                Double(snapshot.workerExits[cause] ?? 0))
        }
        single(
            "spindle_scheduler_decisions_total", "counter", "Jobs given to a worker.",
            Double(snapshot.decisions))
        single("spindle_plans_total", "counter", "Specs planned.", Double(snapshot.plans))
        single(
            "spindle_plan_failures_total", "counter", "Specs that could not be planned.",
            Double(snapshot.planFailures))
        single("spindle_train_steps_total", "counter", "Training steps.", Double(snapshot.steps))
        single("spindle_train_examples_total", "counter", "Training examples.", Double(snapshot.examples))
        text.header(
            "spindle_checkpoint_writes_total", help: "Checkpoints committed, by cause.", type: "counter")
        for cause in CheckpointCause.allCases {
            text.sample(
                "spindle_checkpoint_writes_total", "{cause=\"\(cause.rawValue)\"}",
                Double(snapshot.checkpointWrites[cause] ?? 0))
        }
        single(
            "spindle_checkpoint_written_bytes_total", "counter", "Bytes of committed checkpoints.",
            Double(snapshot.checkpointBytes))
        single(
            "spindle_checkpoint_verify_failures_total", "counter",
            "Checkpoints whose bytes were not those written.",
            Double(snapshot.checkpointVerifyFailures))
        single(
            "spindle_gc_deleted_total", "counter", "Checkpoints deleted by the retention policy.",
            Double(snapshot.checkpointsDeleted))
        if let last = snapshot.lastCheckpoint {
            single(
                "spindle_checkpoint_last_success_timestamp_seconds", "gauge",
                "When a checkpoint was last committed.",
                Double(last.milliseconds) / 1000)
        }
        if let recovery = snapshot.recovery {
            single("spindle_recovery_seconds", "gauge", "How long the recovery pass took.", recovery.seconds)
            single(
                "spindle_unclean_starts_total", "counter", "Starts after a server that was killed.",
                recovery.wasUnclean ? 1 : 0)
            text.header(
                "spindle_recovery_jobs_total", help: "What the recovery pass did to jobs.", type: "counter")
            for (action, count) in [
                ("requeued", recovery.requeued.count), ("paused", recovery.paused.count),
                ("cancelled", recovery.cancelled.count),
            ] {
                text.sample("spindle_recovery_jobs_total", "{action=\"\(action)\"}", Double(count))
            }
        }
    }
}
