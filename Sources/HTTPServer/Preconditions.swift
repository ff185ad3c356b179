// Conditional requests in the order of RFC 9110 §13.2.2, on entity tags and IMF-fixdates.

package enum EntityTag {
    /// Whether a list field such as If-Match (`*`, or entity tags with commas between them) names the tag.
    /// The strong comparison never matches weak tags (RFC 9110 §8.8.3.2). A malformed list names nothing.
    package static func list(_ list: String, contains tag: String, strong: Bool) -> Bool {
        let bytes = Array(list.utf8)
        let wanted = opaque(tag)
        if strong, wanted.isWeak { return trimmed(list) == "*" }
        if trimmed(list) == "*" { return true }
        var found = false
        var index = 0
        while index < bytes.count {
            while index < bytes.count, bytes[index] == 0x20 || bytes[index] == 0x09 || bytes[index] == 0x2C {
                index += 1
            }
            guard index < bytes.count else { break }
            var isWeak = false
            if bytes[index] == UInt8(ascii: "W"), index + 1 < bytes.count,
                bytes[index + 1] == UInt8(ascii: "/")
            {
                isWeak = true
                index += 2
            }
            guard index < bytes.count, bytes[index] == 0x22 else { return false }
            guard let end = bytes[(index + 1)...].firstIndex(of: 0x22) else { return false }
            if bytes[index...end].elementsEqual(wanted.bytes), !(strong && isWeak) { found = true }
            index = end + 1
        }
        return found
    }

    /// The quoted part and whether `W/` stands before it.
    private static func opaque(_ tag: String) -> (bytes: [UInt8], isWeak: Bool) {
        tag.hasPrefix("W/") ? (Array(tag.utf8.dropFirst(2)), true) : (Array(tag.utf8), false)
    }

    private static func trimmed(_ text: String) -> Substring {
        text.drop { $0 == " " || $0 == "\t" }.prefix { $0 != " " && $0 != "\t" }
    }
}

enum Preconditions {
    enum Outcome { case proceed, notModified, failed }

    /// For GET and HEAD of a representation that exists.
    static func evaluate(_ head: RequestHead, entityTag: String?, lastModified: Int64?) -> Outcome {
        // Step 1 and 2: If-Match, else If-Unmodified-Since.
        if let list = head.list("if-match") {
            let matches =
                entityTag.map { EntityTag.list(list, contains: $0, strong: true) } ?? (list == "*")
            if !matches { return .failed }
        } else if let lastModified, let since = head.value("if-unmodified-since").flatMap(HTTPDate.parse) {
            if lastModified > since { return .failed }
        }
        // Step 3 and 4: If-None-Match, else If-Modified-Since.
        if let list = head.list("if-none-match") {
            let matches =
                entityTag.map { EntityTag.list(list, contains: $0, strong: false) } ?? (list == "*")
            if matches { return .notModified }
        } else if let lastModified, let since = head.value("if-modified-since").flatMap(HTTPDate.parse) {
            if lastModified <= since { return .notModified }
        }
        return .proceed
    }

    /// Step 5: whether Range counts. An If-Range must be exactly our strong entity tag; a date never is a
    /// strong validator here (RFC 9110 §13.1.5).
    static func rangeApplies(_ head: RequestHead, entityTag: String?) -> Bool {
        guard let condition = head.value("if-range") else { return true }
        guard let entityTag, !entityTag.hasPrefix("W/") else { return false }
        return condition == entityTag
    }
}
