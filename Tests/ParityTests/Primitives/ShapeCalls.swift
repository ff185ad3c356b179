// Golden cases: reshaping, joining, padding.
import JobSpec
import TensorEngine

extension PrimitiveCall {
    func shaped() throws -> [Tensor]? {
        if tensors.count == 1, let result = try rearranged(tensors[0]) { return [result] }
        if tensors.count == 1, let result = try padded(tensors[0]) ?? diagonals(tensors[0]) {
            return [result]
        }
        return try parts() ?? joined(tensors).map { [$0] }
    }

    private func rearranged(_ x: Tensor) throws -> Tensor? {
        switch name {
        case "astype": return try x.astype(try keywords.member("dtype").dtype())
        case "bitcast": return try bitcast(x, to: try keywords.member("dtype").dtype())
        case "reshape": return try reshape(x, Shape(try keywords.member("shape").integers ?? []))
        case "ravel": return try ravel(x)
        case "transpose": return try transpose(x, axes: keywords["axes"]?.integers)
        case "swapaxes":
            return try swapAxes(
                x, try keywords.member("axis1").intValue ?? 0, try keywords.member("axis2").intValue ?? 0)
        case "expand_dims": return try expandDims(x, axes: axes ?? [])
        case "squeeze": return try squeeze(x, axes: axes ?? x.shape.indices.filter { x.shape[$0] == 1 })
        case "broadcast_to": return try broadcastTo(x, Shape(try keywords.member("shape").integers ?? []))
        case "moveaxis":
            let (source, destination) = (try keywords.member("source"), try keywords.member("destination"))
            return try moveAxis(
                x, from: source.integers ?? [source.intValue ?? 0],
                to: destination.integers ?? [destination.intValue ?? 0])
        case "slice":
            return try slice(
                x, starts: try keywords.member("start").integers ?? [],
                limits: try keywords.member("limit").integers ?? [], strides: keywords["strides"]?.integers)
        case "flip": return try flip(x, axes: axes ?? Array(x.shape.indices))
        case "flipud": return try flip(x, axes: [0])
        case "fliplr": return try flip(x, axes: [1])
        case "atleast_2d": return try atLeast(x, rank: 2)
        case "tile": return try tile(x, keywords["reps"]?.integers ?? [keywords["reps"]?.intValue ?? 1])
        case "repeat":
            if let counts = keywords["repeats"]?.integers { return try repeated(x, counts, axis: axis ?? 0) }
            return try repeated(x, try keywords.member("repeats").intValue ?? 1, axis: axis)
        case "roll":
            let shift = try keywords.member("shift")
            if let shifts = shift.integers { return try roll(x, shifts: shifts, axes: axes ?? []) }
            return try roll(x, shift: shift.intValue ?? 0, axis: axis)
        case "rot90":
            let plane = keywords["axes"]?.integers ?? [0, 1]
            return try rot90(x, k: keywords["k"]?.intValue ?? 1, axes: (plane[0], plane[1]))
        case "diff": return try diff(x, order: keywords["n"]?.intValue ?? 1, axis: axis ?? -1)
        default: return nil
        }
    }

    private func padded(_ x: Tensor) throws -> Tensor? {
        switch name {
        case "lax_pad":
            let amounts = try keywords.member("config").arrayValue?.compactMap(\.integers) ?? []
            return try pad(
                x, value: try keywords.member("value").doubleValue ?? 0,
                amounts.map { PaddingDimension(low: $0[0], high: $0[1], interior: $0[2]) })
        case "pad":
            let widths = try keywords.member("width").arrayValue?.compactMap(\.integers) ?? []
            let modeName = keywords["mode"]?.stringValue ?? "constant"
            guard let mode = PadMode(name: modeName, value: keywords["value"]?.doubleValue ?? 0) else {
                throw NotBuilt("pad mode \(modeName)")
            }
            return try pad(x, widths.map { ($0[0], $0[1]) }, mode: mode)
        default: return nil
        }
    }

    private func diagonals(_ x: Tensor) throws -> Tensor? {
        let k = keywords["k"]?.intValue ?? 0
        let offset = keywords["offset"]?.intValue ?? 0
        let plane = (keywords["axis1"]?.intValue ?? 0, keywords["axis2"]?.intValue ?? 1)
        switch name {
        case "tril": return try tril(x, k: k)
        case "triu": return try triu(x, k: k)
        case "diag": return try diag(x, k: k)
        case "diagonal": return try diagonal(x, offset: offset, axis1: plane.0, axis2: plane.1)
        case "trace": return try trace(x, offset: offset, axis1: plane.0, axis2: plane.1)
        default: return nil
        }
    }

    /// Operations with several results.
    private func parts() throws -> [Tensor]? {
        switch (name, tensors.count) {
        case ("split", 1):
            if let places = keywords["sections"]?.integers {
                return try split(tensors[0], at: places, axis: axis ?? 0)
            }
            return try split(tensors[0], into: keywords["sections"]?.intValue ?? 1, axis: axis ?? 0)
        case ("moments", 1):
            let (mean, variance) = try moments(tensors[0], axes: axes ?? [])
            return [mean, variance]
        default: return nil
        }
    }

    private func joined(_ x: [Tensor]) throws -> Tensor? {
        switch (name, x.count) {
        case ("concatenate", _): return try concatenate(x, axis: axis ?? 0)
        case ("stack", _): return try stack(x, axis: axis ?? 0)
        case ("where", 3): return try select(x[0], x[1], x[2])
        case ("select_n", 2...): return try selectN(x[0], Array(x.dropFirst()))
        case ("clip", 3): return try clip(x[0], x[1], x[2])
        default: return nil
        }
    }
}
