// One path template and how a path's segments are compared with it. Works on bytes; only parameters become
// strings.

struct RouteTemplate: Sendable {
    enum Segment: Sendable, Equatable {
        case literal([UInt8])
        /// Bytes before and after the value, e.g. none and `:pause` for `{id}:pause`.
        case parameter(prefix: [UInt8], name: String, suffix: [UInt8])
        case rest(name: String)
    }

    let text: String
    let segments: [Segment]

    init(_ text: String) throws(RouteError) {
        guard text.hasPrefix("/") else { throw RouteError(template: text, reason: "must start with `/`.") }
        var segments: [Segment] = []
        var names: Set<String> = []
        let parts = text.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        for (position, part) in parts.enumerated() {
            guard let open = part.firstIndex(of: "{") else {
                guard !part.contains("}") else {
                    throw RouteError(template: text, reason: "has `}` without `{`.")
                }
                segments.append(.literal(Array(part.utf8)))
                continue
            }
            guard let close = part.firstIndex(of: "}"), open < close else {
                throw RouteError(template: text, reason: "has `{` without `}`.")
            }
            var name = String(part[part.index(after: open)..<close])
            let prefix = part[..<open]
            let suffix = part[part.index(after: close)...]
            guard !suffix.contains("{"), !suffix.contains("}") else {
                throw RouteError(template: text, reason: "has two parameters in one segment.")
            }
            let isRest = name.hasSuffix("...")
            if isRest { name.removeLast(3) }
            guard !name.isEmpty, names.insert(name).inserted else {
                throw RouteError(template: text, reason: "has a parameter without a name of its own.")
            }
            if isRest {
                guard position == parts.count - 1, prefix.isEmpty, suffix.isEmpty else {
                    throw RouteError(template: text, reason: "has `{\(name)...}` before its end.")
                }
                segments.append(.rest(name: name))
            } else {
                segments.append(
                    .parameter(prefix: Array(prefix.utf8), name: name, suffix: Array(suffix.utf8)))
            }
        }
        self.text = text
        self.segments = segments
    }

    var isCatchAll: Bool {
        if case .rest? = segments.last { true } else { false }
    }

    /// Whether both match exactly the same paths.
    func hasSameShape(as other: RouteTemplate) -> Bool {
        segments.count == other.segments.count
            && zip(segments, other.segments).allSatisfy { mine, theirs in
                switch (mine, theirs) {
                case (.literal(let a), .literal(let b)): a == b
                case (.parameter(let a, _, let b), .parameter(let c, _, let d)): a == c && b == d
                case (.rest, .rest): true
                default: false
                }
            }
    }

    /// Literal before affixed parameter before bare parameter before rest, at the first segment that differs.
    func isMoreSpecific(than other: RouteTemplate) -> Bool {
        for (mine, theirs) in zip(segments, other.segments) {
            let (a, b) = (Self.rank(mine), Self.rank(theirs))
            if a != b { return a < b }
        }
        return segments.count > other.segments.count
    }

    private static func rank(_ segment: Segment) -> Int {
        switch segment {
        case .literal: 0
        case .parameter(let prefix, _, let suffix): 1_000_000 - prefix.count - suffix.count
        case .rest: 2_000_000
        }
    }

    /// The parameters' values, or nil if the path is another one.
    func match(_ path: PathSegments) -> [(String, String)]? {
        guard isCatchAll ? path.count >= segments.count : path.count == segments.count else { return nil }
        var values: [(String, String)] = []
        for (index, segment) in segments.enumerated() {
            switch segment {
            case .literal(let bytes):
                guard path.equals(index, bytes) else { return nil }
            case .parameter(let prefix, let name, let suffix):
                guard let value = path.value(index, prefix: prefix, suffix: suffix) else { return nil }
                values.append((name, value))
            case .rest(let name):
                values.append((name, path.rest(from: index)))
            }
        }
        return values
    }
}

/// A request path cut at its slashes: ranges of the header block, or decoded bytes when the path has escapes.
struct PathSegments {
    private let bytes: [UInt8]
    private let ranges: [Range<Int>]

    var count: Int { ranges.count }

    init(_ head: RequestHead) {
        let span = head.pathSpan.range
        var ranges: [Range<Int>] = []
        ranges.reserveCapacity(8)
        guard !head.isAsterisk else {
            bytes = []
            self.ranges = []
            return
        }
        var start = span.lowerBound + 1
        for index in start..<max(start, span.upperBound) where head.bytes[index] == UInt8(ascii: "/") {
            ranges.append(start..<index)
            start = index + 1
        }
        ranges.append(start..<max(start, span.upperBound))
        guard head.pathHasEscapes else {
            bytes = head.bytes
            self.ranges = ranges
            return
        }
        var decoded: [UInt8] = []
        self.ranges = ranges.map { range in
            let begin = decoded.count
            decoded.append(contentsOf: percentDecoded(head.bytes[range], plusIsSpace: false))
            return begin..<decoded.count
        }
        bytes = decoded
    }

    func equals(_ index: Int, _ literal: [UInt8]) -> Bool {
        let range = ranges[index]
        guard range.count == literal.count else { return false }
        for offset in 0..<literal.count where bytes[range.lowerBound + offset] != literal[offset] {
            return false
        }
        return true
    }

    /// The non-empty text between prefix and suffix.
    func value(_ index: Int, prefix: [UInt8], suffix: [UInt8]) -> String? {
        let range = ranges[index]
        guard range.count > prefix.count + suffix.count else { return nil }
        let segment = bytes[range]
        guard segment.starts(with: prefix), segment.suffix(suffix.count).elementsEqual(suffix) else {
            return nil
        }
        return String(
            decoding: bytes[(range.lowerBound + prefix.count)..<(range.upperBound - suffix.count)],
            as: UTF8.self)
    }

    /// The remaining segments with `/` between them. An encoded slash inside of a segment looks like a
    /// separator.
    func rest(from index: Int) -> String {
        ranges[index...].map { String(decoding: bytes[$0], as: UTF8.self) }.joined(separator: "/")
    }
}
