// What all lifted transformations share: a module's variables and keys, taken out, run with, and put back.
import TensorEngine

/// Collections with the axis along which a lifted transformation stacks or maps them:
/// `["params": 0, .all: nil]`. nil is the same variables for all members. A collection goes by the first entry that contains it;
/// collections in none do not exist inside of the transformation.
public struct VariableAxes: ExpressibleByDictionaryLiteral {
    public var entries: [(collections: CollectionFilter, axis: Int?)]

    public init(_ entries: [(collections: CollectionFilter, axis: Int?)]) { self.entries = entries }

    public init(dictionaryLiteral elements: (CollectionFilter, Int?)...) {
        self.init(elements.map { (collections: $0.0, axis: $0.1) })
    }
}

/// Random streams, and whether each member of a lifted transformation gets keys of its own: `["params": true, "dropout": false]`.
/// Streams in no entry do not exist inside of the transformation.
public struct SplitRNGs: ExpressibleByDictionaryLiteral {
    public var entries: [(streams: CollectionFilter, isSplit: Bool)]

    public init(_ entries: [(streams: CollectionFilter, isSplit: Bool)]) { self.entries = entries }

    public init(dictionaryLiteral elements: (CollectionFilter, Bool)...) {
        self.init(elements.map { (streams: $0.0, isSplit: $0.1) })
    }

    /// By stream that is there and that an entry contains: its key, and whether to split it.
    func keys(_ all: [String: PRNGKey]) -> [String: (key: PRNGKey, isSplit: Bool)] {
        var result: [String: (key: PRNGKey, isSplit: Bool)] = [:]
        for (stream, key) in all {
            if let entry = entries.first(where: { $0.streams.contains(stream) }) {
                result[stream] = (key, entry.isSplit)
            }
        }
        return result
    }
}

/// Transformations of a computation with a module, in which its variables and random streams take part: Flax's lifted
/// transformations. `module.lifted.scan(…) { …module… }` is `scan` where the module's parameters may be stacked, shared or made.
///
/// A property of their own, so that inside of modules `vmap`, `scan` and their kin are still the engine's.
public struct LiftedTransformations {
    let module: Module
}

extension Module {
    /// Transformations in which this module's variables and random streams take part.
    public final var lifted: LiftedTransformations { LiftedTransformations(module: self) }
}

/// A module that a transformation is about to run with variables and keys that are the transformation's own (Flax's pack).
///
/// The transformation traces a body, so whatever the module reads must come in as the body's arguments and whatever it changes
/// must go out as its results: `variables` and `randomKeys` are what there is, `run` runs the body with replacements and returns
/// the changed collections, `publish` stores those.
struct Lifting {
    let context: ModuleContext
    let scope: Scope
    private let outer: VariableRegion
    private let naming: Scope.Naming

    /// Binds the module, if it is not yet.
    init(_ module: Module, for operation: String) throws {
        context = try ModuleContext.required(by: module, for: operation)
        scope = try context.placedScope(of: module)
        outer = context.region(of: scope)
        naming = scope.naming
    }

    /// The base keys of the random streams.
    var randomKeys: [String: PRNGKey] { outer.randomKeys }

    /// The module's variables and its submodules', by collection.
    var variables: FrozenDict { outer.store.variables(at: outer.relativePath(scope)) }

    /// The module's variables in groups: each collection is in the group of the first filter that contains it.
    func variables(grouped filters: [CollectionFilter]) -> [FrozenDict] {
        var groups = filters.map { _ in FrozenDict() }
        for (collection, tree) in variables.entries {
            if let group = filters.firstIndex(where: { $0.contains(collection) }) {
                groups[group][collection] = tree
            }
        }
        return groups
    }

    /// Runs `body` with these variables and keys in the place of the module's own.
    ///
    /// May be called several times: names start from the same point each time, counts of draws go on, both as in Flax.
    ///
    /// - Parameter mutable: the collections that may change, of those that may anyway, are those in any of these.
    /// - Returns: what `body` returned, and the collections that may change as they are now.
    func run<Result>(
        _ variables: FrozenDict, randomKeys: [String: PRNGKey], mutable: [CollectionFilter],
        startsPathAnew: Bool = false, _ body: () throws -> Result
    ) throws -> (result: Result, changed: FrozenDict) {
        let region = VariableRegion(
            path: scope.path, variables: variables, mutable: mutable, randomKeys: randomKeys,
            namesWithoutKeys: startsPathAnew ? scope.path.count : outer.namesWithoutKeys)
        scope.naming = naming
        return try context.with(region) {
            let result = try body()
            let changed = region.store.variables(at: []).entries.filter { context.isMutable($0.key) }
            return (result, FrozenDict(changed.map { ($0.key, $0.value) }))
        }
    }

    /// Stores what `run` returned as changed.
    func publish(_ variables: FrozenDict) throws {
        for (collection, tree) in variables.entries where context.isMutable(collection) {
            for (name, value) in tree.dictionary?.entries ?? [] {
                try outer.store.set(collection, outer.relativePath(scope), name, value)
            }
        }
    }
}

/// Carries a function of trees through a transformation of functions of tensors.
///
/// - Parameter transform: gets the input's tensors and the function on tensors, and returns the output's tensors.
func throughLeaves<In: TensorTree, Out: TensorTree>(
    _ input: In, _ function: @escaping (In) throws -> Out,
    _ transform: (_ leaves: [Tensor], _ function: @escaping ([Tensor]) throws -> [Tensor]) throws -> [Tensor]
) throws -> Out {
    var structure: Out?
    let leaves = try transform(input.leaves) { leaves in
        let output = try function(try input.replacingLeaves(leaves))
        structure = output
        return output.leaves
    }
    guard let structure else {
        throw ModuleError(
            .argument, "lift", expected: "a transformation that runs its body", got: "one that did not")
    }
    return try structure.replacingLeaves(leaves)
}

extension Tree {
    /// The tensors of a tuple of tensors.
    static func tensors(_ tensors: [Tensor]) -> Tree { .tuple(tensors.map { .tensor($0) }) }

    /// The child at a position, as a dictionary; empty where there is none.
    func dictionary(at position: Int) -> FrozenDict { self["\(position)"]?.dictionary ?? FrozenDict() }
}
