// The metrics page: the text format, closed labels, and the budget of series.
import Testing

@testable import API
@testable import HTTPServer

@Suite struct PrometheusTextTests {
    @Test("Counters, gauges and histograms are written in the text format 0.0.4")
    func format() {
        let counter = Counter(
            "a_total", help: "How\nmany \\ of", labels: .one("kind", ["x\"y", "z\\", "other"]))
        counter.increment(["x\"y"])
        counter.increment(["z\\"], by: 2)
        let histogram = Histogram("b_seconds", help: "B", bounds: [0.001, 0.5])
        histogram.observe(nanoseconds: 1_000_000)
        histogram.observe(nanoseconds: 1_000_001)
        histogram.observe(nanoseconds: 2_000_000_000)
        let gauge = Gauge("c", help: "C") { [.nan] }
        #expect(
            PrometheusText.render([counter, histogram, gauge]) == """
                # HELP a_total How\\nmany \\\\ of
                # TYPE a_total counter
                a_total{kind="x\\"y"} 1
                a_total{kind="z\\\\"} 2
                # HELP b_seconds B
                # TYPE b_seconds histogram
                b_seconds_bucket{le="0.001"} 1
                b_seconds_bucket{le="0.5"} 2
                b_seconds_bucket{le="+Inf"} 3
                b_seconds_sum 2.002000001
                b_seconds_count 3
                # HELP c C
                # TYPE c gauge
                c NaN

                """)
    }

    @Test("A value outside the closed set is counted as other")
    func closedSet() {
        let counter = Counter("a_total", help: "A", labels: .one("kind", ["x", "other"]))
        counter.increment(["made up"])
        #expect(counter.value(["other"]) == 1)
    }

    @Test("Counting from many tasks loses nothing")
    func concurrent() async {
        let counter = Counter("a_total", help: "A")
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 { group.addTask { for _ in 0..<10_000 { counter.increment() } } }
        }
        #expect(counter.value() == 80_000)
    }

    @Test("With every series of every route in use, the page stays within 1,500 series")
    func budget() throws {
        let requestID = try HTTPRequest(method: .get, target: "/").requestID
        let metrics = ServerMetrics(routes: RouteCatalog.all)
        let routes =
            RouteCatalog.all.map { ($0.method, $0.template) } + [
                ("GET", "unmatched"), ("GET", "/scripts/main.js"),
            ]
        let observer = metrics.observer()
        for (method, template) in routes {
            for status in 100..<600 {
                observer.requestFinished?(
                    RequestRecord(
                        method: HTTPMethod(method), routeTemplate: template, status: status,
                        durationSeconds: 0.001,
                        requestBodyBytes: 0, responseBytes: 0, requestID: requestID, remoteAddress: "",
                        completed: true))
            }
        }
        let text = PrometheusText.render(metrics.families)
        let series = text.split(separator: "\n").filter { !$0.hasPrefix("#") }
        // The other families (states, transitions, process, store) are fewer than 150.
        #expect(series.count <= 1350, "\(series.count) series")
        #expect(Set(series.map { $0.split(separator: " ").dropLast().joined() }).count == series.count)
    }
}
