// Golden cases: convolutions, reductions over windows, pooling.
import JobSpec
import Linen
import TensorEngine

extension PrimitiveCall {
    func windowed() throws -> [Tensor]? {
        let x = tensors
        func list(_ key: String) -> [Int]? { keywords[key]?.integers }
        func count(_ key: String) -> Int { keywords[key]?.intValue ?? 1 }
        switch (name, x.count) {
        case ("conv_general_dilated", 2):
            try only(
                "window_strides", "padding", "lhs_dilation", "rhs_dilation", "dimension_numbers",
                "feature_group_count", "batch_group_count")
            return [
                try convGeneralDilated(
                    x[0], x[1], strides: list("window_strides") ?? [], padding: windowPadding(),
                    lhsDilation: list("lhs_dilation"), rhsDilation: list("rhs_dilation"),
                    dimensionNumbers: dimensionNumbers(), featureGroupCount: count("feature_group_count"),
                    batchGroupCount: count("batch_group_count"))
            ]
        case ("conv_transpose", 2):
            try only("strides", "padding", "rhs_dilation", "dimension_numbers", "transpose_kernel")
            return [
                try convTranspose(
                    x[0], x[1], strides: list("strides") ?? [], padding: windowPadding(),
                    rhsDilation: list("rhs_dilation"), dimensionNumbers: dimensionNumbers(),
                    transposeKernel: keywords["transpose_kernel"]?.boolValue ?? false)
            ]
        case ("reduce_window", 1):
            try only("kind", "window", "strides", "padding", "base_dilation", "window_dilation")
            return [
                try reduceWindow(
                    x[0], windowReduction(), window: list("window") ?? [], strides: list("strides"),
                    padding: windowPadding(), baseDilation: list("base_dilation"),
                    windowDilation: list("window_dilation"))
            ]
        case (_, 1): return try pooled(name, x[0], keywords).map { [$0] }
        default: return nil
        }
    }

    private func windowReduction() throws -> WindowReduction {
        let kinds: [String: WindowReduction] = [
            "add": .add, "sum": .add, "mul": .multiply, "max": .max, "min": .min,
        ]
        guard let kind = kinds[keywords["kind"]?.stringValue ?? ""] else { throw NotBuilt("\(keywords)") }
        return kind
    }

    private func dimensionNumbers() throws -> ConvDimensionNumbers? {
        guard let labels = keywords["dimension_numbers"]?.arrayValue?.compactMap(\.stringValue) else {
            return nil
        }
        return try ConvDimensionNumbers(labels[0], labels[1], labels[2])
    }

    private func windowPadding() throws -> WindowPadding { try .init(keywords["padding"]) }
}

/// Flax's pooling functions by name; nil for other names.
func pooled(_ name: String, _ x: Tensor, _ keywords: JSONValue) throws -> Tensor? {
    guard ["max_pool", "min_pool", "avg_pool"].contains(name) else { return nil }
    let known: Set = ["window_shape", "strides", "padding", "count_include_pad"]
    for key in keywords.objectValue?.keys ?? [] where !known.contains(key) {
        throw NotBuilt("\(name)(\(key):)")
    }
    let window = try keywords.member("window_shape").integers ?? []
    let (strides, padding) = (keywords["strides"]?.integers, try WindowPadding(keywords["padding"]))
    switch name {
    case "max_pool": return try maxPool(x, windowShape: window, strides: strides, padding: padding)
    case "min_pool": return try minPool(x, windowShape: window, strides: strides, padding: padding)
    default:
        return try avgPool(
            x, windowShape: window, strides: strides, padding: padding,
            countsPadding: keywords["count_include_pad"]?.boolValue ?? true)
    }
}

extension WindowPadding {
    /// A name, or pairs; VALID without.
    init(_ json: JSONValue?) throws {
        switch json?.stringValue {
        case "SAME": self = .same
        case "SAME_LOWER": self = .sameLower
        case "VALID": self = .valid
        case nil:
            guard let pairs = json?.arrayValue else {
                self = .valid
                return
            }
            self = .explicit(
                try pairs.map {
                    guard let pair = $0.integers, pair.count == 2 else { throw NotBuilt("padding \($0)") }
                    return (pair[0], pair[1])
                })
        case let name?: throw NotBuilt("padding \(name)")
        }
    }
}
