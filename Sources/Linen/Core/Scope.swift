// A module's place in the tree of one initialize or apply: its path, its random streams, the names in use.
import Hashing
import TensorEngine

/// Where a module is bound. Lives as long as the initialize or apply that made it.
final class Scope {
    let module: Module
    /// The names from the outermost module (which has none) to this one.
    let path: [String]
    /// The base key of each random stream. A lifted transformation may give its body others.
    let randomKeys: [String: PRNGKey]
    /// The names that random keys are derived from: the path, unless a lifted transformation starts it anew.
    private let randomPath: [String]

    /// How many calls of this module's methods are under way, one inside the other.
    var depth = 0
    /// Names of variables declared in the innermost running method, by collection.
    var variableNames: [String: Set<String>] = [:]
    private var childNames: Set<String> = []

    // Modules made in the running method, and the automatic names that were given to some of them.
    private(set) var created: [Module] = []
    private var nextToName = 0
    private var automaticNames: [ObjectIdentifier: String] = [:]
    private var automaticCounts: [String: Int] = [:]

    init(module: Module, path: [String], randomKeys: [String: PRNGKey], randomPath: [String]) {
        self.module = module
        self.path = path
        self.randomKeys = randomKeys
        self.randomPath = randomPath
    }

    /// The scope of a submodule.
    func child(_ module: Module, name: String) -> Scope {
        Scope(
            module: module, path: path + [name], randomKeys: randomKeys, randomPath: randomPath + [name])
    }

    /// The path as errors show it.
    var displayPath: String { "/" + path.joined(separator: "/") }

    // MARK: Names

    /// Takes a name for a submodule. As in Flax, it must differ from every variable and submodule of the module.
    func reserveChild(_ name: String, _ className: String) throws {
        let isVariable = variableNames.values.contains { $0.contains(name) }
        guard !isVariable, !childNames.contains(name) else {
            throw ModuleError(
                .nameInUse, className, expected: "a name that is free in \(module.className)",
                got: "'\(name)', the name of \(isVariable ? "a variable" : "another submodule") there",
                fix: "Give the \(className) another name:, or none for an automatic one.", path: displayPath)
        }
        childNames.insert(name)
    }

    /// Takes a name for a variable. Variables of different collections may share a name.
    func reserveVariable(_ collection: String, _ name: String) throws {
        guard !childNames.contains(name), variableNames[collection]?.contains(name) != true else {
            let other = childNames.contains(name) ? "a submodule" : "another variable in '\(collection)'"
            throw ModuleError(
                .nameInUse, collection == "params" ? "param" : "variable",
                expected: "a name that is free in \(module.className)",
                got: "'\(name)', the name of \(other)",
                fix: "Declare each name once per call, and use the value that was returned.",
                path: displayPath)
        }
        variableNames[collection, default: []].insert(name)
    }

    /// Notes a module that was made in the running method.
    func add(created module: Module) { created.append(module) }

    /// The automatic name of a module made in the running method: its class and a number, counted per class in the order of
    /// creation over those modules that need one.
    func automaticName(of module: Module, needsName: (Module) -> Bool) -> String? {
        while automaticNames[ObjectIdentifier(module)] == nil, nextToName < created.count {
            let candidate = created[nextToName]
            nextToName += 1
            guard candidate.name == nil, needsName(candidate) else { continue }
            let count = automaticCounts[candidate.className, default: 0]
            automaticCounts[candidate.className] = count + 1
            automaticNames[ObjectIdentifier(candidate)] = "\(candidate.className)_\(count)"
        }
        return automaticNames[ObjectIdentifier(module)]
    }

    /// Forgets the names of a finished call, so that the next one declares the same ones anew.
    func rewind() {
        variableNames = [:]
        childNames = []
        created = []
        nextToName = 0
        automaticNames = [:]
        automaticCounts = [:]
    }

    // MARK: Random numbers

    /// The key of draw number `count` (from 1) of a stream: the base key with the SHA-1 of the path's names and the count folded
    /// in. Names are joined without separator, the count is written big-endian in the fewest bytes (Flax's LazyRng).
    func randomKey(_ base: PRNGKey, count: Int) throws -> PRNGKey {
        var bytes = randomPath.flatMap { Array($0.utf8) }
        let width = max(1, (Int.bitWidth - count.leadingZeroBitCount + 7) / 8)
        bytes += (0..<width).reversed().map { UInt8(truncatingIfNeeded: count >> (8 * $0)) }
        let word = SHA1.hash(bytes).prefix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        return try base.foldIn(Tensor(word))
    }
}
