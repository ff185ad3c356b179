// The one type that every optimizer, and every part of one, has. What parts there are is in Transforms, Optimizers, Wrappers.
import TensorEngine

/// What turns gradients into updates, step by step: a state made from the parameters, and a function from gradients, state and
/// parameters to updates and the next state. Works on values and inside `jit` alike.
///
///     let optimizer = chain(clipByGlobalNorm(1.0), adam(learningRate: 0.01))
///     var state = try optimizer.initialize(params: params)
///     let (updates, next) = try optimizer.update(updates: gradients, state: state, params: params)
///     params = try applyUpdates(params, updates)
public struct GradientTransformation: Sendable {
    /// An update function: gradients (or what earlier transformations made of them), state, parameters where known, and what
    /// else the caller knows.
    public typealias Update =
        @Sendable (_ updates: Tree, _ state: Tree, _ params: Tree?, _ context: UpdateContext) throws -> (
            updates: Tree, state: Tree
        )

    private let initializeBody: @Sendable (Tree) throws -> Tree
    private let updateBody: Update

    /// - Parameters:
    ///   - initialize: gives the state before the first step. Its names are Optax's, since checkpoints show them.
    ///   - update: gives the updates, which are *added* to the parameters, and the next state.
    public init(initialize: @escaping @Sendable (Tree) throws -> Tree, update: @escaping Update) {
        initializeBody = initialize
        updateBody = update
    }

    /// The state before the first step.
    public func initialize(params: Tree) throws -> Tree { try initializeBody(params) }

    /// The updates for these gradients, and the next state.
    ///
    /// - Throws: `TensorError` (argument) where a transformation needs `params` or something of `context` that is missing.
    public func update(
        updates: Tree, state: Tree, params: Tree? = nil, context: UpdateContext = UpdateContext()
    ) throws -> (updates: Tree, state: Tree) {
        try updateBody(updates, state, params, context)
    }
}

/// What some transformations need besides gradients and parameters (Optax's extra arguments).
public struct UpdateContext: Sendable {
    /// The loss at the present parameters, a scalar.
    public var value: Tensor?
    /// The loss's gradients at the present parameters, for line searches: a chain hands them the updates of the member before.
    public var gradients: Tree?
    /// The loss as a function of the parameters, on the present batch: what a line search looks ahead with. Called inside of loops,
    /// also while `jit` traces, with traced parameters.
    public var valueFunction: (@Sendable (_ params: Tree) throws -> Tensor)?

    public init(
        value: Tensor? = nil, gradients: Tree? = nil,
        valueFunction: (@Sendable (_ params: Tree) throws -> Tensor)? = nil
    ) {
        self.value = value
        self.gradients = gradients
        self.valueFunction = valueFunction
    }

    /// The loss, or an error in the name of the transformation that needs it.
    func value(for operation: String) throws -> Tensor {
        guard let value else { throw missing("the present loss", "value: loss", operation) }
        return value
    }

    func gradients(for operation: String) throws -> Tree {
        guard let gradients else { throw missing("the present gradients", "gradients: gradients", operation) }
        return gradients
    }

    func valueFunction(for operation: String) throws -> @Sendable (Tree) throws -> Tensor {
        guard let valueFunction else {
            throw missing("the loss as a function of the parameters", "valueFunction: loss", operation)
        }
        return valueFunction
    }

    private func missing(_ what: String, _ argument: String, _ operation: String) -> TensorError {
        TensorError(
            .argument, operation, expected: "\(what), in the update's context", got: "none",
            fix: "Pass UpdateContext(\(argument)) to update.")
    }
}

extension GradientTransformation {
    /// A transformation without state.
    public static func stateless(
        _ update: @escaping @Sendable (_ updates: Tree, _ params: Tree?) throws -> Tree
    ) -> GradientTransformation {
        GradientTransformation { _ in
            .emptyState
        } update: { updates, state, params, _ in
            (try update(updates, params), state)
        }
    }

    /// A transformation without state that treats each parameter by itself (Optax's `stateless_with_tree_map`).
    ///
    /// - Parameters:
    ///   - operation: its name in error messages.
    ///   - update: from a parameter's update and the parameter to the new update.
    public static func stateless(
        named operation: String,
        leaves update: @escaping @Sendable (_ update: Tensor, _ param: Tensor) throws -> Tensor
    ) -> GradientTransformation {
        .stateless { updates, params in
            try mapLeaves(operation, updates, required(params, for: operation), update)
        }
    }
}

/// The parameters, or an error in the name of the transformation that needs them.
func required(_ params: Tree?, for operation: String) throws -> Tree {
    guard let params else {
        throw TensorError(
            .argument, operation, expected: "the current parameters, which this transformation depends on",
            got: "none",
            fix: "Pass params to update.")
    }
    return params
}
