// Finds the modules in a module's stored properties, by reflection.

enum StoredModules {
    /// Arrays of arrays of … are followed this deep.
    private static let largestDepth = 4

    /// Modules in stored properties, inherited ones first, in the order of declaration. A lazy property counts once it was used.
    static func find(in module: Module) -> [(name: String, module: Module)] {
        var result: [(name: String, module: Module)] = []
        var mirrors: [Mirror] = []
        var mirror: Mirror? = Mirror(reflecting: module)
        while let level = mirror, level.subjectType != Module.self {
            mirrors.append(level)
            mirror = level.superclassMirror
        }
        for level in mirrors.reversed() {
            for child in level.children {
                guard let label = child.label else { continue }
                collect(child.value, propertyName(label), depth: 0, into: &result)
            }
        }
        return result
    }

    /// The name in the source of a property with this label.
    private static func propertyName(_ label: String) -> String {
        let lazyPrefix = "$__lazy_storage_$_"
        return label.hasPrefix(lazyPrefix) ? String(label.dropFirst(lazyPrefix.count)) : label
    }

    private static func collect(
        _ value: Any, _ name: String, depth: Int, into result: inout [(name: String, module: Module)]
    ) {
        if let module = value as? Module {
            result.append((name, module))
            return
        }
        guard depth < largestDepth else { return }
        let mirror = Mirror(reflecting: value)
        switch mirror.displayStyle {
        case .optional:
            for child in mirror.children { collect(child.value, name, depth: depth + 1, into: &result) }
        case .collection:
            for (index, child) in mirror.children.enumerated() {
                // A long array of numbers is not worth looking through.
                if index == 0, !mayHoldModules(child.value) { return }
                collect(child.value, "\(name)_\(index)", depth: depth + 1, into: &result)
            }
        case .dictionary:
            for child in mirror.children {
                let pair = Mirror(reflecting: child.value).children.map(\.value)
                guard pair.count == 2, let key = pair[0] as? String else { return }
                collect(pair[1], "\(name)_\(key)", depth: depth + 1, into: &result)
            }
        default: break
        }
    }

    private static func mayHoldModules(_ element: Any) -> Bool {
        if element is Module { return true }
        switch Mirror(reflecting: element).displayStyle {
        case .optional, .collection, .dictionary: return true
        default: return false
        }
    }
}
