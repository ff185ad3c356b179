// Golden cases: indexing, updates, order.
import JobSpec
import TensorEngine

extension PrimitiveCall {
    func indexed() throws -> [Tensor]? {
        let x = tensors
        switch (name, x.count) {
        case ("take", 2):
            let source = axis == nil ? try ravel(x[0]) : x[0]
            return [
                try take(
                    source, x[1], axis: axis ?? 0, mode: try mode(),
                    fillValue: keywords["fill_value"]?.doubleValue)
            ]
        case ("take_along_axis", 2): return [try takeAlongAxis(x[0], x[1], axis: axis ?? -1)]
        case ("index", 1):
            let items = try keywords.member("idx").arrayValue ?? []
            return [try index(x[0], items.map(PrimitiveCall.item))]
        case ("gather_nd", 2...): return [try index(x[0], x.dropFirst().map { .tensor($0) })]
        case ("at_update", 3):
            return [try updated(x[0].at(.tensor(x[1]), mode: try mode()), x[2])]
        case ("at_slice_update", 2):
            let (starts, stops) = (
                try keywords.member("start").arrayValue ?? [], try keywords.member("stop").arrayValue ?? []
            )
            let ranges = zip(starts, stops).map { TensorIndex.range($0.intValue, $1.intValue) }
            guard ranges.count == 2 else { throw NotBuilt("at_slice_update of \(ranges.count) axes") }
            return [try updated(x[0].at(ranges[0], ranges[1]), x[1])]
        case ("dynamic_slice", 1...):
            return [
                try dynamicSlice(
                    x[0], starts: Array(x.dropFirst()), sizes: try keywords.member("sizes").integers ?? [])
            ]
        case ("dynamic_update_slice", 2...):
            return [try dynamicUpdateSlice(x[0], x[1], starts: Array(x.dropFirst(2)))]
        case ("segment_sum", 2):
            return [try segmentSum(x[0], x[1], count: try keywords.member("num_segments").intValue ?? 0)]
        case ("bincount", 1): return [try bincount(x[0], length: try keywords.member("length").intValue ?? 0)]
        case ("one_hot", 1):
            return [
                try oneHot(
                    x[0], count: try keywords.member("num_classes").intValue ?? 0, axis: axis ?? -1,
                    dtype: try keywords["dtype"]?.dtype() ?? .float32)
            ]
        default: return try ordered(x)
        }
    }

    private func ordered(_ x: [Tensor]) throws -> [Tensor]? {
        switch (name, x.count) {
        case ("sort", 1): return [try sort(x[0], axis: axis ?? -1)]
        case ("sort_desc", 1): return [try sort(x[0], axis: axis ?? -1, descending: true)]
        case ("argsort", 1):
            return [
                try argsort(
                    x[0], axis: axis ?? -1, descending: keywords["descending"]?.boolValue ?? false)
            ]
        case ("sort_key_val", 2):
            let (keys, values) = try sortKeyValue(
                x[0], x[1], axis: keywords["dimension"]?.intValue ?? -1)
            return [keys, values]
        case ("lax.top_k", 1):
            let (values, indices) = try topK(x[0], k: try keywords.member("k").intValue ?? 0)
            return [values, indices]
        case ("searchsorted", 2):
            let side: SearchSide = keywords["side"]?.stringValue == "right" ? .right : .left
            return [try searchSorted(x[0], x[1], side: side)]
        case ("interp", 3): return [try interp(x[0], x[1], x[2])]
        default: return nil
        }
    }

    /// What indices outside give, by JAX's name of it.
    private func mode() throws -> IndexMode {
        switch keywords["mode"]?.stringValue {
        case nil, "fill", "drop": return .fill
        case "clip": return .clamp
        case "wrap": return .wrap
        case let other?: throw NotBuilt("index mode \(other)")
        }
    }

    /// A number, a range [start, stop, step], or null for the whole dimension.
    private static func item(_ json: JSONValue) -> TensorIndex {
        if let position = json.intValue { return .at(position) }
        guard let bounds = json.arrayValue else { return .all }
        func bound(_ k: Int) -> Int? { k < bounds.count ? bounds[k].intValue : nil }
        return .range(bound(0), bound(1), step: bound(2) ?? 1)
    }

    private func updated(_ place: IndexedTensor, _ values: Tensor) throws -> Tensor {
        switch keywords["method"]?.stringValue ?? "set" {
        case "set": return try place.set(values)
        case "add": return try place.add(values)
        case "subtract": return try place.subtract(values)
        case "multiply", "mul": return try place.multiply(values)
        case "divide": return try place.divide(values)
        case "power": return try place.power(values)
        case "min": return try place.min(values)
        case "max": return try place.max(values)
        case let other: throw NotBuilt("x.at[].\(other)")
        }
    }
}
