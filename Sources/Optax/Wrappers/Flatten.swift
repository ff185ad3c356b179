// A transformation that sees all parameters as one vector.
import TensorEngine

/// Gives `inner` all updates and parameters as one vector, which can be faster where there are many small parameters. They must all
/// have one type.
public func flatten(_ inner: GradientTransformation) -> GradientTransformation {
    let name = "flatten"
    return GradientTransformation { params in
        try inner.initialize(params: .tensor(vector(params, for: name)))
    } update: { updates, state, params, context in
        let (changed, next) = try inner.update(
            updates: .tensor(vector(updates, for: name)), state: state,
            params: params.map { .tensor(try vector($0, for: name)) }, context: context)
        guard let all = changed.tensor else {
            throw TensorError(.structure, name, expected: "one vector of updates", got: "a tree")
        }
        return (try splitting(all, like: updates), next)
    }
}
