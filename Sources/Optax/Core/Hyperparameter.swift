// A number that steers an optimizer: fixed, following a schedule, or a tensor that may change from step to step.
import TensorEngine

/// A number that steers an optimizer. A literal will do: `adam(learningRate: 0.01)`.
public enum Hyperparameter: Sendable {
    case constant(Double)
    /// A function of the step count. Accepted for learning rates; for anything else through `injectHyperparameters`.
    case schedule(Schedule)
    /// A scalar, possibly traced; `injectHyperparameters` gives these.
    case tensor(Tensor)
}

extension Hyperparameter: ExpressibleByFloatLiteral, ExpressibleByIntegerLiteral {
    public init(floatLiteral value: Double) { self = .constant(value) }
    public init(integerLiteral value: Int) { self = .constant(Double(value)) }
}

extension Hyperparameter: TensorConvertible {
    public func tensor(beside other: DType) throws -> Tensor {
        switch self {
        case .constant(let value):
            return try value.tensor(beside: other)
        case .tensor(let tensor):
            // Of the type of what it scales: an injected rate does not widen bfloat16 updates.
            return try other.isFloating ? tensor.astype(other) : tensor
        case .schedule:
            throw TensorError(
                .argument, "Hyperparameter", expected: "a number or a tensor", got: "a schedule",
                fix: "Use injectHyperparameters to let something else than a learning rate follow a schedule."
            )
        }
    }
}

extension Hyperparameter {
    /// The number at a step count, as a float32 scalar.
    func scalar(at count: Tensor) throws -> Tensor {
        if case .schedule(let schedule) = self { try schedule(count).astype(.float32) } else { try scalar() }
    }

    /// The number at a step count: a schedule's value there, anything else itself.
    func fixed(at count: Tensor) throws -> Hyperparameter {
        if case .schedule(let schedule) = self { .tensor(try schedule(count)) } else { self }
    }

    /// The number as a float32 scalar.
    func scalar() throws -> Tensor { try tensor(beside: .float32).astype(.float32) }

    /// A function of the number: computed in double precision for a constant, as Python does.
    func mapped(
        _ number: (Double) -> Double, _ tensor: (Tensor) throws -> Tensor
    ) throws -> Hyperparameter {
        switch self {
        case .constant(let value): .constant(number(value))
        case .tensor(let value): .tensor(try tensor(value))
        case .schedule: .tensor(try tensor(try scalar()))
        }
    }

    /// 1 - x.
    func complement() throws -> Hyperparameter { try mapped({ 1 - $0 }, { try 1 - $0 }) }
}
