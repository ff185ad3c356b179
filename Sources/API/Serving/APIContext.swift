// What every handler shares: the store, the scheduler, caches and counters. Made once per server.

import HTTPServer
import Hashing
import JobSpec
import Logging
import Scheduler
import Store
import Synchronization

package final class APIContext: Sendable {
    package let configuration: APIConfiguration
    package let store: Store
    package let scheduler: Scheduler
    package let metrics: ServerMetrics
    package let readiness: Readiness
    package let jobCache = JobCache()
    package let cursors: CursorSigner
    package let logger: Logger
    private let documents = Mutex<[String: Document]>([:])
    private let gauges: [any MetricFamily]

    package var folder: DataFolder { store.folder }

    /// A rendered document with its strong entity tag.
    struct Document: Sendable {
        var bytes: [UInt8]
        var tag: String
    }

    /// - Parameter cursorKey: Signs list cursors; the same over restarts, so that cursors survive them.
    package init(
        configuration: APIConfiguration, store: Store, scheduler: Scheduler, readiness: Readiness,
        cursorKey: [UInt8], logger: Logger
    ) {
        self.configuration = configuration
        self.store = store
        self.scheduler = scheduler
        self.readiness = readiness
        self.logger = logger
        cursors = CursorSigner(key: cursorKey)
        let metrics = ServerMetrics(routes: RouteCatalog.all)
        self.metrics = metrics
        gauges = ServerGauges.all(
            version: configuration.version, store: store, scheduler: scheduler, readiness: readiness,
            metrics: metrics)
    }

    /// Also read-only once a commit has failed, which the store knows first.
    var readinessState: Readiness.State {
        store.failure != nil && readiness.state == .ready ? .readOnly : readiness.state
    }

    func openAPI() -> Document {
        document("openapi") {
            OpenAPIDocument.json(routes: RouteCatalog.all, version: configuration.version)
        }
    }

    func catalog() -> Document {
        document("catalog") { Catalog.json }
    }

    /// Made when it is first asked for: a start should not pay for it.
    private func document(_ name: String, _ make: () -> JSONValue) -> Document {
        if let known = documents.withLock({ $0[name] }) { return known }
        let bytes = make().serializedBytes()
        let made = Document(bytes: bytes, tag: EntityTag.quoted("sha256:" + SHA256.hash(bytes).hex))
        documents.withLock { $0[name] = made }
        return made
    }

    func prometheusText() -> String {
        let started = ContinuousClock.now
        var text = PrometheusText()
        for family in metrics.families + gauges { family.render(to: &text) }
        let elapsed = started.duration(to: .now)
        Gauge("spindle_scrape_seconds", help: "How long it took to write this page.") {
            [Double(elapsed.components.attoseconds) / 1e18 + Double(elapsed.components.seconds)]
        }.render(to: &text)
        return text.text
    }
}
