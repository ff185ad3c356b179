// Names for the nodes of a graph.

/// Names that are each given once: of letters, digits and a few signs, as TensorFlow wants them.
struct UniqueNames {
    private var counts: [String: Int] = [:]

    /// Takes a name as it is; false where it is taken.
    mutating func take(_ name: String) -> Bool {
        counts[name, default: 0] += 1
        return counts[name] == 1
    }

    mutating func make(_ wish: String) -> String {
        var name = String(
            wish.unicodeScalars.map { scalar -> Character in
                let isPlain =
                    scalar.isASCII
                    && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil
                        || "/_-.".unicodeScalars.contains(scalar))
                return isPlain ? Character(scalar) : "_"
            })
        while let first = name.first, !first.isLetter, !first.isNumber { name.removeFirst() }
        if name.isEmpty { name = "node" }
        // Names with a number may have been wished for themselves.
        while true {
            let count = counts[name, default: 0]
            counts[name] = count + 1
            if count == 0 { return name }
            name += "_\(count)"
        }
    }
}
