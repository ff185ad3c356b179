// `Prefer: wait=N` (RFC 7240 §4.3).

package enum Preferences {
    /// The seconds of `wait=`, or nil. An unreadable preference is ignored, as the RFC asks.
    package static func waitSeconds(_ header: String?) -> Double? {
        guard let header else { return nil }
        for preference in header.split(separator: ",").prefix(16) {
            let parts = preference.split(separator: "=", maxSplits: 1).map { $0.trimmed }
            guard parts.count == 2, parts[0].lowercased() == "wait" else { continue }
            if let seconds = Double(parts[1]), seconds.isFinite, seconds >= 0 { return seconds }
        }
        return nil
    }
}
