// The answer to a request for metric series: reading, downsampling and the format that was asked for.
import HTTPServer
import JobSpec
import Store

enum SeriesAnswer {
    static func response(_ call: APICall) async throws -> HTTPResponse {
        let offered = SeriesFormat.allCases.map(\.rawValue)
        guard
            let format = Accept.choose(offered, header: call.request.headers["Accept"]).flatMap(
                SeriesFormat.init)
        else {
            throw Problem(.notAcceptable, "Series come as \(offered.joined(separator: ", ")).")
        }
        let names = call.query.values("name")
        guard names.count <= 50 else {
            throw Problem(.invalidParameter, "name: at most 50 metrics in one request, got \(names.count).")
        }
        let maxPoints = try call.query.integer("max_points", in: 2...1_000_000) ?? 1000
        let downsamples = try call.query.choice("agg", among: ["minmax", "none"]) != "none"
        let first = try call.query.integer("from", in: 0...(1 << 53))
        let last = try call.query.integer("to", in: 0...(1 << 53))
        let job = try await call.context.store.job(id: call.path("id"))
        var pages = [SeriesPage]()
        for name in names {
            // The series is kept by finished steps: a training step is one behind, an evaluation is not.
            let points = try await call.context.store.metricSeries(
                of: job, name: name, after: Int64(first ?? 0) - 1,
                through: last.map { Int64($0).advanced(by: 1) } ?? .max
            ).filter { $0.step >= first ?? 0 && $0.step <= last ?? .max }
            if points.isEmpty {
                try await requireMetric(name, of: job, call)
            }
            pages.append(
                SeriesPage(
                    name: name,
                    points: downsamples ? Downsampling.minMax(points, maxPoints: maxPoints) : points,
                    sourcePoints: points.count))
        }
        let contentType = format == .csv ? "text/csv; charset=utf-8" : format.rawValue
        return .bytes(
            format.render(pages, job: job.id), contentType: contentType,
            headers: [HTTPField("Cache-Control", "no-store"), HTTPField("Vary", "Accept")])
    }

    /// A job that has not reported yet has no metrics; one that has, and not this one, was asked for a wrong name.
    private static func requireMetric(_ name: String, of job: JobRecord, _ call: APICall) async throws {
        let known = try await call.context.store.metricSummaries(of: job).map(\.name)
        guard !known.isEmpty, !known.contains(name) else { return }
        let detail = "the job has no metric \"\(name.prefix(80))\"" + suggestion(for: name, among: known)
        throw Problem(
            .invalidParameter, "name: \(detail) It has \(known.prefix(50).joined(separator: ", ")).",
            errors: [SpecProblem(code: "unknown_name", pointer: "?name", detail: detail)])
    }
}
