// The tensor: a dense array, or, inside a transformation, a name for one.

/// An n-dimensional array of numbers; immutable.
///
/// A tensor holds values, or, while a function is being traced by `jit`, `grad`, `vmap` and their kin, stands for a value
/// that is not known yet. Operations are free functions and operators; they throw on shapes and types that do not fit.
public struct Tensor: Sendable {
    enum Storage: Sendable {
        case buffer(Buffer)
        case traced(TracedValue)
    }

    public let type: TensorType
    let storage: Storage

    public var dtype: DType { type.dtype }
    public var shape: Shape { type.shape }
    public var rank: Int { type.shape.rank }

    /// A tensor over memory that already holds the dense row-major elements.
    package init(buffer: Buffer, type: TensorType) {
        self.storage = .buffer(buffer)
        self.type = type
    }

    init(traced: TracedValue, type: TensorType) {
        self.storage = .traced(traced)
        self.type = type
    }

    /// True while the tensor stands for a value inside a transformation.
    public var isTraced: Bool {
        if case .traced = storage { true } else { false }
    }

    /// The values' memory. Throws for a traced tensor, which has none yet.
    package func buffer(for operation: String) throws -> Buffer {
        switch storage {
        case .buffer(let buffer):
            return buffer
        case .traced:
            throw TensorError(
                .tracing, operation, expected: "a tensor with values",
                got: "a traced \(type) inside jit, grad or vmap, whose values are not known while tracing",
                fix:
                    "Keep the computation in tensor operations (select for a choice between values), or ask for the value "
                    + "outside of the transformation.")
        }
    }
}

// MARK: - Making tensors from Swift values

/// A Swift number type that is a tensor element type.
public protocol TensorScalar: Sendable, BitwiseCopyable {
    static var dtype: DType { get }
}

extension Float: TensorScalar { public static var dtype: DType { .float32 } }
extension Double: TensorScalar { public static var dtype: DType { .float64 } }
extension Int8: TensorScalar { public static var dtype: DType { .int8 } }
extension Int16: TensorScalar { public static var dtype: DType { .int16 } }
extension Int32: TensorScalar { public static var dtype: DType { .int32 } }
extension Int64: TensorScalar { public static var dtype: DType { .int64 } }
extension UInt8: TensorScalar { public static var dtype: DType { .uint8 } }
extension UInt16: TensorScalar { public static var dtype: DType { .uint16 } }
extension UInt32: TensorScalar { public static var dtype: DType { .uint32 } }
extension UInt64: TensorScalar { public static var dtype: DType { .uint64 } }
extension Bool: TensorScalar { public static var dtype: DType { .bool } }

extension Tensor {
    /// A tensor of the given shape from its elements in row-major order; without a shape, a vector.
    public init<Scalar: TensorScalar>(_ elements: [Scalar], shape: Shape? = nil) throws {
        let type = TensorType(Scalar.dtype, shape ?? [elements.count])
        guard type.shape.elementCount == elements.count else {
            throw TensorError(
                .shape, "Tensor", expected: "\(type.shape.elementCount) elements for shape \(type.shape)",
                got: "\(elements.count)")
        }
        self = try elements.withUnsafeBytes { try Tensor(bytes: $0, type: type) }
    }

    /// A scalar.
    public init<Scalar: TensorScalar>(_ value: Scalar) throws {
        self = try Swift.withUnsafeBytes(of: value) {
            try Tensor(bytes: $0, type: TensorType(Scalar.dtype, []))
        }
    }

    /// A tensor from the bytes of its dense row-major elements, little-endian.
    public init(bytes: UnsafeRawBufferPointer, type: TensorType) throws {
        try TensorLimits.check(type, for: "Tensor")
        guard bytes.count == type.byteCount else {
            throw TensorError(
                .shape, "Tensor", expected: "\(type.byteCount) bytes for \(type)", got: "\(bytes.count)")
        }
        let buffer = try Buffer(byteCount: bytes.count)
        if let source = bytes.baseAddress { buffer.base.copyMemory(from: source, byteCount: bytes.count) }
        self.init(buffer: buffer, type: type)
    }
}

// MARK: - Reading values

extension Tensor {
    /// Calls `body` with the dense row-major bytes. Throws for a traced tensor.
    public func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result {
        let buffer = try buffer(for: "withUnsafeBytes")
        return try withExtendedLifetime(buffer) {
            try body(UnsafeRawBufferPointer(start: buffer.base, count: type.byteCount))
        }
    }

    /// The elements in row-major order; `Scalar` must be the tensor's own type.
    public func elements<Scalar: TensorScalar>(as _: Scalar.Type = Scalar.self) throws -> [Scalar] {
        guard Scalar.dtype == dtype else {
            throw TensorError(
                .dtype, "elements", expected: "\(dtype), the tensor's own type", got: "\(Scalar.dtype)",
                fix: "Convert first: tensor.astype(.\(Scalar.dtype)).")
        }
        return try withUnsafeBytes { Array($0.bindMemory(to: Scalar.self)) }
    }

    /// The elements in row-major order as Doubles, whatever the type (64-bit integers are rounded).
    public func doubles() throws -> [Double] {
        try withUnsafeBytes { bytes in
            func load<S: TensorScalar>(_: S.Type, _ convert: (S) -> Double) -> [Double] {
                bytes.bindMemory(to: S.self).map(convert)
            }
            return switch dtype {
            case .bool: load(UInt8.self) { $0 == 0 ? 0 : 1 }
            case .int8: load(Int8.self) { Double($0) }
            case .int16: load(Int16.self) { Double($0) }
            case .int32: load(Int32.self) { Double($0) }
            case .int64: load(Int64.self) { Double($0) }
            case .uint8: load(UInt8.self) { Double($0) }
            case .uint16: load(UInt16.self) { Double($0) }
            case .uint32: load(UInt32.self) { Double($0) }
            case .uint64: load(UInt64.self) { Double($0) }
            case .float16: load(UInt16.self) { HalfPrecision.float(fromFloat16: $0) }
            case .bfloat16: load(UInt16.self) { Double(Float(bitPattern: UInt32($0) << 16)) }
            case .float32: load(Float.self) { Double($0) }
            case .float64: load(Double.self) { $0 }
            }
        }
    }

    /// The value of a tensor with one element.
    public func item() throws -> Double {
        guard shape.elementCount == 1 else {
            throw TensorError(.shape, "item", expected: "one element", got: "shape \(shape)")
        }
        return try doubles()[0]
    }
}

/// Conversions of the 16-bit float formats, bit by bit.
enum HalfPrecision {
    /// IEEE 754 binary16 to Double, exact.
    static func float(fromFloat16 bits: UInt16) -> Double {
        let sign = bits & 0x8000 == 0 ? 1.0 : -1.0
        let exponent = Int(bits >> 10) & 0x1F
        let fraction = Double(bits & 0x3FF)
        switch exponent {
        case 0: return sign * fraction * 0x1p-24
        case 31: return fraction == 0 ? sign * .infinity : .nan
        default: return sign * Double(sign: .plus, exponent: exponent - 15, significand: 1 + fraction / 1024)
        }
    }

    /// Float to binary16, to nearest even.
    static func float16(from value: Float) -> UInt16 {
        let bits = value.bitPattern
        let sign = UInt16((bits >> 16) & 0x8000)
        let magnitude = bits & 0x7FFF_FFFF
        if magnitude > 0x7F80_0000 { return sign | 0x7E00 }
        if magnitude >= 0x4780_0000 { return sign | 0x7C00 }
        if magnitude < 0x3880_0000 {
            // Subnormal: let float addition do the rounding at the right place.
            let shifted = Float(bitPattern: magnitude) + Float(bitPattern: 0x3F00_0000)
            return sign | UInt16(truncatingIfNeeded: shifted.bitPattern &- 0x3F00_0000)
        }
        let rounded = magnitude &+ 0xFFF &+ ((magnitude >> 13) & 1) &- 0x3800_0000
        return sign | UInt16(truncatingIfNeeded: rounded >> 13)
    }

    /// Float to bfloat16, to nearest even.
    static func bfloat16(from value: Float) -> UInt16 {
        let bits = value.bitPattern
        if bits & 0x7FFF_FFFF > 0x7F80_0000 { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
        return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ ((bits >> 16) & 1)) >> 16)
    }
}

extension Tensor: CustomStringConvertible {
    /// The type, and the values if there are few of them.
    public var description: String {
        guard !isTraced, shape.elementCount <= 16, let values = try? doubles() else { return "\(type)" }
        return "\(type) " + (rank == 0 ? "\(values[0])" : "\(values)")
    }
}
