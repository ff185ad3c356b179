// The sizes of a tensor's dimensions.

/// The sizes of a tensor's dimensions, outermost first; `[]` is a scalar.
public struct Shape: Sendable, Hashable {
    public var dimensions: [Int]

    public init(_ dimensions: some Sequence<Int>) {
        self.dimensions = Array(dimensions)
    }

    /// The number of dimensions.
    public var rank: Int { dimensions.count }

    /// The product of the dimensions; `Int.max` where that overflows, which every allocation refuses.
    public var elementCount: Int {
        var product = 1
        var overflowed = false
        for dimension in dimensions {
            if dimension == 0 { return 0 }
            let (next, overflow) = product.multipliedReportingOverflow(by: dimension)
            overflowed = overflowed || overflow
            product = next
        }
        return overflowed ? Int.max : product
    }

    /// Strides of the dense row-major layout, in elements.
    public var denseStrides: [Int] {
        var strides = [Int](repeating: 1, count: rank)
        var running = 1
        for axis in stride(from: rank - 1, through: 0, by: -1) {
            strides[axis] = running
            running = running.multipliedReportingOverflow(by: Swift.max(dimensions[axis], 1)).partialValue
        }
        return strides
    }

    /// The axis that `axis` means: negative ones count from the end. Throws when it is out of range.
    func normalized(axis: Int, for operation: String) throws -> Int {
        let resolved = axis < 0 ? axis + rank : axis
        guard (0..<rank).contains(resolved) else {
            throw TensorError(
                .argument, operation, expected: "an axis in -\(rank)..<\(rank) for shape \(self)",
                got: "\(axis)")
        }
        return resolved
    }

    /// Axes normalised, without repetition, in ascending order.
    func normalized(axes: [Int], for operation: String) throws -> [Int] {
        let resolved = try axes.map { try normalized(axis: $0, for: operation) }
        guard Set(resolved).count == resolved.count else {
            throw TensorError(.argument, operation, expected: "each axis once", got: "\(axes)")
        }
        return resolved.sorted()
    }

    /// This shape without the given (normalised) axes.
    public func removing(axes: [Int]) -> Shape {
        Shape(dimensions.enumerated().filter { !axes.contains($0.offset) }.map(\.element))
    }
}

extension Shape: ExpressibleByArrayLiteral {
    public init(arrayLiteral elements: Int...) { dimensions = elements }
}

extension Shape: RandomAccessCollection, MutableCollection {
    public var startIndex: Int { 0 }
    public var endIndex: Int { dimensions.count }
    public subscript(position: Int) -> Int {
        get { dimensions[position] }
        set { dimensions[position] = newValue }
    }
}

extension Shape: CustomStringConvertible {
    public var description: String { "[" + dimensions.map(String.init).joined(separator: ", ") + "]" }
}

/// What is known of a tensor before it has values: its element type and shape.
public struct TensorType: Sendable, Hashable, CustomStringConvertible {
    public var dtype: DType
    public var shape: Shape

    public init(_ dtype: DType, _ shape: Shape) {
        self.dtype = dtype
        self.shape = shape
    }

    /// Bytes of the dense array; saturates at `Int.max`.
    public var byteCount: Int {
        let (bytes, overflow) = shape.elementCount.multipliedReportingOverflow(by: dtype.byteWidth)
        return overflow ? Int.max : bytes
    }

    public var description: String {
        "\(dtype)[\(shape.dimensions.map(String.init).joined(separator: ","))]"
    }
}
