// Modules and functions in a row.
import TensorEngine

/// Applies modules and functions one after the other.
///
/// ```swift
/// Sequential {
///     Dense(features: 64)       // variables in layers_0
///     relu
///     Dense(features: 10)       // variables in layers_2: functions count
/// }
/// ```
/// As in Flax, layers that are made in a compact method, together with the Sequential, belong to that method's module and get
/// their automatic names there (`Dense_0`).
public final class Sequential: Module, Layer {
    /// A module or a function.
    public enum Step {
        case module(any Layer<Tensor, Tensor>)
        case function((Tensor) throws -> Tensor)
    }

    public let steps: [Step]

    public init(_ steps: [Step], name: String? = nil) {
        self.steps = steps
        super.init(
            name: name,
            passed: steps.compactMap { if case .module(let module) = $0 { module } else { nil } })
    }

    public convenience init(name: String? = nil, @SequentialBuilder _ steps: () -> [Step]) {
        self.init(steps(), name: name)
    }

    public override func submodules() -> [(name: String, module: Module)] {
        steps.enumerated().compactMap { index, step in
            if case .module(let module) = step { ("layers_\(index)", module) } else { nil }
        }
    }

    public func forward(_ x: Tensor) throws -> Tensor {
        try steps.reduce(x) { value, step in
            switch step {
            case .module(let module): try module(value)
            case .function(let function): try function(value)
            }
        }
    }
}

/// Collects the steps of a `Sequential`.
@resultBuilder
public enum SequentialBuilder {
    public static func buildExpression(_ module: any Layer<Tensor, Tensor>) -> [Sequential.Step] {
        [.module(module)]
    }
    public static func buildExpression(
        _ function: @escaping (Tensor) throws -> Tensor
    ) -> [Sequential.Step] { [.function(function)] }
    public static func buildExpression(_ activation: Activation) -> [Sequential.Step] {
        [.function { try activation($0) }]
    }
    public static func buildBlock(_ parts: [Sequential.Step]...) -> [Sequential.Step] {
        Array(parts.joined())
    }
    public static func buildOptional(_ part: [Sequential.Step]?) -> [Sequential.Step] { part ?? [] }
    public static func buildEither(first part: [Sequential.Step]) -> [Sequential.Step] { part }
    public static func buildEither(second part: [Sequential.Step]) -> [Sequential.Step] { part }
    public static func buildArray(_ parts: [[Sequential.Step]]) -> [Sequential.Step] { Array(parts.joined()) }
}
