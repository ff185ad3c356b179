// Fewer points of a series for a chart, without hiding its spikes: of every bucket the smallest and the largest value stay.
import Store

package enum Downsampling {
    /// At most `maxPoints` points, in order; the first and the last point, every bucket's minimum and maximum, and NaN where a
    /// bucket has nothing else. Buckets are equal in count of points.
    package static func minMax(_ points: [MetricPoint], maxPoints: Int) -> [MetricPoint] {
        guard points.count > maxPoints, let first = points.first, let last = points.last else {
            return points
        }
        guard maxPoints >= 4 else {
            return maxPoints >= 2 ? [first, last] : Array(points.suffix(max(0, maxPoints)))
        }
        let inner = points.count - 2
        let buckets = (maxPoints - 2) / 2
        var result = [first]
        result.reserveCapacity(maxPoints)
        for bucket in 0..<buckets {
            let start = 1 + inner * bucket / buckets
            let end = 1 + inner * (bucket + 1) / buckets
            guard start < end else { continue }
            var low = start
            var high = start
            for index in start..<end {
                let value = points[index].value
                if value < points[low].value || points[low].value.isNaN { low = index }
                if value > points[high].value || points[high].value.isNaN { high = index }
            }
            result.append(points[min(low, high)])
            if low != high { result.append(points[max(low, high)]) }
        }
        result.append(last)
        return result
    }
}
