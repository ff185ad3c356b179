// Golden cases: reshaping, joining, indexing, sorting.
import JobSpec
import TensorEngine

extension PrimitiveCall {
    func shaped() throws -> [Tensor]? {
        if tensors.count == 1, let result = try shaped(tensors[0]) { return [result] }
        return try joined(tensors).map { [$0] }
    }

    private func shaped(_ x: Tensor) throws -> Tensor? {
        switch name {
        case "astype": return try x.astype(try keywords.member("dtype").dtype())
        case "bitcast": return try bitcast(x, to: try keywords.member("dtype").dtype())
        case "reshape":
            let sizes = try keywords.member("shape").integers ?? []
            let known = sizes.filter { $0 >= 0 }.reduce(1, *)
            return try reshape(
                x, Shape(sizes.map { $0 < 0 ? x.shape.elementCount / Swift.max(known, 1) : $0 }))
        case "transpose": return try transpose(x, axes: keywords["axes"]?.integers)
        case "expand_dims":
            guard let axis else { throw NotBuilt("expand_dims of several axes") }
            return try expandDims(x, axis: axis)
        case "squeeze": return try squeeze(x, axes: axes ?? [])
        case "broadcast_to": return try broadcastTo(x, Shape(try keywords.member("shape").integers ?? []))
        case "moveaxis":
            guard let source = keywords["source"]?.intValue,
                let destination = keywords["destination"]?.intValue
            else { throw NotBuilt("moveaxis of several axes") }
            return try moveAxis(x, from: source, to: destination)
        case "flip": return try flip(x, axes: axes ?? Array(x.shape.indices))
        case "slice":
            return try slice(
                x, starts: try keywords.member("start").integers ?? [],
                limits: try keywords.member("limit").integers ?? [], strides: keywords["strides"]?.integers)
        case "sort": return try sort(x, axis: axis ?? -1)
        case "argsort": return try argsort(x, axis: axis ?? -1)
        case "one_hot":
            try only("num_classes")
            return try oneHot(x, count: try keywords.member("num_classes").intValue ?? 0)
        default: return nil
        }
    }

    private func joined(_ x: [Tensor]) throws -> Tensor? {
        switch (name, x.count) {
        case ("concatenate", _): return try concatenate(x, axis: axis ?? 0)
        case ("stack", _): return try stack(x, axis: axis ?? 0)
        case ("where", 3): return try select(x[0], x[1], x[2])
        case ("clip", 3): return try clip(x[0], x[1], x[2])
        case ("take", 2):
            try only("axis")
            if let axis { return try take(x[0], x[1], axis: axis) }
            return try take(reshape(x[0], [x[0].shape.elementCount]), x[1])
        case ("take_along_axis", 2): return try takeAlongAxis(x[0], x[1], axis: axis ?? -1)
        default: return nil
        }
    }
}
