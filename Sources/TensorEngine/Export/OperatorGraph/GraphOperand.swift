// A value while a program becomes an operator graph: what it is made of, before it is known who needs it in full.

/// A tensor that may still have to be repeated along some dimensions, and may be a constant that no node has computed.
struct GraphOperand: Sendable {
    enum Source: Sendable {
        case constant(Tensor)
        case value(OperatorGraph.Value)
    }

    let source: Source
    let dtype: DType
    /// The sizes of the source. Aligned at the last dimension, each is 1 or that of `dimensions`.
    let sourceDimensions: [SymbolicDimension]
    /// The sizes that the program sees.
    let dimensions: [SymbolicDimension]

    var rank: Int { dimensions.count }
    var isWhole: Bool { sourceDimensions == dimensions }
    var type: OperatorGraph.ValueType { .init(dtype: dtype, dimensions: dimensions) }

    /// The sizes of the source with ones in front, as many as the program sees.
    var alignedSourceDimensions: [SymbolicDimension] {
        Array(repeating: .one, count: rank - sourceDimensions.count) + sourceDimensions
    }

    init(_ tensor: Tensor) {
        source = .constant(tensor)
        dtype = tensor.dtype
        sourceDimensions = tensor.shape.map { SymbolicDimension(fixed: $0) }
        dimensions = sourceDimensions
    }

    init(
        _ source: Source, _ dtype: DType, sourceDimensions: [SymbolicDimension],
        dimensions: [SymbolicDimension]
    ) {
        self.source = source
        self.dtype = dtype
        self.sourceDimensions = sourceDimensions
        self.dimensions = dimensions
    }

    /// The same source, seen as repeated to other sizes.
    func broadcast(to dimensions: [SymbolicDimension]) -> GraphOperand {
        GraphOperand(source, dtype, sourceDimensions: sourceDimensions, dimensions: dimensions)
    }

    /// The whole tensor where it is a constant of not too many elements.
    func constantTensor(largest elementCount: Int) throws -> Tensor? {
        guard case .constant(let tensor) = source, let shape = dimensions.staticShape,
            shape.elementCount <= elementCount
        else { return nil }
        return try broadcastTo(tensor, shape)
    }
}

extension SymbolicDimension {
    static let one = SymbolicDimension(fixed: 1)
}

extension [SymbolicDimension] {
    /// The shape, where no size depends on the batch.
    var staticShape: Shape? {
        let sizes = compactMap(\.staticSize)
        return sizes.count == count ? Shape(sizes) : nil
    }
}
