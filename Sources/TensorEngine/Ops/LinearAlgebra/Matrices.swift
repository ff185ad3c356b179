// What the decompositions have in common: checks of matrices, where operands lie, NaN for what has no answer.

/// Checks that the last two dimensions are matrices that LAPACK takes.
func checkMatrices(_ type: TensorType, isSquare: Bool = false, for operation: String) throws {
    let shape = type.shape
    guard type.dtype == .float32 || type.dtype == .float64 else {
        throw TensorError(
            .dtype, operation, expected: "float32 or float64", got: "\(type)",
            fix: "Convert with astype first.")
    }
    guard shape.rank >= 2, !isSquare || shape[shape.rank - 1] == shape[shape.rank - 2] else {
        throw TensorError(
            .shape, operation,
            expected: isSquare ? "square matrices as the last two dimensions" : "rank 2 or more",
            got: "\(type)")
    }
    guard shape.suffix(2).allSatisfy({ $0 < Int(Int32.max) }) else {
        throw TensorError(.resource, operation, expected: "matrices of less than 2³¹ rows", got: "\(type)")
    }
}

/// An operand of linear algebra: integers become float32.
func matrixOperand(_ x: Tensor) throws -> Tensor { try x.astype(x.dtype.floating) }

/// The shape of all dimensions but the last two.
func batchShape(_ shape: Shape) -> [Int] { Array(shape.dropLast(2)) }

/// The last two dimensions exchanged (jnp.matrix_transpose).
public func matrixTranspose(_ x: Tensor) throws -> Tensor {
    guard x.rank >= 2 else {
        throw TensorError(.shape, "matrixTranspose", expected: "rank 2 or more", got: "\(x.type)")
    }
    return try swapAxes(x, -1, -2)
}

extension Batched {
    /// The batch axis in front of each operand of a primitive that takes any number of leading dimensions.
    static func aligned(_ inputs: [Batched], size: Int) throws -> [Tensor] {
        try inputs.map { try $0.materialized(size: size) }
    }
}

/// Where a value lies, for the steps that call LAPACK.
struct Place {
    let slot: Int
    let byteOffset: Int

    init(_ operand: Operand) {
        slot = Int(operand.slot)
        byteOffset = operand.layout.offset * operand.type.dtype.byteWidth
    }

    func address(_ slots: UnsafePointer<UnsafeMutableRawPointer?>) -> UnsafeMutableRawPointer? {
        slots[slot].map { $0 + byteOffset }
    }
}

extension Operand {
    /// The value with its last two dimensions exchanged.
    var matrixTransposed: Operand {
        let rank = type.shape.rank
        return permuted(Array(0..<(rank - 2)) + [rank - 1, rank - 2])
    }
}

extension PlanBuilder {
    /// A copy of matrices in column-major order, as Fortran has them.
    mutating func columnMajor(_ operand: Operand) -> Operand {
        let result = temporary(operand.matrixTransposed.type)
        copy(operand.matrixTransposed, to: result)
        return result
    }
}

/// Fills memory with NaN.
func fillNaN(_ memory: UnsafeMutableRawPointer, count: Int, _ dtype: DType) {
    if dtype == .float64 {
        memory.assumingMemoryBound(to: Double.self).update(repeating: .nan, count: count)
    } else {
        memory.assumingMemoryBound(to: Float.self).update(repeating: .nan, count: count)
    }
}

/// True where no element is infinite or NaN. LAPACK's iterations need not end on others.
func isAllFinite(_ memory: UnsafeMutableRawPointer, count: Int, _ dtype: DType) -> Bool {
    if dtype == .float64 {
        return UnsafeBufferPointer(start: memory.assumingMemoryBound(to: Double.self), count: count)
            .allSatisfy(\.isFinite)
    }
    return UnsafeBufferPointer(start: memory.assumingMemoryBound(to: Float.self), count: count)
        .allSatisfy(\.isFinite)
}

/// Sets the elements right of the diagonal of a dense `rows` × `columns` matrix (left of it with `below`) to zero.
func clearTriangle(
    _ memory: UnsafeMutableRawPointer, rows: Int, columns: Int, below: Bool, _ width: Int
) {
    for row in 0..<rows {
        let (start, end) = below ? (0, min(row, columns)) : (min(row + 1, columns), columns)
        (memory + (row * columns + start) * width).initializeMemory(
            as: UInt8.self, repeating: 0, count: (end - start) * width)
    }
}

/// Writes the identity to a dense square matrix.
func fillIdentity(_ memory: UnsafeMutableRawPointer, size: Int, _ dtype: DType) {
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: size * size * dtype.byteWidth)
    for k in 0..<size {
        if dtype == .float64 {
            memory.assumingMemoryBound(to: Double.self)[k * (size + 1)] = 1
        } else {
            memory.assumingMemoryBound(to: Float.self)[k * (size + 1)] = 1
        }
    }
}
