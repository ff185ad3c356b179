// A counter family: how often something happened, by closed labels.

package final class Counter: MetricFamily {
    package let name: String
    package let help: String
    private let labels: LabelSet
    private let cells: AtomicCells

    /// - RouteParameter name: Ends in `_total`.
    package init(_ name: String, help: String, labels: LabelSet = .none) {
        self.name = name
        self.help = help
        self.labels = labels
        cells = AtomicCells(count: labels.combinations.count)
    }

    package func increment(by amount: UInt64 = 1) {
        cells.add(amount, at: 0)
    }

    package func increment(_ values: [String], by amount: UInt64 = 1) {
        cells.add(amount, at: labels.position(of: values))
    }

    /// For hot paths that looked the position up before.
    func increment(position: Int) {
        cells.add(at: position)
    }

    package func value(_ values: [String] = []) -> UInt64 {
        cells.value(at: labels.position(of: values))
    }

    /// Series that were never counted are left out, except the only one of a family without labels.
    package func render(to text: inout PrometheusText) {
        text.header(name, help: help, type: "counter")
        for position in 0..<cells.count {
            let value = cells.value(at: position)
            if value > 0 || labels.names.isEmpty {
                text.sample(name, labels.text(at: position), integer: value)
            }
        }
    }
}
