// Every metric that the API itself counts. Label sets are closed: the series of a server do not grow with its requests or jobs.
import HTTPServer

package final class ServerMetrics: Sendable {
    package let requests: Counter
    package let requestDuration: Histogram
    let openConnections = AtomicCells(count: 1)
    let sseClients = AtomicCells(count: 2)
    package let rejected = Counter(
        "spindle_http_rejected_total",
        help: "Requests and connections that the server itself gave up, by cause.",
        labels: .one("reason", ServerObserver.Rejection.allCases.map(\.rawValue) + ["other"]))
    package let authFailures = Counter(
        "spindle_auth_failures_total", help: "Requests refused before their handler, by cause.",
        labels: .one("reason", AccessGuard.Refusal.allCases.map(\.rawValue)))
    package let idempotentReplays = Counter(
        "spindle_idempotent_replays_total", help: "Submissions answered with the stored first answer.")
    package let submitted = Counter(
        "spindle_jobs_submitted_total", help: "Jobs created.")
    package let uploads = Counter(
        "spindle_dataset_uploads_total", help: "Datasets stored, by result.",
        labels: .one("result", ["created", "unchanged", "refused"]))

    /// One series per route and declared status; 2xx are one class, an undeclared status is `other`.
    private struct RouteSeries {
        var requestBase: Int
        var codes: [Int: Int]
        var otherOffset: Int
        var durationPosition: Int
    }
    private let series: [RouteKey: RouteSeries]
    private let unmatched: RouteSeries

    private struct RouteKey: Hashable {
        var method: String
        var template: String
    }

    package static let dashboardTemplate = "/{file}"

    /// - RouteParameter routes: Everything that is dispatched.
    package init(routes: [APIRoute]) {
        var combinations = [[String]]()
        var durations = [[String]]()
        func add(_ method: String, _ template: String, _ statuses: [Int]) -> RouteSeries {
            let base = combinations.count
            var codes = [Int: Int]()
            combinations.append([template, method, "2xx"])
            for status in Set(statuses).sorted() where status >= 300 {
                codes[status] = combinations.count - base
                combinations.append([template, method, String(status)])
            }
            let other = combinations.count - base
            combinations.append([template, method, "other"])
            let known = durations.firstIndex(of: [template])
            if known == nil { durations.append([template]) }
            return RouteSeries(
                requestBase: base, codes: codes, otherOffset: other,
                durationPosition: known ?? durations.count - 1)
        }
        var series = [RouteKey: RouteSeries]()
        for route in routes {
            series[RouteKey(method: route.method, template: route.template)] = add(
                route.method, route.template, route.statuses + [304, 405])
        }
        series[RouteKey(method: "GET", template: Self.dashboardTemplate)] = add(
            "GET", Self.dashboardTemplate, [304, 404, 405, 412, 416])
        unmatched = add("any", "unmatched", [400, 404, 405, 408, 413, 414, 431, 501, 503, 505])
        self.series = series
        requests = Counter(
            "spindle_http_requests_total", help: "Finished requests by route template, method and status.",
            labels: LabelSet(names: ["route", "method", "code"], combinations: combinations))
        requestDuration = Histogram(
            "spindle_http_request_duration_seconds",
            help: "From the complete request head to the last byte of the response.",
            labels: LabelSet(names: ["route"], combinations: durations))
    }

    package var families: [any MetricFamily] {
        [requests, requestDuration, rejected, authFailures, idempotentReplays, submitted, uploads]
    }

    /// The server's observer: counts every exchange.
    package func observer() -> ServerObserver {
        var observer = ServerObserver()
        observer.requestFinished = { [self] record in count(record) }
        observer.connectionOpened = { [openConnections] in openConnections.add(at: 0) }
        observer.connectionClosed = { [openConnections] in openConnections.subtract(at: 0) }
        observer.rejected = { [rejected] reason in rejected.increment([reason.rawValue]) }
        return observer
    }

    private func count(_ record: RequestRecord) {
        // A HEAD is answered by the GET route.
        let method = record.method == .head ? "GET" : record.method.label
        var found = series[RouteKey(method: method, template: record.routeTemplate)]
        if found == nil, record.routeTemplate != "unmatched" {
            found = series[RouteKey(method: "GET", template: Self.dashboardTemplate)]
        }
        let target = found ?? unmatched
        let offset =
            (200..<300).contains(record.status) ? 0 : target.codes[record.status] ?? target.otherOffset
        requests.increment(position: target.requestBase + offset)
        let nanoseconds = UInt64(max(0, min(record.durationSeconds, 1e6)) * 1e9)
        requestDuration.observe(nanoseconds: nanoseconds, position: target.durationPosition)
    }
}
