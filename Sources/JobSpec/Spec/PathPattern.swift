// Patterns over paths of parameters, such as "**/kernel".

/// Names joined by "/". `*` stands for any part of one name, `**` for any number of names, also none.
package struct PathPattern: Sendable, Hashable {
    private let parts: [[UInt8]]

    package init(_ text: String) {
        parts = text.split(separator: "/", omittingEmptySubsequences: false).map { Array($0.utf8) }
    }

    package func matches(_ path: String) -> Bool {
        let names = path.split(separator: "/", omittingEmptySubsequences: false).map { Array($0.utf8) }
        return Self.matches(parts, names, isAny: { $0 == Array("**".utf8) }) { part, name in
            Self.matches(part, name, isAny: { $0 == UInt8(ascii: "*") }) { $0 == $1 }
        }
    }

    /// Whether a pattern in which some elements stand for any number of others matches. Goes back to the last such element only,
    /// so the time is the product of the lengths at most.
    private static func matches<Element>(
        _ pattern: [Element], _ text: [Element], isAny: (Element) -> Bool, equal: (Element, Element) -> Bool
    ) -> Bool {
        var (p, t) = (0, 0)
        var retry: (p: Int, t: Int)?
        while t < text.count {
            if p < pattern.count, isAny(pattern[p]) {
                retry = (p, t)
                p += 1
            } else if p < pattern.count, equal(pattern[p], text[t]) {
                p += 1
                t += 1
            } else if let last = retry {
                retry = (last.p, last.t + 1)
                p = last.p + 1
                t = last.t + 1
            } else {
                return false
            }
        }
        return pattern[p...].allSatisfy(isAny)
    }
}
