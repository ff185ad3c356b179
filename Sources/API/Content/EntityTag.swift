// Entity tags and the two conditions on them (RFC 9110 §13.1). All tags of this API are strong.

package enum EntityTag {
    package static func quoted(_ opaque: String) -> String { "\"" + opaque + "\"" }

    /// If-None-Match: true if the client already has this. Weak comparison, as §13.1.2 asks.
    package static func noneMatchHits(_ header: String?, _ tag: String) -> Bool {
        guard let header else { return false }
        return tags(header).contains { $0 == "*" || $0 == tag || $0 == "W/" + tag }
    }

    /// If-Match: true if the client's idea of the resource is the present one. Strong comparison (§13.1.1).
    package static func matches(_ header: String, _ tag: String) -> Bool {
        tags(header).contains { $0 == "*" || $0 == tag }
    }

    private static func tags(_ header: String) -> [Substring] {
        header.split(separator: ",").prefix(64).map { $0.trimmed }
    }
}
