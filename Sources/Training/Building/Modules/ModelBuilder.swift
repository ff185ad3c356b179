// Models of a spec as linen modules.
import JobSpec
import Linen
import TensorEngine

/// A model as training sees it: from a batch of inputs to a batch of outputs.
typealias Model = any Layer<Tensor, Tensor>

struct ModelBuilder: Sendable {
    /// What "auto" stands for where a number of tokens is asked for.
    let vocabulary: Int?

    static let table = BuildTable<ModuleArguments, Model>([
        containers, denseLayers, convolutions, normalizations, attentions, recurrentLayers, presets,
    ])

    /// The module that a spec names.
    func model(_ spec: ModuleSpec) throws -> Model {
        try Self.table.builder(spec).build(ModuleArguments(spec, self))
    }

    /// A module or an activation, as a step of a Sequential.
    func step(_ spec: TypedSpec) throws -> Sequential.Step {
        guard spec.kind == .activation else { return .module(try model(spec)) }
        let function = try FunctionBuilder.activation(spec)
        return .function { try function($0) }
    }

    /// A module or an activation, as a module.
    func layer(_ spec: TypedSpec) throws -> Model {
        guard spec.kind == .activation else { return try model(spec) }
        let activation = try FunctionBuilder.activation(spec)
        return Function { try activation($0) }
    }
}

typealias ModuleBuilder = Builder<ModuleArguments, Model>

/// The arguments of a module, as linen's types.
struct ModuleArguments {
    let spec: ModuleSpec
    let builder: ModelBuilder
    private let arguments: Arguments

    init(_ spec: ModuleSpec, _ builder: ModelBuilder) {
        self.spec = spec
        self.builder = builder
        arguments = spec.arguments
    }

    var name: String? { arguments.optionalText("name") }
    func integer(_ name: String) throws -> Int { try arguments.integer(name) }
    func optionalInteger(_ name: String) -> Int? { arguments.optionalInteger(name) }
    func integers(_ name: String) throws -> [Int] { try arguments.integers(name) }
    func optionalIntegers(_ name: String) -> [Int]? { arguments.optionalIntegers(name) }
    func number(_ name: String) throws -> Double { try arguments.number(name) }
    func flag(_ name: String) throws -> Bool { try arguments.boolean(name) }
    func text(_ name: String) throws -> String { try arguments.text(name) }
    func inner(_ name: String) throws -> TypedSpec { try arguments.spec(name) }
    func optionalInner(_ name: String) -> TypedSpec? { arguments.optionalSpec(name) }
    func list(_ name: String) throws -> [TypedSpec] { try arguments.specs(name) }
    func initializer(_ name: String) throws -> Initializer {
        try FunctionBuilder.initializer(try arguments.spec(name))
    }
    func activation(_ name: String) throws -> Activation {
        try FunctionBuilder.activation(try arguments.spec(name))
    }
    var dtype: DType? { get throws { try arguments.optionalDType("dtype") } }
    var paramDType: DType { get throws { try arguments.optionalDType("param_dtype") ?? .float32 } }

    /// One of the cases of an enumeration.
    func choice<Choice: RawRepresentable<String>>(_ name: String, _ type: Choice.Type) throws -> Choice {
        let text = try arguments.text(name)
        guard let choice = Choice(rawValue: text) else {
            throw CatalogMismatch("\(spec.name).\(name) has no \(text)")
        }
        return choice
    }

    /// A number of tokens, which the data may say.
    func tokens(_ name: String) throws -> Int {
        if let count = arguments.optionalInteger(name) { return count }
        guard let vocabulary = builder.vocabulary else {
            throw SpecErrors(problems: [
                SpecProblem(
                    .conflict, at: spec.pointer.appending(name),
                    "\"auto\" is for data of tokens, and this has none; give the number, or add tokenize_chars"
                )
            ])
        }
        return vocabulary
    }

    func convPadding(rank: Int) throws -> ConvPadding {
        if let pairs = arguments.optionalPairs("padding") { return .explicit(pairs.map { ($0[0], $0[1]) }) }
        if let amount = arguments.optionalInteger("padding") { return .explicit(amount, rank: rank) }
        switch try arguments.text("padding") {
        case "VALID": return .valid
        case "CIRCULAR": return .circular
        case "REFLECT": return .reflect
        case "CAUSAL": return .causal
        default: return .same
        }
    }

    func windowPadding(rank: Int) throws -> WindowPadding {
        switch try convPadding(rank: rank) {
        case .same: return .same
        case .valid: return .valid
        case .explicit(let pairs): return .explicit(pairs)
        case .circular, .reflect, .causal:
            throw SpecErrors(problems: [
                SpecProblem(
                    .invalidValue, at: spec.pointer.appending("padding"),
                    "a pool takes SAME, VALID, a number or a list of [low, high]")
            ])
        }
    }
}
