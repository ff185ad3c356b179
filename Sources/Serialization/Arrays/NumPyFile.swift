// The npy format: a line of Python that describes an array, then its bytes. https://numpy.org/neps/nep-0001-npy-format.html.
import FileFormats
import TensorEngine

/// The bytes of an npy file with this array: those that `numpy.save` writes.
///
/// bfloat16 is written as NumPy does with `ml_dtypes`: as two bytes without a meaning, `<V2`. Read there, it needs
/// `.view(ml_dtypes.bfloat16)`.
public func npySerialize(_ array: StateArray) throws -> [UInt8] {
    var sink = MemorySink()
    try sink.write(Array(npyHeader(array)))
    try sink.write(0..<array.byteCount, of: array)
    return sink.bytes
}

/// The array of an npy file. Arrays in Fortran's order and of big-endian numbers are turned around; `V2` is read as bfloat16.
///
/// - Throws: `SerializationError`: (malformed) where the bytes are not what the format allows; (unsupported) for objects, text, dates and
///   structured types.
public func npyRestore(_ bytes: [UInt8]) throws -> StateArray { try npyRestore(bytes[...]) }

func npyRestore(_ bytes: ArraySlice<UInt8>) throws -> StateArray {
    let header: NumPyHeader
    do throws(FormatError) {
        header = try NumPyHeader(bytes)
    } catch  where error.kind == .unsupported {
        throw SerializationError(
            .unsupported, "npyRestore", byteOffset: error.byteOffset, expected: error.expected,
            got: error.got,
            fix: "Save each field as an array of its own.")
    } catch {
        throw malformedNumPy(error.byteOffset, expected: error.expected, got: error.got)
    }
    let shape = Shape(header.shape)
    let type = try NumPyType(descriptor: header.descriptor)
    let data = bytes.dropFirst(header.byteCount)
    let (expected, overflow) = shape.elementCount.multipliedReportingOverflow(by: type.byteWidth)
    guard !overflow, expected == data.count else {
        throw malformedNumPy(
            header.byteCount, expected: "the bytes of \(type.dtypeName) \(shape)", got: "\(data.count) bytes")
    }
    let isTurned = header.isFortranOrder && shape.rank > 1 && !data.isEmpty
    guard type.isSwapped || isTurned else {
        return try data.withUnsafeBytes {
            try StateArray(dtypeName: type.dtypeName, shape: shape, bytes: $0)
        }
    }
    let native = type.isSwapped ? swapped(data, width: type.partWidth) : Array(data)
    let rowMajor = isTurned ? turned(native, shape, width: type.byteWidth) : native
    return try rowMajor.withUnsafeBytes {
        try StateArray(dtypeName: type.dtypeName, shape: shape, bytes: $0)
    }
}

/// NumPy's header of version 1.0: padded, so that the data is aligned to 64 bytes, with room for the first dimension to grow.
func npyHeader(_ array: StateArray) -> [UInt8] {
    let dimensions = array.shape.dimensions
    let shape =
        dimensions.count == 1
        ? "(\(dimensions[0]),)" : "(\(dimensions.map(String.init).joined(separator: ", ")))"
    var text =
        "{'descr': '\(NumPyType.descriptor(dtypeName: array.dtypeName, width: array.elementByteWidth))', "
    text += "'fortran_order': False, 'shape': \(shape), }"
    if let first = dimensions.first {
        text += String(repeating: " ", count: max(21 - String(first).count, 0))
    }
    // Shapes of at most 64 dimensions keep the length within the 16 bits of version 1.0.
    let padding = 64 - (10 + text.utf8.count + 1) % 64
    text += String(repeating: " ", count: padding) + "\n"
    let length = UInt16(clamping: text.utf8.count)
    return NumPyHeader.magic + [1, 0, UInt8(length & 0xFF), UInt8(length >> 8)] + Array(text.utf8)
}

/// An element type as npy names it.
private struct NumPyType {
    let dtypeName: String
    let byteWidth: Int
    /// True for numbers whose bytes stand the other way round.
    let isSwapped: Bool

    /// The width of what is swapped: complex numbers are two.
    var partWidth: Int { dtypeName.hasPrefix("complex") ? byteWidth / 2 : byteWidth }

    private static let kinds: [Character: String] = [
        "b": "bool", "i": "int", "u": "uint", "f": "float", "c": "complex",
    ]

    init(descriptor: String) throws {
        func refuse() -> SerializationError {
            SerializationError(
                .unsupported, "npyRestore",
                expected: "bools, integers, floats or complex numbers, such as '<f4'",
                got: "the type '\(descriptor.prefix(64))'",
                fix: "Convert the array first: array.astype('<f4').")
        }
        let characters = Array(descriptor)
        guard (3...4).contains(characters.count), ["<", ">", "|", "="].contains(characters[0]),
            let width = Int(String(characters[2...])), width > 0
        else { throw refuse() }
        byteWidth = width
        isSwapped = characters[0] == ">" && width > 1
        if characters[1] == "V", width == 2, !isSwapped {
            dtypeName = "bfloat16"
            return
        }
        guard let kind = Self.kinds[characters[1]] else { throw refuse() }
        dtypeName = kind == "bool" ? kind : "\(kind)\(8 * width)"
        let isKnown =
            DType(name: dtypeName)?.byteWidth == width
            || StateArray.ComplexPrecision(rawValue: dtypeName)?.byteWidth == width
        guard isKnown, kind != "bool" || width == 1 else { throw refuse() }
    }

    static func descriptor(dtypeName: String, width: Int) -> String {
        if dtypeName == "bfloat16" { return "<V2" }
        let kind = dtypeName == "bool" ? "b" : dtypeName.prefix { $0.isLetter }.prefix(1)
        return (width == 1 ? "|" : "<") + kind + "\(width)"
    }
}

func malformedNumPy(_ offset: Int, expected: String, got: String) -> SerializationError {
    SerializationError(
        .malformed, "npyRestore", byteOffset: offset, expected: expected, got: got,
        fix: "The bytes are damaged, cut short, or not an npy file.")
}

private func swapped(_ bytes: ArraySlice<UInt8>, width: Int) -> [UInt8] {
    var result = Array(bytes)
    for start in stride(from: 0, to: result.count - width + 1, by: width) {
        result[start..<start + width].reverse()
    }
    return result
}

/// Elements with the first index running fastest, as those with the last one running fastest.
private func turned(_ bytes: [UInt8], _ shape: Shape, width: Int) -> [UInt8] {
    var strides: [Int] = []
    var running = width
    for dimension in shape.dimensions {
        strides.append(running)
        running *= dimension
    }
    return [UInt8](unsafeUninitializedCapacity: bytes.count) { result, count in
        var index = [Int](repeating: 0, count: shape.rank)
        var source = 0
        count = 0
        while count < bytes.count {
            for offset in 0..<width { result[count + offset] = bytes[source + offset] }
            count += width
            var axis = shape.rank - 1
            while axis >= 0 {
                index[axis] += 1
                source += strides[axis]
                if index[axis] < shape[axis] { break }
                source -= strides[axis] * shape[axis]
                index[axis] = 0
                axis -= 1
            }
        }
    }
}
