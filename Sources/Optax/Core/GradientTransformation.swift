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

    public init(value: Tensor? = nil) { self.value = value }

    /// The loss, or an error in the name of the transformation that needs it.
    func value(for operation: String) throws -> Tensor {
        guard let value else {
            throw TensorError(
                .argument, operation, expected: "the present loss in context.value", got: "none",
                fix: "Pass UpdateContext(value: loss) to update.")
        }
        return value
    }
}

extension GradientTransformation {
    /// A transformation without state.
    ///
    /// - Parameter stateName: the name of Optax's (empty) state.
    static func stateless(
        _ update: @escaping @Sendable (_ updates: Tree, _ params: Tree?) throws -> Tree
    ) -> GradientTransformation {
        GradientTransformation { _ in
            .emptyState
        } update: { updates, state, params, _ in
            (try update(updates, params), state)
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
