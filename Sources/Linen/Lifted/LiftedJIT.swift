// jit and remat of modules.
import TensorEngine

extension LiftedTransformations {
    /// Runs `body`, which calls this module, with random streams that begin anew here: each stream's key is the module's next draw
    /// from it, and paths count from this module on, so that the same layers draw the same numbers wherever they are
    /// (Flax's fold_rngs).
    public func foldRNGs<Result>(_ body: () throws -> Result) throws -> Result {
        let lifting = try Lifting(module, for: "foldRNGs")
        var keys: [String: PRNGKey] = [:]
        for stream in lifting.randomKeys.keys.sorted() {
            keys[stream] = try lifting.context.makeRandomKey(stream, in: lifting.scope)
        }
        let (result, changed) = try lifting.run(
            lifting.variables, randomKeys: keys, mutable: [.all], startsPathAnew: true, body)
        try lifting.publish(changed)
        return result
    }
}

/// A layer with the variables and random numbers that Flax's `nn.jit` gives it: see `LiftedTransformations.foldRNGs`. It is compiled as a part of
/// the function around it; `jit` of that function is what compiles. Automatic names begin with `Jit`.
public final class JIT<Inner: Layer>: Module, Layer {
    public let layer: Inner

    public init(_ layer: Inner, name: String? = nil) {
        self.layer = layer
        super.init(name: name ?? layer.name, sharing: layer)
    }

    public override var className: String { "Jit" + layer.className }

    public func forward(_ input: Inner.Input) throws -> Inner.Output {
        try layer.lifted.foldRNGs { try layer(input) }
    }
}
