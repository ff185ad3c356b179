// Random omission of values in training.
import TensorEngine

/// Sets each value to 0 with probability `rate` and divides the others by `1 - rate`; in use (deterministic) it does nothing.
///
/// Whether it is deterministic must be said in one of three ways: when it is made, when it is called (`dropout(x, deterministic:
/// true)`), or for the whole model by `apply(…, training:)`. Draws one key per call from the random stream `randomStream`.
public final class Dropout: Module, Layer {
    public let rate: Double
    /// Axes along which all values share their fate.
    public let broadcastAxes: [Int]
    public let deterministic: Bool?
    public let randomStream: String

    public init(
        rate: Double, broadcastAxes: [Int] = [], deterministic: Bool? = nil, randomStream: String = "dropout",
        name: String? = nil
    ) {
        self.rate = rate
        self.broadcastAxes = broadcastAxes
        self.deterministic = deterministic
        self.randomStream = randomStream
        super.init(name: name)
    }

    public func forward(_ x: Tensor) throws -> Tensor { try dropped(x, deterministic: nil) }

    /// As the main call, with the choice made here. Throws when it was also made by the initializer.
    public func callAsFunction(_ x: Tensor, deterministic: Bool) throws -> Tensor {
        try mainCall(x) { try dropped($0, deterministic: deterministic) }
    }

    private func dropped(_ x: Tensor, deterministic: Bool?) throws -> Tensor {
        let deterministic = try mergeParam(
            "deterministic", self.deterministic, deterministic, fallback: isTraining.map { !$0 })
        guard (0...1).contains(rate) else {
            throw ModuleError(.argument, "Dropout", expected: "a rate in 0...1", got: "\(rate)")
        }
        if rate == 0 || deterministic { return x }
        // No key is drawn, as in Flax; and 0 / 0 is avoided.
        if rate == 1 { return try zerosLike(x) }
        var shape = x.shape
        for axis in try resolvedAxes(broadcastAxes, rank: x.rank, for: className) { shape[axis] = 1 }
        let kept = try makeRNG(randomStream).bernoulli(1 - rate, shape)
        return try select(broadcastTo(kept, x.shape), x / (1 - rate), zerosLike(x))
    }
}
