// Element types, and JAX's rules for which type two of them promote to.

/// The type of a tensor's elements. Names (`description`) and meaning are NumPy's.
///
/// float16 and bfloat16 are storage types: arithmetic on them computes in float32 and rounds each result.
public enum DType: UInt8, Sendable, Hashable, CaseIterable {
    // The order is spk_dtype's in CKernels.h.
    case bool, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float16, bfloat16, float32, float64

    /// Bytes of one element in memory.
    public var byteWidth: Int {
        switch self {
        case .bool, .int8, .uint8: 1
        case .int16, .uint16, .float16, .bfloat16: 2
        case .int32, .uint32, .float32: 4
        case .int64, .uint64, .float64: 8
        }
    }

    public var isFloating: Bool { rawValue >= DType.float16.rawValue }
    public var isSignedInteger: Bool { (DType.int8.rawValue...DType.int64.rawValue).contains(rawValue) }
    public var isUnsignedInteger: Bool { (DType.uint8.rawValue...DType.uint64.rawValue).contains(rawValue) }
    public var isInteger: Bool { isSignedInteger || isUnsignedInteger }

    /// True for the types that are computed in float32 and rounded after each operation.
    public var isHalfPrecision: Bool { self == .float16 || self == .bfloat16 }

    /// The type with this NumPy name, such as `"float32"`.
    public init?(name: String) {
        guard let match = DType.allCases.first(where: { $0.description == name }) else { return nil }
        self = match
    }

    /// The type that an operation on floats gives for this input: itself if floating, otherwise float32
    /// (as in JAX with 64-bit types disabled: `exp` of an int32 is a float32).
    public var floating: DType { isFloating ? self : .float32 }

    /// The largest finite value, as a Double (floats) or its exact integer value.
    public var largestFinite: Double {
        switch self {
        case .bool: 1
        case .int8: Double(Int8.max)
        case .int16: Double(Int16.max)
        case .int32: Double(Int32.max)
        case .int64: Double(Int64.max)
        case .uint8: Double(UInt8.max)
        case .uint16: Double(UInt16.max)
        case .uint32: Double(UInt32.max)
        case .uint64: Double(UInt64.max)
        case .float16: 65504
        case .bfloat16: 3.3895313892515355e38
        case .float32: Double(Float.greatestFiniteMagnitude)
        case .float64: Double.greatestFiniteMagnitude
        }
    }
}

extension DType: CustomStringConvertible {
    public var description: String {
        switch self {
        case .bool: "bool"
        case .int8: "int8"
        case .int16: "int16"
        case .int32: "int32"
        case .int64: "int64"
        case .uint8: "uint8"
        case .uint16: "uint16"
        case .uint32: "uint32"
        case .uint64: "uint64"
        case .float16: "float16"
        case .bfloat16: "bfloat16"
        case .float32: "float32"
        case .float64: "float64"
        }
    }
}

// MARK: - Promotion

extension DType {
    /// The type of `a op b`, by JAX's lattice (docs.jax.dev, "Type promotion semantics"), with 64-bit results only where
    /// an operand is 64 bits wide already: int32 with uint32 is int32, as in JAX with 64-bit types disabled.
    public static func promote(_ a: DType, _ b: DType) -> DType {
        if a == b { return a }
        let (low, high) = a.rawValue < b.rawValue ? (a, b) : (b, a)
        if low == .bool { return high }
        switch (low.isFloating, high.isFloating) {
        case (true, true):
            // float16 and bfloat16 have no common 16-bit type.
            return low == .float16 && high == .bfloat16 ? .float32 : high
        case (false, true):
            return high
        default:
            break
        }
        if low.isSignedInteger == high.isSignedInteger { return high }
        // `low` is signed and `high` unsigned: the smallest signed type that holds both.
        if low.byteWidth > high.byteWidth { return low }
        switch high.byteWidth {
        case 1: return .int16
        case 2: return .int32
        case 4: return low == .int64 ? .int64 : .int32
        default: return .float64
        }
    }

    /// The type of an operation between this type and a literal of `kind`: a literal never widens within its kind
    /// (JAX's weak types): bfloat16 * 1.5 is bfloat16, int32 * 2 is int32, int32 * 1.5 is float32.
    func promoted(withLiteral kind: LiteralKind) -> DType {
        switch kind {
        case .bool: self
        case .integer: self == .bool ? .int32 : self
        case .floating: floating
        }
    }

    /// The accumulation type of sums: small integers and bool widen to 32 bits, as in jnp.sum.
    var sumResult: DType {
        switch self {
        case .bool, .int8, .int16: .int32
        case .uint8, .uint16: .uint32
        default: self
        }
    }
}

/// What kind of Swift literal stands beside a tensor.
enum LiteralKind: Sendable { case bool, integer, floating }
