// Lookahead for a state whose parameters are the fast ones alone.
import JobSpec
import Optax
import TensorEngine

extension OptimizerBuilder {
    /// Optax's `lookahead` trains pairs of fast and slow parameters; here the parameters are the fast ones, so that model and
    /// checkpoints have what they have with any other optimizer, and the slow ones are in the optimizer's state.
    static let lookingAhead: @Sendable (OptaxArguments) throws -> GradientTransformation = { a in
        let pairs = try lookahead(
            try a.inner("fast_optimizer"), syncPeriod: try a.integer("sync_period"),
            slowStepSize: try a.number("slow_step_size"), resetsState: try a.flag("reset_state"))
        @Sendable func state(_ inner: Tree, _ slow: Tree) -> Tree {
            .record(
                name: "LookaheadTrainState",
                fields: [Tree.Field("lookahead", inner), Tree.Field("slow", slow)])
        }
        @Sendable func part(_ tree: Tree, _ name: String) throws -> Tree {
            guard let part = tree[name] else {
                throw TensorError(
                    .structure, "lookahead", expected: "its own state, with a part '\(name)'",
                    got: "another tree")
            }
            return part
        }
        return GradientTransformation { params in
            state(try pairs.initialize(params: lookaheadParams(params)), params)
        } update: { updates, before, params, context in
            let slow = try part(before, "slow")
            let (changes, inner) = try pairs.update(
                updates: updates, state: part(before, "lookahead"),
                params: .record(
                    name: "LookaheadParams",
                    fields: [Tree.Field("fast", params ?? slow), Tree.Field("slow", slow)]),
                context: context)
            return (try part(changes, "fast"), state(inner, try applyUpdates(slow, part(changes, "slow"))))
        }
    }
}
