// A job's fitted data transforms as traced operations, to stand in front of an exported model: it then takes the data as it is in the
// job's files.
import Datasets
import TensorEngine

/// What happens to a batch of raw inputs before the model sees it; the same arithmetic as in `FittedTransform`.
struct BakedTransforms: Sendable {
    private let transforms: [FittedTransform]

    init(_ transforms: [FittedTransform] = []) {
        self.transforms = transforms
    }

    /// Whether the inputs are the Unicode scalars of a text.
    var takesCharacters: Bool {
        transforms.contains { if case .tokenize = $0 { true } else { false } }
    }

    /// - Parameter x: `[batch, …]`: float32 numbers, or the int32 code points of characters.
    func callAsFunction(_ x: Tensor) throws -> Tensor {
        try transforms.reduce(x) { try Self.apply($1, to: $0) }
    }

    private static func apply(_ transform: FittedTransform, to x: Tensor) throws -> Tensor {
        let shape = x.shape.dimensions
        switch transform {
        case .scale(let factor):
            return try x * Tensor(factor)
        case .standardize(let mean, let deviation):
            // One of each for every element of a row.
            let row = Shape(Array(shape.dropFirst()))
            return try (x - Tensor(mean, shape: row)) / Tensor(deviation, shape: row)
        case .normalize(let mean, let deviation):
            return try (x - Tensor(mean)) / Tensor(deviation)
        case .reshape(let row):
            return try reshape(x, Shape(shape.prefix(1) + row))
        case .tokenize(let vocabulary, let hasUnknown):
            return try tokens(x, vocabulary.map { Int32(bitPattern: $0) }, hasUnknown)
        case .oneHot, .window:
            // Of the target, and of how a text is cut into rows.
            return x
        }
    }

    /// Places in the vocabulary, which is sorted: how many of its characters are smaller. A character that is not in it becomes the token
    /// for unknown ones; where the job has none, its training would have refused the text, and it counts as the next character.
    private static func tokens(_ x: Tensor, _ vocabulary: [Int32], _ hasUnknown: Bool) throws -> Tensor {
        let characters = try expandDims(x, axis: -1)
        let known = try Tensor(vocabulary)
        let place = try sum(greater(characters, known).astype(.int32), axes: [-1])
        guard hasUnknown else { return try minimum(place, max(vocabulary.count - 1, 0)) }
        return try select(any(equal(characters, known), axes: [-1]), place, vocabulary.count)
    }
}
