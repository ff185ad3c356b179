// "Did you mean": the nearest of a few known names, by optimal string alignment distance.

/// The candidate that `name` is most likely a misspelling of; nil if none is near enough to suggest. The first of
/// equally near candidates wins, so the answer does not depend on anything but the arguments.
package func nearMiss(_ name: String, among candidates: [String]) -> String? {
    let written = Array(name.lowercased().utf8)
    // Longer names are no field of ours, and the distance costs the product of the lengths.
    guard (1...64).contains(written.count) else { return nil }
    var best: (candidate: String, distance: Int)?
    for candidate in candidates where candidate != name {
        let known = Array(candidate.lowercased().utf8)
        let distance = alignmentDistance(written, known)
        // A third of the letters may be wrong, but never all of them.
        guard distance <= max(1, max(written.count, known.count) / 3), distance < known.count else {
            continue
        }
        if best.map({ distance < $0.distance }) ?? true { best = (candidate, distance) }
    }
    return best?.candidate
}

/// "; did you mean X?", or nothing.
package func suggestion(for name: String, among candidates: [String]) -> String {
    nearMiss(name, among: candidates).map { "; did you mean \($0)?" } ?? ""
}

/// Insertions, deletions, substitutions and swaps of neighbours, each counted once.
private func alignmentDistance(_ first: [UInt8], _ second: [UInt8]) -> Int {
    var beforePrevious = [Int](repeating: 0, count: second.count + 1)
    var previous = Array(0...second.count)
    for row in 0..<first.count {
        var current = [Int](repeating: row + 1, count: second.count + 1)
        for column in 0..<second.count {
            let substitution = previous[column] + (first[row] == second[column] ? 0 : 1)
            current[column + 1] = min(substitution, previous[column + 1] + 1, current[column] + 1)
            if row > 0, column > 0, first[row] == second[column - 1], first[row - 1] == second[column] {
                current[column + 1] = min(current[column + 1], beforePrevious[column - 1] + 1)
            }
        }
        beforePrevious = previous
        previous = current
    }
    return previous[second.count]
}
