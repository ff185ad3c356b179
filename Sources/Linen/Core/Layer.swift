// Modules with one main computation: most of them.
import TensorEngine

/// A module with a main computation from `Input` to `Output`. Write `forward`; call the module as a function.
///
/// A module whose calls take several arguments has methods of its own instead of this protocol, each with its body in `compact`:
/// `func callAsFunction(_ x: Tensor, mask: Tensor?) throws -> Tensor { try compact { … } }`.
public protocol Layer<Input, Output>: Module {
    associatedtype Input
    associatedtype Output

    /// Computes the output. Not to be called directly: `module(input)` sets the scene for it.
    func forward(_ input: Input) throws -> Output
}

extension Layer {
    /// Runs the module. Only inside of `initialize` and `apply`.
    public func callAsFunction(_ input: Input) throws -> Output {
        try mainCall(input) { try forward($0) }
    }
}

extension Module {
    /// As `compact`, for the module's main call: what it returns counts as an intermediate result that
    /// `apply(…, captureIntermediates: true)` keeps.
    public final func mainCall<Result>(_ body: () throws -> Result) throws -> Result {
        // No tree of tensors, so interceptors see no input.
        try mainCall(()) { try body() }
    }

    /// As `mainCall`, of a method whose input interceptors may see and replace.
    public final func mainCall<Input, Result>(
        _ input: Input, _ body: (Input) throws -> Result
    ) throws -> Result {
        let context = try ModuleContext.required(by: self, for: className)
        return try context.call(self) { scope in
            let output = try intercepted(scope, isMainCall: true, input: input, body)
            if context.capturesIntermediates, let result = output as? any TensorTree {
                // A module in another one's place makes that one's main call.
                if !scope.isShared {
                    try context.append(result.asTree, to: "intermediates", "__call__", in: scope)
                }
            }
            return output
        }
    }

    /// Whether to do one thing or the other, for a layer that is told in one of three ways: when it is made, when it is called,
    /// or for the whole model by `apply(…, training:)`, of which `fallback` says what follows.
    ///
    /// - Throws: `ModuleError` when it is not told, or both when it is made and when it is called.
    public final func mergeParam(
        _ name: String, _ attribute: Bool?, _ argument: Bool?, fallback: Bool?
    ) throws -> Bool {
        guard attribute == nil || argument == nil else {
            throw ModuleError(
                .argument, className, expected: "\(name): in one place", got: "it in two",
                fix: "Give it to the initializer or to the call.")
        }
        guard let value = attribute ?? argument ?? fallback else {
            throw ModuleError(
                .argument, className, expected: "to be told \(name):", got: "nothing",
                fix:
                    "Give it to the initializer or to the call, or use apply(…, training: true) or (…, training: false)."
            )
        }
        return value
    }
}

extension TensorTree {
    /// As a `Tree`; a type of the user's own becomes the tuple of its tensors.
    var asTree: Tree {
        switch self {
        case let tensor as Tensor: .tensor(tensor)
        case let tree as Tree: tree
        case let dictionary as FrozenDict: .dictionary(dictionary)
        default: .tuple(leaves.map { .tensor($0) })
        }
    }
}
