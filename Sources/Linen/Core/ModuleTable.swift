// The table of a model's modules: paths, output shapes, parameters. Flax's nn.tabulate, as data.
import TensorEngine

/// One module of a model, as its first call shows it.
public struct ModuleTableRow: Sendable, Hashable {
    /// The module's path, such as `encoder/Dense_0`; empty for the outermost module.
    public var path: String
    /// The class's name.
    public var type: String
    /// The types of what the call returned.
    public var output: [TensorType]
    /// Variables of this module itself, without its submodules', by collection.
    public var own: [String: Count]
    /// Floating-point operations of this module's calls with these inputs, without its submodules', as
    /// `Program.operationCount` counts them. Random numbers for new parameters are not part of it.
    public var operations: Double

    /// How many numbers, and how many bytes they take.
    public struct Count: Sendable, Hashable {
        public var elements: Int
        public var bytes: Int
    }

    /// Parameters of this module itself.
    public var parameterCount: Int { own["params"]?.elements ?? 0 }
}

/// Collects the rows while a context runs.
final class ModuleTableRecorder {
    private(set) var rows: [(scope: Scope, output: [TensorType])] = []
    private var known: Set<[String]> = []

    /// Starts a row, unless the path has one from an earlier call.
    func enter(_ scope: Scope) -> Int? {
        guard known.insert(scope.path).inserted else { return nil }
        rows.append((scope, []))
        return rows.count - 1
    }

    func setOutput(_ output: [TensorType], row: Int) { rows[row].output = output }
}

extension ModuleMethods where Self: Module {
    /// The modules in the order of their first calls, parents before children. Nothing is computed: the model is traced with
    /// abstract variables.
    ///
    /// - Parameter method: what to run, such as `{ try $0(x) }`; the values of its tensors do not matter.
    public func tabulate<Result>(
        rngStreams: [String] = ["params"], training: Bool? = nil, method: (Self) throws -> Result
    ) throws -> [ModuleTableRow] {
        let key = try PRNGKey(seed: 0)
        let keys = Dictionary(
            (rngStreams + ["params"]).map { ($0, key) }, uniquingKeysWith: { first, _ in first })
        func run(_ variables: FrozenDict, recorder: ModuleTableRecorder?) throws -> ModuleContext {
            var options = ModuleContext.Options()
            options.mutable = .all
            options.isInitializing = recorder != nil
            options.isTraining = training
            options.table = recorder
            let context = ModuleContext(root: self, variables: variables, randomKeys: keys, options)
            _ = try context.run { try method(self) }
            return context
        }
        var rows: [(scope: Scope, row: ModuleTableRow)] = []
        let variables = try evalShape(
            { (_: PRNGKey) in
                let recorder = ModuleTableRecorder()
                let context = try run([:], recorder: recorder)
                rows = recorder.rows.map { scope, output in
                    let row = ModuleTableRow(
                        path: scope.path.joined(separator: "/"), type: scope.module.className, output: output,
                        own: context.ownCounts(scope), operations: 0)
                    return (scope, row)
                }
                return context.regions[0].store.frozen(initializedCollections)
            }, key)
        // A second time with the variables that there are now, for the arithmetic of the calls alone.
        let program = try makeProgram(
            { (variables: FrozenDict) in
                _ = try run(variables, recorder: nil)
                return variables
            }, variables)
        let operations = program.operationCountByPath
        return rows.map { scope, row in
            var row = row
            row.operations = operations[scope.displayPath] ?? 0
            return row
        }
    }
}

extension Layer {
    /// The modules that a call with an input like this one runs.
    public func tabulate(_ input: Input, training: Bool? = nil) throws -> [ModuleTableRow] {
        try tabulate(training: training) { try $0(input) }
    }
}

extension ModuleContext {
    /// What a module has of its own in each collection.
    fileprivate func ownCounts(_ scope: Scope) -> [String: ModuleTableRow.Count] {
        var result: [String: ModuleTableRow.Count] = [:]
        for collection in regions[0].store.collections {
            guard let branch = regions[0].store.branch(collection, scope.path) else { continue }
            var count = ModuleTableRow.Count(elements: 0, bytes: 0)
            for name in branch.names {
                guard case .leaf(let tree) = branch[name] else { continue }
                for leaf in tree.leaves {
                    count.elements += leaf.shape.elementCount
                    count.bytes += leaf.type.byteCount
                }
            }
            result[collection] = count
        }
        return result
    }
}
