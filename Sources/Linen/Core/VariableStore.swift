// The variables of one initialize or apply while it runs: a tree that can change.
import TensorEngine

/// Variables by collection, module path and name.
final class VariableStore {
    /// A module's variables and its submodules'.
    final class Branch {
        enum Entry {
            case leaf(Tree)
            case branch(Branch)
        }
        private(set) var names: [String] = []
        private var entries: [String: Entry] = [:]

        subscript(name: String) -> Entry? {
            get { entries[name] }
            set {
                if entries[name] == nil, newValue != nil { names.append(name) }
                entries[name] = newValue
            }
        }

        /// As a tree, without branches that hold nothing.
        var frozen: FrozenDict {
            FrozenDict(
                names.compactMap { name in
                    switch entries[name] {
                    case .leaf(let tree): (name, tree)
                    case .branch(let branch): (name, .dictionary(branch.frozen))
                    case nil: nil
                    }
                })
        }

        convenience init(_ dictionary: FrozenDict) {
            self.init()
            for (name, value) in dictionary.entries {
                self[name] =
                    if case .dictionary(let child) = value { .branch(Branch(child)) } else { .leaf(value) }
            }
        }
    }

    private let root: Branch

    init(_ variables: FrozenDict) { root = Branch(variables) }

    /// The names of the collections, in the order in which they came to be.
    var collections: [String] { root.names }

    /// The module's branch of a collection; nil where nothing is stored.
    func branch(_ collection: String, _ path: [String]) -> Branch? {
        var branch = root
        for name in [collection] + path {
            guard case .branch(let child) = branch[name] else { return nil }
            branch = child
        }
        return branch
    }

    /// The variable of this name in the module at `path`.
    func value(_ collection: String, _ path: [String], _ name: String) -> Tree? {
        switch branch(collection, path)?[name] {
        case .leaf(let tree): tree
        case .branch(let branch): .dictionary(branch.frozen)
        case nil: nil
        }
    }

    /// Stores a variable. Throws where the path leads through a tensor.
    func set(_ collection: String, _ path: [String], _ name: String, _ value: Tree) throws {
        var branch = root
        for step in [collection] + path {
            switch branch[step] {
            case .branch(let child):
                branch = child
            case nil:
                let child = Branch()
                branch[step] = .branch(child)
                branch = child
            case .leaf:
                throw ModuleError(
                    .nameInUse, "variable",
                    expected: "'\(step)' to be a module of collection '\(collection)'",
                    got: "a tensor of that name")
            }
        }
        branch[name] =
            if case .dictionary(let child) = value { .branch(Branch(child)) } else { .leaf(value) }
    }

    /// What the module at `path` and its submodules have, by collection.
    func variables(at path: [String]) -> FrozenDict {
        FrozenDict(
            collections.compactMap { name in
                branch(name, path).map { (name, .dictionary($0.frozen)) }
            })
    }

    /// The collections that `filter` contains.
    func frozen(_ filter: CollectionFilter) -> FrozenDict {
        FrozenDict(root.frozen.entries.filter { filter.contains($0.key) }.map { ($0.key, $0.value) })
    }
}
