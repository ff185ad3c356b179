// An array in a state dict: a tensor, or an array of complex numbers, which the engine does not compute with.
import TensorEngine

/// A dense row-major array with its NumPy type name.
public enum StateArray: Sendable {
    case tensor(Tensor)
    /// Elements that are read when they are asked for.
    case file(FileArray)
    /// Complex numbers as they lie in memory: real, imaginary, little-endian.
    case complex(ComplexPrecision, shape: Shape, bytes: [UInt8])

    /// NumPy's two complex types.
    public enum ComplexPrecision: String, Sendable, Hashable {
        case complex64, complex128

        var byteWidth: Int { self == .complex64 ? 8 : 16 }
    }

    /// The array of this NumPy type, from its elements' bytes.
    ///
    /// - Throws: `SerializationError` (unsupported) for a type name that is none of these; (malformed) when the number of
    ///   bytes is not the shape's; (limit) for shapes that no tensor can have.
    public init(dtypeName: String, shape: Shape, bytes: UnsafeRawBufferPointer) throws {
        let precision = ComplexPrecision(rawValue: dtypeName)
        let dtype = DType(name: dtypeName)
        guard let byteWidth = precision?.byteWidth ?? dtype?.byteWidth else {
            let known = DType.allCases.map(\.description) + ["complex64", "complex128"]
            throw SerializationError(
                .unsupported, "StateArray", expected: "one of \(known.joined(separator: ", "))",
                got: "element type '\(dtypeName.prefix(64))'")
        }
        let (expected, overflow) = shape.elementCount.multipliedReportingOverflow(by: byteWidth)
        guard !overflow, expected == bytes.count, shape.dimensions.allSatisfy({ $0 >= 0 }) else {
            throw SerializationError(
                .malformed, "StateArray", expected: "the bytes of \(dtypeName) \(shape)",
                got: "\(bytes.count) bytes")
        }
        if let precision {
            self = .complex(precision, shape: shape, bytes: Array(bytes))
            return
        }
        do {
            // A byte of a bool that is neither 0 nor 1 must not get into kernels that count on those two.
            self =
                dtype == .bool
                ? .tensor(try Tensor(bytes.map { $0 != 0 }, shape: shape))
                : .tensor(try Tensor(bytes: bytes, type: TensorType(dtype ?? .float32, shape)))
        } catch let error as TensorError {
            // Such as the shape of an empty array with dimensions beyond what the engine counts.
            throw SerializationError(.limit, "StateArray", expected: error.expected, got: error.got)
        }
    }

    public var shape: Shape {
        switch self {
        case .tensor(let tensor): tensor.shape
        case .file(let array): array.shape
        case .complex(_, let shape, _): shape
        }
    }

    /// NumPy's name of the element type.
    public var dtypeName: String {
        switch self {
        case .tensor(let tensor): tensor.dtype.description
        case .file(let array): array.dtype.description
        case .complex(let precision, _, _): precision.rawValue
        }
    }

    var elementByteWidth: Int {
        switch self {
        case .tensor(let tensor): tensor.dtype.byteWidth
        case .file(let array): array.dtype.byteWidth
        case .complex(let precision, _, _): precision.byteWidth
        }
    }

    public var byteCount: Int {
        switch self {
        case .tensor(let tensor): tensor.type.byteCount
        case .file(let array): array.byteCount
        case .complex(_, _, let bytes): bytes.count
        }
    }

    /// Calls `body` with the elements' bytes. Throws for a traced tensor.
    public func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result {
        switch self {
        case .tensor(let tensor): try tensor.withUnsafeBytes(body)
        case .file(let array): try array.tensor().withUnsafeBytes(body)
        case .complex(_, _, let bytes): try bytes.withUnsafeBytes(body)
        }
    }
}
