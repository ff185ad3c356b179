// NumPy's indexing: numbers, ranges, new axes and index tensors in one bracket; and x.at(…) for updated copies.

/// One item between the brackets of `x[…]`.
public enum TensorIndex: Sendable, ExpressibleByIntegerLiteral {
    /// The element at a position, which removes the dimension. Negative positions count from the end.
    case at(Int)
    /// Python's start:stop:step; nil is the end in that direction, and negative bounds count from the end.
    case range(Int?, Int?, step: Int = 1)
    /// The whole dimension.
    case all
    /// As many whole dimensions as it takes.
    case ellipsis
    /// A new dimension of size 1.
    case newAxis
    /// The elements at int32 positions (NumPy's advanced indexing); several of them are broadcast together.
    case tensor(Tensor)

    public init(integerLiteral value: Int) { self = .at(value) }

    fileprivate var isNewAxis: Bool { if case .newAxis = self { true } else { false } }
    fileprivate var isEllipsis: Bool { if case .ellipsis = self { true } else { false } }
    fileprivate var tensor: Tensor? { if case .tensor(let tensor) = self { tensor } else { nil } }
    fileprivate var position: Int? { if case .at(let position) = self { position } else { nil } }
    fileprivate var isWhole: Bool { if case .all = self { true } else { false } }
}

/// start:stop:step resolved for a dimension of `size`, as Python's slice.indices does: the first element and how many.
private func resolved(_ start: Int?, _ stop: Int?, _ step: Int, size: Int) throws -> (first: Int, count: Int)
{
    guard step != 0, step.magnitude <= UInt(Int32.max), size <= Int(Int32.max) else {
        throw TensorError(.index, "index", expected: "a step other than 0, below 2³¹", got: "\(step)")
    }
    let (low, high) = step > 0 ? (0, size) : (-1, size - 1)
    func bound(_ value: Int) -> Int {
        let wrapped = value < 0 ? value.addingReportingOverflow(size).partialValue : value
        return min(max(wrapped, low), high)
    }
    let first = start.map(bound) ?? (step > 0 ? low : high)
    let end = stop.map(bound) ?? (step > 0 ? high : low)
    let distance = step > 0 ? end - first : first - end
    let stride = Int(step.magnitude)
    return (first, distance <= 0 ? 0 : (distance + stride - 1) / stride)
}

/// The items of an index, applied to an array: what is left for index tensors once ranges and new axes are dealt with.
private struct ResolvedIndex {
    /// One item for each dimension of the array or new axis, without ellipsis.
    let items: [TensorIndex]
    let hasTensors: Bool

    init(_ items: [TensorIndex], rank: Int) throws {
        let used = items.count { !$0.isNewAxis && !$0.isEllipsis }
        guard used <= rank, items.count(where: \.isEllipsis) <= 1 else {
            throw TensorError(
                .index, "index", expected: "at most \(rank) items and one ellipsis",
                got: "\(items.count) items")
        }
        let rest = [TensorIndex](repeating: .all, count: rank - used)
        if let position = items.firstIndex(where: \.isEllipsis) {
            self.items = Array(items[..<position]) + rest + items[(position + 1)...]
        } else {
            self.items = items + rest
        }
        hasTensors = items.contains { $0.tensor != nil }
        for case .tensor(let tensor) in items where !tensor.dtype.isInteger {
            throw TensorError(
                .dtype, "index", expected: "integer index tensors", got: "\(tensor.type)",
                fix: tensor.dtype == .bool
                    ? "A mask has no static size: use select instead." : "Use astype(.int32).")
        }
    }

    /// `x` with ranges cut and new axes inserted; positions are applied too where no tensor is an index.
    func basic(_ x: Tensor) throws -> Tensor {
        var (starts, limits, strides) = ([Int](), [Int](), [Int]())
        var reversed: [Int] = []
        var shape: [Int] = []
        for item in items where !item.isNewAxis {
            let axis = starts.count
            let size = x.shape[axis]
            switch item {
            case .range(let start, let stop, let step):
                let (first, count) = try resolved(start, stop, step, size: size)
                let last = first + (count - 1) * step
                let low = count == 0 ? 0 : min(first, last)
                starts.append(low)
                limits.append(count == 0 ? 0 : max(first, last) + 1)
                strides.append(Int(step.magnitude))
                if step < 0 { reversed.append(axis) }
            case .at(let position) where !hasTensors:
                guard size > 0 else {
                    throw TensorError(
                        .index, "index", expected: "a dimension with elements",
                        got: "position \(position) of \(x.type)")
                }
                // Positions outside give the nearest element, as in JAX.
                let wrapped = position < 0 ? position.addingReportingOverflow(size).partialValue : position
                let inside = min(max(wrapped, 0), size - 1)
                starts.append(inside)
                limits.append(inside + 1)
                strides.append(1)
            default:
                starts.append(0)
                limits.append(size)
                strides.append(1)
            }
        }
        let isWhole =
            strides.allSatisfy { $0 == 1 } && limits == x.shape.dimensions && starts.allSatisfy { $0 == 0 }
        var result = isWhole ? x : try slice(x, starts: starts, limits: limits, strides: strides)
        if !reversed.isEmpty { result = try flip(result, axes: reversed) }
        var axis = 0
        for item in items {
            if item.isNewAxis {
                shape.append(1)
            } else {
                if item.position == nil || hasTensors { shape.append(result.shape[axis]) }
                axis += 1
            }
        }
        return try reshape(result, Shape(shape))
    }

    /// The axes of `basic(x)` that tensors and, beside them, positions index.
    var advancedAxes: [Int] {
        hasTensors ? items.indices.filter { items[$0].tensor != nil || items[$0].position != nil } : []
    }

    /// The indices of the advanced axes as one index into these axes flattened, for an array whose sizes there are `sizes`.
    /// An index outside is the nearest one, or makes the whole -1.
    ///
    /// - Returns: the index, and with `.promiseInBounds` and several axes also where one was outside.
    func flatIndices(_ sizes: [Int], mode: IndexMode) throws -> (flat: Tensor, outside: Tensor?) {
        guard Shape(sizes).elementCount <= Int(Int32.max) else {
            throw TensorError(
                .resource, "index", expected: "less than 2³¹ elements in the indexed dimensions",
                got: "\(sizes)")
        }
        var flat: Tensor?
        var outside: Tensor?
        let indexed = items.filter { $0.tensor != nil || $0.position != nil }
        for (item, size) in zip(indexed, sizes) {
            let raw = try item.tensor ?? Tensor(Int32(clamping: item.position ?? 0))
            let index = try mode == .wrap ? wrappedAround(raw, count: size) : wrappedIndices(raw, count: size)
            // The gather itself deals with a single index that is outside.
            if sizes.count == 1 {
                return (mode == .clamp ? try clip(index, 0, max(size - 1, 0)) : index, nil)
            }
            let inside = try clip(index, 0, max(size - 1, 0))
            if mode == .fill || mode == .promiseInBounds {
                let isOutside = try notEqual(index, inside)
                outside = try outside.map { try or($0, isOutside) } ?? isOutside
            }
            flat = try flat.map { try $0 * size + inside } ?? inside
        }
        guard let flat else { throw TensorError(.index, "index", expected: "an index tensor", got: "none") }
        if mode == .fill, let outside { return (try select(outside, -1, flat), nil) }
        return (flat, outside)
    }

    /// Where the index tensors' dimensions go among the others: in place of the axes if these are neighbours, else in front.
    func placement(_ axes: [Int]) -> Int {
        let first = axes.first ?? 0
        return axes == Array(first..<(first + axes.count)) ? first : 0
    }
}

/// `x[items…]`, by NumPy's rules: dimensions of index tensors take the place of the indexed ones if these are neighbours, and
/// go in front otherwise. Indices outside give the nearest element, without a gradient, as in JAX (`mode: .fill` gives NaN).
public func index(_ x: Tensor, _ items: [TensorIndex], mode: IndexMode = .promiseInBounds) throws -> Tensor {
    let resolved = try ResolvedIndex(items, rank: x.rank)
    let basic = try resolved.basic(x)
    guard resolved.hasTensors else { return basic }
    let axes = resolved.advancedAxes
    let others = basic.shape.indices.filter { !axes.contains($0) }
    let (flat, outside) = try resolved.flatIndices(axes.map { basic.shape[$0] }, mode: mode)
    let front = try transpose(basic, axes: axes + others)
    let count = axes.reduce(1) { $0 * basic.shape[$1] }
    let merged = try reshape(front, Shape([count] + others.map { basic.shape[$0] }))
    var taken = try Take(axis: 0, mode: mode == .wrap ? .clamp : mode)(merged, flat)
    if let outside {
        let mask = try broadcastInDim(outside, shape: taken.shape, dimensions: Array(0..<flat.rank))
        taken = try select(mask, stopGradient(taken), taken)
    }
    let position = resolved.placement(axes)
    let indexAxes = Array(0..<flat.rank)
    let otherAxes = Array(flat.rank..<taken.rank)
    return try transpose(taken, axes: otherAxes[..<position] + indexAxes + otherAxes[position...])
}

extension Tensor {
    /// `x[items…]` by NumPy's rules, as `index`: `try x[0, .all, .range(nil, nil, step: -1), .tensor(i)]`.
    public subscript(_ items: TensorIndex...) -> Tensor {
        get throws { try index(self, items) }
    }

    /// The elements at an index, to be updated in a copy: `try x.at(0, .tensor(i)).add(y)`.
    ///
    /// - Parameter mode: what becomes of updates outside; by default they are dropped, `.clamp` moves them to the nearest element.
    public func at(_ items: TensorIndex..., mode: IndexMode = .fill) -> IndexedTensor {
        IndexedTensor(tensor: self, items: items, mode: mode)
    }
}

/// A tensor and an index, for updated copies (JAX's `x.at[…]`). Values broadcast to the shape of `x[…]`.
public struct IndexedTensor: Sendable {
    let tensor: Tensor
    let items: [TensorIndex]
    let mode: IndexMode

    /// The elements; NaN for those outside unless the mode is another.
    public func get() throws -> Tensor { try index(tensor, items, mode: mode) }
    /// The copy with the values put in. Where indices repeat, the last one stays.
    public func set(_ values: some TensorConvertible) throws -> Tensor { try updated(.set, values) }
    /// The copy with the values added, once for each time that an index occurs.
    public func add(_ values: some TensorConvertible) throws -> Tensor { try updated(.add, values) }
    public func subtract(_ values: some TensorConvertible) throws -> Tensor {
        try updated(.add, -converted(values))
    }
    public func multiply(_ values: some TensorConvertible) throws -> Tensor { try updated(.multiply, values) }
    public func divide(_ values: some TensorConvertible) throws -> Tensor {
        try tensor / IndexedTensor(tensor: onesLike(tensor), items: items, mode: mode).multiply(values)
    }
    public func power(_ values: some TensorConvertible) throws -> Tensor {
        try pow(tensor, IndexedTensor(tensor: onesLike(tensor), items: items, mode: mode).multiply(values))
    }
    /// The copy with the smaller of element and value.
    public func min(_ values: some TensorConvertible) throws -> Tensor { try updated(.min, values) }
    /// The copy with the larger of element and value.
    public func max(_ values: some TensorConvertible) throws -> Tensor { try updated(.max, values) }

    /// Values in the tensor's type, whatever theirs.
    private func converted(_ values: some TensorConvertible) throws -> Tensor {
        try values.tensor(beside: tensor.dtype).astype(tensor.dtype)
    }

    private func updated(_ update: ScatterUpdate, _ values: some TensorConvertible) throws -> Tensor {
        let values = try converted(values)
        let resolved = try ResolvedIndex(items, rank: tensor.rank)
        if !resolved.hasTensors, let result = try window(resolved, update, values) { return result }
        if let result = try leading(resolved, update, values) { return result }
        // Any other mixture: the place of each element, indexed in the same way.
        let count = tensor.shape.elementCount
        guard count <= Int(Int32.max) else {
            throw TensorError(.resource, "at", expected: "less than 2³¹ elements", got: "\(tensor.type)")
        }
        let places = try index(
            reshape(iota(.int32, shape: [count]), tensor.shape), items,
            mode: mode == .promiseInBounds ? .fill : mode)
        // Outside, the fill value is the lowest integer, which no place is.
        let flat = try reshape(places, [places.shape.elementCount])
        let flatValues = try reshape(broadcastTo(values, places.shape), flat.shape)
        let result = try Scatter(update: update, axis: 0)(reshape(tensor, [count]), flat, flatValues)
        return try reshape(result, tensor.shape)
    }

    /// Whole dimensions but for index tensors in front: slices are updated whole.
    private func leading(_ resolved: ResolvedIndex, _ update: ScatterUpdate, _ values: Tensor) throws
        -> Tensor?
    {
        let count = resolved.items.prefix { $0.tensor != nil }.count
        guard count > 0, resolved.items.dropFirst(count).allSatisfy(\.isWhole) else { return nil }
        let rest = tensor.shape.dropFirst(count)
        let indices = try resolved.flatIndices(
            Array(tensor.shape.prefix(count)), mode: mode == .promiseInBounds ? .fill : mode
        ).flat
        let merged = try reshape(tensor, Shape([tensor.shape.prefix(count).reduce(1, *)] + rest))
        let updates = try broadcastTo(values, Shape(indices.shape.dimensions + rest))
        return try reshape(Scatter(update: update, axis: 0)(merged, indices, updates), tensor.shape)
    }

    /// Positions and ranges of step 1: a window at a fixed place. Nil where the index is something else.
    private func window(_ resolved: ResolvedIndex, _ update: ScatterUpdate, _ values: Tensor) throws
        -> Tensor?
    {
        var (starts, sizes) = ([Int](), [Int]())
        for item in resolved.items where !item.isNewAxis {
            let size = tensor.shape[starts.count]
            switch item {
            case .range(let start, let stop, step: 1):
                let (first, count) = try TensorEngine.resolved(start, stop, 1, size: size)
                starts.append(first)
                sizes.append(count)
            case .at(let position):
                let wrapped = position < 0 ? position.addingReportingOverflow(size).partialValue : position
                guard (0..<size).contains(wrapped) else { return mode == .fill ? tensor : nil }
                starts.append(wrapped)
                sizes.append(1)
            case .all:
                starts.append(0)
                sizes.append(size)
            default: return nil
            }
        }
        let old = try index(tensor, items)
        let new = try broadcastTo(values, old.shape)
        let combined =
            switch update {
            case .set: new
            case .add: try old + new
            case .multiply: try old * new
            case .min: try minimum(old, new)
            case .max: try maximum(old, new)
            }
        return try dynamicUpdateSlice(
            tensor, reshape(combined, Shape(sizes)),
            starts: try starts.map { try Tensor(Int32(truncatingIfNeeded: $0)) })
    }
}
