// Modules that several tests use.
import TensorEngine

@testable import Linen

/// Compact style.
final class CompactMLP: Module, Layer {
    let features: [Int]

    init(features: [Int], name: String? = nil) {
        self.features = features
        super.init(name: name)
    }

    func forward(_ x: Tensor) throws -> Tensor {
        var x = x
        for (index, size) in features.enumerated() {
            if index > 0 { x = try relu(x) }
            x = try Dense(features: size, name: "layers_\(index)")(x)
        }
        return x
    }
}

/// Setup style.
final class SetupMLP: Module, Layer {
    let layers: [Dense]

    init(features: [Int], name: String? = nil) {
        layers = features.map { Dense(features: $0) }
        super.init(name: name)
    }

    func forward(_ x: Tensor) throws -> Tensor {
        var x = x
        for (index, layer) in layers.enumerated() {
            if index > 0 { x = try relu(x) }
            x = try layer(x)
        }
        return x
    }
}

/// A module whose call is a closure.
final class Custom: Module, Layer {
    let body: (Custom, Tensor) throws -> Tensor

    init(name: String? = nil, _ body: @escaping (Custom, Tensor) throws -> Tensor) {
        self.body = body
        super.init(name: name)
    }

    func forward(_ x: Tensor) throws -> Tensor { try body(self, x) }
}

/// Keeps a running mean of its inputs in `batch_stats`.
final class RunningMean: Module, Layer {
    func forward(_ x: Tensor) throws -> Tensor {
        let isReady = try hasVariable("batch_stats", "mean")
        let mean = try variable("batch_stats", "mean") { try zeros([x.shape[1]]) }
        if isReady { try mean.set(0.9 * mean.value + 0.1 * TensorEngine.mean(x, axes: [0])) }
        return try x - mean.value
    }
}

/// The paths of all tensors of a tree, sorted.
func paths(_ variables: FrozenDict) -> [String] {
    Tree.dictionary(variables).leavesWithPaths().map(\.path).sorted()
}

/// Some input, `[2, width]`.
func sampleInput(width: Int = 3) throws -> Tensor {
    try Tensor((0..<(2 * width)).map { Float($0) / 4 - 0.5 }, shape: [2, width])
}

func key(_ seed: Int = 0) throws -> PRNGKey { try PRNGKey(seed: seed) }

/// The error of this kind that `body` throws.
func moduleError(_ body: () throws -> Void) -> ModuleError? {
    do {
        try body()
        return nil
    } catch {
        return error as? ModuleError
    }
}
