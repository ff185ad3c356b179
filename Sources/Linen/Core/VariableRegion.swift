// The variables and random streams of one part of the tree of modules, while it runs.
import TensorEngine

/// A module with its submodules, and what they run with. `initialize` and `apply` make one for the whole tree; a lifted
/// transformation makes one for its module, in which variables and keys are the transformation's own (slices, traced values).
final class VariableRegion {
    /// The path of the region's outermost module.
    let path: [String]
    /// The variables, by paths from there.
    let store: VariableStore
    /// The collections that may change are those in any of these.
    private let mutable: [CollectionFilter]
    /// The base key of each random stream.
    let randomKeys: [String: PRNGKey]
    /// How many names at the beginning of a path random keys do not depend on: a lifted jit starts the paths anew.
    let namesWithoutKeys: Int

    init(
        path: [String], variables: FrozenDict, mutable: [CollectionFilter], randomKeys: [String: PRNGKey],
        namesWithoutKeys: Int = 0
    ) {
        self.path = path
        store = VariableStore(variables)
        self.mutable = mutable
        self.randomKeys = randomKeys
        self.namesWithoutKeys = namesWithoutKeys
    }

    var displayPath: String { "/" + path.joined(separator: "/") }

    func contains(_ scope: Scope) -> Bool { scope.path.starts(with: path) }

    func relativePath(_ scope: Scope) -> [String] { Array(scope.path.dropFirst(path.count)) }

    func isMutable(_ collection: String) -> Bool { mutable.contains { $0.contains(collection) } }
}
