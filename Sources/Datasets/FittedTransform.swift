// Transforms of the data with what they learned from the training split; plain values, so that a resume file can hold
// them. What changes from step to step (random crops and flips) happens in the training step instead.

import JobSpec

package enum FittedTransform: Sendable, Hashable {
    /// x · factor
    case scale(by: Float)
    /// (x - mean) / deviation, by column; a column that is constant in the training split has deviation 1.
    case standardize(mean: [Float], deviation: [Float])
    /// (x - mean) / deviation, by the last dimension; one number stands for all.
    case normalize(mean: [Float], deviation: [Float])
    /// Rows of another shape.
    case reshape([Int])
    /// Labels to vectors with one 1.
    case oneHot(classes: Int)
    /// Characters to their place in the vocabulary; others to one place more, if there is that.
    case tokenize(vocabulary: [UInt32], hasUnknown: Bool)
    /// Rows of so many tokens, one every `stride`.
    case window(length: Int, stride: Int)

    /// Transforms that are part of the training step: they have no fitted state and do not change what evaluations see.
    package static let augmentations: Set<String> = ["random_crop", "random_flip"]

    /// Fits the transforms one after another, each on what those before it made of the training data, and applies
    /// them to it.
    package static func fit(
        _ specs: [TransformSpec], on data: inout ArrayDataset
    ) throws -> [FittedTransform] {
        var fitted: [FittedTransform] = []
        for spec in specs where !augmentations.contains(spec.name) {
            let transform: FittedTransform
            switch spec.name {
            case "standardize": transform = try standardization(of: data)
            case "tokenize_chars":
                guard data.content == .characters else { throw notText }
                transform = .tokenize(
                    vocabulary: Set(data.inputs.integers.map { UInt32(bitPattern: $0) }).sorted(),
                    hasUnknown: try spec.arguments.text("unknown") == "token")
            default:
                guard let fixed = try FittedTransform(fixed: spec) else {
                    throw SpecErrors(problems: [
                        spec.problem("unsupported", "the transform \(spec.name) has no implementation")
                    ])
                }
                transform = fixed
            }
            try transform.apply(to: &data)
            fitted.append(transform)
        }
        return fitted
    }

    /// A transform that depends on nothing but its arguments; nil for one that learns from the data.
    init?(fixed spec: TransformSpec) throws {
        let arguments = spec.arguments
        switch spec.name {
        case "scale": self = .scale(by: Float(try arguments.number("by")))
        case "normalize":
            self = .normalize(
                mean: try arguments.numbers("mean").map { Float($0) },
                deviation: try arguments.numbers("std").map { Float($0) })
        case "reshape": self = .reshape(try arguments.integers("shape"))
        case "one_hot": self = .oneHot(classes: try arguments.integer("num_classes"))
        case "window":
            let length = try arguments.integer("length")
            self = .window(length: length, stride: arguments.optionalInteger("stride") ?? length)
        default: return nil
        }
    }

    private static let notText = DatasetError("tokenize_chars is for text, and the dataset is none")

    package func apply(to data: inout ArrayDataset) throws {
        switch self {
        case .scale(let factor):
            try Self.change(&data) { values, _ in
                for index in values.indices { values[index] *= factor }
            }
        case .standardize(let mean, let deviation):
            guard mean.count == data.features, deviation.count == mean.count else {
                throw DatasetError(
                    "the transform was fitted on \(mean.count) columns, the data has \(data.features)")
            }
            try Self.normalize(&data, mean, deviation)
        case .normalize(let mean, let deviation):
            let width = data.inputs.shape.last ?? 1
            guard [1, width].contains(mean.count), [1, width].contains(deviation.count) else {
                throw DatasetError("normalize has \(mean.count) means, the inputs have \(width) channels")
            }
            try Self.normalize(&data, mean, deviation)
        case .reshape(let shape):
            guard shape.reduce(1, *) == data.features else {
                throw DatasetError("inputs of \(data.inputs.shape) cannot be reshaped to \(shape)")
            }
            data.inputs.shape = shape
        case .oneHot(let classes): try Self.encode(&data, classes)
        case .tokenize(let vocabulary, let hasUnknown): try Self.tokenize(&data, vocabulary, hasUnknown)
        case .window(let length, let stride):
            guard data.content == .tokens, data.inputs.shape.isEmpty else {
                throw DatasetError("window is for tokens in a row, such as tokenize_chars makes")
            }
            data.rows = Self.windows(of: data.rows, length: length, stride: stride, shift: data.shift ?? 0)
            data.inputs.shape = [length]
            data.inputs.stride = stride
        }
    }

    /// How many windows fit, with their targets.
    static func windows(of tokens: Int, length: Int, stride: Int, shift: Int) -> Int {
        tokens < length + shift ? 0 : (tokens - length - shift) / stride + 1
    }

    private static func change(
        _ data: inout ArrayDataset, _ body: (inout [Float], _ width: Int) -> Void
    ) throws(DatasetError) {
        guard data.content == .numbers, case .float(var values) = data.inputs.values else {
            throw DatasetError("numbers are scaled and standardized, not tokens")
        }
        // The only reference, so that the values are changed in place.
        data.inputs.values = .float([])
        body(&values, data.features)
        data.inputs.values = .float(values)
    }

    private static func normalize(_ data: inout ArrayDataset, _ mean: [Float], _ deviation: [Float]) throws {
        try change(&data) { values, _ in
            if mean.count == deviation.count {
                let count = mean.count
                for row in 0..<values.count / count {
                    for column in 0..<count {
                        let index = row * count + column
                        values[index] = (values[index] - mean[column]) / deviation[column]
                    }
                }
            } else {
                for index in values.indices {
                    values[index] =
                        (values[index] - mean[index % mean.count]) / deviation[index % deviation.count]
                }
            }
        }
    }

    private static func encode(_ data: inout ArrayDataset, _ classes: Int) throws {
        guard data.shift == nil, case .integer(let labels) = data.target.values else {
            throw DatasetError("one_hot needs class labels as target")
        }
        var values = [Float](repeating: 0, count: labels.count * classes)
        for (index, label) in labels.enumerated() {
            guard (0..<classes).contains(Int(label)) else {
                throw DatasetError("one_hot has \(classes) classes, a label is \(label)", row: index + 1)
            }
            values[index * classes + Int(label)] = 1
        }
        data.target = DataColumn(.float(values), shape: data.target.shape + [classes])
    }

    private static func tokenize(_ data: inout ArrayDataset, _ vocabulary: [UInt32], _ hasUnknown: Bool)
        throws
    {
        guard data.content == .characters else { throw notText }
        var places: [UInt32: Int32] = [:]
        for (index, character) in vocabulary.enumerated() { places[character] = Int32(index) }
        let tokens = try data.inputs.integers.map { scalar -> Int32 in
            let character = UInt32(bitPattern: scalar)
            if let place = places[character] { return place }
            guard hasUnknown else { throw unknown(character) }
            return Int32(vocabulary.count)
        }
        data.inputs = DataColumn(.integer(tokens), shape: [])
        data.content = .tokens
    }

    static func unknown(_ character: UInt32) -> DatasetError {
        let text = Unicode.Scalar(character).map { String(Character($0)) } ?? ""
        return DatasetError(
            "the character \"\(text)\" (code \(character)) is not in the training split; use tokenize_chars with unknown: \"token\""
        )
    }

    /// Mean and population standard deviation of each column, in double precision and in the order of the rows.
    private static func standardization(of data: ArrayDataset) throws(DatasetError) -> FittedTransform {
        guard data.content == .numbers, case .float(let inputs) = data.inputs.values else {
            throw DatasetError("numbers are standardized, not tokens")
        }
        let features = data.features
        let count = Double(max(1, data.rows))
        var mean = [Double](repeating: 0, count: features)
        for row in 0..<data.rows {
            for column in 0..<features { mean[column] += Double(inputs[row * features + column]) }
        }
        for column in 0..<features { mean[column] /= count }
        var variance = [Double](repeating: 0, count: features)
        for row in 0..<data.rows {
            for column in 0..<features {
                let distance = Double(inputs[row * features + column]) - mean[column]
                variance[column] += distance * distance
            }
        }
        let deviation = variance.map { sum -> Float in
            let deviation = Float((sum / count).squareRoot())
            return deviation > 0 && deviation.isFinite ? deviation : 1
        }
        return .standardize(mean: mean.map { Float($0) }, deviation: deviation)
    }
}
