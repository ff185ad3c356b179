// Which collections of variables something applies to.

/// A set of collection names, such as the mutable ones. Flax's `mutable` argument: false, true, a list, a DenyList.
public enum CollectionFilter: Sendable, Hashable {
    case none
    case all
    case only(Set<String>)
    case except(Set<String>)

    public func contains(_ collection: String) -> Bool {
        switch self {
        case .none: false
        case .all: true
        case .only(let names): names.contains(collection)
        case .except(let names): !names.contains(collection)
        }
    }
}

extension CollectionFilter: ExpressibleByArrayLiteral, ExpressibleByStringLiteral {
    public init(arrayLiteral elements: String...) { self = .only(Set(elements)) }
    public init(stringLiteral value: String) { self = .only([value]) }
}
