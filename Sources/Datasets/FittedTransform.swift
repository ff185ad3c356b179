// Transforms of the inputs with what they learned from the training split; plain numbers, so that a resume file can
// hold them.

import JobSpec

package enum FittedTransform: Sendable, Hashable {
    /// x · factor
    case scale(by: Float)
    /// (x - mean) / deviation, by column; a column that is constant in the training split has deviation 1.
    case standardize(mean: [Float], deviation: [Float])

    /// Fits the transforms one after another, each on what those before it made of the training data, and applies
    /// them to it.
    package static func fit(
        _ specs: [TransformSpec], on data: inout ArrayDataset
    ) throws -> [FittedTransform] {
        var fitted: [FittedTransform] = []
        for spec in specs {
            let transform: FittedTransform
            switch spec.name {
            case "scale": transform = .scale(by: Float(try spec.arguments.number("by")))
            case "standardize": transform = standardization(of: data)
            default:
                throw SpecErrors(problems: [
                    spec.problem("unsupported", "the transform \(spec.name) has no implementation")
                ])
            }
            try transform.apply(to: &data)
            fitted.append(transform)
        }
        return fitted
    }

    package func apply(to data: inout ArrayDataset) throws {
        let features = data.features
        switch self {
        case .scale(let factor):
            for index in data.inputs.indices { data.inputs[index] *= factor }
        case .standardize(let mean, let deviation):
            guard mean.count == features, deviation.count == features else {
                throw DatasetError(
                    "the transform was fitted on \(mean.count) columns, the data has \(features)")
            }
            for row in 0..<data.rows {
                for column in 0..<features {
                    let index = row * features + column
                    data.inputs[index] = (data.inputs[index] - mean[column]) / deviation[column]
                }
            }
        }
    }

    /// Mean and population standard deviation of each column, in double precision and in the order of the rows.
    private static func standardization(of data: ArrayDataset) -> FittedTransform {
        let features = data.features
        let count = Double(max(1, data.rows))
        var mean = [Double](repeating: 0, count: features)
        for row in 0..<data.rows {
            for column in 0..<features { mean[column] += Double(data.inputs[row * features + column]) }
        }
        for column in 0..<features { mean[column] /= count }
        var variance = [Double](repeating: 0, count: features)
        for row in 0..<data.rows {
            for column in 0..<features {
                let distance = Double(data.inputs[row * features + column]) - mean[column]
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

extension FittedTransform {
    package var json: JSONValue {
        switch self {
        case .scale(let factor): ["type": "scale", "by": .double(Double(factor))]
        case .standardize(let mean, let deviation):
            [
                "type": "standardize", "mean": .array(mean.map { .double(Double($0)) }),
                "deviation": .array(deviation.map { .double(Double($0)) }),
            ]
        }
    }

    /// Nil if it is not what `json` gives.
    package init?(json: JSONValue) {
        func numbers(_ name: String) -> [Float]? {
            guard let elements = json[name]?.arrayValue else { return nil }
            let numbers = elements.compactMap { $0.doubleValue.map { Float($0) } }
            return numbers.count == elements.count ? numbers : nil
        }
        switch json["type"]?.stringValue {
        case "scale":
            guard let factor = json["by"]?.doubleValue else { return nil }
            self = .scale(by: Float(factor))
        case "standardize":
            guard let mean = numbers("mean"), let deviation = numbers("deviation"),
                mean.count == deviation.count
            else { return nil }
            self = .standardize(mean: mean, deviation: deviation)
        default: return nil
        }
    }
}
