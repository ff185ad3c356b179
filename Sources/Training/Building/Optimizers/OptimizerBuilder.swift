// Optimizers and transformations of a spec as Optax values.
import JobSpec
import Optax
import TensorEngine

typealias TransformationBuilder = Builder<OptaxArguments, GradientTransformation>

enum OptimizerBuilder {
    static let table = BuildTable([
        gradientDescents, adamFamily, adaptiveFamily, contributedFamily, generalTransformations, clippings,
        scalings, wrappers,
    ])

    /// The transformation that a spec names.
    static func transformation(_ spec: OptimizerSpec) throws -> GradientTransformation {
        try transformation(spec, injected: [:])
    }

    /// - Parameter injected: values of numeric arguments that replace those of the spec.
    static func transformation(
        _ spec: OptimizerSpec, injected: [String: Hyperparameter]
    ) throws -> GradientTransformation {
        try table.builder(spec).build(OptaxArguments(spec, injected: injected))
    }
}

/// The arguments of an optimizer, as Optax's types.
struct OptaxArguments {
    let spec: OptimizerSpec
    let arguments: Arguments
    private let injected: [String: Hyperparameter]

    init(_ spec: OptimizerSpec, injected: [String: Hyperparameter] = [:]) {
        self.spec = spec
        arguments = spec.arguments
        self.injected = injected
    }

    /// A number or a schedule.
    func value(_ name: String) throws -> Hyperparameter {
        if let value = injected[name] { return value }
        return switch try arguments.scalarOrSchedule(name) {
        case .number(let value): .constant(value)
        case .schedule(let spec): .schedule(try ScheduleBuilder.schedule(spec))
        }
    }

    /// A number or a schedule that may be absent.
    func optional(_ name: String) throws -> Hyperparameter? {
        arguments.values[name] == nil && injected[name] == nil ? nil : try value(name)
    }

    var learningRate: Hyperparameter { get throws { try value("learning_rate") } }
    func number(_ name: String) throws -> Double { try arguments.number(name) }
    func integer(_ name: String) throws -> Int { try arguments.integer(name) }
    func flag(_ name: String) throws -> Bool { try arguments.boolean(name) }
    func dtype(_ name: String) throws -> DType? { try arguments.optionalDType(name) }
    func key(_ name: String) throws -> PRNGKey { try PRNGKey(seed: try integer(name)) }
    func inner(_ name: String = "inner") throws -> GradientTransformation {
        try OptimizerBuilder.transformation(try arguments.spec(name))
    }

    /// The parameters whose path matches one of the patterns.
    func mask(_ name: String) throws -> ParameterMask {
        let patterns = try arguments.texts(name).map(PathPattern.init)
        return .rule { path, _ in patterns.contains { $0.matches(path) } }
    }

    func optionalMask(_ name: String) throws -> ParameterMask? {
        arguments.values[name] == nil ? nil : try mask(name)
    }
}
