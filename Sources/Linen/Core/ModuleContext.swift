// One initialize or apply while it runs: its variables, its random streams, and which module is where.
import Glibc
import TensorEngine

/// The state that modules find through a task-local value while `initialize` or `apply` runs.
///
/// `@unchecked Sendable`: `current` hands it to the thread that made it only, and `run` is synchronous, so no two threads
/// ever touch it.
final class ModuleContext: @unchecked Sendable {
    @TaskLocal private static var ambient: ModuleContext?

    /// The context of the running initialize or apply, if this thread runs one.
    static var current: ModuleContext? {
        guard let ambient, pthread_equal(ambient.thread, pthread_self()) != 0, !ambient.isFinished else {
            return nil
        }
        return ambient
    }

    private let thread = pthread_self()
    private var isFinished = false

    /// The whole tree, and inside of lifted transformations the parts that they run with variables of their own.
    private(set) var regions: [VariableRegion]
    let isInitializing: Bool
    let isTraining: Bool?
    /// Whether to keep the result of every module's main call in the collection `intermediates`.
    let capturesIntermediates: Bool
    /// Rows of a table of modules, when one is wanted.
    let table: ModuleTableRecorder?
    let placement: ModulePlacement
    /// The scopes of the running calls, the innermost last.
    private(set) var frames: [Scope] = []
    /// How often each stream was drawn from, by module path: a submodule that is called twice goes on counting.
    private var drawCounts: [[String]: [String: Int]] = [:]
    private var leavesNewModulesOut = false

    /// A module calling a module calling …, deeper than this, is taken for an endless recursion.
    private static let largestDepth = 256

    struct Options {
        var mutable: CollectionFilter = .none
        var isInitializing = false
        var isTraining: Bool?
        var capturesIntermediates = false
        var table: ModuleTableRecorder?
    }

    init(root: Module, variables: FrozenDict, randomKeys: [String: PRNGKey], _ options: Options) {
        regions = [
            VariableRegion(path: [], variables: variables, mutable: [options.mutable], randomKeys: randomKeys)
        ]
        isInitializing = options.isInitializing
        isTraining = options.isTraining
        capturesIntermediates = options.capturesIntermediates
        table = options.table
        placement = ModulePlacement(root: Scope(module: root, path: []))
    }

    /// Runs `body` with this context as the current one.
    func run<Result>(_ body: () throws -> Result) rethrows -> Result {
        defer { isFinished = true }
        return try ModuleContext.$ambient.withValue(self, operation: body)
    }

    /// Where in the model a computation is: which calls run, with which variables, and how often streams were drawn from.
    struct Moment {
        fileprivate let frames: [Scope]
        fileprivate let regions: [VariableRegion]
        fileprivate let drawCounts: [[String]: [String: Int]]
    }

    var moment: Moment { Moment(frames: frames, regions: regions, drawCounts: drawCounts) }

    /// Runs `body` as if the computation were at an earlier moment still: for rules of derivatives, which are run after the function
    /// that they belong to.
    func resume<Result>(_ moment: Moment, _ body: () throws -> Result) rethrows -> Result {
        let (present, wasFinished) = (self.moment, isFinished)
        func move(to moment: Moment) {
            (frames, regions, drawCounts) = (moment.frames, moment.regions, moment.drawCounts)
        }
        move(to: moment)
        isFinished = false
        let namings = moment.frames.map(\.naming)
        for scope in moment.frames { scope.depth += 1 }
        defer {
            for (scope, naming) in zip(moment.frames, namings) {
                scope.depth -= 1
                scope.naming = naming
            }
            isFinished = wasFinished
            move(to: present)
        }
        return try ModuleContext.$ambient.withValue(self, operation: body)
    }

    /// The context for an operation of `module`, which must be bound.
    static func required(by module: Module, for operation: String) throws -> ModuleContext {
        guard let current else {
            throw ModuleError(
                .unbound, operation, expected: "a running initialize or apply",
                got: "a call of an unbound \(module.className)",
                fix: "A module only describes a computation; its variables are kept outside of it. "
                    + "Use model.initialize(key, x) to make them and model.apply(variables, x) to run it.")
        }
        return current
    }

    /// Runs a method of a module as that module's own.
    func call<Result>(_ module: Module, _ body: (Scope) throws -> Result) throws -> Result {
        let scope = try placedScope(of: module)
        guard frames.count < ModuleContext.largestDepth else {
            throw ModuleError(
                .argument, module.className,
                expected: "at most \(ModuleContext.largestDepth) calls inside each other",
                got: "more", fix: "Does a module call itself without end?", path: scope.displayPath)
        }
        let outerNames = scope.naming.variableNames
        scope.naming.variableNames = [:]
        scope.depth += 1
        frames.append(scope)
        let row = table?.enter(scope)
        defer {
            frames.removeLast()
            scope.depth -= 1
            scope.naming.variableNames = outerNames
            if scope.depth == 0 { scope.rewind() }
        }
        let result = try ModulePath.$current.withValue(scope.displayPath) { try body(scope) }
        if let row, let tree = result as? any TensorTree {
            table?.setOutput(tree.leaves.map(\.type), row: row)
        }
        return result
    }

    /// The scope of a module, which is bound now if it is not yet.
    func placedScope(of module: Module) throws -> Scope { try placement.scope(of: module, frames: frames) }

    /// The scope of a module one of whose methods is running.
    func runningScope(of module: Module, for operation: String) throws -> Scope {
        let scope = try placedScope(of: module)
        guard scope.depth > 0 else {
            throw ModuleError(
                .misplaced, operation, expected: "a running method of \(module.className)",
                got: "a method that does not say where it begins",
                fix: "Write the body of the method as `try compact { … }`, or as the module's `forward`.",
                path: scope.displayPath)
        }
        return scope
    }

    /// Notes a module that has just been made.
    func register(_ module: Module) {
        guard let frame = frames.last, !leavesNewModulesOut else { return }
        placement.register(module, in: frame)
    }

    /// Makes modules that do not belong to the running method's module.
    func withoutRegistering<Result>(_ make: () throws -> Result) rethrows -> Result {
        let before = leavesNewModulesOut
        leavesNewModulesOut = true
        defer { leavesNewModulesOut = before }
        return try make()
    }

    // MARK: Variables

    /// The part of the tree that a module is in: its variables, its random streams.
    func region(of scope: Scope) -> VariableRegion {
        regions.last { $0.contains(scope) } ?? regions[0]
    }

    /// Whether the code that runs may change a collection: every lifted transformation around it must let that out.
    func isMutable(_ collection: String) -> Bool { regions.allSatisfy { $0.isMutable(collection) } }

    /// The variable of this name in a module.
    func value(_ collection: String, _ name: String, in scope: Scope) -> Tree? {
        let region = region(of: scope)
        return region.store.value(collection, region.relativePath(scope), name)
    }

    /// Stores a variable of a module. Its collection must be mutable.
    func set(_ collection: String, _ name: String, _ value: Tree, in scope: Scope) throws {
        let region = region(of: scope)
        guard region === regions.last else {
            throw ModuleError(
                .misplaced, "variable", expected: "a variable of \(regions.last?.displayPath ?? "/")",
                got: "a change of '\(name)' in collection '\(collection)' of another module",
                fix:
                    "A lifted transformation changes variables of its own module only. Lift a module that contains both.",
                path: scope.displayPath)
        }
        try region.store.set(collection, region.relativePath(scope), name, value)
    }

    /// Appends to a tuple in a mutable collection; does nothing for another (Flax's sow).
    func append(_ value: Tree, to collection: String, _ name: String, in scope: Scope) throws {
        guard isMutable(collection) else { return }
        var values: [Tree] = []
        if case .tuple(let earlier) = self.value(collection, name, in: scope) { values = earlier }
        try set(collection, name, .tuple(values + [value]), in: scope)
    }

    /// Runs `body` with variables and random streams of its own for one part of the tree.
    func with<Result>(_ region: VariableRegion, _ body: () throws -> Result) rethrows -> Result {
        regions.append(region)
        defer { regions.removeLast() }
        return try body()
    }

    // MARK: Random streams

    /// The next key of a stream in a module. A stream that was not given falls back on `params`, key and count.
    func makeRandomKey(_ stream: String, in scope: Scope) throws -> PRNGKey {
        let region = region(of: scope)
        let source = region.randomKeys[stream] == nil ? "params" : stream
        guard let base = region.randomKeys[source] else {
            let given = region.randomKeys.keys.sorted().map { "'\($0)'" }.joined(separator: ", ")
            throw ModuleError(
                .missingRandomStream, scope.module.className,
                expected: "a key for the random stream '\(stream)'",
                got: given.isEmpty ? "no keys" : "keys for \(given)",
                fix: missingStreamFix(stream), path: scope.displayPath)
        }
        let count = drawCounts[scope.path, default: [:]][source, default: 0] + 1
        drawCounts[scope.path, default: [:]][source] = count
        return try scope.randomKey(base, count: count, skipping: region.namesWithoutKeys)
    }

    private func missingStreamFix(_ stream: String) -> String {
        if regions[0].randomKeys[stream] ?? regions[0].randomKeys["params"] != nil {
            return "The lifted transformation around it passes on other streams only: name it in splitRNGs."
        }
        return isInitializing
            ? "Give one: initialize(rngs: [\"\(stream)\": key], …)."
            : "Give one: apply(variables, …, rngs: [\"\(stream)\": key])."
    }
}
