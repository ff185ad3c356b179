// What a job starts from instead of fresh parameters.

import OrderedCollections

package struct InitSpec: Sendable, Hashable {
    /// A checkpoint of a job ("ckpt_…"), or an uploaded Flax file by its dataset name.
    package var checkpoint: DatasetReference
    /// Which parts of the file: "params", a collection such as "batch_stats", "opt_state", "step".
    package var load: [String]
    /// Whether every value of these parts must be in the file, and every value of the file be used.
    package var strict: Bool
    /// Where values of the file belong that have another path there: "old/**" to "new/**", or single paths.
    package var map: OrderedDictionary<String, String>
}

extension InitSpec {
    init(_ arguments: Arguments) throws {
        guard case .dataset(let reference) = arguments.values["checkpoint"] else {
            throw arguments.mismatch("checkpoint")
        }
        checkpoint = reference
        load = try arguments.texts("load")
        strict = try arguments.boolean("strict")
        map = try arguments.labels("map")
    }

    var json: JSONValue {
        [
            "checkpoint": .string(checkpoint.description), "load": JSONValue(load), "strict": .bool(strict),
            "map": .object(map.mapValues(JSONValue.string)),
        ]
    }

    /// The path that a value of the file gets: the first rule that fits says so.
    package func renamed(_ path: String) -> String {
        for (old, new) in map {
            if old == path { return new }
            guard let prefix = Self.prefix(old), let replacement = Self.prefix(new) else { continue }
            if prefix.isEmpty { return replacement + path }
            if path.hasPrefix(prefix) { return replacement + path.dropFirst(prefix.count) }
        }
        return path
    }

    /// The path that a value of the optimizer's state gets. The state has trees like the parameters' inside of it, such as
    /// `0/mu/encoder/kernel`, in which parameters are renamed as everywhere; rules for paths of the state itself, such as
    /// `0/mu/**`, come after that. `**` is about parameters only.
    ///
    /// - Parameter parameters: the paths that parameters have in the file.
    package func renamedInState(_ path: String, parameters: Set<String>) -> String {
        let names = path.split(separator: "/", omittingEmptySubsequences: false)
        var path = path
        for start in names.indices {
            let end = names[start...].joined(separator: "/")
            guard parameters.contains(end) else { continue }
            path = (names[..<start] + [Substring(renamed(end))]).joined(separator: "/")
            break
        }
        var own = self
        own.map.removeValue(forKey: "**")
        return own.renamed(path)
    }

    /// "a/" of "a/**", "" of "**"; nil of a path without a pattern.
    private static func prefix(_ pattern: String) -> String? {
        pattern == "**" ? "" : pattern.hasSuffix("/**") ? String(pattern.dropLast(2)) : nil
    }
}
