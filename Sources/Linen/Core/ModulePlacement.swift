// Finds out which module is whose submodule, and under which name. Flax's rules, by identity.

/// Places modules in the tree of one initialize or apply.
///
/// A module belongs
/// 1. to the module that has it in a stored property (setup style), under the property's name: the outermost one, where several
///    have it, so that a shared submodule keeps its place;
/// 2. otherwise to the module in whose method it was made (compact style), under an automatic name.
/// An explicit name wins over both names. A module that another one shares its place with (`sharing:`) is where that one is. A module that was passed to another's initializer inside a method (`passed:`) belongs to
/// the method's module by rule 2, unless the one that it was passed to is itself a property (or the outermost module).
final class ModulePlacement {
    private let root: Scope
    private var scopes: [ObjectIdentifier: Scope] = [:]
    /// By stored property: whose, and its name.
    private var owners: [ObjectIdentifier: (module: Module, name: String)] = [:]
    /// The scope in whose method a module was made.
    private var creators: [ObjectIdentifier: Scope] = [:]
    /// The module to whose initializer a module was passed.
    private var receivers: [ObjectIdentifier: Module] = [:]
    /// The module that has a module in its own place.
    private var sharers: [ObjectIdentifier: Module] = [:]
    /// Keeps every module alive, so that an identity is not given twice.
    private var retained: [Module] = []

    /// Properties of properties of … are followed this deep.
    private static let largestDepth = 64

    init(root: Scope) {
        self.root = root
        bind(root)
    }

    /// Puts a module at its scope, and the one that shares its place there too.
    private func bind(_ scope: Scope) {
        scopes[ObjectIdentifier(scope.module)] = scope
        if let shared = scope.module.sharing, scopes[ObjectIdentifier(shared)] == nil {
            retained.append(shared)
            sharers[ObjectIdentifier(shared)] = scope.module
            bind(scope.sharing(shared))
        }
        registerProperties(below: scope.module)
    }

    /// Notes a module that was made while a method of `frame`'s module runs.
    func register(_ module: Module, in frame: Scope) {
        retained.append(module)
        frame.add(created: module)
        creators[ObjectIdentifier(module)] = frame
        if let shared = module.sharing { sharers[ObjectIdentifier(shared)] = module }
        for child in module.passed where receivers[ObjectIdentifier(child)] == nil {
            receivers[ObjectIdentifier(child)] = module
        }
        let passed = Set(module.passed.map(ObjectIdentifier.init))
        for (name, child) in module.submodules() {
            let id = ObjectIdentifier(child)
            if child === module.sharing { continue }
            if !passed.contains(id), creators[id] === frame, scopes[id] == nil, owners[id] == nil {
                owners[id] = (module, name)
            }
        }
    }

    /// The scope of a module, which is bound now if it is not yet.
    func scope(of module: Module, frames: [Scope]) throws -> Scope {
        let id = ObjectIdentifier(module)
        if let known = scopes[id] { return known }
        retained.append(module)
        if let sharer = sharers[id] {
            _ = try scope(of: sharer, frames: frames)
            if let known = scopes[id] { return known }
        }
        let (parent, name) = try place(module, frames: frames)
        try parent.reserveChild(name, module.className)
        let scope = parent.child(module, name: name)
        bind(scope)
        return scope
    }

    private func place(_ module: Module, frames: [Scope]) throws -> (parent: Scope, name: String) {
        let id = ObjectIdentifier(module)
        if owners[id] == nil {
            // Lazy properties may have come to be since their module was bound.
            if let creator = creators[id] { registerProperties(below: creator.module) }
            for frame in frames.reversed() where owners[id] == nil { registerProperties(below: frame.module) }
        }
        if owners[id] == nil, isAdopted(module), let receiver = receivers[id] {
            registerProperties(below: receiver)
        }
        if let owner = owners[id] {
            return (try scope(of: owner.module, frames: frames), module.name ?? owner.name)
        }
        if let creator = creators[id] {
            let automatic = creator.automaticName(of: module) {
                owners[ObjectIdentifier($0)] == nil && sharers[ObjectIdentifier($0)] == nil && !isAdopted($0)
            }
            if let name = module.name ?? automatic { return (creator, name) }
        }
        throw ModuleError(
            .misplaced, module.className,
            expected: "a module made in this call, or one in a stored property of a module of this tree",
            got: "a \(module.className) from elsewhere",
            fix:
                "Store it in a property (directly, in an array or in a dictionary) of the module that uses it, "
                + "or make it in the call.")
    }

    /// True for a module that was passed to one which takes its submodules with it, being a property itself.
    private func isAdopted(_ module: Module) -> Bool {
        guard let receiver = receivers[ObjectIdentifier(module)] else { return false }
        return owners[ObjectIdentifier(receiver)] != nil || isAdopted(receiver)
    }

    /// Gives the properties of `module` and of its properties their owners, level by level, so that the outermost owner wins.
    private func registerProperties(below module: Module) {
        var level = [module]
        for _ in 0..<ModulePlacement.largestDepth where !level.isEmpty {
            var next: [Module] = []
            for parent in level {
                let parentID = ObjectIdentifier(parent)
                // A module made in a method, and named there, leaves what was passed to it to that method's module.
                let leavesPassed = creators[parentID] != nil && owners[parentID] == nil && !isAdopted(parent)
                let passed = Set(leavesPassed ? parent.passed.map(ObjectIdentifier.init) : [])
                for (name, child) in parent.submodules() {
                    let id = ObjectIdentifier(child)
                    if child === root.module || child === parent.sharing { continue }
                    if passed.contains(id), creators[id] != nil { continue }
                    if owners[id] == nil {
                        guard scopes[id] == nil else { continue }
                        owners[id] = (parent, name)
                        retained.append(child)
                        next.append(child)
                    } else if owners[id]?.module === parent {
                        next.append(child)
                    }
                }
            }
            level = next
        }
    }
}
