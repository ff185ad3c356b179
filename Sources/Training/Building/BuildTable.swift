// How catalog entries become values of the engine's libraries: tables with one line for each name.
import JobSpec
import TensorEngine

/// The making of what one name of the catalog stands for, from its arguments.
struct Builder<Input, Product>: Sendable {
    let name: String
    let build: @Sendable (Input) throws -> Product

    init(_ name: String, _ build: @escaping @Sendable (Input) throws -> Product) {
        self.name = name
        self.build = build
    }
}

/// The builders of one kind, by name.
struct BuildTable<Input, Product>: Sendable {
    private let builders: [String: Builder<Input, Product>]
    var names: Set<String> { Set(builders.keys) }

    init(_ families: [[Builder<Input, Product>]]) {
        builders = Dictionary(families.joined().map { ($0.name, $0) }) { first, _ in first }
    }

    /// - Throws: `SpecErrors` for an entry that the catalog has and no builder makes, which a test over the whole catalog finds.
    func builder(_ spec: TypedSpec) throws -> Builder<Input, Product> {
        guard let builder = builders[spec.name] else {
            throw SpecErrors(problems: [
                spec.problem("unsupported", "\(spec.kind.rawValue) \(spec.name) has no implementation")
            ])
        }
        return builder
    }
}

extension Arguments {
    /// The type that a name such as "bfloat16" stands for; nil where it is absent.
    func optionalDType(_ name: String) throws -> DType? {
        guard let text = optionalText(name) else { return nil }
        guard let dtype = DType(name: text) else {
            throw CatalogMismatch("\(owner).\(name): no type is named \(text)")
        }
        return dtype
    }
}
