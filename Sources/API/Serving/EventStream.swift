// Server-sent events from the store: replay from the table, then live, without a gap and without a duplicate, because both are the
// same read: everything after the last sequence that was sent.
import HTTPServer
import JobSpec
import Store

package struct EventStream: Sendable {
    package static let heartbeatSeconds = 15.0
    /// Progress and metric points are told at most this often per job and client.
    package static let tickSeconds = 0.1
    private static let batch = 256

    let context: APIContext
    /// nil: every job.
    let job: JobRecord?
    /// The last sequence that the client has.
    let after: Int64
    /// nil: every type.
    let types: Set<String>?
    /// Whether the client has come back with an id: only then something may be missing.
    let resumes: Bool

    /// - Throws: 503 when there are as many streams as the server keeps open.
    func response() throws -> HTTPResponse {
        let clients = context.metrics.sseClients
        let kind = job == nil ? 1 : 0
        guard clients.value(at: 0) + clients.value(at: 1) < UInt64(context.configuration.limits.sseClients)
        else {
            throw Problem(
                .notReady,
                "\(context.configuration.limits.sseClients) event streams are open, as many as this server keeps."
            ).with(header: "Retry-After", "5")
        }
        return .serverSentEvents { writer in
            clients.add(at: kind)
            defer { clients.subtract(at: kind) }
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    while !Task.isCancelled {
                        do {
                            try await Task.sleep(for: .seconds(Self.heartbeatSeconds))
                            try await writer.write(EventFormat.heartbeat)
                        } catch {
                            return
                        }
                    }
                }
                await send(to: writer)
                group.cancelAll()
            }
        }
    }

    private func send(to writer: StreamWriter) async {
        // Subscribed before reading, so that a commit in between is seen.
        let signals = context.store.changes.subscribe(job: job?.id)
        do {
            try await writer.write(EventFormat.retry)
            var last = try await start(writer)
            var ticker = LiveTicker()
            if let job, wants("metric") {
                // Points that are there already are read with /metrics/series; the stream tells the new ones.
                for series in try await context.store.metricSummaries(of: job) {
                    ticker.seen[series.name] = series.last.finished
                }
            }
            if try await deliver(&last, &ticker, writer) { return }
            for await _ in signals {
                if Task.isCancelled { return }
                if try await deliver(&last, &ticker, writer) { return }
            }
        } catch is StreamClosed {
            return
        } catch {
            context.logger.warning("event stream ended: \(error)")
        }
    }

    private func wants(_ type: String) -> Bool { types?.contains(type) ?? true }

    private func events(after sequence: Int64, limit: Int) async throws -> [EventRecord] {
        if let job { return try await context.store.events(of: job, after: sequence, limit: limit) }
        return try await context.store.events(after: sequence, limit: limit)
    }

    /// Announces a gap when events that the client has not seen were pruned, or its id is of another database.
    private func start(_ writer: StreamWriter) async throws -> Int64 {
        guard resumes else { return after }
        let oldest = try await events(after: 0, limit: 1).first
        let isFuture = after > context.store.changes.sequence
        // A job's events are numbered from 1, the server's sequence too: a later first one says that some are gone.
        let first = job == nil ? oldest?.sequence : oldest?.number
        let isPruned = (first ?? 1) > 1 && (oldest?.sequence ?? 0) > after
        guard isFuture || isPruned else { return after }
        var snapshot: JSONValue = .null
        if let job { snapshot = try await context.store.job(id: job.id).json }
        try await writer.write(
            EventFormat.event(
                "reset", id: nil,
                data: ["oldest_id": oldest.map { .int($0.sequence) } ?? .null, "job": snapshot]))
        return isFuture ? 0 : after
    }

    /// Sends what is new. True once the stream has said everything it ever will.
    private func deliver(
        _ last: inout Int64, _ ticker: inout LiveTicker, _ writer: StreamWriter
    ) async throws -> Bool {
        // Read before the events: a job seen as ended here has all its events in the table.
        var current: JobRecord?
        if let job {
            do {
                current = try await context.store.job(id: job.id)
            } catch StoreError.gone, StoreError.notFound {
                try await writer.write(
                    EventFormat.event(
                        "end", id: nil, data: ["job": .string(job.id), "state": .null, "deleted": true]))
                return true
            }
        }
        while true {
            let events = try await events(after: last, limit: Self.batch)
            for event in events {
                last = event.sequence
                if event.kind == .metricsDiscarded, let step = event.data["after_step"]?.intValue {
                    ticker.discard(after: Int64(step))
                }
                guard wants(event.kind.rawValue) else { continue }
                try await writer.write(
                    EventFormat.event(event.kind.rawValue, id: event.sequence, data: event.json))
            }
            if events.count < Self.batch { break }
        }
        guard let current else {
            try tellProgressOfAll(&ticker, writer)
            return false
        }
        let ended = current.state.isTerminal
        if ended || ticker.isDue(current) {
            try await tellPoints(of: current, &ticker, writer)
            try tellProgress(of: current, writer)
        }
        guard ended else { return false }
        try await writer.write(
            EventFormat.event(
                "end", id: nil,
                data: [
                    "job": .string(current.id), "state": .string(current.state.rawValue),
                    "last_event_id": .int(last),
                    "error": current.error, "latest": .metrics(current.latest),
                ]))
        return true
    }

    // Progress and points are not kept as events: a client that missed some reads the job and the series. One that is too far
    // behind is cut off.

    private func tellProgress(of job: JobRecord, _ writer: StreamWriter) throws {
        guard wants("progress") else { return }
        try writer.offer(
            EventFormat.event(
                "progress", id: nil,
                data: [
                    "job": .string(job.id), "state": .string(job.state.rawValue),
                    "revision": .int(job.revision),
                    "progress": job.progressJSON, "latest": .metrics(job.latest),
                ]))
    }

    private func tellProgressOfAll(_ ticker: inout LiveTicker, _ writer: StreamWriter) throws {
        guard wants("progress"), ticker.isDueForAll() else { return }
        for job in context.store.liveJobs where job.state.holdsWorker && ticker.isDue(job) {
            try tellProgress(of: job, writer)
        }
    }

    private func tellPoints(of job: JobRecord, _ ticker: inout LiveTicker, _ writer: StreamWriter)
        async throws
    {
        guard wants("metric") else { return }
        let points = try await context.store.metricPoints(of: job, after: ticker.seen, limitPerSeries: 2000)
        guard !points.isEmpty else { return }
        for point in points { ticker.seen[point.name] = point.finished }
        let values = points.map { point -> JSONValue in
            ["name": .string(point.name), "step": .int(point.step), "value": .double(point.value)]
        }
        try writer.offer(
            EventFormat.event("metric", id: nil, data: ["job": .string(job.id), "points": .array(values)]))
    }
}

/// What one client has been told that is not kept as an event, and when.
private struct LiveTicker {
    private struct Sent {
        var revision: Int64
        var at: ContinuousClock.Instant
    }
    /// By metric name, the finished steps of the newest point that was told.
    var seen: [String: Int64] = [:]
    private var sent: [String: Sent] = [:]
    private var allAt: ContinuousClock.Instant?

    /// A new revision, and not too soon after the last one.
    mutating func isDue(_ job: JobRecord) -> Bool {
        let now = ContinuousClock.now
        if let before = sent[job.id] {
            guard before.revision != job.revision,
                before.at.duration(to: now) >= .seconds(EventStream.tickSeconds)
            else { return false }
        }
        // Jobs that ended are not asked about again; forgetting all now and then keeps the table small.
        if sent.count > 1024 { sent.removeAll() }
        sent[job.id] = Sent(revision: job.revision, at: now)
        return true
    }

    mutating func isDueForAll() -> Bool {
        let now = ContinuousClock.now
        if let allAt, allAt.duration(to: now) < .seconds(EventStream.tickSeconds) { return false }
        allAt = now
        return true
    }

    /// Points of more finished steps are void and will be computed, and told, again.
    mutating func discard(after step: Int64) {
        seen = seen.mapValues { min($0, step) }
    }
}
