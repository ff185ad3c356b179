// A layer with its weights divided by their largest singular value.
import TensorEngine

/// Runs a layer with each of its matrices divided by an estimate of its largest singular value, by power iteration.
///
/// The layer's own variables stay where they are; scalars and vectors are left alone, and weights of more dimensions count as
/// matrices of their last one. For each matrix at `path` in the layer, this module has in the collection `collection`:
///
/// | name (one name, with the slashes) | shape | at first |
/// |---|---|---|
/// | `<layer's name>/path/u` | `[1, last]` | normal; the iteration's vector |
/// | `<layer's name>/path/sigma` | `[]` | ones; the singular value |
///
/// As in Flax, `initialize` gives the layer's weights already normalized.
public final class SpectralNorm: Module, Layer {
    public let layer: any Layer<Tensor, Tensor>
    public let steps: Int
    public let epsilon: Double
    public let dtype: DType?
    public let paramDType: DType
    public let errorOnNonMatrix: Bool
    public let collection: String

    /// - Parameters:
    ///   - steps: iterations in each call.
    ///   - errorOnNonMatrix: refuse weights of more than two dimensions.
    ///   - collection: where the state of the iteration is kept.
    public init(
        _ layer: any Layer<Tensor, Tensor>, steps: Int = 1, epsilon: Double = 1e-12, dtype: DType? = nil,
        paramDType: DType = .float32, errorOnNonMatrix: Bool = false, collection: String = "batch_stats",
        name: String? = nil
    ) {
        self.layer = layer
        self.steps = steps
        self.epsilon = epsilon
        self.dtype = dtype
        self.paramDType = paramDType
        self.errorOnNonMatrix = errorOnNonMatrix
        self.collection = collection
        super.init(name: name, passed: [layer])
    }

    public override func submodules() -> [(name: String, module: Module)] { [("layer_instance", layer)] }

    public func forward(_ x: Tensor) throws -> Tensor {
        try run(x, updateStats: mergeParam("updateStats", nil, nil, fallback: isTraining))
    }

    /// As the main call. `updateStats` keeps the new state of the iteration, which needs the collection to be mutable.
    public func callAsFunction(_ x: Tensor, updateStats: Bool) throws -> Tensor {
        try mainCall(x) { try run($0, updateStats: updateStats) }
    }

    private func run(_ x: Tensor, updateStats: Bool) throws -> Tensor {
        let layerName = try layer.boundPath.last ?? ""
        return try layer.lifted.mapVariables(
            initializing: isInitializing, changing: true,
            read: { variables in
                FrozenDict(
                    try variables.sortedEntries.map { collection, tree in
                        let normalized = try tree.mapWithPath(prefix: layerName) {
                            try self.normalized($0, $1, updateStats: updateStats)
                        }
                        return (collection, normalized)
                    })
            },
            { try layer(x) })
    }

    private func normalized(_ path: String, _ weight: Tensor, updateStats: Bool) throws -> Tensor {
        guard weight.rank > 1, steps > 0 else { return weight }
        guard weight.rank == 2 || !errorOnNonMatrix else {
            throw ModuleError(
                .argument, className, expected: "matrices only, as errorOnNonMatrix asks",
                got: "\(weight.type) at '\(path)'")
        }
        let columns = weight.shape[weight.rank - 1]
        let matrix = try reshape(weight, [weight.shape.elementCount / Swift.max(columns, 1), columns])
        let uVariable = try variable(collection, path + "/u") {
            try makeRNG("params").normal([1, columns], dtype: paramDType)
        }
        let sigmaVariable = try variable(collection, path + "/sigma") { try ones([], dtype: paramDType) }
        var u = try uVariable.value
        var v = u
        for _ in 0..<steps {
            v = try unitLength(dotGeneral(u, matrix, contracting: ([1], [1])), epsilon: epsilon)
            u = try unitLength(matmul(v, matrix), epsilon: epsilon)
        }
        (u, v) = (try stopGradient(u), try stopGradient(v))
        let sigma = try reshape(
            dotGeneral(matmul(v, matrix), u, contracting: ([1], [1])), [])
        let result = try matrix / select(notEqual(sigma, 0), sigma, onesLike(sigma))
        if updateStats {
            try uVariable.set(u)
            try sigmaVariable.set(sigma)
        }
        let type = DType.promote(DType.promote(weight.dtype, u.dtype), sigma.dtype)
        return try reshape(result, weight.shape).astype(dtype ?? type.floating)
    }
}
