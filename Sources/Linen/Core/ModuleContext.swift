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

    let store: VariableStore
    let mutable: CollectionFilter
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
        store = VariableStore(variables)
        mutable = options.mutable
        isInitializing = options.isInitializing
        isTraining = options.isTraining
        capturesIntermediates = options.capturesIntermediates
        table = options.table
        placement = ModulePlacement(
            root: Scope(module: root, path: [], randomKeys: randomKeys, randomPath: []))
    }

    /// Runs `body` with this context as the current one.
    func run<Result>(_ body: () throws -> Result) rethrows -> Result {
        defer { isFinished = true }
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
    func call<Result>(_ module: Module, _ body: () throws -> Result) throws -> Result {
        let scope = try placement.scope(of: module, frames: frames)
        guard frames.count < ModuleContext.largestDepth else {
            throw ModuleError(
                .argument, module.className,
                expected: "at most \(ModuleContext.largestDepth) calls inside each other",
                got: "more", fix: "Does a module call itself without end?", path: scope.displayPath)
        }
        let outerNames = scope.variableNames
        scope.variableNames = [:]
        scope.depth += 1
        frames.append(scope)
        let row = table?.enter(scope)
        defer {
            frames.removeLast()
            scope.depth -= 1
            scope.variableNames = outerNames
            if scope.depth == 0 { scope.rewind() }
        }
        let result = try ModulePath.$current.withValue(scope.displayPath, operation: body)
        if let row, let tree = result as? any TensorTree {
            table?.setOutput(tree.leaves.map(\.type), row: row)
        }
        return result
    }

    /// The scope of a module one of whose methods is running.
    func runningScope(of module: Module, for operation: String) throws -> Scope {
        let scope = try placement.scope(of: module, frames: frames)
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
        if let frame = frames.last { placement.register(module, in: frame) }
    }

    /// The next key of a stream in a module. A stream that was not given falls back on `params`, key and count.
    func makeRandomKey(_ stream: String, in scope: Scope) throws -> PRNGKey {
        let source = scope.randomKeys[stream] == nil ? "params" : stream
        guard let base = scope.randomKeys[source] else {
            let given = scope.randomKeys.keys.sorted().map { "'\($0)'" }.joined(separator: ", ")
            throw ModuleError(
                .missingRandomStream, scope.module.className,
                expected: "a key for the random stream '\(stream)'",
                got: given.isEmpty ? "no keys" : "keys for \(given)",
                fix: isInitializing
                    ? "Give one: initialize(rngs: [\"\(stream)\": key], …)."
                    : "Give one: apply(variables, …, rngs: [\"\(stream)\": key]).",
                path: scope.displayPath)
        }
        let count = drawCounts[scope.path, default: [:]][source, default: 0] + 1
        drawCounts[scope.path, default: [:]][source] = count
        return try scope.randomKey(base, count: count)
    }
}
