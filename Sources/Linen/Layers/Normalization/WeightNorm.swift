// Layers that run another layer with normalized weights.
import TensorEngine

/// Runs a layer with each weight scaled to length 1 for every feature, times a learned scale.
///
/// The layer's own variables stay where they are. Parameters of this module, for each weight at `path` in the layer:
///
/// | name | shape | initializer |
/// |---|---|---|
/// | `<layer's name>/path/scale` (one name, with the slashes) | sizes of `featureAxes` | `scaleInitializer`, ones; only with `useScale` |
///
/// As in Flax, `initialize` gives the layer's weights already normalized.
public final class WeightNorm: Module, Layer {
    public let layer: any Layer<Tensor, Tensor>
    public let epsilon: Double
    public let dtype: DType?
    public let paramDType: DType
    public let useScale: Bool
    public let scaleInitializer: Initializer
    public let featureAxes: [Int]
    public let variableFilter: Set<String>?

    /// - Parameters:
    ///   - featureAxes: the axes of a weight that have a length for each of their members; the others are reduced.
    ///   - variableFilter: only weights whose path contains one of these are normalized; nil: all variables are.
    public init(
        _ layer: any Layer<Tensor, Tensor>, epsilon: Double = 1e-12, dtype: DType? = nil,
        paramDType: DType = .float32, useScale: Bool = true, scaleInitializer: Initializer = .ones,
        featureAxes: [Int] = [-1], variableFilter: Set<String>? = ["kernel"], name: String? = nil
    ) {
        self.layer = layer
        self.epsilon = epsilon
        self.dtype = dtype
        self.paramDType = paramDType
        self.useScale = useScale
        self.scaleInitializer = scaleInitializer
        self.featureAxes = featureAxes
        self.variableFilter = variableFilter
        super.init(name: name, passed: [layer])
    }

    public override func submodules() -> [(name: String, module: Module)] { [("layer_instance", layer)] }

    public func forward(_ x: Tensor) throws -> Tensor {
        let layerName = try layer.boundPath.last ?? ""
        return try layer.lifted.mapVariables(
            initializing: isInitializing,
            read: { variables in
                FrozenDict(
                    try variables.sortedEntries.map { collection, tree in
                        let normalized = try tree.mapWithPath(prefix: layerName) {
                            try self.normalized($0, $1)
                        }
                        return (collection, normalized)
                    })
            },
            { try layer(x) })
    }

    private func normalized(_ path: String, _ weight: Tensor) throws -> Tensor {
        if let variableFilter, !variableFilter.contains(where: { path.contains($0) }) { return weight }
        let features = try resolvedAxes(featureAxes, rank: weight.rank, for: className).sorted()
        let reduced = weight.shape.indices.filter { !features.contains($0) }
        var result = try unitLength(weight, axes: reduced, epsilon: epsilon)
        var type = weight.dtype
        if useScale {
            let sizes = features.map { weight.shape[$0] }
            let scale = try param(path + "/scale", scaleInitializer, Shape(sizes), dtype: paramDType)
            let broadcast = weight.shape.indices.map { features.contains($0) ? weight.shape[$0] : 1 }
            result = try result * reshape(scale, Shape(broadcast))
            type = DType.promote(type, paramDType)
        }
        return try result.astype(dtype ?? type.floating)
    }
}

/// `x` divided by its length over `axes` (all of them without).
func unitLength(_ x: Tensor, axes: [Int]? = nil, epsilon: Double) throws -> Tensor {
    try x * rsqrt(sum(x * x, axes: axes, keepDims: true) + epsilon)
}
