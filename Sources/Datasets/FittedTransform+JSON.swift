// Fitted transforms as JSON, exactly.

import JobSpec

extension FittedTransform {
    package var json: JSONValue {
        func numbers(_ values: [Float]) -> JSONValue { .array(values.map { .double(Double($0)) }) }
        return switch self {
        case .scale(let factor): ["type": "scale", "by": .double(Double(factor))]
        case .standardize(let mean, let deviation):
            ["type": "standardize", "mean": numbers(mean), "deviation": numbers(deviation)]
        case .normalize(let mean, let deviation):
            ["type": "normalize", "mean": numbers(mean), "deviation": numbers(deviation)]
        case .reshape(let shape): ["type": "reshape", "shape": JSONValue(shape)]
        case .oneHot(let classes): ["type": "one_hot", "num_classes": JSONValue(classes)]
        case .tokenize(let vocabulary, let hasUnknown):
            [
                "type": "tokenize_chars", "vocabulary": JSONValue(vocabulary.map { Int($0) }),
                "has_unknown": .bool(hasUnknown),
            ]
        case .window(let length, let stride):
            ["type": "window", "length": JSONValue(length), "stride": JSONValue(stride)]
        }
    }

    /// Nil if it is not what `json` gives.
    package init?(json: JSONValue) {
        func numbers(_ name: String) -> [Float]? {
            guard let elements = json[name]?.arrayValue else { return nil }
            let numbers = elements.compactMap { $0.doubleValue.map { Float($0) } }
            return numbers.count == elements.count ? numbers : nil
        }
        func integers(_ name: String) -> [Int]? {
            guard let elements = json[name]?.arrayValue else { return nil }
            let numbers = elements.compactMap(\.intValue)
            return numbers.count == elements.count ? numbers : nil
        }
        func positive(_ name: String) -> Int? { json[name]?.intValue.flatMap { $0 > 0 ? $0 : nil } }
        switch json["type"]?.stringValue {
        case "scale":
            guard let factor = json["by"]?.doubleValue else { return nil }
            self = .scale(by: Float(factor))
        case "standardize":
            guard let mean = numbers("mean"), let deviation = numbers("deviation"),
                mean.count == deviation.count
            else { return nil }
            self = .standardize(mean: mean, deviation: deviation)
        case "normalize":
            guard let mean = numbers("mean"), let deviation = numbers("deviation"), !mean.isEmpty,
                !deviation.isEmpty
            else { return nil }
            self = .normalize(mean: mean, deviation: deviation)
        case "reshape":
            guard let shape = integers("shape") else { return nil }
            self = .reshape(shape)
        case "one_hot":
            guard let classes = positive("num_classes") else { return nil }
            self = .oneHot(classes: classes)
        case "tokenize_chars":
            guard let vocabulary = integers("vocabulary"), let hasUnknown = json["has_unknown"]?.boolValue
            else {
                return nil
            }
            let scalars = vocabulary.compactMap { UInt32(exactly: $0) }
            guard scalars.count == vocabulary.count else { return nil }
            self = .tokenize(vocabulary: scalars, hasUnknown: hasUnknown)
        case "window":
            guard let length = positive("length"), let stride = positive("stride") else { return nil }
            self = .window(length: length, stride: stride)
        default: return nil
        }
    }
}
