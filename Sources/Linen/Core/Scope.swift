// A module's place in the tree of one initialize or apply: its path, its random streams, the names in use.
import Hashing
import TensorEngine

/// Where a module is bound. Lives as long as the initialize or apply that made it.
final class Scope {
    let module: Module
    /// The names from the outermost module (which has none) to this one.
    let path: [String]
    /// True for a module that another one shares its place with (`Module.init(name:passed:sharing:)`).
    let isShared: Bool

    /// How many calls of this module's methods are under way, one inside the other.
    var depth = 0
    /// What the running methods have named so far. A lifted transformation that runs a body twice puts it back in between.
    var naming = Naming()

    /// Names that are taken, and the modules made in the running method with the automatic names of some of them.
    struct Naming {
        /// Names of variables declared in the innermost running method, by collection.
        var variableNames: [String: Set<String>] = [:]
        fileprivate var childNames: Set<String> = []
        fileprivate var created: [Module] = []
        fileprivate var nextToName = 0
        fileprivate var automaticNames: [ObjectIdentifier: String] = [:]
        fileprivate var automaticCounts: [String: Int] = [:]
    }

    init(module: Module, path: [String], isShared: Bool = false) {
        self.module = module
        self.path = path
        self.isShared = isShared
    }

    /// The scope of a submodule.
    func child(_ module: Module, name: String) -> Scope { Scope(module: module, path: path + [name]) }

    /// The scope of a module in this one's place.
    func sharing(_ module: Module) -> Scope { Scope(module: module, path: path, isShared: true) }

    /// The path as errors show it.
    var displayPath: String { "/" + path.joined(separator: "/") }

    // MARK: Names

    /// Takes a name for a submodule. As in Flax, it must differ from every variable and submodule of the module.
    func reserveChild(_ name: String, _ className: String) throws {
        let isVariable = naming.variableNames.values.contains { $0.contains(name) }
        guard !isVariable, !naming.childNames.contains(name) else {
            throw ModuleError(
                .nameInUse, className, expected: "a name that is free in \(module.className)",
                got: "'\(name)', the name of \(isVariable ? "a variable" : "another submodule") there",
                fix: "Give the \(className) another name:, or none for an automatic one.", path: displayPath)
        }
        naming.childNames.insert(name)
    }

    /// Takes a name for a variable. Variables of different collections may share a name.
    func reserveVariable(_ collection: String, _ name: String) throws {
        guard !naming.childNames.contains(name), naming.variableNames[collection]?.contains(name) != true
        else {
            let other =
                naming.childNames.contains(name) ? "a submodule" : "another variable in '\(collection)'"
            throw ModuleError(
                .nameInUse, collection == "params" ? "param" : "variable",
                expected: "a name that is free in \(module.className)",
                got: "'\(name)', the name of \(other)",
                fix: "Declare each name once per call, and use the value that was returned.",
                path: displayPath)
        }
        naming.variableNames[collection, default: []].insert(name)
    }

    /// Notes a module that was made in the running method.
    func add(created module: Module) { naming.created.append(module) }

    /// The automatic name of a module made in the running method: its class and a number, counted per class in the order of
    /// creation over those modules that need one.
    func automaticName(of module: Module, needsName: (Module) -> Bool) -> String? {
        while naming.automaticNames[ObjectIdentifier(module)] == nil, naming.nextToName < naming.created.count
        {
            let candidate = naming.created[naming.nextToName]
            naming.nextToName += 1
            guard candidate.name == nil, needsName(candidate) else { continue }
            let count = naming.automaticCounts[candidate.className, default: 0]
            naming.automaticCounts[candidate.className] = count + 1
            naming.automaticNames[ObjectIdentifier(candidate)] = "\(candidate.className)_\(count)"
        }
        return naming.automaticNames[ObjectIdentifier(module)]
    }

    /// Forgets the names of a finished call, so that the next one declares the same ones anew.
    func rewind() { naming = Naming() }

    // MARK: Random numbers

    /// The key of draw number `count` (from 1) of a stream: the base key with the SHA-1 of the path's names and the count folded
    /// in. Names are joined without separator, the count is written big-endian in the fewest bytes (Flax's LazyRng).
    ///
    /// - Parameter skipping: how many names at the beginning do not count.
    func randomKey(_ base: PRNGKey, count: Int, skipping: Int) throws -> PRNGKey {
        var bytes = path.dropFirst(skipping).flatMap { Array($0.utf8) }
        let width = max(1, (Int.bitWidth - count.leadingZeroBitCount + 7) / 8)
        bytes += (0..<width).reversed().map { UInt8(truncatingIfNeeded: count >> (8 * $0)) }
        let word = SHA1.hash(bytes).prefix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        return try base.foldIn(Tensor(word))
    }
}
