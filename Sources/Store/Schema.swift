// The tables. A migration is never edited once a version with it was released: changes are new migrations at
// the end.

import GRDB

enum Schema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1 jobs, attempts, events") { try $0.execute(sql: jobs) }
        migrator.registerMigration("2 metrics, checkpoints") { try $0.execute(sql: metrics) }
        migrator.registerMigration("3 datasets, idempotency, tombstones") { try $0.execute(sql: datasets) }
        migrator.registerMigration("4 imported checkpoints") { try $0.execute(sql: imports) }
        migrator.registerMigration("5 checkpoints that jobs start from") {
            try $0.execute(sql: startingCheckpoints)
        }
        return migrator
    }

    /// Times are milliseconds since 1970. Specs are documents under the SHA-256 of their bytes.
    private static let jobs = """
        CREATE TABLE documents (
            digest BLOB PRIMARY KEY NOT NULL CHECK (length(digest) = 32),
            bytes BLOB NOT NULL
        ) WITHOUT ROWID;

        CREATE TABLE jobs (
            ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            revision INTEGER NOT NULL,
            name TEXT NOT NULL,
            labels TEXT NOT NULL,
            queue TEXT NOT NULL,
            priority INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 100),
            state TEXT NOT NULL CHECK (state IN ('queued', 'preparing', 'running', 'pausing', 'paused',
                'cancelling', 'succeeded', 'failed', 'cancelled')),
            reason TEXT,
            state_since INTEGER NOT NULL,
            created_at INTEGER NOT NULL,
            started_at INTEGER,
            finished_at INTEGER,
            spec_digest BLOB NOT NULL REFERENCES documents(digest),
            effective_spec_digest BLOB NOT NULL REFERENCES documents(digest),
            plan TEXT NOT NULL,
            attempt INTEGER NOT NULL,
            failures INTEGER NOT NULL,
            attempts_max INTEGER NOT NULL,
            backoff_seconds REAL NOT NULL,
            retries INTEGER NOT NULL,
            not_before INTEGER,
            step INTEGER NOT NULL,
            steps_total INTEGER,
            epoch REAL,
            examples INTEGER,
            steps_per_second REAL,
            latest TEXT NOT NULL,
            best TEXT NOT NULL,
            checkpoint TEXT NOT NULL,
            cpu_seconds REAL NOT NULL,
            peak_resident_bytes INTEGER NOT NULL,
            checkpoint_bytes INTEGER NOT NULL,
            error TEXT NOT NULL,
            cancel_requested_at INTEGER,
            cancel_grace_seconds REAL,
            cancel_reason TEXT,
            pause_requested_at INTEGER,
            event_count INTEGER NOT NULL,
            last_sequence INTEGER NOT NULL,
            deleted_at INTEGER,
            keeps_artifacts INTEGER NOT NULL DEFAULT 0
        );
        CREATE INDEX jobs_by_state ON jobs(state, ordinal) WHERE deleted_at IS NULL;
        CREATE INDEX jobs_by_queue ON jobs(queue, ordinal) WHERE deleted_at IS NULL;
        CREATE INDEX jobs_by_spec ON jobs(effective_spec_digest);
        CREATE INDEX jobs_by_submitted_spec ON jobs(spec_digest);
        CREATE INDEX jobs_deleted ON jobs(ordinal) WHERE deleted_at IS NOT NULL;

        CREATE TRIGGER jobs_terminal_is_final BEFORE UPDATE ON jobs
        WHEN OLD.state IN ('succeeded', 'failed', 'cancelled')
            AND NOT (OLD.state <> 'succeeded' AND NEW.state = 'queued' AND NEW.retries = OLD.retries + 1)
            AND (NEW.state IS NOT OLD.state OR NEW.reason IS NOT OLD.reason OR NEW.error IS NOT OLD.error
                OR NEW.state_since IS NOT OLD.state_since OR NEW.finished_at IS NOT OLD.finished_at
                OR NEW.step IS NOT OLD.step OR NEW.latest IS NOT OLD.latest OR NEW.attempt IS NOT OLD.attempt
                OR NEW.failures IS NOT OLD.failures OR NEW.retries IS NOT OLD.retries
                OR NEW.cancel_requested_at IS NOT OLD.cancel_requested_at)
        BEGIN SELECT RAISE(ABORT, 'a job that has ended does not change, except by an explicit retry'); END;

        CREATE TRIGGER jobs_identity_is_fixed BEFORE UPDATE ON jobs
        WHEN NEW.id IS NOT OLD.id OR NEW.ordinal IS NOT OLD.ordinal OR NEW.spec_digest IS NOT OLD.spec_digest
            OR NEW.effective_spec_digest IS NOT OLD.effective_spec_digest
            OR NEW.created_at IS NOT OLD.created_at
        BEGIN SELECT RAISE(ABORT, 'the identity of a job does not change'); END;

        CREATE TRIGGER jobs_are_deleted_in_two_phases BEFORE DELETE ON jobs WHEN OLD.deleted_at IS NULL
        BEGIN SELECT RAISE(ABORT, 'a job is marked as deleted before its row goes'); END;

        CREATE TABLE job_labels (
            key TEXT NOT NULL,
            value TEXT NOT NULL,
            job INTEGER NOT NULL REFERENCES jobs(ordinal) ON DELETE CASCADE,
            PRIMARY KEY (key, value, job)
        ) WITHOUT ROWID;
        CREATE INDEX job_labels_by_job ON job_labels(job);

        CREATE TABLE attempts (
            job INTEGER NOT NULL REFERENCES jobs(ordinal) ON DELETE CASCADE,
            number INTEGER NOT NULL,
            slot INTEGER NOT NULL,
            started_at INTEGER NOT NULL,
            ended_at INTEGER,
            pid INTEGER NOT NULL,
            start_ticks INTEGER NOT NULL,
            boot_id TEXT NOT NULL,
            resumed_from TEXT,
            from_step INTEGER NOT NULL,
            to_step INTEGER,
            outcome TEXT,
            exit_code INTEGER,
            signal INTEGER,
            detail TEXT,
            counted INTEGER NOT NULL,
            cpu_seconds REAL,
            peak_resident_bytes INTEGER,
            engine_version TEXT,
            kernel_level TEXT,
            threads INTEGER,
            PRIMARY KEY (job, number)
        ) WITHOUT ROWID;
        CREATE UNIQUE INDEX attempts_open_by_job ON attempts(job) WHERE ended_at IS NULL;
        CREATE UNIQUE INDEX attempts_open_by_slot ON attempts(slot) WHERE ended_at IS NULL;
        CREATE TRIGGER attempts_ended_are_final BEFORE UPDATE ON attempts WHEN OLD.ended_at IS NOT NULL
        BEGIN SELECT RAISE(ABORT, 'an attempt that has ended does not change'); END;

        CREATE TABLE events (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            job INTEGER NOT NULL REFERENCES jobs(ordinal) ON DELETE CASCADE,
            number INTEGER NOT NULL,
            at INTEGER NOT NULL,
            kind TEXT NOT NULL,
            level INTEGER NOT NULL,
            data TEXT NOT NULL
        );
        CREATE UNIQUE INDEX events_by_job ON events(job, number);
        CREATE TRIGGER events_are_final BEFORE UPDATE ON events
        BEGIN SELECT RAISE(ABORT, 'an event does not change'); END;
        """

    /// Values are the 64 bits of the double as an integer: SQLite has no NaN.
    private static let metrics = """
        CREATE TABLE metric_series (
            id INTEGER PRIMARY KEY,
            job INTEGER NOT NULL REFERENCES jobs(ordinal) ON DELETE CASCADE,
            name TEXT NOT NULL,
            count INTEGER NOT NULL,
            last_finished INTEGER NOT NULL,
            last_step INTEGER NOT NULL,
            last_value INTEGER NOT NULL,
            minimum INTEGER,
            maximum INTEGER
        );
        CREATE UNIQUE INDEX metric_series_by_job ON metric_series(job, name);

        CREATE TABLE metric_points (
            series INTEGER NOT NULL REFERENCES metric_series(id) ON DELETE CASCADE,
            finished INTEGER NOT NULL,
            step INTEGER NOT NULL,
            value INTEGER NOT NULL,
            PRIMARY KEY (series, finished)
        ) WITHOUT ROWID;

        CREATE TABLE checkpoints (
            ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            job INTEGER NOT NULL REFERENCES jobs(ordinal) ON DELETE CASCADE,
            attempt INTEGER NOT NULL,
            step INTEGER NOT NULL,
            folder TEXT NOT NULL,
            state_digest BLOB NOT NULL CHECK (length(state_digest) = 32),
            state_bytes INTEGER NOT NULL,
            resume_digest BLOB NOT NULL CHECK (length(resume_digest) = 32),
            resume_bytes INTEGER NOT NULL,
            metrics TEXT NOT NULL,
            cause TEXT NOT NULL,
            status TEXT NOT NULL CHECK (status IN ('committed', 'corrupt', 'deleting', 'deleted')),
            pinned INTEGER NOT NULL,
            created_at INTEGER NOT NULL,
            deleted_at INTEGER,
            deletion_reason TEXT
        );
        CREATE INDEX checkpoints_by_job ON checkpoints(job, ordinal);
        CREATE UNIQUE INDEX checkpoints_committed ON checkpoints(job, step) WHERE status = 'committed';
        CREATE INDEX checkpoints_unfinished ON checkpoints(ordinal) WHERE status = 'deleting';
        """

    private static let startingCheckpoints = """
        CREATE TABLE job_checkpoints (
            checkpoint TEXT NOT NULL,
            job INTEGER NOT NULL REFERENCES jobs(ordinal) ON DELETE CASCADE,
            PRIMARY KEY (checkpoint, job)
        ) WITHOUT ROWID;
        CREATE INDEX job_checkpoints_by_job ON job_checkpoints(job);
        """

    private static let datasets = """
        CREATE TABLE datasets (
            ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            name TEXT NOT NULL,
            version INTEGER NOT NULL,
            digest BLOB NOT NULL CHECK (length(digest) = 32),
            format TEXT NOT NULL,
            bytes INTEGER NOT NULL,
            row_count INTEGER,
            schema TEXT NOT NULL,
            created_at INTEGER NOT NULL,
            UNIQUE (name, version),
            UNIQUE (name, digest)
        );
        CREATE INDEX datasets_by_digest ON datasets(digest);

        CREATE TABLE job_datasets (
            digest BLOB NOT NULL,
            job INTEGER NOT NULL REFERENCES jobs(ordinal) ON DELETE CASCADE,
            PRIMARY KEY (digest, job)
        ) WITHOUT ROWID;
        CREATE INDEX job_datasets_by_job ON job_datasets(job);

        CREATE TABLE idempotency (
            scope TEXT NOT NULL,
            key TEXT NOT NULL,
            fingerprint BLOB NOT NULL,
            status INTEGER NOT NULL,
            headers TEXT NOT NULL,
            body BLOB NOT NULL,
            job TEXT,
            created_at INTEGER NOT NULL,
            PRIMARY KEY (scope, key)
        ) WITHOUT ROWID;
        CREATE INDEX idempotency_by_age ON idempotency(created_at);

        CREATE TABLE tombstones (
            kind TEXT NOT NULL,
            id TEXT NOT NULL,
            deleted_at INTEGER NOT NULL,
            reason TEXT NOT NULL,
            PRIMARY KEY (kind, id)
        ) WITHOUT ROWID;
        CREATE INDEX tombstones_by_age ON tombstones(deleted_at);
        """

    /// Checkpoints without a job. `contents` is what was found in the file.
    private static let imports = """
        CREATE TABLE imported_checkpoints (
            ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            name TEXT NOT NULL,
            state_digest BLOB NOT NULL UNIQUE CHECK (length(state_digest) = 32),
            state_bytes INTEGER NOT NULL,
            contents TEXT NOT NULL,
            created_at INTEGER NOT NULL
        );
        """
}
