// Types, values and literals as StableHLO writes them.

/// The type of a value: `tensor<?x4xf32>`.
public struct StableHLOType: Sendable, Hashable {
    var dtype: DType
    var dimensions: [SymbolicDimension]

    init(_ dtype: DType, _ dimensions: [SymbolicDimension]) {
        self.dtype = dtype
        self.dimensions = dimensions
    }

    init(_ type: TensorType) {
        self.init(type.dtype, type.shape.map { SymbolicDimension(fixed: $0) })
    }

    /// int32 numbers in a row, such as the sizes of a shape.
    static func vector(_ count: Int) -> StableHLOType { StableHLOType(TensorType(.int32, [count])) }

    var rank: Int { dimensions.count }

    /// The shape where the batch size does not matter.
    var staticShape: Shape? {
        let sizes = dimensions.compactMap(\.staticSize)
        return sizes.count == rank ? Shape(sizes) : nil
    }

    var scalar: StableHLOType { StableHLOType(dtype, []) }

    func with(_ dtype: DType) -> StableHLOType { StableHLOType(dtype, dimensions) }

    func removing(axes: [Int]) -> StableHLOType {
        StableHLOType(dtype, dimensions.indices.filter { !axes.contains($0) }.map { dimensions[$0] })
    }

    /// The type at a batch size.
    func type(batch: Int) -> TensorType { TensorType(dtype, Shape(dimensions.map { $0.size(batch: batch) })) }

    var text: String {
        "tensor<" + dimensions.map { "\($0.staticSize.map(String.init) ?? "?")x" }.joined()
            + dtype.stableHLOName + ">"
    }
}

/// A value of the text: its name, such as `%4` or `%4#1`, and its type.
public struct StableHLOValue: Sendable {
    let name: String
    let type: StableHLOType
}

extension DType {
    var stableHLOName: String {
        switch self {
        case .bool: "i1"
        case .int8: "i8"
        case .int16: "i16"
        case .int32: "i32"
        case .int64: "i64"
        case .uint8: "ui8"
        case .uint16: "ui16"
        case .uint32: "ui32"
        case .uint64: "ui64"
        case .float16: "f16"
        case .bfloat16: "bf16"
        case .float32: "f32"
        case .float64: "f64"
        }
    }

    /// How comparisons take elements.
    var stableHLOComparison: String { isFloating ? "FLOAT" : isSignedInteger ? "SIGNED" : "UNSIGNED" }
}

// MARK: - Literals

extension Tensor {
    /// The elements as the text inside `dense<…>`.
    func stableHLOElements() throws -> String {
        let count = shape.elementCount
        if count == 0 { return "" }
        return try withUnsafeBytes { bytes in
            let width = dtype.byteWidth
            let isSplat = (1..<count).allSatisfy { k in
                (0..<width).allSatisfy { bytes[k * width + $0] == bytes[$0] }
            }
            if isSplat { return Tensor.literal(bytes[..<width], dtype) }
            let longestList = 16
            // i1 has no hexadecimal form: its elements would be single bits.
            if count > longestList, dtype != .bool { return Tensor.hexadecimal(bytes) }
            return nested(0..<count, axis: 0) { k in
                Tensor.literal(bytes[(k * width)..<((k + 1) * width)], dtype)
            }
        }
    }

    /// Elements in brackets for each dimension.
    private func nested(_ range: Range<Int>, axis: Int, _ element: (Int) -> String) -> String {
        guard axis < rank else { return element(range.lowerBound) }
        let step = range.count / shape[axis]
        let parts = (0..<shape[axis]).map { k in
            let start = range.lowerBound + k * step
            return nested(start..<(start + step), axis: axis + 1, element)
        }
        return "[\(parts.joined(separator: ", "))]"
    }

    /// Little-endian bytes, as for numbers of any type.
    private static func hexadecimal(_ bytes: UnsafeRawBufferPointer) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var text: [UInt8] = Array("\"0x".utf8)
        text.reserveCapacity(2 * bytes.count + 4)
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        text.append(UInt8(ascii: "\""))
        return String(decoding: text, as: UTF8.self)
    }

    /// One element: a decimal number, or the bits of what has none.
    private static func literal(_ bytes: Swift.Slice<UnsafeRawBufferPointer>, _ dtype: DType) -> String {
        let bits = bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        func float(_ value: Double, _ text: String) -> String {
            guard value.isFinite else {
                let digits = String(bits, radix: 16, uppercase: true)
                return "0x" + String(repeating: "0", count: 2 * dtype.byteWidth - digits.count) + digits
            }
            // A mantissa needs its point.
            let parts = text.split(separator: "e", maxSplits: 1)
            let mantissa = parts[0].contains(".") ? "\(parts[0])" : "\(parts[0]).0"
            return parts.count > 1 ? "\(mantissa)e\(parts[1])" : mantissa
        }
        func half(_ value: Double) -> String { float(value, "\(Float(value))") }
        switch dtype {
        case .bool: return bits == 0 ? "false" : "true"
        case .int8: return "\(Int8(truncatingIfNeeded: bits))"
        case .int16: return "\(Int16(truncatingIfNeeded: bits))"
        case .int32: return "\(Int32(truncatingIfNeeded: bits))"
        case .int64: return "\(Int64(truncatingIfNeeded: bits))"
        case .uint8, .uint16, .uint32, .uint64: return "\(bits)"
        case .float16: return half(HalfPrecision.float(fromFloat16: UInt16(truncatingIfNeeded: bits)))
        case .bfloat16: return half(Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits) << 16)))
        case .float32:
            let value = Float(bitPattern: UInt32(truncatingIfNeeded: bits))
            return float(Double(value), "\(value)")
        case .float64:
            let value = Double(bitPattern: bits)
            return float(value, "\(value)")
        }
    }
}
