// Points of a metric series, and what is known of a series without reading its points.

/// One value. Values are kept bit for bit, NaN and infinities included.
package struct MetricPoint: Sendable, Hashable {
    package let name: String
    /// Finished steps when it was measured; the order of a series, unique within it.
    package let finished: Int64
    /// The step as people count it: from 0 for training, finished steps for evaluations.
    package let step: Int64
    package let value: Double

    package init(name: String, finished: Int64, step: Int64, value: Double) {
        self.name = name
        self.finished = finished
        self.step = step
        self.value = value
    }
}

package struct MetricSummary: Sendable, Hashable {
    package let name: String
    package var count: Int64
    package var last: MetricPoint
    /// Over the values that are not NaN; nil if there are none.
    package var minimum: Double?
    package var maximum: Double?
}
