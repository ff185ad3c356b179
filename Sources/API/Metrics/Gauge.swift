// A gauge family whose values are read when it is scraped.

package struct Gauge: MetricFamily {
    package let name: String
    package let help: String
    private let labels: LabelSet
    private let read: @Sendable () -> [Double]

    /// - RouteParameter read: One value per combination of `labels`, in their order. Must not block: no lock that a scheduler or a
    ///   database writer holds while it works.
    package init(
        _ name: String, help: String, labels: LabelSet = .none, read: @escaping @Sendable () -> [Double]
    ) {
        self.name = name
        self.help = help
        self.labels = labels
        self.read = read
    }

    package func render(to text: inout PrometheusText) {
        text.header(name, help: help, type: "gauge")
        for (position, value) in read().prefix(labels.combinations.count).enumerated() {
            text.sample(name, labels.text(at: position), value)
        }
    }
}
