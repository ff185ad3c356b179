// Random changes of the images of a training step: part of its program, so that a resumed run makes the same ones.
import Datasets
import JobSpec
import TensorEngine

/// The random transforms of a spec, in their order, over images `[batch, height, width, …]`.
struct Augmentation {
    private let changes: [@Sendable (Tensor, PRNGKey) throws -> Tensor]

    init(_ specs: [TransformSpec]) throws {
        changes = try specs.filter { FittedTransform.augmentations.contains($0.name) }.map { spec in
            try Augmentation.table.builder(spec).build(spec)
        }
    }

    func callAsFunction(_ x: Tensor, _ key: PRNGKey) throws -> Tensor {
        var x = x
        for (index, change) in changes.enumerated() { x = try change(x, key.foldIn(index)) }
        return x
    }

    static let table = BuildTable<TransformSpec, @Sendable (Tensor, PRNGKey) throws -> Tensor>([
        [
            .init("random_flip") { spec in
                let axis = try spec.arguments.text("direction") == "horizontal" ? 2 : 1
                return { x, key in
                    try requireImages(x, spec)
                    let isFlipped = try key.bernoulli(0.5, [x.shape[0]])
                    return try select(
                        broadcastInDim(isFlipped, shape: x.shape, dimensions: [0]), flip(x, axes: [axis]), x)
                }
            },
            .init("random_crop") { spec in
                let padding = try spec.arguments.integer("padding")
                return { x, key in
                    try requireImages(x, spec)
                    return try crop(x, padding, key)
                }
            },
        ]
    ])

    /// Pads with zeros and cuts the old size out again, at a random place.
    private static func crop(_ x: Tensor, _ padding: Int, _ key: PRNGKey) throws -> Tensor {
        var result = x
        for (axis, key) in try zip([1, 2], key.split()) {
            var border = [Int](repeating: 0, count: x.rank)
            border[axis] = padding
            let wide = try pad(result, low: border, high: border)
            let start = try key.randint([x.shape[0]], low: 0, high: 2 * padding + 1)
            let place =
                try broadcastInDim(start, shape: x.shape, dimensions: [0])
                + iota(.int32, shape: x.shape, dimension: axis)
            result = try takeAlongAxis(wide, place, axis: axis)
        }
        return result
    }

    private static func requireImages(_ x: Tensor, _ spec: TransformSpec) throws {
        guard x.rank >= 3, x.dtype.isFloating else {
            throw SpecErrors(problems: [
                spec.problem(
                    "shape_mismatch",
                    "\(spec.name) is for images [batch, height, width, …], the inputs are \(x.type); add reshape before it"
                )
            ])
        }
    }
}
