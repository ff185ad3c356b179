// Content negotiation (RFC 9110 §12.5.1): which of the media types a route offers the client wants most.

package enum Accept {
    /// The preferred one of `offers` (`type/subtype`, in the server's order of preference), or nil if none is acceptable.
    /// A missing or empty header accepts everything. An unreadable part counts as absent.
    package static func choose(_ offers: [String], header: String?) -> String? {
        guard let header, !header.isEmpty else { return offers.first }
        let ranges = header.split(separator: ",").prefix(64).compactMap(Range.init)
        guard !ranges.isEmpty else { return offers.first }
        var best: (offer: String, quality: Int)?
        for offer in offers {
            // The most specific range that matches decides the quality of an offer.
            let match = ranges.filter { $0.matches(offer) }.max { $0.specificity < $1.specificity }
            guard let match, match.quality > 0 else { continue }
            if best.map({ match.quality > $0.quality }) ?? true {
                best = (offer, match.quality)
            }
        }
        return best?.offer
    }

    private struct Range {
        var type: Substring
        var subtype: Substring
        /// Thousandths.
        var quality = 1000

        init?(_ text: Substring) {
            let parts = text.split(separator: ";").map { $0.trimmed }
            guard let range = parts.first else { return nil }
            let names = range.split(separator: "/", omittingEmptySubsequences: false)
            guard names.count == 2, !names[0].isEmpty, !names[1].isEmpty else { return nil }
            type = names[0]
            subtype = names[1]
            for parameter in parts.dropFirst() where parameter.hasPrefix("q=") || parameter.hasPrefix("Q=") {
                guard let value = Double(parameter.dropFirst(2)), (0...1).contains(value) else { return nil }
                quality = Int(value * 1000)
            }
        }

        var specificity: Int { (type == "*" ? 0 : 1) + (subtype == "*" ? 0 : 1) }

        func matches(_ offer: String) -> Bool {
            let names = offer.split(separator: "/", maxSplits: 1)
            guard names.count == 2 else { return false }
            return (type == "*" || type.lowercased() == names[0].lowercased())
                && (subtype == "*" || subtype.lowercased() == names[1].lowercased())
        }
    }
}

extension Substring {
    /// Without the spaces and tabs at both ends (RFC 9110 OWS).
    var trimmed: Substring {
        var copy = self
        while let first = copy.first, first == " " || first == "\t" { copy.removeFirst() }
        while let last = copy.last, last == " " || last == "\t" { copy.removeLast() }
        return copy
    }
}
