// A job's metrics as an event file, made while it is sent: every point of every series.
import HTTPServer
import Store

enum TensorBoardStream {
    /// Points that are in memory at once.
    private static let batch = 4096

    static func response(_ call: APICall) async throws -> HTTPResponse {
        let (store, logger) = (call.context.store, call.context.logger)
        let job = try await store.job(id: call.path("id"))
        let clock = StepClock(
            attempts: try await store.attempts(of: job).sorted { $0.number < $1.number },
            checkpoints: try await store.checkpoints(of: job, includingDeleted: true),
            finished: job.progress.step, now: .now)
        let names = try await store.metricSummaries(of: job).map(\.name)
        let fileName = TensorBoardEvents.fileName(job: job.id, createdAt: job.createdAt)
        return .stream(
            contentType: "application/octet-stream",
            headers: [
                HTTPField("Content-Disposition", "attachment; filename=\"\(fileName)\""),
                HTTPField("Cache-Control", "no-store"),
            ]
        ) { writer in
            do {
                let created = Double(job.createdAt.milliseconds) / 1000
                try await writer.write(TensorBoardEvents.header(seconds: created))
                for name in names {
                    var seen: Int64 = -1
                    while !Task.isCancelled {
                        let points = try await store.metricSeries(
                            of: job, name: name, after: seen, limit: batch)
                        guard let last = points.last else { break }
                        seen = last.finished
                        try await writer.write(
                            points.flatMap {
                                TensorBoardEvents.scalar($0, seconds: clock.seconds(finished: $0.finished))
                            })
                    }
                }
            } catch is StreamClosed {
                // The client has had enough.
            } catch {
                logger.error(
                    "an event file was cut short", metadata: ["job": "\(job.id)", "error": "\(error)"])
            }
        }
    }
}
