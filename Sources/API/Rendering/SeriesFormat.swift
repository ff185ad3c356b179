// Metric series as JSON, CSV and NDJSON.
import JobSpec
import Store

package struct SeriesPage: Sendable {
    package var name: String
    package var points: [MetricPoint]
    package var sourcePoints: Int
    package var downsampled: Bool { points.count < sourcePoints }
}

package enum SeriesFormat: String, Sendable, CaseIterable {
    case json = "application/json"
    case csv = "text/csv"
    case ndjson = "application/x-ndjson"

    package func render(_ pages: [SeriesPage], job: String) -> [UInt8] {
        switch self {
        case .json:
            let series = pages.map { page in
                JSONValue(members: [
                    ("name", .string(page.name)), ("downsampled", .bool(page.downsampled)),
                    ("source_points", JSONValue(page.sourcePoints)),
                    ("steps", .array(page.points.map { .int($0.step) })),
                    ("values", .array(page.points.map { .double($0.value) })),
                ])
            }
            return JSONValue(members: [
                ("object", "list"), ("job", .string(job)), ("data", .array(series)),
                ("downsampled", .bool(pages.contains(where: \.downsampled))),
                ("source_points", JSONValue(pages.reduce(0) { $0 + $1.sourcePoints })),
            ]).serializedBytes()
        case .csv:
            // RFC 4180: lines end in CR LF.
            var text = "name,step,value\r\n"
            for page in pages {
                let name = Self.csvField(page.name)
                for point in page.points {
                    text += "\(name),\(point.step),\(Self.number(point.value))\r\n"
                }
            }
            return Array(text.utf8)
        case .ndjson:
            var bytes = [UInt8]()
            for page in pages {
                for point in page.points {
                    bytes += JSONValue(members: [
                        ("name", .string(page.name)), ("step", .int(point.step)),
                        ("value", .double(point.value)),
                    ]).serializedBytes()
                    bytes.append(UInt8(ascii: "\n"))
                }
            }
            return bytes
        }
    }

    private static func csvField(_ text: String) -> String {
        guard text.contains(where: { $0 == "," || $0 == "\"" || $0.isNewline }) else { return text }
        return "\"" + text.replacing("\"", with: "\"\"") + "\""
    }

    private static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        return value.isInfinite ? (value > 0 ? "Infinity" : "-Infinity") : "\(value)"
    }
}
