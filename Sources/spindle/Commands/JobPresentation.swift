// A job object of the API as a person reads it: one row, one page, one progress line.
import Foundation
import JobSpec

/// The members of a job object that the commands look at. Tolerates missing ones: newer and older servers differ.
struct JobView {
    let json: JSONValue

    init(_ json: JSONValue) { self.json = json }

    var id: String { json["id"]?.stringValue ?? "?" }
    var name: String { json["name"]?.stringValue ?? "" }
    var state: String { json["state"]?.stringValue ?? "unknown" }
    var isTerminal: Bool { ["succeeded", "failed", "cancelled"].contains(state) }
    var step: Int? { json["progress"]?["step"]?.intValue }
    var stepsTotal: Int? { json["progress"]?["steps_total"]?.intValue }
    var ratio: Double? {
        if let ratio = json["progress"]?["ratio"]?.doubleValue { return min(max(ratio, 0), 1) }
        guard let step, let stepsTotal, stepsTotal > 0 else { return nil }
        return min(Double(step) / Double(stepsTotal), 1)
    }
    var etaSeconds: Double? {
        Readable.date(json["progress"]?["eta"]?.stringValue).map { max(0, $0.timeIntervalSinceNow) }
    }
    var latest: [(name: String, value: JSONValue)] {
        (json["latest"]?.objectValue ?? [:]).map { (name: $0.key, value: $0.value) }
    }
    var bestCheckpoint: String? { json["best"]?["checkpoint"]?.stringValue }
    var lastCheckpoint: String? { json["checkpoint"]?["id"]?.stringValue }
    var errorText: String? {
        guard let error = json["error"], let code = error["code"]?.stringValue else { return nil }
        let step = error["step"]?.intValue.map { " at step \($0)" } ?? ""
        return "\(code)\(step): \(error["detail"]?.stringValue ?? "no further words")"
    }

    /// The two figures worth a place on one line: a loss and a score, those of the validation split first.
    var headline: [(name: String, value: JSONValue)] {
        let figures = latest
        func pick(_ suffixes: [String]) -> (name: String, value: JSONValue)? {
            for prefix in ["validation/", "val/", "train/", ""] {
                for suffix in suffixes {
                    if let found = figures.first(where: { $0.name == prefix + suffix }) { return found }
                }
            }
            return nil
        }
        let loss = figures.first { $0.name == "train/loss" } ?? pick(["loss"])
        let score = pick(["accuracy", "r2", "auc", "f1_macro", "perplexity", "mean_squared_error"])
        return [loss, score].compactMap { $0 }
    }

    var headlineText: String {
        headline.map { "\($0.name.split(separator: "/").last ?? "") \(Readable.metric($0.value))" }
            .joined(separator: "  ")
    }

    func styledState(_ text: String? = nil) -> String {
        let colors = [
            "running": "34", "succeeded": "32", "failed": "31", "cancelled": "33", "paused": "35",
            "queued": "36",
        ]
        return Console.styled(text ?? state, colors[state] ?? "0")
    }

    var progressText: String {
        guard let step else { return "–" }
        let total = stepsTotal.map { "/\($0)" } ?? ""
        return "\(step)\(total)"
    }

    var row: [String] {
        [
            id, name, state, ratio.map { "\(Int($0 * 100)) %" } ?? "–", progressText,
            headline.first.map { Readable.metric($0.value) } ?? "–",
            headline.count > 1 ? Readable.metric(headline[1].value) : "–",
            Readable.age(json["created_at"]?.stringValue),
        ]
    }

    static func table(_ jobs: [JSONValue]) -> TextTable {
        TextTable(
            header: ["ID", "NAME", "STATE", "DONE", "STEP", "LOSS", "SCORE", "AGE"],
            rows: jobs.map { JobView($0).row }, numeric: [3, 4, 5, 6, 7])
    }

    /// Everything worth knowing about one job, a fact a line.
    var page: String {
        var facts: [(String, String)] = [("id", id), ("name", name)]
        var stateText = state
        if let reason = json["reason"]?.stringValue { stateText += " (\(reason))" }
        if let position = json["position"]?.intValue { stateText += ", position \(position) in the queue" }
        facts.append(("state", stateText))
        if let error = errorText { facts.append(("error", error)) }
        if step != nil {
            var text = progressText + (ratio.map { " (\(Int($0 * 100)) %)" } ?? "")
            if let rate = json["progress"]?["steps_per_second"]?.doubleValue, rate > 0 {
                text += ", \(Readable.number(rate, digits: 3)) steps/s"
            }
            if !isTerminal, let etaSeconds { text += ", \(Readable.seconds(etaSeconds)) left" }
            facts.append(("step", text))
        }
        for figure in latest { facts.append((figure.name, Readable.metric(figure.value))) }
        if let best = json["best"], let metric = best["metric"]?.stringValue {
            let place = best["step"]?.intValue.map { " at step \($0)" } ?? ""
            facts.append(("best \(metric)", "\(Readable.metric(best["value"]))\(place)"))
        }
        if let bestCheckpoint { facts.append(("best checkpoint", bestCheckpoint)) }
        if let lastCheckpoint { facts.append(("last checkpoint", lastCheckpoint)) }
        if let attempt = json["attempt"]?.intValue, attempt > 1 { facts.append(("attempt", "\(attempt)")) }
        for (label, key) in [
            ("created", "created_at"), ("started", "started_at"), ("finished", "finished_at"),
        ] {
            if let time = json[key]?.stringValue {
                facts.append((label, "\(time) (\(Readable.age(time)) ago)"))
            }
        }
        let actions = (json["allowed_actions"]?.arrayValue ?? []).compactMap(\.stringValue)
        if !actions.isEmpty { facts.append(("possible now", actions.joined(separator: ", "))) }
        let width = facts.map(\.0.count).max() ?? 0
        return facts.map { $0.0 + String(repeating: " ", count: width - $0.0.count + 2) + $0.1 }
            .joined(separator: "\n")
    }

    /// `digits  running  ██████████░░░░░░  62 %  273/440  loss 0.0812  accuracy 0.958  1.2 s left`
    func progressLine(width: Int) -> String {
        var tail = "  \(progressText)"
        if !headlineText.isEmpty { tail += "  \(headlineText)" }
        if !isTerminal, let etaSeconds { tail += "  \(Readable.seconds(etaSeconds)) left" }
        let head = "\(name.isEmpty ? id : name)  \(styledState())  "
        let headWidth = (name.isEmpty ? id : name).count + state.count + 4
        guard let ratio else { return head + tail.dropFirst(2) }
        let percent = " \(String(Int(ratio * 100)).padded(to: 3)) %"
        let cells = min(max(width - headWidth - tail.count - percent.count - 1, 8), 32)
        let full = Int((ratio * Double(cells)).rounded(.down))
        let bar = String(repeating: "█", count: full) + String(repeating: "░", count: cells - full)
        return head + bar + percent + tail
    }
}

extension String {
    /// Spaces in front.
    func padded(to width: Int) -> String { String(repeating: " ", count: Swift.max(0, width - count)) + self }
}
