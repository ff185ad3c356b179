// Autoencoders, ready made: plain and variational.
import TensorEngine

/// Dense layers down to a code and back.
///
/// Input of any shape `[batch, …]`, flattened; output of the same shape. Submodules `Dense_0`, …: one for each of `features`, the last
/// of which is the code's size, then the same sizes back, and one for the output.
public final class Autoencoder: Module, Layer {
    public let features: [Int]
    public let activation: Activation

    public init(features: [Int], activation: Activation = .relu, name: String? = nil) {
        self.features = features
        self.activation = activation
        super.init(name: name)
    }

    public func forward(_ x: Tensor) throws -> Tensor {
        let flat = try flattenedRows(x)
        var y = flat
        for (index, size) in features.enumerated() {
            y = try Dense(features: size)(y)
            // The code itself is not bent.
            if index < features.count - 1 { y = try activation(y) }
        }
        for size in features.dropLast().reversed() { y = try activation(Dense(features: size)(y)) }
        return try reshape(Dense(features: flat.shape[1])(y), x.shape)
    }
}

/// A variational autoencoder (Kingma and Welling, 2014).
///
/// Input of any shape `[batch, …]`, flattened; output of the same shape: what the decoder makes of a code drawn with the random stream
/// `noise` in training, and of the mean code otherwise. Sows the divergence from the standard normal distribution, times `beta`, as
/// `kl` into the collection `losses`: the mean over the batch, divided by the number of elements of an input, so that it fits a
/// reconstruction loss that is a mean over elements. Submodules `Dense_0`, …, `mean`, `logvar`.
public final class VAE: Module, Layer {
    public let features: [Int]
    public let latents: Int
    public let activation: Activation
    public let beta: Double

    /// - Parameter features: outputs of the encoder's layers before the code; the decoder has them backwards.
    public init(
        features: [Int], latents: Int, activation: Activation = .relu, beta: Double = 1, name: String? = nil
    ) {
        self.features = features
        self.latents = latents
        self.activation = activation
        self.beta = beta
        super.init(name: name)
    }

    /// The mean and the logarithm of the variance of the codes of `x`, each `[batch, latents]`: `apply(variables) { try $0.encode(x) }`.
    public func encode(_ x: Tensor) throws -> (mean: Tensor, logVariance: Tensor) {
        try compact { try code(of: flattenedRows(x)) }
    }

    private func code(of flat: Tensor) throws -> (mean: Tensor, logVariance: Tensor) {
        var hidden = flat
        for size in features { hidden = try activation(Dense(features: size)(hidden)) }
        return (
            try Dense(features: latents, name: "mean")(hidden),
            try Dense(features: latents, name: "logvar")(hidden)
        )
    }

    public func forward(_ x: Tensor) throws -> Tensor {
        let flat = try flattenedRows(x)
        let (center, logVariance) = try code(of: flat)
        let divergence = try sum(1 + logVariance - square(center) - exp(logVariance), axes: [-1]) * -0.5
        try sow("losses", "kl", mean(divergence) * (beta / Double(Swift.max(1, flat.shape[1]))))
        var code = center
        if isTraining == true {
            code = try center + exp(logVariance / 2) * makeRNG("noise").normal(center.shape)
        }
        for size in features.reversed() { code = try activation(Dense(features: size)(code)) }
        return try reshape(Dense(features: flat.shape[1])(code), x.shape)
    }
}
