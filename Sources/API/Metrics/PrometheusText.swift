// The Prometheus text exposition format 0.0.4.

/// Something that `/metrics` shows: one `# TYPE` block with its series.
package protocol MetricFamily: Sendable {
    var name: String { get }
    func render(to text: inout PrometheusText)
}

package struct PrometheusText: Sendable {
    package static let mediaType = "text/plain; version=0.0.4; charset=utf-8"

    package private(set) var text = ""

    package init() {}

    mutating func header(_ name: String, help: String, type: String) {
        let escapedHelp = help.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
        text += "# HELP \(name) \(escapedHelp)\n# TYPE \(name) \(type)\n"
    }

    mutating func sample(_ name: String, _ labels: String, integer: UInt64) {
        text += "\(name)\(labels) \(integer)\n"
    }

    mutating func sample(_ name: String, _ labels: String, _ value: Double) {
        text += "\(name)\(labels) \(Self.number(value))\n"
    }

    /// Shortest decimal that reads back as the same number; whole numbers without a fraction.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        if value == value.rounded(), abs(value) < 1e15 { return String(Int64(value)) }
        return String(value)
    }

    package static func render(_ families: [any MetricFamily]) -> String {
        var text = PrometheusText()
        for family in families {
            family.render(to: &text)
        }
        return text.text
    }
}
