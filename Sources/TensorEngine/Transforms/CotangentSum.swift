// A cotangent while it is being added up from those of the value's uses.

/// The sum of the cotangents that come from the uses of one value, of which some are parts of it.
///
/// The cotangents of slices (the gates of a recurrent cell) are kept as they are until the sum is asked for: disjoint ones
/// along one dimension are put side by side, which is the sum of the padded ones without adding zeros.
struct CotangentSum {
    private var total: Tensor?
    private var parts: [(slice: Slice, cotangent: Tensor)] = []

    mutating func add(_ cotangent: Tensor?) throws { total = try sum(total, cotangent) }

    /// Adds the cotangent of a slice of the value.
    mutating func add(_ cotangent: Tensor, of slice: Slice) { parts.append((slice, cotangent)) }

    /// The sum, for a value of this type; nil is zeros.
    func value(_ type: TensorType) throws -> Tensor? {
        if let sideBySide = try sideBySide(type) { return try sum(total, sideBySide) }
        return try parts.reduce(total) { total, part in
            try sum(total, try part.slice.transpose([part.cotangent], [.linear(type)])[0])
        }
    }

    /// The parts as one tensor with zeros between them; nil where there are fewer than two, or they are not disjoint runs along
    /// one dimension.
    private func sideBySide(_ type: TensorType) throws -> Tensor? {
        guard parts.count > 1, let axis = parts[0].slice.axis(in: type.shape),
            parts.allSatisfy({ $0.slice.axis(in: type.shape) == axis })
        else { return nil }
        let ordered = parts.sorted { $0.slice.starts[axis] < $1.slice.starts[axis] }
        for (part, next) in zip(ordered, ordered.dropFirst())
        where part.slice.limits[axis] > next.slice.starts[axis] { return nil }
        var pieces: [Tensor] = []
        var end = 0
        func appendZeros(upTo start: Int) throws {
            guard start > end else { return }
            var shape = type.shape
            shape[axis] = start - end
            pieces.append(try zeros(shape, dtype: type.dtype))
        }
        for part in ordered {
            try appendZeros(upTo: part.slice.starts[axis])
            pieces.append(part.cotangent)
            end = part.slice.limits[axis]
        }
        try appendZeros(upTo: type.shape[axis])
        return try apply(Concatenate(axis: axis), pieces)[0]
    }
}

extension Slice {
    /// The one dimension of which this takes a run, and all of the others; nil for other slices.
    fileprivate func axis(in shape: Shape) -> Int? {
        let cut = shape.indices.filter { starts[$0] != 0 || limits[$0] != shape[$0] }
        guard cut.count == 1, strides.allSatisfy({ $0 == 1 }), starts[cut[0]] < limits[cut[0]] else {
            return nil
        }
        return cut[0]
    }
}
