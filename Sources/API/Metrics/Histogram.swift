// A histogram family of durations: cumulative buckets, sum and count, by closed labels.

package final class Histogram: MetricFamily {
    /// Upper bounds in seconds from 100 µs to 10 s; requests and decisions both fit.
    package static let durationBounds: [Double] = [0.0001, 0.0005, 0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10]

    package let name: String
    package let help: String
    private let labels: LabelSet
    private let bounds: [Double]
    private let boundsNanoseconds: [UInt64]
    /// Per label combination: one cell per bound, one for +Inf, and the sum in nanoseconds.
    private let cells: AtomicCells
    private let stride: Int

    /// - RouteParameter name: Ends in `_seconds`.
    package init(
        _ name: String, help: String, labels: LabelSet = .none, bounds: [Double] = Histogram.durationBounds
    ) {
        self.name = name
        self.help = help
        self.labels = labels
        self.bounds = bounds
        boundsNanoseconds = bounds.map { UInt64($0 * 1e9) }
        stride = bounds.count + 2
        cells = AtomicCells(count: labels.combinations.count * stride)
    }

    package func observe(nanoseconds: UInt64, _ values: [String] = []) {
        observe(nanoseconds: nanoseconds, position: labels.position(of: values))
    }

    /// For hot paths that looked the position up before.
    func observe(nanoseconds: UInt64, position: Int) {
        guard position >= 0, position < labels.combinations.count else { return }
        var bucket = 0
        while bucket < boundsNanoseconds.count, nanoseconds > boundsNanoseconds[bucket] { bucket += 1 }
        cells.add(at: position * stride + bucket)
        cells.add(nanoseconds, at: position * stride + stride - 1)
    }

    package func render(to text: inout PrometheusText) {
        text.header(name, help: help, type: "histogram")
        for position in 0..<labels.combinations.count {
            let base = position * stride
            let counts = (0...bounds.count).map { cells.value(at: base + $0) }
            let total = counts.reduce(0, &+)
            guard total > 0 || labels.names.isEmpty else { continue }
            var cumulative: UInt64 = 0
            for (bound, count) in zip(bounds, counts) {
                cumulative &+= count
                text.sample(
                    name + "_bucket", labels.text(at: position, extra: ("le", PrometheusText.number(bound))),
                    integer: cumulative)
            }
            text.sample(name + "_bucket", labels.text(at: position, extra: ("le", "+Inf")), integer: total)
            let sum = Double(cells.value(at: base + stride - 1)) / 1e9
            text.sample(name + "_sum", labels.text(at: position), sum)
            text.sample(name + "_count", labels.text(at: position), integer: total)
        }
    }
}
